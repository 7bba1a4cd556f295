// When somebody is there: spans of a week, and days that are otherwise.
import { locale, t } from "@/shared/i18n";

export interface Hours {
  tz: string;
  spans: { day: number; from_min: number; to_min: number }[];
  special: { date: string; spans: [number, number][] }[];
}
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
