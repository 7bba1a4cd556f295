/** Quality checks as the server shows them to everybody. */
import { t, tMaybe } from "./i18n";

export type Mark = "full" | "half" | "none" | "na";
export const MARKS: readonly Mark[] = ["full", "half", "none", "na"];
export interface QualitySheet {
  items: { id: string; name: string; points: number }[];
  fatal: { id: string; name: string }[];
  pass_mark: number;
}
export interface Checked {
  shop_id: string;
  shop: string;
  id: string;
  day: string;
  week: string;
  agent?: string;
  provider_id: string | null;
  stratum: "random" | "low_rating" | "reclaimed" | "disputed";
  double: boolean;
  state: "graded" | "split" | "decided";
  score: number | null;
  passed: boolean | null;
  graded_ms: number;
  grades: { score: number; passed: boolean; note: string; marks: Record<string, Mark>; fatal: string[]; version: number }[];
  appeal: { role: string; reason: string } | null;
  decision: { score: number; passed: boolean; note: string } | null;
}
export interface Share {
  share: number | null;
  n: number;
  low: number;
  high: number;
}
export interface Results {
  rows: Checked[];
  sheets: Record<string, QualitySheet>;
  passed: Share;
  appeal_days?: number;
}
export const verdict = (passed: boolean | null): string => t(passed === null ? "quality.split" : passed ? "quality.passed" : "quality.failed");
export const stratumText = (one: Checked): string => tMaybe(`quality.stratum.${one.stratum}`, one.stratum);
/** Somebody is to have the last word. */
export const isOpen = (one: Checked): boolean => one.state === "split" || (one.state === "graded" && one.appeal !== null);
