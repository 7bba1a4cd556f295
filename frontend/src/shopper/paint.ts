// The shop's own colour on its window. In the dark the tokens stay: no one colour is right on both grounds.
import { isDark } from "@/shared/theme";

const USUAL = "#c2410c";
const OWN = ["--wx-brand", "--wx-brand-hover", "--wx-brand-soft"];

/** `accent` is dark enough for white words (the server sees to it); a little darker still, it is read on its own tint. */
export function wearAccent(accent: string): void {
  const style = document.documentElement.style;
  if (isDark.value || accent === USUAL || !/^#[0-9a-f]{6}$/i.test(accent)) return OWN.forEach((name) => style.removeProperty(name));
  style.setProperty("--wx-brand", `color-mix(in srgb, ${accent} 94%, #000)`);
  style.setProperty("--wx-brand-hover", `color-mix(in srgb, ${accent} 84%, #000)`);
  style.setProperty("--wx-brand-soft", `color-mix(in srgb, ${accent} 7%, #fff)`);
}
