// A shop's settings as REST shows them.
import { computed } from "vue";
import { account } from "@/shared/session";

export interface ApiKey {
  id: string;
  name: string;
  hint: string;
  scopes: string[];
  made_ms: number;
  used_ms: number | null;
  revoked_ms: number | null;
}

export interface Secret {
  kid: string;
  ends_ms: number | null;
}

/** How much is kept of a shopper; `ref` is the shop's own number of him. */
export interface Person {
  id: string;
  name: string;
  ref: string | null;
  lines: number;
  orders: number;
  media: number;
}

/** `days` null: for ever. `through`: lines of before this day are in the archive. */
export interface Keeping {
  days: number | null;
  through: string | null;
  files: number;
  entries: number;
  bytes: number;
}

/** Conversations that ended before `before`; `more`: at least so many. */
export interface Concerned {
  before: string;
  conversations: number;
  more: boolean;
}

export interface ShopSettings {
  id: string;
  slug: string;
  name: string;
  tz: string;
  origins: string[];
  secrets: Secret[];
  keys: ApiKey[];
}

const shop = computed(() => account.value?.shops[0]?.id ?? "");
export const at = (path = ""): string => `/settings/${shop.value}${path && `/${path}`}`;

export const DUTIES = ["owner", "operator", "lead", "finance", "reader"] as const;
export type Duty = (typeof DUTIES)[number];

export interface Member {
  id: string;
  login: string;
  name: string;
  duty: Duty;
  sessions: number;
  seen_ms: number | null;
  you: boolean;
}

export interface Deed {
  id: string;
  at_ms: number;
  role: string;
  actor: string;
  name: string;
  login: string;
  action: string;
  subject: string;
  detail: Record<string, unknown>;
}

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  made_ms: number;
  rotated_until_ms: number | null;
  failing_ms: number | null;
  stopped_ms: number | null;
  stopped_why: string;
}

export interface Attempt {
  at_ms: number;
  ms: number;
  status: number | null;
  why: string;
  answer: string;
}

export interface Call {
  id: string;
  event: string;
  body: string;
  made_ms: number;
  state: "waiting" | "delivered" | "failed";
  due_ms: number;
  tries: number;
  attempts: Attempt[];
}

/** What the one who is signed in may do in the shop; "" for a provider's people. */
export const duty = computed<Duty | "">(() => account.value?.duties[shop.value] ?? "");
/** Pages in which a duty may change something; an owner may everywhere. The server holds the same table. */
const CHANGES: Record<Exclude<Duty, "owner">, readonly string[]> = {
  operator: ["menus", "bot", "push", "aftersale", "start"],
  lead: ["pools", "aftersale", "quality"],
  finance: ["statements", "report"],
  reader: [],
};
const READ_ANYWAY = ["overview"];
/** Whether this page can only be read by the one who is signed in. */
export const readOnly = (page: string): boolean =>
  duty.value !== "" && duty.value !== "owner" && !READ_ANYWAY.includes(page) && !CHANGES[duty.value].includes(page);
