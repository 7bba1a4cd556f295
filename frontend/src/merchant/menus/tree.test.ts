import { describe, expect, it } from "vitest";
import { allItems, blank, drop, move, named, newId, place, remove, rows, treeOf, variantLike, variantOf } from "./tree";
import type { Draft, Item } from "./types";

const leaf = (id: string): Item => blank(id, id);
const sub = (id: string, ...items: Item[]): Item => ({ ...blank(id, id), action: { kind: "submenu", text: "" }, items });
const shape = (items: Item[]): unknown[] => items.map((one) => (one.items.length ? [one.id, shape(one.items)] : one.id));

describe("a menu's tree", () => {
  it("moves items among their siblings, into the sub-menu before them and out again", () => {
    const items = [sub("a", leaf("b")), leaf("c"), leaf("d")];
    expect(move(items, "d", "up", 2)).toBe(true);
    expect(shape(items)).toEqual([["a", ["b"]], "d", "c"]);
    expect(move(items, "d", "in", 2)).toBe(true);
    expect(shape(items)).toEqual([["a", ["b", "d"]], "c"]);
    expect(move(items, "b", "out", 2)).toBe(true);
    expect(shape(items)).toEqual([["a", ["d"]], "b", "c"]);
  });
  it("moves nothing past the ends, into what is no sub-menu, or below the last level", () => {
    const items = [leaf("a"), sub("b", leaf("c")), sub("d", leaf("e"))];
    expect(move(items, "a", "up", 2)).toBe(false);
    expect(move(items, "d", "down", 2)).toBe(false);
    expect(move(items, "b", "in", 2)).toBe(false);
    expect(move(items, "d", "in", 2)).toBe(false);
    expect(move(items, "d", "in", 3)).toBe(true);
    expect(move(items, "a", "out", 2)).toBe(false);
  });
  it("lets a dragged item go beside or inside another, but never inside itself", () => {
    const items = [sub("a", leaf("b")), leaf("c")];
    expect(drop(items, "a", "b", "after", 3)).toBe(false);
    expect(drop(items, "c", "b", "before", 2)).toBe(true);
    expect(shape(items)).toEqual([["a", ["c", "b"]]]);
    expect(drop(items, "c", "a", "after", 2)).toBe(true);
    expect(drop(items, "c", "a", "inside", 2)).toBe(true);
    expect(shape(items)).toEqual([["a", ["b", "c"]]]);
  });
  it("brings back what was taken out", () => {
    const items = [sub("a", leaf("b"), leaf("c"))];
    const gone = remove(items, "b")!;
    expect([shape(items), gone.next]).toEqual([[["a", ["c"]]], "c"]);
    gone.undo();
    expect(shape(items)).toEqual([["a", ["b", "c"]]]);
  });
  it("leaves folded items' children out", () => {
    const items = [sub("a", leaf("b")), leaf("c")];
    expect(rows(items, new Set(["a"])).map((row) => row.item.id)).toEqual(["a", "c"]);
    expect(rows(items).map((row) => row.level)).toEqual([1, 2, 1]);
  });
  it("finds the item that a refusal's path names", () => {
    const items = [leaf("a"), sub("b", leaf("c"))];
    expect(named({ items, variants: [] }, "draft.items.1.items.0.action.link.title")).toEqual({ item: "c", field: "title" });
    expect(named({ items, variants: [] }, "items.1.label")).toEqual({ item: "b", field: "label" });
    expect(named({ items, variants: [] }, "greeting")).toEqual({ item: "", field: "greeting" });
    expect(newId([leaf("item-1")])).toBe("item-2");
    expect(place(items, "c")?.parents.map((one) => one.id)).toEqual(["b"]);
  });
});

describe("menus for some shoppers", () => {
  const draft: Draft = { greeting: "", items: [sub("a", leaf("b")), leaf("c")], variants: [] };
  it("begin as a copy under ids of their own", () => {
    draft.variants.push(variantLike(draft, draft, "VIP"));
    draft.variants.push(variantLike(draft, draft, "Night"));
    expect(draft.variants.map((one) => one.id)).toEqual(["menu-1", "menu-2"]);
    const ids = rows(allItems(draft)).map((row) => row.item.id);
    expect(new Set(ids).size).toBe(9);
    expect(shape(treeOf(draft, "menu-2").items)).toEqual([["a-2", ["b-2"]], "c-2"]);
  });
  it("are found by their items and by the problems that name them", () => {
    expect(variantOf(draft, "b-1")).toBe("menu-1");
    expect(variantOf(draft, "variant:menu-2")).toBe("menu-2");
    expect(variantOf(draft, "b")).toBe("");
    expect(named(draft, "draft.variants.1.items.0.items.0.label")).toEqual({ item: "b-2", field: "label" });
    expect(named(draft, "draft.variants.0.when.level_from")).toEqual({ item: "variant:menu-1", field: "level_from" });
  });
});
