// Stands in for @lucide/vue's own maker of icons in this build: the same drawing without what this page never asks of it.
import { h, type FunctionalComponent } from "vue";

type Node = [tag: string, attributes: Record<string, string>];

export default function icon({ node }: { node: Node[] }): FunctionalComponent<{ size?: number }> {
  return ({ size = 24 }, { attrs }) =>
    h(
      "svg",
      {
        width: size, height: size, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": 2,
        "stroke-linecap": "round", "stroke-linejoin": "round", ...attrs,
      },
      node.map(([tag, attributes]) => h(tag, attributes)),
    );
}
