import { describe, expect, it } from "vitest";
import { takeTyped, typedAt, typedBy } from "./typing";

describe("typing", () => {
  it("counts what hands have typed, and neither pasted words nor letters of a composition that goes on", () => {
    expect(typedBy({ inputType: "insertText", data: "\u597d", isComposing: false })).toBe(1);
    expect(typedBy({ inputType: "insertFromPaste", data: "\u5f88\u957f\u7684\u4e00\u6bb5", isComposing: false })).toBe(0);
    expect(typedBy({ inputType: "insertCompositionText", data: "ni", isComposing: true })).toBe(0);
    expect(typedBy({ inputType: "deleteContentBackward", data: null, isComposing: false })).toBe(0);
  });

  it("counts the time between keys, a long pause as a short one, and each message once", () => {
    typedAt("a", 1, 1_000);
    typedAt("a", 1, 2_000);
    typedAt("b", 5, 2_500);
    typedAt("a", 2, 100_000);
    expect(takeTyped("a", 3)).toEqual({ typed_chars: 3, typed_ms: 5_000 });
    expect(takeTyped("a", 3)).toBeNull();
    expect(takeTyped("b", 5)).toBeNull();
  });
});
