// How a rule's parts are said in one line.
import { formatMoment, formatNumber, formatYuan } from "@/shared/format";
import { t, tMaybe } from "@/shared/i18n";
import { draftOf } from "./draft";
import type { Gift, Node, RuleBody } from "./types";

/** A benefit in one line. */
export function giftText(gift: Gift): string {
  switch (gift.k) {
    case "points":
      return t("push.gift.points", { n: formatNumber(gift.amount) });
    case "coupon":
      return gift.threshold_cents
        ? `${gift.title} ${t("push.gift.off", { yuan: formatYuan(gift.amount_cents), least: formatYuan(gift.threshold_cents) })}`
        : `${gift.title} ${t("push.gift.plain", { yuan: formatYuan(gift.amount_cents) })}`;
    case "red_packet":
      return t("push.gift.packet", { low: formatYuan(gift.min_cents), high: formatYuan(gift.max_cents) });
  }
}

export const statusText = (status: string): string => tMaybe(`push.status.${status}`, status);
export const reasonText = (reason: string): string =>
  tMaybe(`push.reason.${reason}`) || tMaybe(`push.state.${reason}`) || (reason.startsWith("event.") ? t("push.reason.event") : reason);

export function whenText(body: RuleBody): string {
  const draft = draftOf(body);
  const { trigger } = body;
  switch (trigger.k) {
    case "event":
      return t("push.said.event", { event: tMaybe(`push.event.${trigger.event.type}`, trigger.event.type) });
    case "once":
      return t("push.said.once", { at: trigger.at_local.replace("T", " ").slice(0, 16) });
    case "recurring": {
      const days = draft.weekdays.map((day) => tMaybe(`push.weekday.${day}`)).join(t("push.said.comma"));
      if (draft.every === "cron" || draft.every === "rrule") return t("push.said.cron", { cron: trigger.cron || trigger.rrule });
      return draft.every === "day"
        ? t("push.said.day", { time: draft.time })
        : draft.every === "week"
          ? t("push.said.week", { days, time: draft.time })
          : t("push.said.month", { day: draft.monthDay, time: draft.time });
    }
    case "date":
      return t("push.said.date", { field: tMaybe(`push.date.${trigger.field}`), time: draft.time });
    case "festival":
      return t("push.said.festival", { name: tMaybe(`push.festival.${trigger.name}`, trigger.name), time: draft.time });
    case "manual":
      return t("push.when.manual");
  }
}

/** A condition in words, for near misses. */
export function nodeText(node: Node): string {
  switch (node.k) {
    case "tags":
      return t("push.node.tags", { words: node.values.join(" ") });
    case "level":
      return t("push.node.level", { op: tMaybe(`push.op.${node.op}`, node.op), value: node.value });
    case "num": {
      const value = node.field.endsWith("cents") ? node.value / 100 : node.value;
      return t("push.node.num", {
        field: tMaybe(`push.num.${node.field}`, node.field), op: tMaybe(`push.op.${node.op}`, node.op), value: formatNumber(value),
      });
    }
    case "text":
      return node.field === "city" && node.op === "in"
        ? t("push.node.city", { words: node.values.join(" ") })
        : `${tMaybe(`push.row.${node.field}`, node.field)} ${tMaybe(`push.op.${node.op}`)} ${node.values.join(" ")}`;
    case "all":
    case "any":
      return node.of.length ? `(${node.of.map(nodeText).join(t(node.k === "all" ? "push.node.joinAll" : "push.node.joinAny"))})` : t("push.node.other");
    case "before":
      return t("push.node.before", { field: tMaybe(`push.moment.${node.field}`, node.field), date: node.at.slice(0, 10) });
    case "missing":
      return t("push.node.missing", { field: tMaybe(`push.moment.${node.field}`) || tMaybe(`push.missing.${node.field}`, node.field) });
    case "bucket":
      return t("push.node.share", { from: node.start / 100, to: node.end / 100 });
    case "within":
      return t("push.node.within", { field: tMaybe(`push.moment.${node.field}`, node.field), days: formatNumber(node.seconds / 86_400) });
    case "anniversary":
      return t("push.node.birthday", { days: node.days });
    case "behaved":
      if (node.event === "paid" && node.metric === "n" && node.op === "ge" && node.value === 1) return t("push.node.behaved", { days: node.days });
      return t("push.node.did", {
        days: node.days, what: tMaybe(`push.deed.${node.event}`, node.event), metric: tMaybe(`push.metric.${node.metric}`),
        op: tMaybe(`push.op.${node.op}`), value: formatNumber(node.metric === "cents" ? node.value / 100 : node.value),
      });
    case "chatted":
      return t("push.node.chatted", {
        what: tMaybe(`push.chat.${node.metric}`, node.metric), op: tMaybe(`push.op.${node.op}`, node.op),
        value: formatNumber(node.metric === "csat" ? node.value / 100 : node.value), days: node.days,
      });
    case "not":
      return t("push.node.not", { what: nodeText(node.of) });
    case "in_crowd":
      return t("push.node.crowd");
    case "flag":
      return tMaybe(`push.flag.${node.field}`, node.field);
    default:
      return t("push.node.other");
  }
}

export const momentText = (ms: number | null): string => (ms === null ? t("push.none") : formatMoment(ms));
