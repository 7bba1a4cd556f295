/** Calls to this device while the page sleeps, through the browser maker's push service. Only by a button. */
import { ref } from "vue";
import { api } from "@/shared/api";

export const canCall = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
/** Whether this device is called now. */
export const called = ref(false);

const bytes = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));

async function worker(): Promise<ServiceWorkerRegistration> {
  return await navigator.serviceWorker.ready;
}
export async function lookAtCalls(): Promise<void> {
  if (canCall) called.value = (await (await worker()).pushManager.getSubscription()) !== null;
}
/** Rejects where the browser's push service cannot be reached; false: the person said no. */
export async function startCalls(): Promise<boolean> {
  if ((await Notification.requestPermission()) !== "granted") return false;
  const { key } = await api.get<{ key: string }>("/desk/calls");
  const held = await (await worker()).pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
  await api.put("/desk/calls", { endpoint: held.endpoint });
  called.value = true;
  return true;
}
export async function stopCalls(): Promise<void> {
  const held = await (await worker()).pushManager.getSubscription();
  called.value = false;
  if (!held) return;
  await held.unsubscribe();
  await api.del("/desk/calls", { query: { endpoint: held.endpoint } });
}
