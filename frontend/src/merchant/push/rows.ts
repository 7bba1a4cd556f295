// Conditions as rows of the form: field, operator, value. A tree that is no list of such rows is left alone.
import type { ChatMetric, Compare, Moment, Node, NumField } from "./types";

export type RowKind =
  | "tags" | "level" | "points" | "orders_n" | "neverBought" | "spent" | "city" | "joined" | "bought" | "notBought" | "seen"
  | "birthday" | "paid" | "cart" | "chatted" | "humanAsked" | "refundAsked" | "unhappy" | "crowd";
export interface Row {
  kind: RowKind;
  op: "ge" | "le" | "any" | "all";
  words: string;
  number: number;
}

export const ROW_KINDS: RowKind[] = [
  "tags", "level", "points", "orders_n", "neverBought", "spent", "city", "joined", "bought", "notBought", "seen", "birthday",
  "paid", "cart", "chatted", "humanAsked", "refundAsked", "unhappy", "crowd",
];
export const NUMERIC: RowKind[] = ["level", "points", "orders_n", "spent"];
export const DAYS: RowKind[] = [
  "joined", "bought", "notBought", "seen", "birthday", "paid", "cart", "chatted", "humanAsked", "refundAsked", "unhappy",
];
/** A mean rating below three stars, in hundredths. */
const UNHAPPY = 300;
const CHATS: Partial<Record<RowKind, { metric: ChatMetric; op: "ge" | "lt"; value: number }>> = {
  chatted: { metric: "conversations", op: "ge", value: 1 },
  humanAsked: { metric: "human_asked", op: "ge", value: 1 },
  refundAsked: { metric: "refund_asked", op: "ge", value: 1 },
  unhappy: { metric: "csat", op: "lt", value: UNHAPPY },
};

export const row = (kind: RowKind): Row => ({
  kind,
  op: kind === "tags" ? "any" : "ge",
  words: "",
  number: { level: 3, points: 100, orders_n: 1, spent: 100, bought: 30, notBought: 90, seen: 30, birthday: 7, paid: 30, joined: 30, cart: 7, chatted: 30,
    humanAsked: 30, refundAsked: 90, unhappy: 90 }[kind as string] ?? 0,
});

const words = (text: string) => text.split(/[,，、\s]+/).filter(Boolean);
const DAY = 86_400;
const NUMS: Partial<Record<RowKind, NumField>> = { points: "points", orders_n: "orders_n", spent: "spent_cents" };
const MOMENTS: Partial<Record<RowKind, Moment>> = { bought: "last_order_at", seen: "last_seen_at", joined: "member_since" };

/** Whether a row says something; half-filled ones are left out of counting. */
export const ready = (one: Row): boolean =>
  one.kind === "neverBought" || (one.kind === "tags" || one.kind === "city" || one.kind === "crowd" ? words(one.words).length > 0 : Number.isFinite(one.number));

function leafOf(one: Row): Node {
  const op = (one.op === "le" ? "le" : "ge") as Compare;
  switch (one.kind) {
    case "tags":
      return { k: "tags", op: one.op === "all" ? "all" : "any", values: words(one.words) };
    case "level":
      return { k: "level", op, value: one.number };
    case "city":
      return { k: "text", field: "city", op: "in", values: words(one.words) };
    case "notBought":
      return { k: "not", of: { k: "within", field: "last_order_at", seconds: one.number * DAY } };
    case "birthday":
      return { k: "anniversary", field: "birth", calendar: "solar", first: 0, days: one.number };
    case "paid":
    case "cart":
      return { k: "behaved", event: one.kind, metric: "n", days: one.number, op: "ge", value: 1 };
    case "neverBought":
      return { k: "not", of: { k: "num", field: "orders_n", op: "ge", value: 1 } };
    case "chatted":
    case "humanAsked":
    case "refundAsked":
    case "unhappy":
      return { k: "chatted", days: one.number, ...CHATS[one.kind]! };
    case "crowd":
      return { k: "in_crowd", crowd_id: one.words.trim() };
    case "bought":
    case "seen":
    case "joined":
      return { k: "within", field: MOMENTS[one.kind]!, seconds: one.number * DAY };
    default:
      return { k: "num", field: NUMS[one.kind]!, op, value: one.kind === "spent" ? Math.round(one.number * 100) : one.number };
  }
}

export const nodeOf = (rows: Row[], joined: "all" | "any"): Node => {
  const of = rows.filter(ready).map(leafOf);
  return { k: of.length ? joined : "all", of };
};

function rowOf(node: Node): Row | null {
  const make = (kind: RowKind, more: Partial<Row>): Row => ({ ...row(kind), ...more });
  switch (node.k) {
    case "tags":
      return make("tags", { op: node.op, words: node.values.join(" ") });
    case "level":
      return node.op === "ge" || node.op === "le" ? make("level", { op: node.op, number: node.value }) : null;
    case "num": {
      const kind = (Object.keys(NUMS) as RowKind[]).find((one) => NUMS[one] === node.field);
      if (!kind || (node.op !== "ge" && node.op !== "le")) return null;
      return make(kind, { op: node.op, number: kind === "spent" ? node.value / 100 : node.value });
    }
    case "text":
      return node.field === "city" && node.op === "in" ? make("city", { words: node.values.join(" ") }) : null;
    case "within": {
      const kind = (Object.keys(MOMENTS) as RowKind[]).find((one) => MOMENTS[one] === node.field);
      return kind && node.seconds % DAY === 0 ? make(kind, { number: node.seconds / DAY }) : null;
    }
    case "not":
      if (node.of.k === "num" && node.of.field === "orders_n" && node.of.op === "ge" && node.of.value === 1) return make("neverBought", {});
      return node.of.k === "within" && node.of.field === "last_order_at" && node.of.seconds % DAY === 0
        ? make("notBought", { number: node.of.seconds / DAY })
        : null;
    case "anniversary":
      return node.field === "birth" && node.calendar === "solar" && node.first === 0 ? make("birthday", { number: node.days }) : null;
    case "behaved":
      return (node.event === "paid" || node.event === "cart") && node.metric === "n" && node.op === "ge" && node.value === 1
        ? make(node.event, { number: node.days })
        : null;
    case "chatted": {
      const kind = (Object.keys(CHATS) as RowKind[]).find(
        (one) => CHATS[one]!.metric === node.metric && CHATS[one]!.op === node.op && CHATS[one]!.value === node.value,
      );
      return kind ? make(kind, { number: node.days }) : null;
    }
    case "in_crowd":
      return make("crowd", { words: node.crowd_id });
    default:
      return null;
  }
}

/** The rows of a tree, or null where rows cannot say it. */
export function rowsOf(root: Node): { rows: Row[]; joined: "all" | "any" } | null {
  if (root.k !== "all" && root.k !== "any") {
    const only = rowOf(root);
    return only && { rows: [only], joined: "all" };
  }
  if (root.k === "any" && !root.of.length) return null;
  const rows = root.of.map(rowOf);
  return rows.some((one) => !one) ? null : { rows: rows as Row[], joined: root.k };
}
