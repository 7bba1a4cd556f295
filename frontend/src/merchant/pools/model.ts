// What /api/v1/dispatch says. Times are ms, money is fen.
import { computed } from "vue";
import { locale, t } from "@/shared/i18n";
import { account } from "@/shared/session";
import type { RestRow } from "./rests";

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
  hours: Hours | null;
  skills: string[];
  languages: string[];
  waiting_max: number | null;
  share_weight: number;
  seats_default: number;
  standing: Standing;
  /** whether the merchant may change it */
  mine: boolean;
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
  /** of an own agent: before his soft start and measured typing */
  seats_agreed?: number;
  ability_per_mille?: number;
  skill_levels?: Record<string, number>;
  languages?: string[];
  protected?: boolean;
  daily_max?: number | null;
}
export interface Floor {
  pools: PoolRow[];
  rests: RestRow[];
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
export const VISIBLE = ["level", "external_id", "orders", "spent", "tags", "remark", "since", "parcel", "forms"] as const;

const shop = computed(() => account.value?.shops[0]?.id ?? "");
export const shopsMine = computed(() => account.value?.shops ?? []);
export const shopName = (id: string): string => shopsMine.value.find((one) => one.id === id)?.name ?? t("terms.contract.otherShop");
/** The path of this merchant's shop under /dispatch. */
export const at = (path: string): string => `/dispatch/${shop.value}/${path}`;

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

export interface OwnPool {
  id: string;
  name: string;
  state: string;
  hours: Hours | null;
  skills: string[];
  languages: string[];
  waiting_max: number | null;
  share_weight: number;
  seats_default: number;
}
/** The load that fits an agent, and what bounds it. */
export interface Fit {
  cap: number;
  agreed: number;
  bound: "agreed" | "ramp" | "speed";
  day: number | null;
  speed: number | null;
}
/** What an agent finishes in an hour with so many at once; null: not learnt yet. */
export interface CurveLevel {
  level: number;
  an_hour: number | null;
  ended: number;
  minutes: number;
}
export interface AgentRow {
  curve: CurveLevel[];
  ramp: boolean;
  fit: Fit;
  agent: string;
  login: string;
  name: string;
  pools: string[];
  seats_max: number;
  ability_per_mille: number;
  skill_levels: Record<string, number>;
  languages: string[];
  protected: boolean;
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

/** What a pool is, as PUT takes it. */
export const asWritten = ({ name, hours, state, skills, languages, waiting_max, share_weight, seats_default }: OwnPool | PoolRow) => ({
  name, hours, state, skills, languages, waiting_max, share_weight, seats_default,
});

/** A Monday, to name the weekdays after. */
const MONDAY = Date.UTC(2026, 0, 5, 4);
export function weekdays(style: "long" | "short"): string[] {
  const weekday = new Intl.DateTimeFormat(locale.value, { weekday: style, timeZone: "UTC" });
  return Array.from({ length: 7 }, (_, day) => weekday.format(MONDAY + day * 86_400_000));
}
export const clock = (minutes: number): string =>
  `${String(Math.floor((minutes % 1_440) / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
const spanText = (from: number, to: number): string => `${clock(from)}–${to > 1_440 ? `${t("pools.hours.nextDay")} ` : ""}${to === 1_440 ? "24:00" : clock(to)}`;

/** Hours as one line: days with the same spans stand together. */
export function hoursText(hours: Hours | null): string {
  if (!hours) return t("pools.hours.always");
  const names = weekdays("short");
  const by = new Map<string, number[]>();
  for (let day = 0; day < 7; day++) {
    const spans = hours.spans.filter((one) => one.day === day).sort((a, b) => a.from_min - b.from_min);
    const text = spans.map((one) => spanText(one.from_min, one.to_min)).join(", ");
    if (text) by.set(text, [...(by.get(text) ?? []), day]);
  }
  const week = [...by].map(([text, days]) => `${daysText(days, names)} ${text}`);
  const special = hours.special.map((one) => `${one.date} ${one.spans.map(([from, to]) => spanText(from, to)).join(", ") || t("terms.dayOff")}`);
  return [...week, ...special].join("; ") || t("terms.never");
}
function daysText(days: number[], names: string[]): string {
  const [first = 0] = days;
  const run = days.every((day, n) => day === first + n);
  return run && days.length > 2 ? `${names[first]}–${names[days[days.length - 1] ?? 0]}` : days.map((day) => names[day]).join(" ");
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
