import { describe, expect, it } from "vitest";
import { blank, bodyOf, draftOf } from "./draft";

describe("a rule that is opened and saved", () => {
  it("keeps the shares of its versions and the steps that the page does not show", () => {
    const body = bodyOf({ ...blank(), name: "new", texts: ["one", "two"] });
    const step = body.steps[0]!;
    step.content.variants[0]!.weight = 7;
    step.content.variants[1]!.weight = 3;
    body.steps.push({ ...step, after_ms: 86_400_000 } as (typeof body.steps)[number]);
    const again = bodyOf(draftOf(body), body);
    expect(again.steps[0]!.content.variants.map((one) => one.weight)).toEqual([7, 3]);
    expect(again.steps).toHaveLength(2);
  });
});
