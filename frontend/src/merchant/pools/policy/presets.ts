// Two ways to weigh a quick answer against its price, as a start: every part can be changed afterwards.
import type { Policy, Stage, Trigger } from "./rules";

const when = (kind: string, above = 0, clear_below: number | null = null, hold_ms = 0): Trigger => ({ kind, above, clear_below, hold_ms });
const stage = (pools: string, after_ms: number, enter_if: Trigger[] = []): Stage => ({ pools, after_ms, enter_if, mode: "expand" });

/** Nobody waits while an outsourced seat is free; who gives the quickest answers is asked. */
const RESPONSE: Partial<Policy> = {
  stages: [
    stage("own", 0),
    stage("preferred", 5_000, [when("no_free_slot"), when("outside_hours"), when("paused")]),
    stage("any", 5_000, [when("no_free_slot")]),
  ],
  agent_rule: "marginal",
  pool_rule: "rank",
  first_reply_ms: 45_000,
  next_reply_ms: 90_000,
};
/** Outsourced seats are asked when the wait grows, and the pool that is worth most for its price goes first. */
const COST: Partial<Policy> = {
  stages: [
    stage("own", 0),
    stage("preferred", 15_000, [when("ewt", 5_000, 2_000, 10_000), when("outside_hours"), when("paused")]),
    stage("any", 15_000, [when("ewt", 30_000, 15_000, 30_000)]),
  ],
  agent_rule: "least_loaded",
  pool_rule: "value",
  first_reply_ms: 60_000,
  next_reply_ms: 120_000,
};
export const PRESETS = { responseFirst: RESPONSE, costFirst: COST } as const;
export type Preset = keyof typeof PRESETS;

export function preset(policy: Policy, name: Preset): Policy {
  const made = { ...policy, ...(JSON.parse(JSON.stringify(PRESETS[name])) as Partial<Policy>) };
  // By value a conversation must be worth something: a margin of 8 yuan, until the shop writes its own.
  if (made.pool_rule === "value" && !made.margin_fen) made.margin_fen = 800;
  return made;
}
