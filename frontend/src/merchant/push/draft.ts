// The form a merchant fills, and its way to a rule and back. Pure.
import { t } from "@/shared/i18n";
import { group, groupOf, nodeOf, type Group } from "./groups";
import { message, messageOf, stepOf, type Message } from "./message";
import type { Calendar, Cap, Limits, Misfire, RuleBody, Trigger, Where, ZoneMode } from "./types";

export type When = "event" | "once" | "recurring" | "date" | "festival" | "manual";
export interface Draft {
  name: string;
  when: When;
  eventType: string;
  /** what its data must say, as text: 5 is a number, "5" in quotes is none */
  where: { field: string; op: Where["op"]; value: string }[];
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
  every: "day" | "week" | "month" | "cron" | "rrule";
  weekdays: string[];
  monthDay: number;
  cron: string;
  /** RFC 5545, where no other choice says it */
  rrule: string;
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
  root: Group;
  holdoutPercent: number;
  messages: Message[];
  perRule: number;
  perRuleWindow: Cap["window"];
  perRuleHours: number;
  complaintDays: number;
  holdWhileTalking: boolean;
  startsAt: string;
  endsAt: string;
  sizeMost: number | null;
  ratePerS: number | null;
  priority: number;
  tz: string;
}

export const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const two = (value: number) => String(value).padStart(2, "0");
export const localText = (date: Date): string =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;

export function blank(): Draft {
  const soon = new Date(Date.now() + 3_600_000);
  return {
    name: "",
    when: "once",
    eventType: "member.birthday",
    where: [],
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
    rrule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=10;BYMINUTE=0",
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
    root: group(),
    holdoutPercent: 0,
    messages: [message()],
    perRule: 0,
    perRuleWindow: "week",
    perRuleHours: 24,
    complaintDays: 30,
    holdWhileTalking: true,
    startsAt: "",
    endsAt: "",
    sizeMost: null,
    ratePerS: null,
    priority: 50,
    tz: "Asia/Shanghai",
  };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function valueOf(text: string, op: Where["op"]): Where["value"] {
  const said = text.trim();
  if (op === "in") return said.split(/[,，、\s]+/).filter(Boolean);
  if (/^-?\d+$/.test(said)) return Number(said);
  if (said === "true" || said === "false") return said === "true";
  return said.replace(/^"(.*)"$/, "$1");
}
const valueText = (value: Where["value"]): string =>
  Array.isArray(value) ? value.join(" ") : typeof value === "string" && /^(-?\d+|true|false)$/.test(value) ? `"${value}"` : String(value);

function rruleOf(draft: Draft): string {
  const [hour, minute] = draft.time.split(":").map(Number);
  const at = `;BYHOUR=${hour};BYMINUTE=${minute}`;
  switch (draft.every) {
    case "day":
      return `FREQ=DAILY${at}`;
    case "week":
      return `FREQ=WEEKLY;BYDAY=${WEEKDAYS.filter((day) => draft.weekdays.includes(day)).join(",") || "MO"}${at}`;
    case "month":
      return `FREQ=MONTHLY;BYMONTHDAY=${draft.monthDay}${at}`;
    case "cron":
      return "";
    case "rrule":
      return draft.rrule.trim();
  }
}

/** `base`: the trigger as it was, for what its events have beside their type. */
function triggerOf(draft: Draft, base: Trigger | null): Trigger {
  const grace = Math.round(draft.graceMinutes * MINUTE_MS);
  switch (draft.when) {
    case "event": {
      const held = base?.k === "event" ? base : null;
      const cancel = draft.cancelOn.map((type) => held?.cancel_on.find((one) => one.type === type) ?? { type });
      const where = draft.where.filter((one) => one.field.trim()).map(({ field, op, value }) => ({ field: field.trim(), op, value: valueOf(value, op) }));
      const type = draft.eventType.trim();
      return {
        k: "event", event: { type, source: held?.event.type === type ? (held.event.source ?? null) : null, where }, delay_ms: Math.round(draft.delayMinutes * 60_000),
        cancel_on: cancel, reentry: draft.reentry, cooldown_ms: draft.reentry === "cooldown" ? Math.round(draft.cooldownHours * HOUR_MS) : 0,
      };
    }
    case "once":
      return { k: "once", at_local: draft.atLocal, zone_mode: draft.zoneMode };
    case "recurring": {
      const held = base?.k === "recurring" ? base : null;
      const start = held?.dtstart_local ?? `${localText(new Date()).slice(0, 10)}T00:00`;
      return {
        k: "recurring", rrule: rruleOf(draft), cron: draft.every === "cron" ? draft.cron.trim() : "", dtstart_local: start,
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

/** The rule as the server takes it. `base` keeps what the form does not show. */
export function bodyOf(draft: Draft, base: RuleBody | null = null): RuleBody {
  const caps: Cap[] = base?.limits.per_shopper?.filter((cap) => cap.window === "rolling") ?? [];
  if (draft.perWeek > 0) caps.unshift({ n: draft.perWeek, window: "week" });
  if (draft.perDay > 0) caps.unshift({ n: draft.perDay, window: "day" });
  const topic = draft.kind === "marketing" ? "marketing" : "service";
  const limits: Partial<Limits> = {
    ...base?.limits,
    per_shopper: caps,
    per_rule: draft.perRule > 0 ? { n: draft.perRule, window: draft.perRuleWindow, hours: draft.perRuleHours } : null,
    quiet: draft.quiet ? { ...base?.limits.quiet, start: draft.quietFrom, end: draft.quietTo, on_hit: draft.quietHit } : null,
    after_complaint_days: draft.complaintDays,
    hold_if_open_conversation: draft.holdWhileTalking,
    topic: base?.kind === draft.kind ? (base.limits.topic ?? topic) : topic,
    rate_per_s: draft.ratePerS,
  };
  const permille = Math.round(draft.holdoutPercent * 10);
  return {
    ...(base ?? {}),
    name: draft.name.trim() || t("push.unnamed"),
    kind: draft.kind,
    conversion: { event: draft.convEvent.trim() || "order.paid", window_ms: Math.round(draft.convDays * DAY_MS) },
    trigger: triggerOf(draft, base?.trigger ?? null),
    audience: { ...base?.audience, root: nodeOf(draft.root), max_size: draft.sizeMost },
    steps: draft.messages.map((one, place) => stepOf(one, place === 0)),
    limits,
    experiment: permille > 0 ? { ...base?.experiment, salt: base?.experiment?.salt ?? crypto.randomUUID().slice(0, 8), holdout_permille: permille } : null,
    priority: draft.priority,
    starts_at: draft.startsAt ? new Date(draft.startsAt).toISOString() : null,
    ends_at: draft.endsAt ? new Date(draft.endsAt).toISOString() : null,
    tz: draft.tz,
  };
}

/** A rule back in the form. */
export function draftOf(body: RuleBody): Draft {
  const draft = blank();
  const { trigger, limits } = body;
  Object.assign(draft, { name: body.name, when: trigger.k, priority: body.priority, tz: body.tz });
  if ("zone_mode" in trigger) draft.zoneMode = trigger.zone_mode;
  if (trigger.k === "event") {
    draft.eventType = trigger.event.type;
    draft.where = (trigger.event.where ?? []).map(({ field, op, value }) => ({ field, op, value: valueText(value) }));
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
  draft.ratePerS = limits.rate_per_s ?? null;
  draft.quiet = !!limits.quiet;
  draft.kind = body.kind;
  if (body.conversion) Object.assign(draft, { convEvent: body.conversion.event, convDays: body.conversion.window_ms / DAY_MS });
  if (limits.quiet) Object.assign(draft, { quietHit: limits.quiet.on_hit, quietFrom: limits.quiet.start.slice(0, 5), quietTo: limits.quiet.end.slice(0, 5) });
  draft.perDay = limits.per_shopper?.find((cap) => cap.window === "day")?.n ?? 0;
  draft.perWeek = limits.per_shopper?.find((cap) => cap.window === "week")?.n ?? 0;
  if (limits.per_rule) Object.assign(draft, { perRule: limits.per_rule.n, perRuleWindow: limits.per_rule.window, perRuleHours: limits.per_rule.hours ?? 24 });
  draft.complaintDays = limits.after_complaint_days ?? 30;
  draft.holdWhileTalking = limits.hold_if_open_conversation ?? true;
  draft.startsAt = body.starts_at ? localText(new Date(body.starts_at)) : "";
  draft.endsAt = body.ends_at ? localText(new Date(body.ends_at)) : "";
  draft.root = groupOf(body.audience.root);
  draft.sizeMost = body.audience.max_size ?? null;
  draft.holdoutPercent = (body.experiment?.holdout_permille ?? 0) / 10;
  draft.messages = body.steps.map(messageOf);
  return draft;
}

function readRecurring(draft: Draft, rrule: string, cron: string): void {
  const parts = Object.fromEntries(rrule.split(";").map((part) => part.split("=") as [string, string]));
  const every = { DAILY: "day", WEEKLY: "week", MONTHLY: "month" } as const;
  if (cron) {
    draft.every = "cron";
    draft.cron = cron;
    return;
  }
  const known: Draft["every"] | undefined = every[parts.FREQ as keyof typeof every];
  draft.every = known ?? "rrule";
  draft.weekdays = parts.BYDAY?.split(",") ?? draft.weekdays;
  draft.monthDay = Number(parts.BYMONTHDAY ?? 1);
  draft.time = `${two(Number(parts.BYHOUR ?? 10))}:${two(Number(parts.BYMINUTE ?? 0))}`;
  const sorted = (text: string) => text.split(";").sort().join(";");
  if (known && sorted(rruleOf(draft)) === sorted(rrule)) return;
  draft.every = "rrule";
  draft.rrule = rrule;
}
