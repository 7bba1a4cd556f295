// What /api/v1/dispatch says. Times are ms, money is fen.
import { computed } from "vue";
import { account } from "@/shared/session";

export interface Today {
  conversations: number;
  overflowed: number;
  taken_back: number;
  waited_ms?: number;
  frt_mean_ms?: number | null;
  frt_p95_ms?: number | null;
  answered?: number;
}
export interface PoolRow {
  id: string;
  name: string;
  kind: "in_house" | "outsourced";
  state: "open" | "draining" | "closed";
  provider_id: string | null;
  provider_name: string;
  stars_tenths: number;
  hours: unknown;
  open: boolean;
  seats: number;
  ready: number;
  slots: number;
  load: number;
  free: number;
  wait_ms: number | null;
  today: Today;
}
export interface SeatRow {
  agent: string;
  name: string;
  pools: string[];
  own: boolean;
  state: string;
  connected: boolean;
  since_ms: number;
  load: number;
  seats_max: number;
  ability_per_mille?: number;
  skills?: string[];
  daily_max?: number | null;
}
export interface Floor {
  pools: PoolRow[];
  seats: SeatRow[];
  standing: { waiting: number; assigned: number; parked: number; message_box: number; oldest_waiting_ms: number | null };
}
export interface Target {
  metric: string;
  op: "<=" | ">=";
  value: number;
  sample_min: number;
}
export interface Hours {
  tz: string;
  spans: { day: number; from_min: number; to_min: number }[];
  special: { date: string; spans: [number, number][] }[];
}
export interface TrainingAsked {
  exam: boolean;
  drills: boolean;
  typing_cpm: number;
  practice: boolean;
}
export interface Terms {
  name: string;
  topics: string[];
  hours: Hours | null;
  rank: number;
  seats_committed: number;
  daily_max: number | null;
  daily_min: number;
  price: { model: string; price_fen: number; base_fen: number; included: number; tiers: { above: number; price_fen: number }[] };
  commission: { per_mille: number; silent_orders: boolean; refunds: string };
  targets: Target[];
  penalties: unknown[];
  penalty_cap_per_mille: number;
  visible_fields: string[];
  settlement: string;
  dispute_days: number;
  training: TrainingAsked;
  /** only by the provider's project group of this shop */
  dedicated: boolean;
}
export interface Version {
  version: number;
  starts_ms: number;
  ends_ms: number | null;
  created_ms: number;
  /** what the provider said to it; only an accepted version holds */
  state: "asked" | "accepted" | "refused";
  note: string;
  terms: Terms;
}
export interface Contract {
  id: string;
  provider_id: string;
  provider_name: string;
  pools: string[];
  paused: boolean;
  versions: [Version, ...Version[]];
}
export interface Provider {
  id: string;
  name: string;
  stars_tenths: number;
  pools: { id: string; name: string }[];
}
export interface Trigger {
  kind: string;
  above: number;
  clear_below: number | null;
  hold_ms: number;
}
export interface Stage {
  pools: string | string[];
  after_ms: number;
  enter_if: Trigger[];
  mode: string;
}
export interface Policy {
  version: number;
  stages: Stage[];
  agent_rule: string;
  pool_rule: string;
  margin_fen: number;
  answer: string;
  offer_ms: number;
  first_reply_ms: number | null;
  next_reply_ms: number | null;
  message_box_ms: number | null;
  strikes_max: number;
  grace_ms: number;
  wrap_up_ms: number;
  waiting_max: number;
  [more: string]: unknown;
}
export interface AssignmentRow {
  conversation_id: string;
  epoch: number;
  agent_name: string;
  pool_name: string;
  shopper_name: string;
  reason: string;
  waited_ms: number;
  assigned_ms: number;
}
export interface Explained extends AssignmentRow {
  contract_version: number;
  policy_version: number;
  stage: number;
  level: number;
  predicted_ms: number;
  release_reason: string | null;
  explanation: {
    candidates: { agent: string; name: string; load: number; seats_max: number; score: number[]; barred?: string }[];
    pools: { pool: string; name: string; stage: number; verdict: string }[];
  };
}

export const VISIBLE = ["level", "external_id", "orders", "spent", "tags", "remark", "since", "parcel", "forms"] as const;

const shop = computed(() => account.value?.shops[0]?.id ?? "");
/** The path of this merchant's shop under /dispatch. */
export const at = (path: string): string => `/dispatch/${shop.value}/${path}`;

/** What one more conversation costs under these terms, in fen; null: nothing more. */
export function priceOf(terms: Terms): number | null {
  const { model, price_fen, tiers } = terms.price;
  if (model === "per_conversation") return tiers[0]?.price_fen ?? price_fen;
  return null;
}

export type Judged = "kept" | "broken" | "early";
/** A term beside what was measured; "early": too few cases to say. */
export function judge(target: Target, today: Today): { value: number | null; verdict: Judged } {
  const value =
    target.metric === "frt_p95_ms" ? today.frt_p95_ms : target.metric === "frt_mean_ms" ? today.frt_mean_ms : undefined;
  if (value === undefined || value === null || (today.answered ?? 0) < target.sample_min) return { value: value ?? null, verdict: "early" };
  const kept = target.op === "<=" ? value <= target.value : value >= target.value;
  return { value, verdict: kept ? "kept" : "broken" };
}

export interface PolicyVersion {
  version: number;
  created_ms: number;
}
export interface PreviewStart {
  pools: { id: string; name: string; provider_name: string; kind: "in_house" | "outsourced"; agents: number; seats_max: number }[];
  handle_s: number | null;
  /** on record */
  days: number;
  requests: number;
}
export interface Interval {
  mean: number;
  low: number;
  high: number;
}
export type Figures = Record<"lost" | "boxed" | "overflow" | "within" | "wait_ms" | "first_p95_ms" | "cost_fen", Interval>;
export interface Study {
  days: number;
  requests: number;
  policies: Record<string, { figures: Figures; by_hour: (number | null)[] }>;
  difference: Figures;
  advice?: { pool: string; agents: number | null; reached: Interval };
}

export interface OwnPool {
  id: string;
  name: string;
  state: string;
}
export interface AgentRow {
  agent: string;
  login: string;
  name: string;
  pools: string[];
  seats_max: number;
  ability_per_mille: number;
  skills: string[];
  daily_max: number | null;
  state: string;
  connected: boolean;
  since_ms: number;
  load: number;
}
export interface AgentsAnswer {
  pools: OwnPool[];
  agents: AgentRow[];
}
/** A new login and its first password. */
export interface Made {
  login: string;
  password: string;
}
