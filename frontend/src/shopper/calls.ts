// The shop's words come to this device while its window is closed, through the browser maker's push service. Only by a button.
import { createApp, ref } from "vue";
import { api } from "@/shared/api";
import { moreTexts, recall, remember } from "@/shared/i18n";
import { embedded } from "./host";
import TellMe from "./TellMe.vue";

/** In a page of the shop's own the browser lets no frame ask. */
const canCall = !embedded && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
const slug = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const WANTED = `wangxin.tell.${slug}`;
const OFFER_AFTER_MS = 1_500;
/** Whether this device is told of this shop's words; null: it cannot be. */
export const told = ref<boolean | null>(null);
let token: () => string | null = () => null;

const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
const worker = () => navigator.serviceWorker.register("/shopper-sw.js", { scope: "/chat" }).then(() => navigator.serviceWorker.ready);

async function keep(held: PushSubscription): Promise<void> {
  const { endpoint, keys } = held.toJSON();
  await api.put("/shopper/calls", { endpoint, p256dh: keys?.p256dh ?? "", auth: keys?.auth ?? "" }, { as: token() });
  remember(WANTED, "yes");
  told.value = true;
}
/** Rejects where the browser's push service or the server cannot be reached; false: the person said no. */
export async function startCalls(): Promise<boolean> {
  if ((await Notification.requestPermission()) !== "granted") return false;
  const { key } = await api.get<{ key: string }>("/shopper/calls", { as: token() });
  const { pushManager } = await worker();
  await keep((await pushManager.getSubscription()) ?? (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) })));
  return true;
}
/** Of this shop; others of the same house may call this device still. */
export async function stopCalls(): Promise<void> {
  remember(WANTED, "no");
  told.value = false;
  const held = await (await worker()).pushManager.getSubscription();
  if (held) await api.del("/shopper/calls", { query: { endpoint: held.endpoint }, as: token() });
}
export const notNow = () => remember(WANTED, "no");

/** What stood when the window was last open; the offer comes after the shopper's own first words, once. */
export async function lookAtCalls(own: () => string | null): Promise<void> {
  token = own;
  if (!canCall || Notification.permission === "denied") return;
  told.value = false;
  await moreTexts(import.meta.glob("../locales/*/tell.json", { import: "default" }));
  if (recall(WANTED) === "yes" && Notification.permission === "granted") {
    // Said again: the guest may have become a member, and the browser may have changed the address.
    const held = await (await worker()).pushManager.getSubscription();
    if (held && token()) return keep(held).catch(() => {});
  }
  if (recall(WANTED) === null) offerAfterOwnWords();
}
function offerAfterOwnWords(): void {
  const spoke = (event: Event) => {
    const at = event.target as Element;
    const sent = event.type === "click" ? at.closest(".send") : (event as KeyboardEvent).key === "Enter" && at.closest("textarea.field");
    if (!sent) return;
    removeEventListener("click", spoke, true);
    removeEventListener("keydown", spoke, true);
    setTimeout(offer, OFFER_AFTER_MS);
  };
  addEventListener("click", spoke, true);
  addEventListener("keydown", spoke, true);
}
function offer(): void {
  const foot = document.querySelector(".foot");
  if (!foot || told.value !== false) return;
  const place = document.createElement("div");
  foot.prepend(place);
  const shown = createApp(TellMe, {
    onDone: () => {
      shown.unmount();
      place.remove();
      document.querySelector<HTMLElement>("textarea.field")?.focus();
    },
  });
  shown.mount(place);
}
