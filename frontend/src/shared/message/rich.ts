// Cards, forms and pictures are drawn by a part that is loaded apart from the words.
import { shallowRef, type Component } from "vue";
import { moreTexts } from "../i18n";

export const RichBody = shallowRef<Component | null>(null);
let asked: Promise<void> | null = null;

/** Load it, once; after a failure the next asking tries again. */
export function wantRich(): void {
  asked ??= Promise.all([import("./RichBody.vue"), moreTexts(import.meta.glob("../../locales/*/cards.json", { import: "default" }))]).then(
    ([part]) => void (RichBody.value = part.default),
    () => void (asked = null),
  );
}
