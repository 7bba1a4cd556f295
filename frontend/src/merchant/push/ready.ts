// Rules that are ready to be looked through and started.
import { t } from "@/shared/i18n";
import { blank, type Draft } from "./draft";
import { row } from "./rows";

export const READY = ["birthday", "birthdayEvent", "double11", "unpaid", "winBack"] as const;
export type Ready = (typeof READY)[number];

export function readyDraft(name: string): Draft {
  const draft = blank();
  switch (name as Ready) {
    case "birthday":
      return {
        ...draft, name: t("push.ready.birthday"), when: "date", time: "09:30", zoneMode: "recipient",
        texts: [t("push.ready.birthday.text")], gives: "points", giftAmount: 100, priority: 70,
      };
    case "birthdayEvent":
      return {
        ...draft, name: t("push.ready.birthdayEvent"), when: "event", eventType: "member.birthday",
        texts: [t("push.ready.birthday.text")], gives: "points", giftAmount: 100, priority: 70,
      };
    case "double11":
      return {
        ...draft, name: t("push.ready.double11"), when: "festival", festival: "double_11", offsetDays: -3, time: "20:00",
        rows: [{ ...row("orders_n"), number: 1 }], texts: [t("push.ready.double11.text")], gives: "coupon", giftAmount: 20,
        giftLeast: 199, giftTitle: t("push.ready.double11.coupon"), holdoutPercent: 5,
      };
    case "unpaid":
      return {
        ...draft, name: t("push.ready.unpaid"), when: "event", eventType: "order.created", delayMinutes: 30,
        cancelOn: ["order.paid", "order.cancelled"], texts: [t("push.ready.unpaid.text")], perDay: 1,
      };
    case "winBack":
      return {
        ...draft, name: t("push.ready.winBack"), when: "recurring", every: "week", weekdays: ["MO"], time: "10:00",
        rows: [{ ...row("orders_n"), number: 1 }, row("notBought")], texts: [t("push.ready.winBack.text")], gives: "coupon",
        giftAmount: 15, giftLeast: 99, giftTitle: t("push.ready.winBack.coupon"), holdoutPercent: 5, priority: 30,
      };
    default:
      return draft;
  }
}
