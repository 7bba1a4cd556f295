/** The line to the hub, tied to the desk. */
import { reactive } from "vue";
import { locale } from "@/shared/i18n";
import { socketToken } from "@/shared/session";
import { Line } from "@/shared/socket";
import type { AnyFrame } from "@/shared/protocol";
import { rightsChanged } from "./panel/panel";
import { desk, sendThrough } from "./room";

export const line = reactive({ state: "connecting" as Line["state"], lost_ms: Date.now(), ended_by: 0 });
let now: Line | null = null;

export function connect(): void {
  now?.end();
  const made = new Line({ token: socketToken, resume: () => desk.resume(), device: "console", locale: locale.value });
  now = made;
  sendThrough((frame: AnyFrame) => now === made && made.tell(frame));
  let before = false;
  made.on("any", (answer) => {
    desk.hear(answer);
    if (answer.type !== "welcome") return;
    if (before) rightsChanged(); // a contract that opens or hides more is among what breaks a line
    before = true;
  });
  made.on("state", () => {
    if (now !== made) return;
    if (made.state !== "live") {
      if (line.state === "live") line.lost_ms = Date.now();
      desk.down();
    }
    line.state = made.state;
    line.ended_by = made.endedBy;
  });
}

export function hangUp(): void {
  now?.end();
  now = null;
}

/** How long the line has been away. */
export const awayMs = (): number => (line.state === "live" ? 0 : Date.now() - line.lost_ms);
