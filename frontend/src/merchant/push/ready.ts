// Rules that are ready to be looked through and started.
import { t } from "@/shared/i18n";
import { blank, type Draft } from "./draft";
import { group } from "./groups";
import { message, showGift, version, type Message } from "./message";
import { row } from "./rows";

export const READY = ["birthday", "birthdayEvent", "double11", "unpaid", "winBack"] as const;
export type Ready = (typeof READY)[number];

/** One message with these words, and what comes with it. */
function says(text: string, more: Partial<Message> = {}): { messages: Message[] } {
  const one = message({ versions: [version(text)], ...more });
  showGift(one);
  return { messages: [one] };
}
const bought = () => ({ ...row("orders_n"), number: 1 });

export function readyDraft(name: string): Draft {
  const draft = blank();
  switch (name as Ready) {
    case "birthday":
      return {
        ...draft, name: t("push.ready.birthday"), when: "date", time: "09:30", zoneMode: "recipient",
        ...says(t("push.ready.birthday.text"), { gives: "points", giftAmount: 100 }), priority: 70,
      };
    case "birthdayEvent":
      return {
        ...draft, name: t("push.ready.birthdayEvent"), when: "event", eventType: "member.birthday",
        ...says(t("push.ready.birthday.text"), { gives: "points", giftAmount: 100 }), priority: 70,
      };
    case "double11":
      return {
        ...draft, name: t("push.ready.double11"), when: "festival", festival: "double_11", offsetDays: -3, time: "20:00",
        root: group("all", bought()), holdoutPercent: 5,
        ...says(t("push.ready.double11.text"), { gives: "coupon", giftAmount: 20, giftLeast: 199, giftTitle: t("push.ready.double11.coupon") }),
      };
    case "unpaid":
      return {
        ...draft, name: t("push.ready.unpaid"), when: "event", eventType: "order.created", delayMinutes: 30,
        cancelOn: ["order.paid", "order.cancelled"], ...says(t("push.ready.unpaid.text")), perDay: 1,
      };
    case "winBack":
      return {
        ...draft, name: t("push.ready.winBack"), when: "recurring", every: "week", weekdays: ["MO"], time: "10:00",
        root: group("all", bought(), row("notBought")), holdoutPercent: 5, priority: 30,
        ...says(t("push.ready.winBack.text"), { gives: "coupon", giftAmount: 15, giftLeast: 99, giftTitle: t("push.ready.winBack.coupon") }),
      };
    default:
      return draft;
  }
}
