// What /api/v1/push speaks, as far as the pages use it.

export type Node =
  | { k: "all" | "any"; of: Node[] }
  | { k: "not"; of: Node }
  | { k: "level"; op: Compare; value: number }
  | { k: "num"; field: NumField; op: Compare; value: number }
  | { k: "text"; field: TextField; op: "in" | "prefix"; values: string[] }
  | { k: "tags"; op: "any" | "all"; values: string[] }
  | { k: "flag"; field: "is_member" | "blocked" }
  | { k: "within"; field: Moment; seconds: number }
  | { k: "before"; field: Moment; at: string }
  | { k: "missing"; field: string }
  | {
      k: "anniversary"; field: "birth" | "member_since" | "first_order"; calendar: Calendar; first: number; days: number;
      leap_policy?: string; short_policy?: string; lunar_leap_policy?: string;
    }
  | { k: "behaved"; event: string; metric: "n" | "cents" | "distinct_days"; days: number; op: "ge" | "lt"; value: number }
  | { k: "chatted"; metric: ChatMetric; days: number; op: "ge" | "lt"; value: number }
  | { k: "bucket"; salt: string; start: number; end: number }
  | { k: "in_crowd"; crowd_id: string };
export type Compare = "ge" | "gt" | "le" | "lt" | "eq";
export type NumField = "points" | "orders_n" | "spent_cents" | "avg_order_cents" | "balance_cents";
export type ChatMetric = "conversations" | "messages" | "waiting_ms" | "csat" | "refund_asked" | "human_asked";
export type TextField = "city" | "province" | "tz" | "lang" | "source";
export type Moment = "last_order_at" | "last_chat_at" | "last_seen_at" | "member_since" | "first_order_at" | "last_complaint_at";
export type Calendar = "solar" | "lunar";
export type ZoneMode = "rule" | "recipient";

export type Misfire = "skip" | "run_once";

export interface Where {
  field: string;
  op: "eq" | "ne" | "ge" | "le" | "in";
  value: number | string | boolean | string[];
}
export interface EventMatch {
  type: string;
  source?: string | null;
  where?: Where[];
}
export type Trigger =
  | { k: "event"; event: EventMatch; delay_ms: number; cancel_on: EventMatch[]; reentry: string; cooldown_ms: number }
  | { k: "once"; at_local: string; zone_mode: ZoneMode }
  | { k: "recurring"; rrule: string; cron: string; dtstart_local: string; zone_mode: ZoneMode; misfire?: Misfire; misfire_grace_ms?: number }
  | {
      k: "date"; field: string; calendar: Calendar; offset_days: number; at_local: string; zone_mode: ZoneMode;
      leap_policy?: string; short_policy?: string; lunar_leap_policy?: string; misfire_grace_ms?: number;
    }
  | { k: "festival"; name: string; offset_days: number; at_local: string; zone_mode: ZoneMode; misfire_grace_ms?: number }
  | { k: "manual" };

export type Block =
  | { k: "text"; text: string }
  | { k: "card"; title: string; text: string; url: string; price_cents?: number | null; sku?: string }
  | { k: "menu"; text: string; items: { item: string; label: string }[] }
  | { k: "benefit" }
  | { k: "image"; media_id: string; alt?: string }
  | { k: "video"; media_id: string };
export interface Variant {
  id: string;
  weight: number;
  blocks: Block[];
}
export type Gift =
  | { k: "points"; amount: number }
  | { k: "coupon"; title: string; amount_cents: number; threshold_cents: number }
  | { k: "red_packet"; min_cents: number; max_cents: number };
export interface Benefit {
  gift: Gift;
  stock: number | null;
  on_empty: "send_without" | "skip";
  valid_ms?: number;
  budget_cents?: number | null;
  claim?: "auto" | "tap";
}
export interface CrowdDays {
  new_days: number;
  active_days: number;
  silent_days: number;
  lapsing_days: number;
  repeat_orders: number;
  big_spent_cents: number;
}
export interface Policy {
  holdout_permille: number;
  approve_above: number;
  approve_above_cents: number;
  crowd_days: CrowdDays;
  rate_per_s: number | null;
}
export interface StageRow {
  stage: string;
  size: number;
  root: Node;
}
export interface BenefitRow {
  rule: string;
  rule_name: string;
  rule_status: string;
  step: number;
  gift: Gift;
  claim: "auto" | "tap";
  left: number | null;
  budget_cents: number | null;
  spent_cents: number;
  granted: number;
  claimed: number;
  redeemed: number;
  expired: number;
  withdrawn: number;
  cost_cents: number;
  order_cents: number;
  withdrawn_ms: number | null;
  withdrawing: boolean;
}
export interface GrantRow {
  id: string;
  shopper: string;
  name: string;
  ref: string | null;
  amount: number;
  state: string;
  at_ms: number;
  order: string | null;
  order_cents: number | null;
}
export interface Cap {
  n: number;
  window: "day" | "week" | "rolling";
  hours?: number;
}
export interface Limits {
  per_shopper: Cap[];
  per_rule: Cap | null;
  quiet: { start: string; end: string; on_hit: "hold" | "drop"; weekdays?: number[]; hold_ms_max?: number } | null;
  rate_per_s: number | null;
  hold_if_open_conversation: boolean;
  after_complaint_days: number;
  topic: string;
  max_recipients: number | null;
}
export interface Step {
  after_ms?: number;
  content: { variants: Variant[]; defaults: Record<string, string>; fallback?: string };
  benefit: Benefit | null;
}
export interface RuleBody {
  name: string;
  kind: "marketing" | "service" | "transactional";
  trigger: Trigger;
  audience: { root: Node; max_size?: number | null; sample_permille?: number | null };
  steps: Step[];
  limits: Partial<Limits>;
  experiment: { salt: string; holdout_permille: number; global_holdout?: boolean; alpha?: number } | null;
  conversion?: { event: string; window_ms: number } | null;
  priority: number;
  tz: string;
  starts_at?: string | null;
  ends_at?: string | null;
  [more: string]: unknown;
}
export type Status = "draft" | "in_review" | "approved" | "running" | "paused" | "ended";
export interface Rule {
  id: string;
  version: number;
  status: Status;
  body: RuleBody;
  created_by: string | null;
}
export interface RuleRow {
  rule: Rule;
  totals: Record<string, number>;
  next_ms: number | null;
  changed_ms: number;
}
export interface Checked {
  ok: boolean;
  problem: { code: string; detail: string; field: string } | null;
  coming_ms: number[];
  audience_n: number;
  mde: number | null;
}
export interface Member {
  shopper_id: string;
  ref: string | null;
  name: string;
  level: number | null;
  points: number | null;
  orders_n: number | null;
  tags: string[];
  city: string | null;
  spent_cents: number | null;
  birth_md: number | null;
}
export interface Crowd {
  matching_n: number;
  blocked_n: number;
  reached_n: number;
  held_out_n: number;
  blocked: Record<string, number>;
  sampled: boolean;
  matching: Member[];
  near: { member: Member; missing: Node[] }[];
}
export interface Preview {
  verdict: "sent" | "held" | "stopped";
  reason: string;
  variant: string;
  lines: { kind: string; body: Record<string, unknown> }[];
  problem: string;
}
export interface Report {
  decided: number;
  sent: number;
  delivered: number;
  seen: number;
  replied: number;
  opened: number;
  served: number;
  converted: number;
  tapped: number;
  refused_after: number;
  why_not: Record<string, number>;
  states: Record<string, number>;
  benefits: Record<string, number>;
  benefit_amount: number;
  lift: {
    pushed_n: number;
    pushed_hits: number;
    held_n: number;
    held_hits: number;
    difference: number;
    low: number;
    high: number;
    mde: number;
    verdict: "better" | "worse" | "cannot_tell";
    srm_alarm: boolean;
  } | null;
  variants: { id: string; sent: number; people: number; converted: number }[];
  best_variant: string | null;
  variants_unequal: boolean;
  reach: Record<string, Record<string, number>>;
  runs: { id: string; occurrence: string; version: number; state: string; audience_n: number; started_ms: number; decided_n: number }[];
  skipped: [string, string][];
}
