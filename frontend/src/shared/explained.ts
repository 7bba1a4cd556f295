/** Why a conversation went where it went: one assignment after the other, as the dispatcher recorded them. */
export interface Explained {
  epoch: number;
  agent_name: string | null;
  pool_name: string | null;
  provider_name: string | null;
  reason: string;
  waited_ms: number;
  predicted_ms: number;
  assigned_ms: number;
  level: number;
  release_reason: string | null;
  policy_version: number;
  agent_rule: string;
  pool_rule: string;
  contract_version: number;
  /** of the contract version that decided; null: no contract */
  rank: number | null;
  price_fen: number | null;
  /** the contract says itself when its pools are asked */
  own_rules: boolean;
  /** what the slow-response guard did while the shopper waited */
  guard: { after_ms: number; waited_ms: number; acts: string[] }[];
  explanation: {
    candidates: { agent: string; name: string; load: number; seats_max: number; score: number[]; barred?: string }[];
    pools: { pool: string; name: string; stage: number; verdict: string; score: number; rule?: string }[];
    /** when a seat came free: the first of each line that it chose among, the chosen one in front; a name only within the shop */
    line: { conversation: string; name: string | null; priority: number; waited_ms: number; ratio: number }[];
  };
}
