// Light, dark, or as the system has it. The start-up script (plain/theme.js) sets the class before the first paint.
import { ref } from "vue";
import { recall, remember } from "./i18n";

export type Theme = "auto" | "light" | "dark";
const system = matchMedia("(prefers-color-scheme: dark)");
export const theme = ref<Theme>((recall("wangxin.theme") as Theme | null) ?? "auto");
export const isDark = ref(document.documentElement.classList.contains("dark"));

function paint(): void {
  isDark.value = theme.value === "dark" || (theme.value === "auto" && system.matches);
  document.documentElement.classList.toggle("dark", isDark.value);
}

export function setTheme(wanted: Theme, store = true): void {
  theme.value = wanted;
  if (store) remember("wangxin.theme", wanted);
  paint();
}

system.addEventListener("change", paint);
