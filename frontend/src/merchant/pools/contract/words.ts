// Terms of a contract as lines of words: what stands on a page, and what differs between two versions.
import { formatDate, formatMoney, formatNumber, formatSeconds } from "@/shared/format";
import { t, tMaybe } from "@/shared/i18n";
import { askedOf } from "../../training/asked";
import type { Target, Terms } from "./terms";
import { hoursText } from "../hours";

export const METRICS = ["frt_p95_ms", "frt_mean_ms", "art_mean_ms", "within_30s", "reply_rate_3min", "csat", "qa_pass"] as const;
export const FLOORS = ["within_30s", "reply_rate_3min", "csat"] as const;
export const MODELS = ["per_conversation", "per_seat_month", "per_online_hour", "per_handled_minute", "base_plus_tier"] as const;

export const metricName = (metric: string): string => tMaybe(`pools.metric.${metric}`, metric);
export const metricUnit = (metric: string): string => t(metric.endsWith("_ms") ? "terms.unit.seconds" : metric === "csat" ? "terms.unit.stars" : "terms.unit.percent");
/** What one shown unit of a figure is in the stored one: ms, hundredths of a star, per mille. */
export const metricPer = (metric: string): number => (metric.endsWith("_ms") ? 1_000 : metric === "csat" ? 100 : 10);
export const metricValue = (metric: string, value: number): string =>
  metric.endsWith("_ms") ? formatSeconds(value) : metric === "csat" ? (value / 100).toFixed(2) : percent(value);
export const percent = (perMille: number): string => `${formatNumber(perMille / 10)}%`;
export const targetText = (one: Target): string => `${metricName(one.metric)} ${one.op} ${metricValue(one.metric, one.value)}`;
export const topicName = (topic: string): string =>
  topic === "pre_sales" ? t("terms.contract.pre") : topic === "after_sales" ? t("terms.contract.after") : topic;
const many = (list: string[], empty: string): string => list.join("; ") || empty;

export function priceText({ price }: Terms): string {
  const unit = price.model === "base_plus_tier" ? "" : `${tMaybe(`pools.price.${price.model}`, price.model)} `;
  const base = price.model === "base_plus_tier" ? t("terms.baseIs", { money: formatMoney(price.base_fen), n: price.included }) : "";
  const tiers = price.tiers.map((tier) => t("terms.from", { n: formatNumber(tier.above), money: formatMoney(tier.price_fen) }));
  return `${base}${unit}${tiers.length ? tiers.join("; ") : price.model === "base_plus_tier" ? "" : formatMoney(price.price_fen)}`;
}

export function overflowText({ overflow }: Terms): string {
  if (!overflow) return t("terms.contract.overflowPolicy");
  const triggers = overflow.any_of.map(({ kind, above }) => {
    const name = tMaybe(`pools.trigger.${kind}`, kind);
    const value = kind === "queue_len" ? formatNumber(above) : kind === "service_level" ? percent(above) : kind === "ewt" || kind === "oldest" ? formatSeconds(above) : "";
    return value ? `${name} (${value})` : name;
  });
  if (overflow.after_ms !== null) triggers.push(t("terms.contract.overflowWaited", { time: formatSeconds(overflow.after_ms) }));
  return triggers.join("; ");
}

/** One version as lines: `[key, label, words]`, in the order of the form. */
export interface Shown {
  pools: string[];
  /** names of the shops it holds for */
  shops?: string[];
  starts_ms: number;
  ends_ms: number | null;
  terms: Terms;
}
export type Line = readonly [string, string, string];
export function lines(one: Shown): Line[] {
  const { terms } = one;
  return [
    ["name", t("terms.contract.name"), terms.name || "–"],
    ["pools", t("pools.pool"), many(one.pools, "–")],
    ...(one.shops ? [["shops", t("terms.contract.shops"), many(one.shops, "–")] as const] : []),
    ["term", t("pools.contract.term"), `${formatDate(one.starts_ms)} – ${one.ends_ms === null ? t("pools.contract.open") : formatDate(one.ends_ms)}`],
    ["topics", t("terms.contract.scope"), many(terms.topics.map(topicName), t("terms.all"))],
    ["skills", t("terms.pool.skillsShort"), many(terms.skills, t("terms.all"))],
    ["hours", t("pools.contract.hours"), hoursText(terms.hours)],
    ["rank", t("pools.contract.rankLabel"), String(terms.rank)],
    ["volume", t("pools.provider.volume"), `${formatNumber(terms.daily_min)} – ${terms.daily_max === null ? t("pools.contract.noMax") : formatNumber(terms.daily_max)}`],
    ["seats", t("terms.contract.seats"), formatNumber(terms.seats_committed)],
    ["share", t("terms.pool.shareShort"), terms.share_weight === null ? "–" : String(terms.share_weight)],
    ["shareMax", t("terms.contract.shareMax"), terms.share_max_per_mille === null ? t("pools.contract.noMax") : percent(terms.share_max_per_mille)],
    ["overflow", t("terms.contract.overflow"), overflowText(terms)],
    ["price", t("pools.contract.price"), priceText(terms)],
    ["commission", t("pools.provider.commission"), `${percent(terms.commission.per_mille)} · ${tMaybe(`terms.contract.refunds.${terms.commission.refunds}`)}${terms.commission.silent_orders ? ` · ${t("terms.contract.silent")}` : ""}`],
    ["targets", t("terms.contract.targets"), many(terms.targets.map(targetText), t("terms.none"))],
    ["penalties", t("terms.contract.penalties"), many(terms.penalties.map((one) => t("terms.contract.penaltyIs", { metric: metricName(one.metric), off: percent(one.off_per_mille), fee: percent(one.fee_per_mille) })), t("terms.none"))],
    ["bonuses", t("terms.contract.bonuses"), many(terms.bonuses.map((one) => t("terms.contract.bonusIs", { metric: metricName(one.metric), off: percent(one.better_per_mille), fee: percent(one.fee_per_mille) })), t("terms.none"))],
    ["penaltyCap", t("terms.contract.penaltyCap"), percent(terms.penalty_cap_per_mille)],
    ["feeMax", t("terms.contract.feeMax"), terms.fee_fen_max === null ? t("pools.contract.noMax") : formatMoney(terms.fee_fen_max)],
    ["floor", t("terms.contract.floor"), terms.quality_floor ? t("terms.contract.floorIs", { metric: metricName(terms.quality_floor.metric), days: terms.quality_floor.days, value: metricValue(terms.quality_floor.metric, terms.quality_floor.value) }) : t("terms.none")],
    ["visible", t("pools.contract.visible"), many(terms.visible_fields.map((name) => tMaybe(`pools.field.${name}`, name)), "–")],
    ["training", t("training.terms"), askedOf(terms)],
    ["settlement", t("terms.contract.settlement"), `${tMaybe(`terms.contract.settlement.${terms.settlement}`, terms.settlement)} · ${t("terms.contract.dispute")} ${terms.dispute_days}`],
  ];
}

/** What differs: the newer one's lines with the words before. */
export function changes(before: Shown, after: Shown): { key: string; label: string; before: string; after: string }[] {
  const old = new Map(lines(before).map(([key, , words]) => [key, words]));
  return lines(after)
    .filter(([key, , words]) => old.get(key) !== words)
    .map(([key, label, words]) => ({ key, label, before: old.get(key) ?? "–", after: words }));
}
