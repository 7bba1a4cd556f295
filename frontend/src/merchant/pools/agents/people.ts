// Agents and their pools as the owner writes them down.
import type { Hours } from "../hours";
import type { PoolRow } from "../model";

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
  /** as the owner wrote it down: it counts instead; null: he did not */
  by_hand: number | null;
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
