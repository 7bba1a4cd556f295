// A shop's words to a shopper whose window is closed. It keeps no pages and no words: a call brings the shop's name and a
// line, sealed for this device; a tap opens that shop's window.
const PAGE = "/chat/";
const NEWS = { "zh-CN": "\u53d1\u6765\u65b0\u6d88\u606f", "zh-TW": "\u50b3\u4f86\u65b0\u8a0a\u606f", en: "Sent you a message" };

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const windowsOf = async (slug) =>
  (await self.clients.matchAll({ type: "window", includeUncontrolled: true })).filter(
    (one) => new URL(one.url).pathname === PAGE + encodeURIComponent(slug),
  );
function news() {
  const lang = self.navigator.language;
  return NEWS[lang] ?? (lang.startsWith("zh") ? NEWS["zh-CN"] : NEWS.en);
}
self.addEventListener("push", (event) => {
  let said = {};
  try {
    said = event.data.json();
  } catch {
    return; // nobody of ours sends such a thing
  }
  const { slug = "", shop = "", line = "" } = said;
  event.waitUntil(
    windowsOf(slug).then((open) => {
      if (open.some((one) => one.visibilityState === "visible" && one.focused)) return undefined;
      const body = !line || /^\[\w+\]$/.test(line) ? news() : line; // a picture, say, is named by its kind
      return self.registration.showNotification(shop, { body, tag: slug, renotify: true, icon: "/static/icon.svg", data: { slug } });
    }),
  );
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { slug } = event.notification.data;
  event.waitUntil(windowsOf(slug).then((open) => (open.length ? open[0].focus() : self.clients.openWindow(PAGE + encodeURIComponent(slug)))));
});
