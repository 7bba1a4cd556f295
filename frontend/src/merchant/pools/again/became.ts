// What becomes of a request under a policy, as the dispatcher thinks it through on what was recorded.
import type { Explained } from "@/shared/explained";
import { formatSeconds } from "@/shared/format";
import { t } from "@/shared/i18n";
import { routed } from "@/shared/routed";

export interface Became {
  at_ms: number;
  ending: "served" | "left" | "boxed" | "open";
  wait_ms: number;
  reason: string;
  agent_name: string;
  pool_name: string;
}
/** `became` null: he waited before the record begins; `given` null: nobody got him. */
export interface Side {
  became: Became | null;
  given: Explained["explanation"] | null;
}
export interface Decided {
  lines: number;
  decisions: number;
  different: number;
}
export type ConversationAgain = Decided & {
  mine: { at_ms: number; type: string; reason: string; same: boolean }[];
  otherwise?: { now: Side; then: Side };
};
export interface Changed {
  conversation: string;
  shopper_name: string;
  now: Became;
  then: Became;
}
export type DayAgain = Decided & {
  from_ms: number;
  otherwise: { requests: number; now: Record<string, number>; then: Record<string, number>; changed: number; shown: Changed[] };
};

export function becameText(one: Became | null): string {
  if (!one) return t("routing.otherwise.before");
  const time = formatSeconds(one.wait_ms);
  if (one.ending === "served")
    return t("routing.otherwise.served", { agent: one.agent_name || "–", pool: one.pool_name || "–", time, why: routed(one.reason) });
  return one.ending === "open" ? t("routing.otherwise.open") : t(`routing.otherwise.${one.ending}`, { time });
}
