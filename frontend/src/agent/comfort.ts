/** How the page is fitted to a person: one hand, keys that stay, size of text, contrast. Kept on the device. */
import { reactive, ref, watch } from "vue";
import { HANDS, modifierOf, NONE, PROFILES, tapped, used, type Hand, type Held } from "./desk/hands";
import * as keep from "./desk/keep";
import { chords, keepChords } from "./room";

export const SIZES = [100, 115, 130, 150] as const;
export type Size = (typeof SIZES)[number];
const wanted = keep.read<{ hand: Hand; sticky: boolean; size: Size; contrast: boolean }>("wx.agent.comfort", {
  hand: "both", sticky: false, size: 100, contrast: matchMedia("(prefers-contrast: more)").matches,
});
export const comfort = reactive({
  ...wanted,
  hand: HANDS.includes(wanted.hand) ? wanted.hand : "both",
  size: SIZES.includes(wanted.size) ? wanted.size : 100,
});
/** Modifiers that were tapped and count for the next key. */
export const held = ref<Held>(NONE);

watch(comfort, (now) => keep.write("wx.agent.comfort", { ...now }));
watch(
  () => [comfort.size, comfort.contrast] as const,
  ([size, contrast]) => {
    const page = document.documentElement;
    page.style.setProperty("--wx-zoom", String(size / 100));
    page.classList.toggle("contrast", contrast);
  },
  { immediate: true },
);
watch(
  () => comfort.sticky,
  (on) => on || (held.value = NONE),
);

/** The keys of a hand; for one hand keys stay, since two cannot be held. */
export function setHand(hand: Hand): void {
  comfort.hand = hand;
  comfort.sticky = hand !== "both";
  Object.assign(chords, PROFILES[hand]);
  keepChords();
}

let alone = "";
/** Hears every press first; gives it back with what is held. */
export function withHeld(event: KeyboardEvent): { key: string; code: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean; shiftKey: boolean } {
  const modifier = comfort.sticky ? modifierOf(event.key) : null;
  alone = modifier ? event.key : "";
  if (modifier === "Alt") event.preventDefault(); // else the browser's own menu takes the next key
  const press = { key: event.key, code: event.code, ctrlKey: event.ctrlKey, metaKey: event.metaKey, altKey: event.altKey, shiftKey: event.shiftKey };
  if (!comfort.sticky || modifier || event.key === "Shift") return press;
  const with_ = { ...press, ctrlKey: press.ctrlKey || held.value.Ctrl !== "", altKey: press.altKey || held.value.Alt !== "" };
  held.value = used(held.value);
  return with_;
}
export function letGo(event: KeyboardEvent): void {
  if (alone && alone === event.key) held.value = tapped(held.value, event.key);
  alone = "";
}
