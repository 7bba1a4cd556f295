// Texts by key. Keys are typed from the zh-CN files; `<area>.<name>` lives in locales/<locale>/<area>.json.
// A page names the areas it shows; only their files, of one locale, are fetched.
import { ref } from "vue";
import type agent from "@/locales/zh-CN/agent.json";
import type bot from "@/locales/zh-CN/bot.json";
import type cards from "@/locales/zh-CN/cards.json";
import type common from "@/locales/zh-CN/common.json";
import type console from "@/locales/zh-CN/console.json";
import type inbox from "@/locales/zh-CN/inbox.json";
import type menu from "@/locales/zh-CN/menu.json";
import type merchant from "@/locales/zh-CN/merchant.json";
import type pools from "@/locales/zh-CN/pools.json";
import type push from "@/locales/zh-CN/push.json";
import type quality from "@/locales/zh-CN/quality.json";
import type routing from "@/locales/zh-CN/routing.json";
import type report from "@/locales/zh-CN/report.json";
import type settings from "@/locales/zh-CN/settings.json";
import type shopper from "@/locales/zh-CN/shopper.json";
import type tell from "@/locales/zh-CN/tell.json";
import type terms from "@/locales/zh-CN/terms.json";
import type training from "@/locales/zh-CN/training.json";

export type Key = keyof (typeof common &
  typeof cards &
  typeof console &
  typeof inbox &
  typeof shopper &
  typeof agent &
  typeof merchant &
  typeof menu &
  typeof bot &
  typeof push &
  typeof pools &
  typeof tell &
  typeof terms &
  typeof report &
  typeof training &
  typeof quality &
  typeof routing &
  typeof settings);
export type Locale = "zh-CN" | "en" | "zh-TW";
export type Texts = Record<string, string>;
/** What `import.meta.glob("../locales/*\/{common,…}.json", { import: "default" })` gives. */
export type Files = Record<string, () => Promise<unknown>>;

export const LOCALES: readonly Locale[] = ["zh-CN", "en", "zh-TW"];
export const locale = ref<Locale>("zh-CN");
const texts = ref<Texts>({});
let files: Files = {};

/** The locale the start-up script put on <html>: ?lang, then the stored choice, then the browser. */
export function startLocale(): Locale {
  const lang = document.documentElement.lang;
  return LOCALES.includes(lang as Locale) ? (lang as Locale) : "en";
}

/** The texts of a part that is loaded later. */
export function moreTexts(from: Files): Promise<void> {
  files = { ...files, ...from };
  return setLocale(locale.value, false);
}

export async function loadTexts(from: Files, wanted: Locale = startLocale()): Promise<void> {
  files = from;
  await setLocale(wanted, false);
}

export async function setLocale(wanted: Locale, store = true): Promise<void> {
  const parts = Object.entries(files).filter(([path]) => path.includes(`/${wanted}/`));
  const loaded = (await Promise.all(parts.map(([, load]) => load()))) as Texts[];
  texts.value = Object.assign({}, ...loaded) as Texts;
  locale.value = wanted;
  document.documentElement.lang = wanted;
  if (store) remember("wangxin.lang", wanted);
}

/** The text of a key with its `{name}` places filled. */
export function t(key: Key, places: Record<string, string | number> = {}): string {
  const text = texts.value[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in places ? String(places[name]) : whole));
}

/** A text whose key is known only at run time (an error's code, a state's name); `otherwise` when there is none. */
export function tMaybe(key: string, otherwise = ""): string {
  return texts.value[key] ?? otherwise;
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be closed to third-party frames; the choice then lasts as long as the page.
  }
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
