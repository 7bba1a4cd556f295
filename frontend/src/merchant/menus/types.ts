// The menu as the studio edits it; the shapes are those of /api/v1/menus/{shop}.
import type { AnyBody } from "@/shared/protocol";

export interface FormFieldDraft {
  id: string;
  label: string;
  type: "text" | "long_text" | "number" | "phone" | "date" | "select" | "image" | "video";
  required: boolean;
  options: string[];
}
export type Action =
  | { kind: "answer"; text: string; media: string | null }
  | { kind: "faq_group"; text: string; topic: string }
  | { kind: "link"; title: string; url: string; text: string }
  | { kind: "order_lookup"; states: string[] }
  | { kind: "logistics" }
  | { kind: "form"; title: string; fields: FormFieldDraft[]; thanks: string; then: "thanks" | "human"; topic: string }
  | { kind: "return_exchange"; policy: string; topic: string }
  | { kind: "coupon"; coupon: string; title: string; value_fen: number; least_fen: number; text: string }
  | { kind: "member_centre"; text: string }
  | { kind: "invoice"; text: string; topic: string }
  | { kind: "stock"; title: string; products: string[]; words: string }
  | { kind: "subscribe"; tag: string; text: string; thanks: string }
  | { kind: "call"; url: string; fallback: string }
  | { kind: "product_list"; title: string; products: string[]; words: string }
  | { kind: "human"; topic: string }
  | { kind: "submenu"; text: string };
export type Kind = Action["kind"];

export interface Item {
  id: string;
  label: string;
  hint: string;
  icon: string | null;
  topics: string[];
  action: Action;
  items: Item[];
}
export interface Hours {
  /** 1: Monday */
  days: number[];
  begins: string;
  ends: string;
}
export interface When {
  who: "everyone" | "members" | "guests";
  level_from: number | null;
  level_to: number | null;
  tags: string[];
  orders: string[];
  hours: Hours[];
  waiting_from: number | null;
  channels: string[];
  languages: string[];
}
/** A menu for some shoppers; the default one has no id and no conditions. */
export interface Variant {
  id: string;
  name: string;
  when: When;
  share: number;
  greeting: string;
  items: Item[];
}
export interface Draft {
  greeting: string;
  items: Item[];
  variants: Variant[];
}
export type Condition = "who" | "level" | "tags" | "orders" | "hours" | "waiting" | "channels" | "languages";
export interface Why {
  variant: string;
  considered: { variant: string; unmet: Condition[]; held: boolean }[];
  facts: { guest: boolean; level: number | null; tags: string[]; order: "none" | (typeof ORDER_STATES)[number]; waiting: number };
}
export interface Trial {
  variant: string;
  name: string;
  share: number;
  unequal: boolean;
  shown: Arm;
  held: Arm;
  measures: { name: "tapped" | "handed_over" | "ordered"; difference: number; low: number; high: number; smallest: number; verdict: "better" | "worse" | "cannot_tell" }[];
}
export interface Arm {
  people: number;
  tapped: number;
  handed_over: number;
  ordered: number;
}
export interface Problem {
  item: string;
  code: string;
  level: "error" | "warning";
  detail: string;
}
export interface Bounds {
  top: number;
  children: number;
  label: number;
  depth: number;
}
export interface Desk {
  draft: Draft;
  revision: number;
  published: number;
  problems: Problem[];
  topics: string[];
  banned: string[];
  limits: Bounds;
}
export interface Version {
  version: number;
  note: string;
  made_at_ms: number;
  items: number;
}
export interface ItemFigures {
  id: string;
  label: string;
  kind: Kind | "";
  level: number;
  variant: string;
  never: boolean;
  taps: number;
  people: number;
  solved: number;
  handed_over: number;
  ordered: number;
}
export interface Figures {
  days: number;
  shown: number;
  items: ItemFigures[];
}
export interface Plan {
  id: string;
  at_ms: number;
  until_ms: number | null;
  note: string;
  state: "waiting" | "live" | "done" | "cancelled" | "failed";
  version: number | null;
  reason: string;
}
/** A place where something of the library is used. */
export interface Use {
  where: "live" | "draft" | "plan" | "push" | "reply" | "question";
  label: string;
  at_ms?: number;
}
export interface Shelved {
  id: string;
  title: string;
  kind: "image" | "video";
  added_ms: number;
  uses: Use[];
}
/** A menu to begin with. */
export interface Ready {
  trade: string;
  draft: Draft;
}
export interface Said {
  says: AnyBody[];
  human: boolean;
}
export interface Member {
  shopper_id: string;
  name: string;
  ref: string;
}

export const KINDS: readonly Kind[] = [
  "answer", "faq_group", "submenu", "link", "order_lookup", "logistics", "return_exchange", "invoice", "form", "coupon",
  "member_centre", "product_list", "stock", "subscribe", "call", "human",
];
export const ORDER_STATES = ["unpaid", "paid", "shipped", "signed", "refunding", "refunded", "cancelled"] as const;
export const FIELD_TYPES: readonly FormFieldDraft["type"][] = ["text", "long_text", "number", "phone", "date", "select", "image", "video"];
