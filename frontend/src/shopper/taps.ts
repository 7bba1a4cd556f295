// A card, picture or link of a line was opened: it counts for the rule that sent the line, and may set others off.
import { api } from "@/shared/api";

/** Buttons in a bubble are answers: they say a line of their own. */
const OPENS = ".wx-bubble a, .wx-card a, .wx-card button, .bare a, .bare button";

export function hearTaps(token: () => string | null): void {
  document.addEventListener("click", (event) => {
    const opened = (event.target as Element).closest(OPENS);
    const [thread, seq] = opened?.closest<HTMLElement>("[data-line]")?.dataset.line?.split(":") ?? [];
    if (!thread || !token()) return;
    // Whatever is wrong with it is no trouble of who reads.
    void api.post("/shopper/tapped", { thread, seq: Number(seq) }, { as: token() }).catch(() => {});
  });
}
