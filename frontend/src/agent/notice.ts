/** Telling an agent who looks elsewhere: the title, a sound, a notice of the system. Never asked for at load. */
import { reactive, watch } from "vue";
import { t } from "@/shared/i18n";
import { errorText } from "@/shared/api";
import { formatClock } from "@/shared/format";
import * as keep from "./desk/keep";
import type { Talk } from "./desk/store";
import { backToDraft, desk, openTalk, tell, ui } from "./room";
import { readTeam } from "./team";

export const notice = reactive({
  /** 0 none, 1 soft, 2 loud */
  sound: keep.read<0 | 1 | 2>("wx.agent.sound", 1),
  night: keep.read("wx.agent.sound.night", false),
  system: keep.read("wx.agent.notices", false) && typeof Notification !== "undefined" && Notification.permission === "granted",
});
watch(
  () => ({ ...notice }),
  (now) => {
    keep.write("wx.agent.sound", now.sound);
    keep.write("wx.agent.sound.night", now.night);
    keep.write("wx.agent.notices", now.system);
  },
);

export const canNotify = (): boolean => typeof Notification !== "undefined";

/** By a button only. */
export async function askForNotices(): Promise<boolean> {
  if (!canNotify()) return false;
  notice.system = (await Notification.requestPermission()) === "granted";
  return notice.system;
}

let sounds: AudioContext | null = null;
export function beep(loud: 0 | 1 | 2 = notice.sound): void {
  const hour = new Date().getHours();
  if (loud === 0 || (!notice.night && (hour >= 22 || hour < 7))) return;
  try {
    sounds ??= new AudioContext();
    if (sounds.state === "suspended") return; // the browser waits for a first touch of the page
    const at = sounds.currentTime;
    const tone = sounds.createOscillator();
    const volume = sounds.createGain();
    tone.frequency.setValueAtTime(660, at);
    tone.frequency.setValueAtTime(880, at + 0.09);
    volume.gain.setValueAtTime(loud === 2 ? 0.3 : 0.08, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.28);
    tone.connect(volume).connect(sounds.destination);
    tone.start(at);
    tone.stop(at + 0.3);
  } catch {
    // no sound here
  }
}

/** Browsers let a page sound only after somebody has touched it. */
export function wakeSound(): void {
  try {
    sounds ??= new AudioContext();
    void sounds.resume();
  } catch {
    // no sound here
  }
}

function systemNotice(title: string, thread: string): void {
  if (!notice.system || !document.hidden || !canNotify()) return;
  const shown = new Notification(title, { body: t("agent.notice.body"), tag: thread, silent: true });
  shown.onclick = () => {
    window.focus();
    openTalk(thread);
    shown.close();
  };
}

let flash = 0;
export function startNotices(): void {
  const title = (): string => {
    const count = desk.unreadAll.value + desk.offers.length;
    return count > 0 ? `(${count}) ${t("agent.title")}` : t("agent.title");
  };
  watch([desk.unreadAll, () => desk.offers.length], () => (document.title = title()), { immediate: true });
  window.clearInterval(flash);
  flash = window.setInterval(() => {
    const blank = document.hidden && desk.unreadAll.value > 0 && !document.title.startsWith("●");
    document.title = blank ? `● ${t("agent.title")}` : title();
  }, 1000);
  desk.refused.push((why, talk) => {
    const said = errorText(why);
    tell(talk ? t("agent.refused", { name: talk.view.shopper.name, why: said }) : said);
  });
  desk.handedBack.push((thread, text, talk) => {
    backToDraft(thread, text);
    tell(t("agent.handed_back", { name: talk?.view.shopper.name ?? t("common.shopper") }));
  });
  desk.guarded.push((answer, talk) => {
    const time = formatClock(answer.waited_ms);
    const name = answer.shopper_name || talk?.view.shopper.name || t("common.shopper");
    if (answer.to === "supervisor") tell(t("agent.guard.told", { name, time, agent: answer.agent_name || t("agent.guard.nobody") }));
    else if (answer.acts.includes("notice")) tell(t("agent.guard.notice", { name, time }));
    else return;
    beep(notice.sound && 2);
    systemNotice(ui.said, answer.thread);
    if (answer.to === "supervisor") void readTeam();
  });
  desk.arrived.push((talk: Talk | undefined, what) => {
    const here = talk && !document.hidden && desk.opened.value === talk.view.thread;
    if (what === "message" && here) return;
    beep();
    if (talk) {
      const name = talk.view.shopper.name;
      systemNotice(what === "assigned" ? t("agent.notice.assigned", { name }) : t("agent.notice.message", { name }), talk.view.thread);
    }
  });
}
