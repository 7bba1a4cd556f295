// Numbers, money and times as people read them, in the page's locale.
import { locale } from "./i18n";

const numberFormats = new Map<string, Intl.NumberFormat>();
const dateFormats = new Map<string, Intl.DateTimeFormat>();

function numbers(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale.value + JSON.stringify(options);
  let format = numberFormats.get(key);
  if (!format) numberFormats.set(key, (format = new Intl.NumberFormat(locale.value, options)));
  return format;
}

function dates(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale.value + JSON.stringify(options);
  let format = dateFormats.get(key);
  if (!format) dateFormats.set(key, (format = new Intl.DateTimeFormat(locale.value, options)));
  return format;
}

/** 19350 -> "19,350" */
export const formatNumber = (value: number): string => numbers({ maximumFractionDigits: 1 }).format(value);
/** 0.5438 -> "54.4%" */
export const formatShare = (value: number): string =>
  numbers({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value);
/** 35900 -> "¥359.00" */
export const formatMoney = (fen: number): string =>
  `¥${numbers({ minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(fen / 100)}`;
/** 2000 -> "20", 1250 -> "12.5": the big figure of a coupon */
export const formatYuan = (fen: number): string => numbers({ maximumFractionDigits: 2 }).format(fen / 100);
/** 24790 -> "24.8s" */
export const formatSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`;
/** 18000 -> "0:18", 8048000 -> "2:14:08" */
export function formatClock(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor((all % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}
export const formatTime = (ms: number): string => dates({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
export const formatDay = (ms: number): string => dates({ month: "short", day: "numeric", weekday: "short" }).format(ms);
export const formatDate = (ms: number): string => dates({ year: "numeric", month: "2-digit", day: "2-digit" }).format(ms);
export const formatMoment = (ms: number): string =>
  dates({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
/** A key that is equal for two moments of one day here. */
export const dayKey = (ms: number): string => new Date(ms).toDateString();
