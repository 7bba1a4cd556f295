// Providers and what is agreed with them, as /api/v1/dispatch says it. Times are ms, money is fen.
import type { Hours } from "../hours";
import type { Today } from "../model";
import type { Trigger } from "../policy/rules";

export interface Target {
  metric: string;
  op: "<=" | ">=";
  value: number;
  sample_min: number;
}
export interface TrainingAsked {
  exam: boolean;
  drills: boolean;
  typing_cpm: number;
  practice: boolean;
}
export interface Penalty {
  metric: string;
  off_per_mille: number;
  fee_per_mille: number;
}
export interface Bonus {
  metric: string;
  better_per_mille: number;
  fee_per_mille: number;
}
export interface OverflowRules {
  any_of: Trigger[];
  after_ms: number | null;
}
export interface Terms {
  name: string;
  topics: string[];
  skills: string[];
  hours: Hours | null;
  rank: number;
  seats_committed: number;
  daily_max: number | null;
  daily_min: number;
  share_weight: number | null;
  share_max_per_mille: number | null;
  quality_floor: { metric: string; value: number; days: number; sample_min: number } | null;
  price: { model: string; price_fen: number; base_fen: number; included: number; tiers: { above: number; price_fen: number }[] };
  commission: { per_mille: number; silent_orders: boolean; refunds: string };
  targets: Target[];
  penalties: Penalty[];
  penalty_cap_per_mille: number;
  /** the most that a settlement cycle costs */
  fee_fen_max: number | null;
  bonuses: Bonus[];
  visible_fields: string[];
  settlement: string;
  dispute_days: number;
  training: TrainingAsked;
  /** only by the provider's project group of this shop */
  dedicated: boolean;
  /** null: the policy says when its pools are asked */
  overflow: OverflowRules | null;
}
export interface Version {
  version: number;
  pools: string[];
  /** it holds for */
  shops: string[];
  starts_ms: number;
  ends_ms: number | null;
  created_ms: number;
  created_by: string;
  answered_ms: number | null;
  answered_by: string;
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
  paused_why: string;
  versions: [Version, ...Version[]];
}
export interface Provider {
  id: string;
  name: string;
  stars_tenths: number;
  pools: { id: string; name: string }[];
  /** written down by this shop, and known to it alone */
  own: boolean;
  state: Standing;
  contacts: Contact[];
  note: string;
}
export interface Contact {
  name: string;
  role: string;
  phone: string;
  email: string;
}
export const STANDINGS = ["active", "probation", "suspended"] as const;
export type Standing = (typeof STANDINGS)[number];
export const VISIBLE = ["level", "external_id", "orders", "spent", "tags", "remark", "since", "parcel", "forms"] as const;
export type Judged = "kept" | "broken" | "early";
/** A term beside what was measured; "early": too few cases to say. */
export function judge(target: Target, today: Today): { value: number | null; verdict: Judged } {
  const value =
    target.metric === "frt_p95_ms" ? today.frt_p95_ms : target.metric === "frt_mean_ms" ? today.frt_mean_ms : undefined;
  if (value === undefined || value === null || (today.answered ?? 0) < target.sample_min) return { value: value ?? null, verdict: "early" };
  const kept = target.op === "<=" ? value <= target.value : value >= target.value;
  return { value, verdict: kept ? "kept" : "broken" };
}
/** The version that holds now; undefined: none does. */
export function running(contract: Contract): Version | undefined {
  const now = Date.now();
  const started = contract.versions.find((one) => one.state === "accepted" && one.starts_ms <= now);
  return started && (started.ends_ms === null || started.ends_ms > now) ? started : undefined;
}
/** Terms to start from: a copy of those given, else plain ones. */
export function freshTerms(from?: Terms): Terms {
  return from
    ? (JSON.parse(JSON.stringify(from)) as Terms)
    : {
        name: "", topics: [], skills: [], hours: null, rank: 1, seats_committed: 0, daily_max: null, daily_min: 0, share_weight: null,
        share_max_per_mille: null, quality_floor: null,
        price: { model: "per_conversation", price_fen: 100, base_fen: 0, included: 0, tiers: [] },
        commission: { per_mille: 0, silent_orders: false, refunds: "clawed_back" },
        targets: [{ metric: "frt_p95_ms", op: "<=", value: 30_000, sample_min: 30 }],
        training: { exam: false, drills: false, typing_cpm: 0, practice: false }, dedicated: false, overflow: null,
        penalties: [], penalty_cap_per_mille: 300, fee_fen_max: null, bonuses: [], visible_fields: ["level", "orders", "tags", "remark"], settlement: "month", dispute_days: 7,
      };
}
