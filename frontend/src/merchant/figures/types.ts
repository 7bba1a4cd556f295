// What /api/v1/metrics answers. Durations are milliseconds, money is fen, shares are 0..1.
export interface Rate {
  share: number | null;
  hits: number;
  n: number;
  low: number;
  high: number;
}

export interface Times {
  n: number;
  mean: number | null;
  p50: number | null;
  p90: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Figures {
  conversations: number;
  handed_off: number;
  served: number;
  turns: number;
  first_response: Times;
  response: Times;
  response_business_mean: number | null;
  reply_3min: Rate;
  service_all: Rate;
  service_ext: Rate;
  abandonment: Rate & { short: number };
  overflow: Rate;
  left_message: number;
  conversion: Rate;
  conversion_all: Rate;
  orders: number;
  paid_fen: number;
  rescued_orders: number;
  rescued_fen: number;
  rating: { n: number; mean: number | null; satisfied: Rate };
}

export interface PoolLoad {
  pool: string;
  name: string;
  team: string;
  provider: string;
  own: boolean;
  load: number;
  unanswered: number;
  ready: number;
  room: number;
}

export interface Board {
  at_ms: number;
  waiting: number;
  assigned: number;
  parked: number;
  bot: number;
  message_box: number;
  oldest_ms: number | null;
  longest_ms: number | null;
  late: number;
  at_risk: number;
  limit_ms: number;
  pools: PoolLoad[];
}

export interface Overview {
  day: string;
  board: Board;
  today: Figures;
  hours: { hour: number; figures: Figures }[];
}

export interface ReportRow {
  kind: "team" | "pool" | "all";
  key: string;
  name: string;
  provider: string;
  own: boolean;
  figures: Figures;
}

export type OrderKind = "touched" | "rescued" | "bot" | "silent" | "late";

/** What stands behind a figure: turns, conversations or orders, of whom, within which days. */
export interface Behind {
  what: "turns" | "conversations" | "orders";
  name: string;
  query: Record<string, string>;
  kind: OrderKind | null;
}

export interface Report {
  first: string;
  last: string;
  rule: string;
  service_ms: number;
  comparable_n: number;
  rows: ReportRow[];
  revenue: Partial<Record<OrderKind, { orders: number; fen: number }>>;
  conversion_windows: Record<"same_day" | "next_day" | "final", Rate>;
}

export interface SeriesRow {
  key: string | null;
  name: string;
  figures: Figures;
  /** of an agent whose speed is not compared: it is left out */
  protected: boolean;
}

export interface TurnRow {
  thread_id: string;
  conversation_id: string | null;
  first_seq: number;
  opened_at: number;
  human_at: number | null;
  answered_at: number | null;
  answered_by: string | null;
  agent: string;
  pool: string;
  questions: number;
  transfers: number;
  wait_ms: number | null;
  agent_wait_ms: number | null;
  excluded: string;
  void_reason: string;
}

export interface ConversationRow {
  conversation_id: string;
  opened_at: number;
  agent: string;
  pool: string;
  topic: string;
  shopper_messages: number;
  human_messages: number;
  score: number;
}

export interface ProfileRow {
  profile: string;
  title: { "zh-CN": string; en: string };
  figure: "rate" | "mean" | "median";
  value: number | null;
  hits: number;
  n: number;
  low: number;
  high: number;
  says: string;
}

export interface OrderRow {
  order_id: string;
  conversation_id: string | null;
  kind: OrderKind;
  agent: string;
  pool: string;
  orders: number;
  paid_fen: number;
  refunded_fen: number;
  created_at: number;
  converted_at: number;
}

export interface StatementLine {
  kind: string;
  label: string;
  quantity: number;
  unit_fen: number;
  /** as issued */
  amount_fen: number;
  /** as it counts after a dispute */
  agreed_fen: number;
  of_day: string | null;
  of_kind: string | null;
  evidence_n: number;
  evidence?: string[];
  dispute: { reason: string; claimed_fen: number; agreed_fen: number | null; note: string } | null;
}

export interface Statement {
  contract: string;
  version: number;
  shop: string;
  provider: string;
  day: string;
  state: "preview" | "open" | "disputed" | "signed" | "lapsed";
  due_ms: number | null;
  signed_ms: number | null;
  total_fen: number;
  /** the words of that day's conversations lie in the archive */
  archived?: boolean;
  lines: StatementLine[];
}

export interface Statements {
  first: string;
  last: string;
  total_fen: number;
  statements: Statement[];
}
