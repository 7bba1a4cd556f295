// The form a merchant fills, and its way to a rule and back. Pure.
import { t } from "@/shared/i18n";
import { nodeOf, rowsOf, type Row } from "./rows";
import type { Benefit, Block, Calendar, Cap, Limits, Misfire, RuleBody, Trigger, ZoneMode } from "./types";

export type When = "event" | "once" | "recurring" | "date" | "festival" | "manual";
/** What follows the words: nothing, a product or link card, a picture or video, buttons of the shop's menu. */
export interface Extra {
  kind: "none" | "card" | "media" | "menu";
  title: string;
  url: string;
  sku: string;
  priceYuan: number;
  media: string;
  video: boolean;
  items: { item: string; label: string }[];
}
export type Gives = "none" | "points" | "coupon" | "red_packet";

export interface Draft {
  name: string;
  when: When;
  eventType: string;
  delayMinutes: number;
  cancelOn: string[];
  reentry: "per_event" | "once" | "cooldown";
  cooldownHours: number;
  misfire: Misfire;
  graceMinutes: number;
  leapPolicy: string;
  shortPolicy: string;
  lunarLeapPolicy: string;
  atLocal: string;
  every: "day" | "week" | "month" | "cron";
  weekdays: string[];
  monthDay: number;
  cron: string;
  dateField: "birth" | "member_since" | "first_order";
  calendar: Calendar;
  festival: string;
  offsetDays: number;
  time: string;
  zoneMode: ZoneMode;
  quiet: boolean;
  quietFrom: string;
  quietTo: string;
  quietHit: "hold" | "drop";
  kind: RuleBody["kind"];
  convEvent: string;
  convDays: number;
  perDay: number;
  perWeek: number;
  joined: "all" | "any";
  rows: Row[];
  /** conditions this page cannot show; kept as they are */
  foreign: unknown;
  holdoutPercent: number;
  texts: string[];
  /** shares of the versions, set over the API; kept as they are */
  weights: number[];
  defaults: Record<string, string>;
  gives: Gives;
  giftTitle: string;
  giftAmount: number;
  giftLeast: number;
  stock: number | null;
  budgetYuan: number | null;
  claim: "auto" | "tap";
  validDays: number;
  onEmpty: "skip" | "send_without";
  extra: Extra;
  fallback: string;
  ratePerS: number | null;
  priority: number;
  tz: string;
}

export const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
export const VARIABLES = ["name", "level", "points", "balance", "city", "orders_n", "spent", "shop", "benefit", "member_days"];

const two = (value: number) => String(value).padStart(2, "0");
export const localText = (date: Date): string =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;

export function blank(): Draft {
  const soon = new Date(Date.now() + 3_600_000);
  return {
    name: "",
    when: "once",
    eventType: "member.birthday",
    delayMinutes: 0,
    cancelOn: [],
    reentry: "per_event",
    cooldownHours: 24,
    misfire: "skip",
    graceMinutes: 30,
    leapPolicy: "feb28",
    shortPolicy: "last_day",
    lunarLeapPolicy: "leap_if_exists",
    atLocal: localText(soon),
    every: "week",
    weekdays: ["MO"],
    monthDay: 1,
    cron: "0 10 * * 1",
    dateField: "birth",
    calendar: "solar",
    festival: "double_11",
    offsetDays: 0,
    time: "10:00",
    zoneMode: "rule",
    quiet: true,
    quietFrom: "22:00",
    quietTo: "08:00",
    quietHit: "hold",
    kind: "marketing",
    convEvent: "order.paid",
    convDays: 3,
    perDay: 1,
    perWeek: 3,
    joined: "all",
    rows: [],
    foreign: null,
    holdoutPercent: 0,
    texts: [""],
    weights: [],
    defaults: {},
    gives: "none",
    giftTitle: "",
    giftAmount: 100,
    giftLeast: 0,
    stock: null,
    budgetYuan: null,
    claim: "auto",
    validDays: 30,
    onEmpty: "skip",
    extra: { kind: "none", title: "", url: "", sku: "", priceYuan: 0, media: "", video: false, items: [] },
    fallback: "",
    ratePerS: null,
    priority: 50,
    tz: "Asia/Shanghai",
  };
}

/** Variables that the words use, in order of appearance. */
export function variablesOf(texts: string[]): string[] {
  const found = new Set<string>();
  for (const text of texts)
    for (const match of text.matchAll(/\{\{\s*((?:event\.)?[a-z_][a-z0-9_]*)/g)) found.add(match[1]!);
  return [...found];
}

export function defaultOf(draft: Draft, name: string): string {
  return draft.defaults[name] ?? (name === "name" ? t("push.default.name") : name === "shop" ? t("push.default.shop") : "0");
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function triggerOf(draft: Draft): Trigger {
  const grace = Math.round(draft.graceMinutes * MINUTE_MS);
  switch (draft.when) {
    case "event": {
      const cancel = draft.cancelOn.map((type) => ({ type }));
      return {
        k: "event", event: { type: draft.eventType.trim() }, delay_ms: Math.round(draft.delayMinutes * 60_000),
        cancel_on: cancel, reentry: draft.reentry, cooldown_ms: draft.reentry === "cooldown" ? Math.round(draft.cooldownHours * HOUR_MS) : 0,
      };
    }
    case "once":
      return { k: "once", at_local: draft.atLocal, zone_mode: draft.zoneMode };
    case "recurring": {
      const start = `${localText(new Date()).slice(0, 10)}T00:00`;
      const [hour, minute] = draft.time.split(":").map(Number);
      const at = `;BYHOUR=${hour};BYMINUTE=${minute};BYSECOND=0`;
      const rrule = {
        day: `FREQ=DAILY${at}`,
        week: `FREQ=WEEKLY;BYDAY=${WEEKDAYS.filter((day) => draft.weekdays.includes(day)).join(",") || "MO"}${at}`,
        month: `FREQ=MONTHLY;BYMONTHDAY=${draft.monthDay}${at}`,
        cron: "",
      }[draft.every].replace(";BYSECOND=0", "");
      return {
        k: "recurring", rrule, cron: draft.every === "cron" ? draft.cron.trim() : "", dtstart_local: start,
        zone_mode: draft.zoneMode, misfire: draft.misfire, misfire_grace_ms: grace,
      };
    }
    case "date":
      return {
        k: "date", field: draft.dateField, calendar: draft.dateField === "birth" ? draft.calendar : "solar",
        offset_days: draft.offsetDays, at_local: draft.time, zone_mode: draft.zoneMode, leap_policy: draft.leapPolicy,
        short_policy: draft.shortPolicy, lunar_leap_policy: draft.lunarLeapPolicy, misfire_grace_ms: grace,
      };
    case "festival":
      return {
        k: "festival", name: draft.festival, offset_days: draft.offsetDays, at_local: draft.time, zone_mode: draft.zoneMode, misfire_grace_ms: grace,
      };
    case "manual":
      return { k: "manual" };
  }
}

function benefitOf(draft: Draft): Benefit | null {
  const common = { stock: draft.stock, on_empty: draft.onEmpty, valid_ms: draft.validDays * DAY_MS };
  const money = { ...common, claim: draft.claim, budget_cents: draft.budgetYuan === null ? null : Math.round(draft.budgetYuan * 100) };
  switch (draft.gives) {
    case "none":
      return null;
    case "points":
      return { gift: { k: "points", amount: draft.giftAmount }, ...common };
    case "coupon":
      return {
        gift: {
          k: "coupon", title: draft.giftTitle.trim() || t("push.gift.coupon"),
          amount_cents: Math.round(draft.giftAmount * 100), threshold_cents: Math.round(draft.giftLeast * 100),
        },
        ...money,
      };
    case "red_packet":
      return {
        gift: {
          k: "red_packet", min_cents: Math.round(draft.giftLeast * 100) || 1, max_cents: Math.round(draft.giftAmount * 100),
        },
        ...money,
      };
  }
}

function extraOf(extra: Extra): Block[] {
  switch (extra.kind) {
    case "card":
      if (!extra.title.trim()) return [];
      return [
        {
          k: "card", title: extra.title.trim(), text: "", url: extra.url.trim(), sku: extra.sku.trim(),
          price_cents: extra.sku.trim() ? Math.round(extra.priceYuan * 100) : null,
        },
      ];
    case "media":
      return extra.media ? [{ k: extra.video ? "video" : "image", media_id: extra.media }] : [];
    case "menu":
      return extra.items.length ? [{ k: "menu", text: extra.title.trim() || t("push.extra.menuText"), items: extra.items }] : [];
    default:
      return [];
  }
}

/** The rule as the server takes it. `base` keeps what the form does not show. */
export function bodyOf(draft: Draft, base: RuleBody | null = null): RuleBody {
  const texts = draft.texts.filter((text, place) => place === 0 || text.trim());
  const blocks = (text: string): Block[] => [
    { k: "text", text: text.trim() || "…" },
    ...(draft.gives === "none" ? [] : [{ k: "benefit" as const }]),
    ...extraOf(draft.extra),
  ];
  const used = variablesOf(texts);
  const root = draft.foreign ? (draft.foreign as RuleBody["audience"]["root"]) : nodeOf(draft.rows, draft.joined);
  const caps: Cap[] = [];
  if (draft.perDay > 0) caps.push({ n: draft.perDay, window: "day" });
  if (draft.perWeek > 0) caps.push({ n: draft.perWeek, window: "week" });
  const limits: Partial<Limits> = {
    ...base?.limits,
    per_shopper: caps,
    quiet: draft.quiet ? { start: draft.quietFrom, end: draft.quietTo, on_hit: draft.quietHit } : null,
    topic: draft.kind === "marketing" ? "marketing" : "service",
    rate_per_s: draft.ratePerS,
  };
  const permille = Math.round(draft.holdoutPercent * 10);
  return {
    ...(base ?? {}),
    name: draft.name.trim() || t("push.unnamed"),
    kind: draft.kind,
    conversion: { event: draft.convEvent.trim() || "order.paid", window_ms: Math.round(draft.convDays * DAY_MS) },
    trigger: triggerOf(draft),
    audience: { ...base?.audience, root },
    steps: [
      {
        ...base?.steps[0],
        content: {
          variants: texts.map((text, place) => ({ id: "AB"[place] ?? String(place), weight: draft.weights[place] ?? 1, blocks: blocks(text) })),
          defaults: Object.fromEntries(used.map((name) => [name, defaultOf(draft, name)])),
          fallback: draft.fallback.trim(),
        },
        benefit: benefitOf(draft),
      },
      ...(base?.steps.slice(1) ?? []),
    ],
    limits,
    experiment: permille > 0 ? { salt: base?.experiment?.salt ?? crypto.randomUUID().slice(0, 8), holdout_permille: permille } : null,
    priority: draft.priority,
    tz: draft.tz,
  };
}

/** A rule back in the form. What the form cannot show of the audience stays as it is (`foreign`). */
export function draftOf(body: RuleBody): Draft {
  const draft = blank();
  const { trigger, limits } = body;
  Object.assign(draft, { name: body.name, when: trigger.k, priority: body.priority, tz: body.tz });
  if ("zone_mode" in trigger) draft.zoneMode = trigger.zone_mode;
  if (trigger.k === "event") {
    draft.eventType = trigger.event.type;
    draft.delayMinutes = trigger.delay_ms / 60_000;
    draft.cancelOn = trigger.cancel_on.map((match) => match.type);
    draft.reentry = trigger.reentry as Draft["reentry"];
    draft.cooldownHours = trigger.cooldown_ms / HOUR_MS || draft.cooldownHours;
  } else if (trigger.k === "once") draft.atLocal = trigger.at_local.slice(0, 16);
  else if (trigger.k === "recurring") {
    readRecurring(draft, trigger.rrule, trigger.cron);
    draft.misfire = trigger.misfire ?? draft.misfire;
  }
  else if (trigger.k === "date" || trigger.k === "festival") {
    draft.offsetDays = trigger.offset_days;
    draft.time = trigger.at_local.slice(0, 5);
    if (trigger.k === "festival") draft.festival = trigger.name;
    else {
      Object.assign(draft, { dateField: trigger.field, calendar: trigger.calendar });
      draft.leapPolicy = trigger.leap_policy ?? draft.leapPolicy;
      draft.shortPolicy = trigger.short_policy ?? draft.shortPolicy;
      draft.lunarLeapPolicy = trigger.lunar_leap_policy ?? draft.lunarLeapPolicy;
    }
  }
  if ("misfire_grace_ms" in trigger) draft.graceMinutes = (trigger.misfire_grace_ms ?? 0) / MINUTE_MS;
  draft.ratePerS = (limits.rate_per_s as number | null | undefined) ?? null;
  draft.quiet = !!limits.quiet;
  draft.kind = body.kind;
  if (body.conversion) Object.assign(draft, { convEvent: body.conversion.event, convDays: body.conversion.window_ms / DAY_MS });
  if (limits.quiet) Object.assign(draft, { quietHit: limits.quiet.on_hit, quietFrom: limits.quiet.start.slice(0, 5), quietTo: limits.quiet.end.slice(0, 5) });
  draft.perDay = limits.per_shopper?.find((cap) => cap.window === "day")?.n ?? 0;
  draft.perWeek = limits.per_shopper?.find((cap) => cap.window === "week")?.n ?? 0;
  const read = rowsOf(body.audience.root);
  if (read) Object.assign(draft, read);
  else draft.foreign = body.audience.root;
  draft.holdoutPercent = (body.experiment?.holdout_permille ?? 0) / 10;
  const step = body.steps[0]!;
  draft.texts = step.content.variants.map((variant) => {
    const block = variant.blocks.find((one) => one.k === "text");
    return block && "text" in block ? block.text : "";
  });
  draft.weights = step.content.variants.map((variant) => variant.weight);
  draft.defaults = { ...step.content.defaults };
  draft.fallback = step.content.fallback ?? "";
  readExtra(draft, step.content.variants[0]!.blocks);
  const gift = step.benefit?.gift;
  if (gift) {
    draft.gives = gift.k;
    draft.stock = step.benefit!.stock;
    draft.claim = step.benefit!.claim ?? "auto";
    draft.onEmpty = step.benefit!.on_empty;
    draft.validDays = (step.benefit!.valid_ms ?? 30 * DAY_MS) / DAY_MS;
    draft.budgetYuan = typeof step.benefit!.budget_cents === "number" ? step.benefit!.budget_cents / 100 : null;
    if (gift.k === "points") draft.giftAmount = gift.amount;
    else if (gift.k === "coupon")
      Object.assign(draft, { giftTitle: gift.title, giftAmount: gift.amount_cents / 100, giftLeast: gift.threshold_cents / 100 });
    else Object.assign(draft, { giftAmount: gift.max_cents / 100, giftLeast: gift.min_cents / 100 });
  }
  return draft;
}

function readExtra(draft: Draft, blocks: Block[]): void {
  for (const block of blocks) {
    if (block.k === "card")
      Object.assign(draft.extra, {
        kind: "card", title: block.title, url: block.url, sku: block.sku ?? "", priceYuan: (block.price_cents ?? 0) / 100,
      });
    else if (block.k === "image" || block.k === "video")
      Object.assign(draft.extra, { kind: "media", media: block.media_id, video: block.k === "video" });
    else if (block.k === "menu") Object.assign(draft.extra, { kind: "menu", title: block.text, items: block.items });
  }
}

function readRecurring(draft: Draft, rrule: string, cron: string): void {
  const parts = Object.fromEntries(rrule.split(";").map((part) => part.split("=") as [string, string]));
  const every = { DAILY: "day", WEEKLY: "week", MONTHLY: "month" } as const;
  if (cron || !(parts.FREQ! in every)) {
    draft.every = "cron";
    draft.cron = cron || draft.cron;
    return;
  }
  draft.every = every[parts.FREQ as keyof typeof every];
  draft.weekdays = parts.BYDAY?.split(",") ?? draft.weekdays;
  draft.monthDay = Number(parts.BYMONTHDAY ?? 1);
  draft.time = `${two(Number(parts.BYHOUR ?? 10))}:${two(Number(parts.BYMINUTE ?? 0))}`;
}
