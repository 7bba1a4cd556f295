// Conditions as rows of the form: what is asked, how, and how much. What no row can say is kept as it is.
import type { Calendar, ChatMetric, Compare, Moment, Node, NumField, TextField } from "./types";

export const ROW_KINDS = [
  "tags", "level", "points", "balance", "orders_n", "neverBought", "spent", "avgOrder", "city", "province", "lang", "source",
  "joined", "bought", "notBought", "seen", "within", "before", "birthday", "lunarBirthday", "memberDay", "firstOrderDay", "paid", "cart",
  "behaved", "chatted", "humanAsked", "refundAsked", "unhappy", "talked", "isMember", "missing", "crowd", "share",
] as const;
export type RowKind = (typeof ROW_KINDS)[number] | "other";
export interface Row {
  kind: RowKind;
  op: string;
  /** which moment, event or figure, where a kind has several */
  field: string;
  metric: string;
  words: string;
  number: number;
  days: number;
  /** of a yearly day: how many days from today on; of a share: its lower end */
  from: number;
  /** a condition that no row can say */
  kept?: Node;
}

const DAY = 86_400;
const NUMS: Partial<Record<RowKind, NumField>> = {
  points: "points", balance: "balance_cents", orders_n: "orders_n", spent: "spent_cents", avgOrder: "avg_order_cents",
};
const TEXTS: Partial<Record<RowKind, TextField>> = { city: "city", province: "province", lang: "lang", source: "source" };
const SOON: Partial<Record<RowKind, Moment>> = { bought: "last_order_at", seen: "last_seen_at", joined: "member_since" };
const YEARLY: Partial<Record<RowKind, { field: "birth" | "member_since" | "first_order"; calendar: Calendar }>> = {
  birthday: { field: "birth", calendar: "solar" },
  lunarBirthday: { field: "birth", calendar: "lunar" },
  memberDay: { field: "member_since", calendar: "solar" },
  firstOrderDay: { field: "first_order", calendar: "solar" },
};
/** A mean rating below three stars, in hundredths. */
const UNHAPPY = 300;
const CHATS: Partial<Record<RowKind, { metric: ChatMetric; op: "ge" | "lt"; value: number }>> = {
  chatted: { metric: "conversations", op: "ge", value: 1 },
  humanAsked: { metric: "human_asked", op: "ge", value: 1 },
  refundAsked: { metric: "refund_asked", op: "ge", value: 1 },
  unhappy: { metric: "csat", op: "lt", value: UNHAPPY },
};
export const MOMENTS: Moment[] = ["last_order_at", "first_order_at", "last_seen_at", "last_chat_at", "last_complaint_at", "member_since"];
export const DEEDS = ["order", "paid", "refund", "visit", "cart", "card_viewed", "menu_tapped", "push_tapped"];
export const METRICS = ["n", "cents", "distinct_days"];
export const CHAT_METRICS: ChatMetric[] = ["conversations", "messages", "waiting_ms", "csat", "refund_asked", "human_asked"];
export const MISSING = ["birth_md", "lunar_md", "city", "province", "level", ...MOMENTS];

/** Which fields of a row its kind shows. */
export const isNumber = (kind: RowKind) => kind === "level" || kind in NUMS;
export const isWords = (kind: RowKind) => kind === "tags" || kind in TEXTS;
export const isYearly = (kind: RowKind) => kind in YEARLY;
export const inDays = (kind: RowKind) =>
  kind in SOON || kind in YEARLY || kind in CHATS || ["notBought", "within", "paid", "cart", "behaved", "talked"].includes(kind);
export const isMoney = (one: Row) =>
  ["balance", "spent", "avgOrder"].includes(one.kind) || (one.kind === "behaved" && one.metric === "cents");
/** What is shown for one of what is stored: yuan for fen, seconds for milliseconds, stars for their hundredths. */
const per = (one: Row) => (isMoney(one) ? 100 : one.kind !== "talked" ? 1 : one.metric === "csat" ? 100 : one.metric === "waiting_ms" ? 1_000 : 1);

const DAYS_AT_FIRST: Partial<Record<RowKind, number>> = { notBought: 90, birthday: 7, lunarBirthday: 7, memberDay: 7, firstOrderDay: 7, cart: 7, refundAsked: 90, unhappy: 90 };
const NUMBER_AT_FIRST: Partial<Record<RowKind, number>> = { level: 3, points: 100, balance: 100, spent: 100, avgOrder: 100, share: 50 };
const FIELD_AT_FIRST: Partial<Record<RowKind, string>> = { within: "last_chat_at", before: "last_order_at", behaved: "paid", missing: "birth_md" };

export const row = (kind: RowKind): Row => ({
  kind,
  op: kind === "tags" ? "any" : kind in TEXTS ? "in" : "ge",
  field: FIELD_AT_FIRST[kind] ?? "",
  metric: kind === "talked" ? "messages" : "n",
  words: "",
  number: NUMBER_AT_FIRST[kind] ?? 1,
  days: DAYS_AT_FIRST[kind] ?? 30,
  from: 0,
});

const words = (text: string) => text.split(/[,，、\s]+/).filter(Boolean);
/** A number as it stands; what is no number is left to the server, which names its field. */
const figure = (value: unknown, times = 1) => (typeof value === "number" ? Math.round(value * times) : (value as number));

/** Whether a row says something; half-filled ones are left out of counting. */
export function ready(one: Row): boolean {
  if (isWords(one.kind) || one.kind === "crowd" || one.kind === "share") return words(one.words).length > 0;
  return one.kind === "before" ? !!one.words : true;
}

export function leafOf(one: Row): Node {
  const { kind, op } = one;
  const seconds = figure(one.days, DAY);
  if (kind === "other") return one.kept!;
  if (kind in NUMS) return { k: "num", field: NUMS[kind]!, op: op as Compare, value: figure(one.number, per(one)) };
  if (kind in TEXTS) return { k: "text", field: TEXTS[kind]!, op: op as "in" | "prefix", values: words(one.words) };
  if (kind in SOON) return { k: "within", field: SOON[kind]!, seconds };
  if (kind in YEARLY) return { k: "anniversary", ...YEARLY[kind]!, first: figure(one.from), days: figure(one.days) };
  if (kind in CHATS) return { k: "chatted", days: figure(one.days), ...CHATS[kind]! };
  switch (kind) {
    case "tags":
      return { k: "tags", op: op as "any" | "all", values: words(one.words) };
    case "level":
      return { k: "level", op: op as Compare, value: figure(one.number) };
    case "notBought":
      return { k: "not", of: { k: "within", field: "last_order_at", seconds } };
    case "neverBought":
      return { k: "not", of: { k: "num", field: "orders_n", op: "ge", value: 1 } };
    case "within":
      return { k: "within", field: one.field as Moment, seconds };
    case "before":
      return { k: "before", field: one.field as Moment, at: `${one.words}T00:00:00Z` };
    case "paid":
    case "cart":
      return { k: "behaved", event: kind, metric: "n", days: figure(one.days), op: "ge", value: 1 };
    case "behaved":
      return {
        k: "behaved", event: one.field, metric: one.metric as "n", days: figure(one.days), op: op as "ge" | "lt", value: figure(one.number, per(one)),
      };
    case "talked":
      return { k: "chatted", metric: one.metric as ChatMetric, days: figure(one.days), op: op as "ge" | "lt", value: figure(one.number, per(one)) };
    case "isMember":
      return { k: "flag", field: "is_member" };
    case "missing":
      return { k: "missing", field: one.field };
    case "crowd":
      return { k: "in_crowd", crowd_id: one.words.trim() };
    default:
      return { k: "bucket", salt: one.words.trim(), start: figure(one.from, 100), end: figure(one.number, 100) };
  }
}

const named = <T>(table: Partial<Record<RowKind, T>>, fits: (value: T) => boolean) =>
  (Object.keys(table) as RowKind[]).find((kind) => fits(table[kind]!));

/** The row that says what a condition says. */
export function rowOf(node: Node): Row {
  const make = (kind: RowKind, more: Partial<Row> = {}): Row => ({ ...row(kind), ...more });
  const other = () => make("other", { kept: node });
  switch (node.k) {
    case "tags":
      return make("tags", { op: node.op, words: node.values.join(" ") });
    case "level":
      return make("level", { op: node.op, number: node.value });
    case "num": {
      const made = make(named(NUMS, (field) => field === node.field)!, { op: node.op });
      return { ...made, number: node.value / per(made) };
    }
    case "text": {
      const kind = named(TEXTS, (field) => field === node.field);
      return kind && node.values.every((one) => words(one).length === 1) ? make(kind, { op: node.op, words: node.values.join(" ") }) : other();
    }
    case "within": {
      if (node.seconds % DAY) return other();
      return make(named(SOON, (field) => field === node.field) ?? "within", { field: node.field, days: node.seconds / DAY });
    }
    case "before":
      return /T00:00:00(Z|\+00:00)$/.test(node.at) ? make("before", { field: node.field, words: node.at.slice(0, 10) }) : other();
    case "not":
      if (node.of.k === "num" && node.of.field === "orders_n" && node.of.op === "ge" && node.of.value === 1) return make("neverBought");
      return node.of.k === "within" && node.of.field === "last_order_at" && node.of.seconds % DAY === 0
        ? make("notBought", { days: node.of.seconds / DAY })
        : other();
    case "anniversary": {
      const usual = (node.leap_policy ?? "feb28") === "feb28" && (node.short_policy ?? "last_day") === "last_day"
        && (node.lunar_leap_policy ?? "leap_if_exists") === "leap_if_exists";
      const kind = named(YEARLY, (one) => one.field === node.field && one.calendar === node.calendar);
      return kind && usual ? make(kind, { from: node.first, days: node.days }) : other();
    }
    case "behaved": {
      if ((node.event === "paid" || node.event === "cart") && node.metric === "n" && node.op === "ge" && node.value === 1)
        return make(node.event, { days: node.days });
      const made = make("behaved", { field: node.event, metric: node.metric, op: node.op, days: node.days });
      return { ...made, number: node.value / per(made) };
    }
    case "chatted": {
      const kind = named(CHATS, (one) => one.metric === node.metric && one.op === node.op && one.value === node.value);
      if (kind) return make(kind, { days: node.days });
      const made = make("talked", { metric: node.metric, op: node.op, days: node.days });
      return { ...made, number: node.value / per(made) };
    }
    case "flag":
      return node.field === "is_member" ? make("isMember") : other();
    case "missing":
      return make("missing", { field: node.field });
    case "bucket":
      return words(node.salt).length === 1 ? make("share", { words: node.salt, from: node.start / 100, number: node.end / 100 }) : other();
    case "in_crowd":
      return make("crowd", { words: node.crowd_id });
    default:
      return other();
  }
}
