// The figures a chart can show: how to take each from a row, how to write it, and what its axis says.
import { formatSeconds, formatShare } from "@/shared/format";
import type { Key } from "@/shared/i18n";
import type { Figures, Rate } from "./types";

export interface Measure {
  name: string;
  text: Key;
  unit: Key;
  take: (figures: Figures) => number | null;
  write: (value: number) => string;
}

export const seconds = (ms: number | null): string => (ms === null ? "–" : formatSeconds(ms));
export const share = (rate: { share: number | null }): string => (rate.share === null ? "–" : formatShare(rate.share));
/** "53.4%–55.4%, n 10,000" */
export const range = (rate: Rate): string => `${formatShare(rate.low)}–${formatShare(rate.high)}`;

export const MEASURES: readonly Measure[] = [
  {
    name: "first_response",
    text: "report.firstResponseMean",
    unit: "report.unitSeconds",
    take: (one) => (one.first_response.mean === null ? null : one.first_response.mean / 1000),
    write: (value) => `${value.toFixed(1)}s`,
  },
  {
    name: "response",
    text: "report.responseMean",
    unit: "report.unitSeconds",
    take: (one) => (one.response.mean === null ? null : one.response.mean / 1000),
    write: (value) => `${value.toFixed(1)}s`,
  },
  {
    name: "reply_3min",
    text: "report.reply3min",
    unit: "report.unitShare",
    take: (one) => one.reply_3min.share,
    write: formatShare,
  },
  {
    name: "conversion",
    text: "report.conversion",
    unit: "report.unitShare",
    take: (one) => one.conversion.share,
    write: formatShare,
  },
  {
    name: "conversations",
    text: "report.conversations",
    unit: "report.unitCount",
    take: (one) => one.conversations,
    write: (value) => String(value),
  },
];
