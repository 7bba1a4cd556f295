// The loader on a merchant's page: a launcher, later the chat window in a frame. No framework, no request before it is needed.
//
//   <script>window.wangxinSettings = { shop: "senye" };</script>
//   <script async src="https://chat.example/sdk.js"></script>
//
// window.$wangxin: open close toggle setUser setContext sendProduct sendOrder track setLocale reset on off
// Events on window: wangxin:ready open close message unread error. Calls made before the script is there may be queued:
//   window.$wangxin = window.$wangxin || [];  $wangxin.push(["setUser", { token }]);

interface Settings {
  shop?: string;
  baseUrl?: string;
  locale?: string;
  theme?: "auto" | "light" | "dark";
  position?: "left" | "right";
  /** hide the launcher; the page opens the chat by itself */
  hideLauncher?: boolean;
  launcherTitle?: string;
  /** asked for a new member token when the old one has expired */
  onTokenExpired?: () => Promise<string> | string;
}
type Call = [name: string, ...values: unknown[]];
type Listener = (detail: unknown) => void;

const W = window as unknown as Record<string, unknown>;
const script = document.currentScript as HTMLScriptElement | null;
const settings = (W.wangxinSettings ?? {}) as Settings;
const base = (settings.baseUrl ?? (script ? new URL(script.src).origin : location.origin)).replace(/\/$/, "");
const home = new URL(base).origin;
const shop = settings.shop ?? script?.dataset.shop ?? "";
const spoken = (settings.locale ?? document.documentElement.lang ?? navigator.language).toLowerCase();
const TITLE = /^zh-(tw|hk|mo|hant)/.test(spoken) ? "\u7dda\u4e0a\u5ba2\u670d" : /^zh/.test(spoken) ? "\u5728\u7ebf\u5ba2\u670d" : "Chat with us";
const title = settings.launcherTitle ?? TITLE;
const VISITED = `wangxin.visited.${shop}`;

let frame: HTMLIFrameElement | null = null;
let ready = false;
let shown = false;
let waiting: Record<string, unknown>[] = [];
let user: string | null = null;
const listeners: Record<string, Set<Listener>> = {};

const element = <K extends keyof HTMLElementTagNameMap>(tag: K, css: string, attributes: Record<string, string> = {}) => {
  const made = document.createElement(tag);
  made.style.cssText = css;
  for (const name in attributes) made.setAttribute(name, attributes[name] as string);
  return made;
};
const side = settings.position === "left" ? "left" : "right";
const root = element("div", "position:fixed;z-index:2147483000;bottom:0;" + side + ":0");
const launcher = element(
  "button",
  `position:fixed;${side}:20px;bottom:20px;width:56px;height:56px;padding:0;border:0;border-radius:50%;background:#c2410c;color:#fff;cursor:pointer;box-shadow:0 4px 16px rgb(15 23 42/.24)`,
  { type: "button", "aria-label": title, "aria-expanded": "false" },
);
const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", width: "26", height: "26", fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linejoin": "round", "aria-hidden": "true" }))
  svg.setAttribute(name, value);
const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
path.setAttribute("d", "M7.9 20A9 9 0 1 0 4 16.1L2 22Z");
svg.append(path);
const badge = element("span", "position:absolute;top:-4px;right:-4px;min-width:20px;height:20px;padding:0 5px;box-sizing:border-box;border-radius:10px;background:#b3261e;color:#fff;font:600 12px/20px sans-serif", { hidden: "" });
const last = element(
  "button",
  `position:fixed;${side}:88px;bottom:26px;max-width:min(260px,calc(100vw - 120px));padding:11px 14px;border:1px solid #e3e6eb;border-radius:12px;background:#fff;color:#1b2330;font:14px/1.5 -apple-system,"PingFang SC","Microsoft YaHei",sans-serif;text-align:start;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;cursor:pointer;box-shadow:0 4px 16px rgb(15 23 42/.16)`,
  { type: "button", hidden: "" },
);
svg.style.cssText = "display:block;margin:auto";
launcher.append(svg, badge);
launcher.onclick = () => toggle();
last.onclick = () => open();

function emit(name: string, detail: unknown = null): void {
  for (const listener of listeners[name] ?? []) listener(detail);
  dispatchEvent(new CustomEvent(`wangxin:${name}`, { detail }));
}

function tell(message: Record<string, unknown>): void {
  if (ready) frame?.contentWindow?.postMessage({ wangxin: 1, ...message }, home);
  else waiting.push(message);
}

function layout(): void {
  if (!frame) return;
  const small = innerWidth <= 520;
  frame.style.cssText =
    `position:fixed;border:0;color-scheme:normal;background:transparent;box-shadow:0 8px 28px rgb(15 23 42/.16);display:${shown ? "block" : "none"};` +
    (small ? "inset:0;width:100%;height:100%" : `${side}:20px;bottom:88px;width:392px;height:min(680px,calc(100vh - 108px));border-radius:16px`);
  launcher.hidden = (shown && small) || !!settings.hideLauncher;
}

/** Load the frame; it stays hidden until it is opened. */
function load(): void {
  if (frame) return;
  const query = new URLSearchParams();
  if (settings.locale) query.set("lang", settings.locale);
  if (settings.theme) query.set("theme", settings.theme);
  frame = element("iframe", "", { title, allow: "clipboard-write; microphone", src: `${base}/chat/${encodeURIComponent(shop)}${query.size ? `?${query}` : ""}` });
  layout();
  root.append(frame);
}

function open(): void {
  load();
  shown = true;
  layout();
  launcher.setAttribute("aria-expanded", "true");
  unread(0, "");
  frame?.focus();
  tell({ do: "open" });
  remember();
  emit("open");
}

function close(): void {
  if (!shown) return;
  shown = false;
  layout();
  launcher.setAttribute("aria-expanded", "false");
  launcher.focus();
  tell({ do: "close" });
  emit("close");
}

const toggle = () => (shown ? close() : open());

function unread(count: number, line: string): void {
  badge.textContent = count > 99 ? "99+" : String(count);
  badge.hidden = !count;
  last.textContent = line;
  last.hidden = !count || !line || shown || !!settings.hideLauncher;
  launcher.setAttribute("aria-label", count ? `${title} (${count})` : title);
}

function remember(): void {
  try {
    localStorage.setItem(VISITED, "1");
  } catch {
    // then the frame is loaded when it is opened
  }
}

function visited(): boolean {
  try {
    return !!localStorage.getItem(VISITED);
  } catch {
    return false;
  }
}

addEventListener("message", (event: MessageEvent) => {
  if (event.origin !== home || event.source !== frame?.contentWindow) return;
  const said = event.data as { wangxin?: number; did?: string; count?: number; last?: string } | null;
  if (!said || said.wangxin !== 1) return;
  if (said.did === "ready") {
    ready = true;
    tell({ do: "start", token: user ?? "" });
    for (const message of waiting.splice(0)) tell(message);
    if (shown) tell({ do: "open" });
  } else if (said.did === "close") close();
  else if (said.did === "expired") {
    void Promise.resolve(settings.onTokenExpired?.() ?? "").then((token) => tell({ do: "token", token }));
  } else if (said.did === "unread") {
    if (!shown) unread(said.count ?? 0, said.last ?? "");
    emit("unread", { count: said.count, last: said.last });
  } else if (said.did === "message" || said.did === "error") emit(said.did, said);
});
addEventListener("resize", layout);
addEventListener("keydown", (event) => event.key === "Escape" && close());

const api = {
  open,
  close,
  toggle,
  /** A member: `{token}` is a JWT signed by the shop's server. */
  setUser({ token }: { token: string }) {
    user = token;
    if (ready) tell({ do: "user", token });
    load();
  },
  /** Where the shopper is: shown to the agent. */
  setContext: (context: Record<string, string>) => tell({ do: "context", context }),
  sendProduct(product: Record<string, unknown>) {
    open();
    tell({ do: "product", product });
  },
  sendOrder(order: Record<string, unknown>) {
    open();
    tell({ do: "order", order });
  },
  /** What happened on the page; sent on to the page of the chat. */
  track: (name: string, detail: Record<string, string> = {}) => tell({ do: "context", context: { ...detail, event: name } }),
  setLocale: (locale: string) => tell({ do: "locale", locale }),
  setTheme: (theme: string) => tell({ do: "theme", theme }),
  /** Forget the member and the guest; the next words come from a new guest. */
  reset() {
    user = null;
    unread(0, "");
    tell({ do: "reset" });
  },
  on: (name: string, listener: Listener) => void (listeners[name] ??= new Set()).add(listener),
  off: (name: string, listener: Listener) => void listeners[name]?.delete(listener),
  push: (...calls: Call[]) => {
    for (const [name, ...values] of calls) (api as unknown as Record<string, (...v: unknown[]) => void>)[name]?.(...values);
  },
};

function start(): void {
  const queued = Array.isArray(W.$wangxin) ? (W.$wangxin as Call[]) : [];
  W.$wangxin = api;
  root.append(last, launcher);
  launcher.hidden = !!settings.hideLauncher;
  document.body.append(root);
  api.push(...queued);
  // Whoever chatted here before may have news: the frame is loaded quietly, once the page has nothing better to do.
  if (visited() && !frame) (W.requestIdleCallback ? (W.requestIdleCallback as (f: () => void) => void)(load) : setTimeout(load, 800));
  emit("ready");
}

if (!shop) console.error("wangxin: name the shop, e.g. window.wangxinSettings = { shop: \"my-shop\" }");
else if (document.body) start();
else addEventListener("DOMContentLoaded", start);
