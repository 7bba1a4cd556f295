// A problem of the menu in words.
import { t, tMaybe } from "@/shared/i18n";
import type { Problem } from "./types";

export function problemText(problem: Problem): string {
  const text = tMaybe(`menu.problem.${problem.code}`, t("menu.problem.other"));
  return text.replace("{detail}", problem.code === "request.invalid" ? tMaybe(`menu.f.${problem.detail}`, problem.detail) : problem.detail);
}

/** What a version says of itself; a version that went back to an older one says which. */
export function noteText(note: string): string {
  const back = /^= (\d+)$/.exec(note);
  return back ? t("menu.wentBack", { version: back[1]! }) : note;
}
