// The routing policy, and what a study of it says. Times are ms, money is fen.
import type { Hours } from "../hours";

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
export interface TopicRule {
  topic: string;
  priority: number;
  target_ms: number;
  skill: string;
  skill_level: number;
  hours: Hours | null;
  waiting_max: number | null;
}
export interface GuardTier {
  after_ms: number;
  acts: string[];
}
export interface Policy {
  guard: GuardTier[];
  pool_guard: { pool: string; tiers: GuardTier[] }[];
  callback_ms: number | null;
  pool_answer: { pool: string; answer: string }[];
  version: number;
  stages: Stage[];
  topics: TopicRule[];
  agent_rule: string;
  pool_rule: string;
  margin_fen: number;
  commit_bonus_fen: number;
  crowd_per_mille: number;
  sticky_window_ms: number;
  sticky_hold_ms: number;
  answer: string;
  offer_ms: number;
  transfer_offer_ms: number;
  transfer_wait_ms: number;
  first_reply_ms: number | null;
  next_reply_ms: number | null;
  warn_per_mille: number;
  strikes_max: number;
  strike_window_ms: number;
  exclude_ms: number;
  retry_ms: number;
  grace_ms: number;
  phone_grace_ms: number;
  park_ms: number | null;
  resume_reserve: number;
  close_idle_ms: number | null;
  wrap_up_ms: number;
  nobody_ms: number | null;
  message_box_ms: number | null;
  fallback: string;
  backlog_every_ms: number;
  language_wait_ms: number | null;
  waiting_max: number;
  [more: string]: unknown;
}
export interface PolicyVersion {
  version: number;
  created_ms: number;
  created_by: string;
}
export interface PreviewStart {
  pools: { id: string; name: string; provider_name: string; kind: "in_house" | "outsourced"; agents: number; seats_max: number }[];
  handle_s: number | null;
  /** on record */
  days: number;
  requests: number;
}
export interface StudyLoad {
  source: "modelled" | "recorded";
  a_day: number;
  days: number;
  handle_s: number;
  patience_s: number;
}
export interface Interval {
  mean: number;
  low: number;
  high: number;
}
export type Figures = Record<"lost" | "boxed" | "overflow" | "within" | "wait_ms" | "first_p95_ms" | "cost_fen" | "converted" | "net_fen", Interval>;
export interface Study {
  days: number;
  requests: number;
  policies: Record<string, { figures: Figures; by_hour: (number | null)[] }>;
  difference: Figures;
  advice?: { pool: string; agents: number | null; reached: Interval; tried: [number, Interval][]; formula: number | null };
  /** by hour of the day: mean requests, and agents needed of the pool that was asked about */
  by_hour?: { requests: number[]; agents: (number | null)[] };
}
