import { describe, expect, it } from "vitest";
import { blank, bodyOf, draftOf } from "./draft";
import { placed } from "./faults";
import { groupOf, nodeOf, placeOf } from "./groups";
import { another, block, message, showGift, version } from "./message";
import type { Node, RuleBody } from "./types";

const TREES: Node[] = [
  { k: "all", of: [] },
  { k: "all", of: [{ k: "level", op: "gt", value: 3 }, { k: "any", of: [{ k: "tags", op: "any", values: ["a", "b"] }, { k: "not", of: { k: "flag", field: "is_member" } }] }] },
  { k: "not", of: { k: "any", of: [{ k: "tags", op: "all", values: ["x"] }, { k: "behaved", event: "refund", metric: "cents", days: 60, op: "ge", value: 5000 }] } },
  { k: "any", of: [
    { k: "within", field: "last_complaint_at", seconds: 86_400 * 5 }, { k: "within", field: "last_seen_at", seconds: 3_600 },
    { k: "before", field: "member_since", at: "2025-01-02T00:00:00Z" }, { k: "missing", field: "city" },
    { k: "anniversary", field: "birth", calendar: "lunar", first: 3, days: 2 },
    { k: "anniversary", field: "birth", calendar: "solar", first: 0, days: 2, leap_policy: "mar1" },
    { k: "chatted", metric: "csat", days: 30, op: "lt", value: 450 }, { k: "chatted", metric: "waiting_ms", days: 30, op: "ge", value: 60_000 },
    { k: "bucket", salt: "spring", start: 0, end: 2500 }, { k: "in_crowd", crowd_id: "c" }, { k: "flag", field: "blocked" },
    { k: "num", field: "avg_order_cents", op: "eq", value: 990 }, { k: "text", field: "province", op: "prefix", values: ["p"] },
    { k: "not", of: { k: "within", field: "last_order_at", seconds: 86_400 * 90 } }, { k: "any", of: [] },
  ] },
];

describe("a rule that is opened and saved", () => {
  it.each(TREES.map((tree) => [JSON.stringify(tree).slice(0, 60), tree] as const))("keeps the conditions %s", (_, tree) => {
    expect(nodeOf(groupOf(tree))).toEqual(tree);
  });

  it("keeps shares, blocks in their order, follow-up messages and limits", () => {
    const first = message({ versions: [version("one")], gives: "points" });
    first.versions[0]!.blocks.push(block("card", { title: "card", sku: "p1", priceYuan: 9.9 }), block("media", { media: "m", alt: "a" }), block("text", { text: "two" }));
    showGift(first);
    first.versions.push({ ...another(first.versions[0]!), weight: 3 });
    const body = bodyOf({ ...blank(), name: "new", messages: [first, message({ afterHours: 48, versions: [version("later {{ name }}")] })], perRule: 2, perRuleWindow: "rolling" });
    const blocks = body.steps[0]!.content.variants.map((one) => one.blocks.map((part) => part.k));
    expect(blocks).toEqual([["text", "benefit", "card", "image", "text"], ["text", "benefit", "card", "image", "text"]]);
    expect(body.steps[0]!.content.variants.map((one) => [one.id, one.weight])).toEqual([["A", 1], ["B", 3]]);
    expect(body.steps[1]!.after_ms).toBe(48 * 3_600_000);
    expect(bodyOf(draftOf(body), body)).toEqual(body);
  });

  it("keeps what an event must say, and what the form does not show", () => {
    const body = bodyOf({ ...blank(), when: "event", eventType: "rating.given", where: [{ field: "stars", op: "le", value: "2" }, { field: "sku", op: "eq", value: '"12"' }] });
    const held = { ...body, trigger: { ...body.trigger, cancel_on: [{ type: "order.paid", where: [{ field: "n", op: "ge", value: 1 }] }] } } as RuleBody;
    held.limits.per_shopper!.push({ n: 5, window: "rolling", hours: 72 });
    expect(bodyOf(draftOf(held), held)).toEqual(held);
    expect(held.trigger).toMatchObject({ event: { where: [{ value: 2 }, { value: "12" }] } });
  });
});

describe("a rule that repeats", () => {
  it.each(["FREQ=DAILY;BYHOUR=9;BYMINUTE=30", "FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0", "FREQ=MONTHLY;BYMONTHDAY=3;BYHOUR=9;BYMINUTE=0"])("is read into the form: %s", (rrule) => {
    const body = bodyOf({ ...blank(), when: "recurring", every: "rrule", rrule });
    const draft = draftOf(body);
    expect(draft.every).not.toBe("rrule");
    expect(bodyOf(draft, body)).toEqual(body);
  });
  it.each(["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9;BYMINUTE=0", "FREQ=MONTHLY;BYDAY=1MO;BYHOUR=9;BYMINUTE=0", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=8;BYHOUR=9;BYMINUTE=0"])("stays as it is where the form has no words for it: %s", (rrule) => {
    const body = bodyOf({ ...blank(), when: "recurring", every: "rrule", rrule });
    const held = { ...body, trigger: { ...body.trigger, dtstart_local: "2026-01-05T00:00" } } as RuleBody;
    expect(bodyOf(draftOf(held), held)).toEqual(held);
  });
});

describe("a refusal", () => {
  it.each([
    ["trigger.once.at_local", "trigger.at_local"],
    ["trigger.event.event.type", "trigger.event.type"],
    ["audience.root.all.of.1.any.of.0.behaved.event", "audience.root.of.1.of.0.event"],
    ["body.audience.root.not.of.level.value", "audience.root.of.value"],
    ["steps.0.content.variants.1.blocks.2.card.text", "steps.0.content.variants.1.blocks.2.text"],
    ["steps.0.benefit.gift.coupon.title", "steps.0.benefit.gift.title"],
  ])("of %s stands at its field", (said, shown) => expect(placed(said)).toBe(shown));

  it("of a condition stands at its row, past rows that say nothing yet", () => {
    const root = groupOf(TREES[1]!);
    const inner = root.parts[1]!;
    root.parts.unshift({ ...groupOf({ k: "tags", op: "any", values: ["x"] }).parts[0]!, words: "" } as never);
    expect(placeOf(root, inner, "audience.root")).toBe("audience.root.of.1");
  });
});
