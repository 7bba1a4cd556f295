// The agent console without a network: its page and its files are kept, what people say never is. And the call to an
// agent whose page sleeps.
const KEPT = "wangxin-agent-1";
const PAGE = "/agent";
const FILES = /^\/static\/consoles\/assets\/[\w.-]+$/;
const FILES_MAX = 120;

self.addEventListener("install", (event) => {
  event.waitUntil(self.skipWaiting());
});
self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

async function keep(request, answer) {
  const kept = await caches.open(KEPT);
  await kept.put(request, answer);
  const all = await kept.keys(); // files are named by content: older builds' go, oldest first
  await Promise.all(all.filter((one) => FILES.test(new URL(one.url).pathname)).slice(0, -FILES_MAX).map((one) => kept.delete(one)));
}
async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await keep(PAGE, answer.clone());
    return answer;
  } catch (away) {
    const kept = await caches.match(PAGE);
    if (kept) return kept;
    throw away;
  }
}
async function file(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await keep(request, answer.clone());
  return answer;
}
async function newest(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await keep(request, answer.clone());
    return answer;
  } catch (away) {
    const kept = await caches.match(request);
    if (kept) return kept;
    throw away;
  }
}
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (FILES.test(url.pathname)) event.respondWith(file(request));
  else if (url.pathname === "/static/theme.js") event.respondWith(newest(request));
});

const WORDS = {
  "zh-CN": ["有买家在等你", "点开回复"],
  "zh-TW": ["有買家在等你", "點開回覆"],
  en: ["A shopper waits for you", "Open to answer"],
};
// A call carries no words of anybody: what it is about is read after it has been opened.
self.addEventListener("push", (event) => {
  const [title, body] = WORDS[self.navigator.language] ?? (self.navigator.language.startsWith("zh") ? WORDS["zh-CN"] : WORDS.en);
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      if (pages.some((one) => one.visibilityState === "visible" && one.focused)) return undefined;
      return self.registration.showNotification(title, { body, tag: "waiting", renotify: true, icon: "/static/icon.svg" });
    }),
  );
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      const open = pages.find((one) => new URL(one.url).pathname.startsWith(PAGE));
      return open ? open.focus() : self.clients.openWindow(PAGE);
    }),
  );
});
