// A menu as a tree: where an item is, and how it moves. The lists are changed in place.
import type { Action, Draft, Item, Kind, Variant } from "./types";

export interface Place {
  item: Item;
  /** the list it stands in, and where */
  list: Item[];
  at: number;
  parents: Item[];
}

export function place(items: Item[], id: string, parents: Item[] = []): Place | null {
  for (const [at, item] of items.entries()) {
    if (item.id === id) return { item, list: items, at, parents };
    const below = place(item.items, id, [...parents, item]);
    if (below) return below;
  }
  return null;
}

/** The default menu or a variant: each has a greeting and items of its own. */
export type Tree = Pick<Draft, "greeting" | "items">;

/** The variant of this id; the default menu where there is none. */
export const treeOf = (draft: Draft, id: string): Tree => draft.variants.find((one) => one.id === id) ?? draft;

/** Every item of the default menu and of the variants on top: an id is one item over all of them. */
export const allItems = (draft: Draft): Item[] => [...draft.items, ...draft.variants.flatMap((one) => one.items)];

/** The menu that an item, or a problem of a whole menu, belongs to. */
export function variantOf(draft: Draft, id: string): string {
  if (id.startsWith("variant:")) return id.slice("variant:".length);
  return draft.variants.find((one) => place(one.items, id))?.id ?? "";
}

/** A new menu for some shoppers that begins as a copy of another one, under new ids. */
export function variantLike(draft: Draft, like: Tree, name: string): Variant {
  let n = 1;
  while (draft.variants.some((one) => one.id === `menu-${n}`)) n += 1;
  const taken = new Set<string>();
  const renamed = (item: Item): Item => {
    let id = `${item.id}-${n}`.slice(-40);
    while (taken.has(id) || place(allItems(draft), id)) id = `${id.slice(-38)}x`;
    taken.add(id);
    return { ...(JSON.parse(JSON.stringify(item)) as Item), id, items: item.items.map(renamed) };
  };
  return {
    id: `menu-${n}`, name, share: 100, greeting: "", items: like.items.map(renamed),
    when: { who: "everyone", level_from: null, level_to: null, tags: [], orders: [], hours: [], waiting_from: null, channels: [], languages: [] },
  };
}

/** Every item with its level (1: top), parents first; those under a folded one are left out. */
export function rows(items: Item[], folded: ReadonlySet<string> = new Set(), level = 1): { item: Item; level: number; at: number; of: number }[] {
  return items.flatMap((item, at) => [
    { item, level, at: at + 1, of: items.length },
    ...(folded.has(item.id) ? [] : rows(item.items, folded, level + 1)),
  ]);
}

const deepest = (item: Item): number => 1 + Math.max(0, ...item.items.map(deepest));

export type Way = "up" | "down" | "in" | "out";

/** Moves an item among its siblings, into the sub-menu before it, or out behind its parent; false where it cannot go. */
export function move(items: Item[], id: string, way: Way, depthMax: number): boolean {
  const found = place(items, id);
  if (!found) return false;
  const { item, list, at, parents } = found;
  if (way === "up" || way === "down") {
    const to = at + (way === "up" ? -1 : 1);
    if (to < 0 || to >= list.length) return false;
    list.splice(to, 0, ...list.splice(at, 1));
    return true;
  }
  if (way === "in") {
    const host = list[at - 1];
    if (host?.action.kind !== "submenu" || parents.length + 1 + deepest(item) > depthMax) return false;
    host.items.push(...list.splice(at, 1));
    return true;
  }
  const parent = parents.at(-1);
  if (!parent) return false;
  const around = parents.at(-2)?.items ?? items;
  list.splice(at, 1);
  around.splice(around.indexOf(parent) + 1, 0, item);
  return true;
}

export type Drop = "before" | "after" | "inside";

/** Where a dragged item is let go: beside or inside another one. False where it cannot go. */
export function drop(items: Item[], id: string, target: string, where: Drop, depthMax: number): boolean {
  const from = place(items, id);
  const to = place(items, target);
  if (!from || !to || id === target || to.parents.some((one) => one.id === id)) return false;
  const level = to.parents.length + (where === "inside" ? 2 : 1);
  if (level - 1 + deepest(from.item) > depthMax) return false;
  if (where === "inside" && to.item.action.kind !== "submenu") return false;
  from.list.splice(from.at, 1);
  if (where === "inside") to.item.items.push(from.item);
  else to.list.splice(to.list.indexOf(to.item) + (where === "after" ? 1 : 0), 0, from.item);
  return true;
}

/** Takes an item out; gives what brings it back and whom to look at next. */
export function remove(items: Item[], id: string): { undo: () => void; next: string } | null {
  const found = place(items, id);
  if (!found) return null;
  const { item, list, at, parents } = found;
  list.splice(at, 1);
  const next = list[at]?.id ?? list[at - 1]?.id ?? parents.at(-1)?.id ?? "";
  return { undo: () => void list.splice(Math.min(at, list.length), 0, item), next };
}

export function newId(items: Item[], stem = "item"): string {
  let n = 1;
  while (place(items, `${stem}-${n}`)) n += 1;
  return `${stem}-${n}`;
}

export function blank(id: string, label: string): Item {
  return { id, label, hint: "", icon: null, topics: [], action: { kind: "answer", text: "", media: null }, items: [] };
}

/** An action of another kind; what both kinds have in common is kept. */
export function actionOf(kind: Kind, item: Item, words: { field: string; coupon: string }): Action {
  const old = item.action as Partial<Record<string, unknown>>;
  const text = typeof old.text === "string" ? old.text : "";
  const topic = typeof old.topic === "string" ? old.topic : "";
  const title = typeof old.title === "string" && old.title ? old.title : item.label;
  switch (kind) {
    case "answer":
      return { kind, text, media: null };
    case "faq_group":
      return { kind, text: text.slice(0, 200), topic: "" };
    case "submenu":
      return { kind, text: text.slice(0, 200) };
    case "link":
      return { kind, title, url: "", text: "" };
    case "order_lookup":
      return { kind, states: [] };
    case "logistics":
      return { kind };
    case "return_exchange":
      return { kind, policy: text, topic: "" };
    case "form":
      return {
        kind, title, thanks: "", then: "thanks", topic,
        fields: [{ id: "field-1", label: words.field, type: "text", required: true, options: [] }],
      };
    case "coupon":
      return { kind, coupon: item.id, title: title || words.coupon, value_fen: 1000, least_fen: 0, text: "" };
    case "product_list":
    case "stock":
      return { kind, title, products: [], words: "" };
    case "member_centre":
      return { kind, text: "" };
    case "invoice":
      return { kind, text: "", topic };
    case "subscribe":
      return { kind, tag: item.label.slice(0, 40), text, thanks: "" };
    case "call":
      return { kind, url: "", fallback: text };
    case "human":
      return { kind, topic };
  }
}

/** The id of the item that a dotted path of a refusal names (`draft.items.0.items.2.action.title`), and the field. */
export function named(draft: Pick<Draft, "items" | "variants">, path: string): { item: string; field: string } {
  const parts = path.split(".");
  const variant = draft.variants[Number(parts[parts.indexOf("variants") + 1])];
  let list = parts.includes("variants") && variant ? variant.items : draft.items;
  let item: Item | undefined;
  let at = parts.indexOf("items");
  while (at >= 0 && parts[at] === "items" && list[Number(parts[at + 1])]) {
    item = list[Number(parts[at + 1])]!;
    list = item.items;
    at += 2;
  }
  const rest = item ? parts.slice(at) : parts;
  const field = rest.filter((part) => !/^\d+$/.test(part) && part !== "action" && part !== item?.action.kind).at(-1) ?? "";
  return { item: item?.id ?? (parts.includes("variants") && variant ? `variant:${variant.id}` : ""), field };
}
