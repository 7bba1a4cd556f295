// What a shopper sends that is no words: looked at, shown at once, sent up, then said.
import type { ApiError } from "@/shared/api";
import type { AnyBody } from "@/shared/protocol";
import { newId } from "@/shared/socket";
import type { Unsent } from "@/shared/thread";
import { inspect, upload } from "@/shared/upload";
import type { Chat } from "./chat";

const NOT_UP_YET = "00000000-0000-0000-0000-000000000000";

async function bodyOf(chat: Chat, file: File, voiceMs: number): Promise<AnyBody> {
  if (voiceMs) return { kind: "voice", media: NOT_UP_YET, duration_ms: voiceMs };
  const { kind, width, height, durationMs } = await inspect(file, chat.limits);
  const place = { media: NOT_UP_YET, width, height };
  return kind === "image" ? { kind, ...place } : { kind, ...place, duration_ms: durationMs };
}

/** Rejects with what is wrong with the file; what happens later is told by its line. */
export async function sendFile(chat: Chat, file: File, voiceMs: number): Promise<void> {
  const body = await bodyOf(chat, file, voiceMs);
  const id = newId();
  const lane = chat.threads.lane(chat.thread);
  chat.files.set(id, file);
  lane.unsent.push({ id, atMs: chat.now(), body, fate: "sending", preview: URL.createObjectURL(file), progress: 0 });
  void putUp(chat, lane.unsent[lane.unsent.length - 1] as Unsent, file);
}

export async function putUp(chat: Chat, unsent: Unsent, file: File): Promise<void> {
  try {
    const up = await upload(file, chat.identity.current, (share) => (unsent.progress = share));
    unsent.progress = 1;
    if ("media" in unsent.body) unsent.body = { ...unsent.body, media: up.media };
    if ("duration_ms" in unsent.body) unsent.body = { ...unsent.body, duration_ms: up.duration_ms ?? 0 };
    chat.speak(unsent);
  } catch (trouble) {
    Object.assign(unsent, { fate: "failed", why: (trouble as ApiError).code ?? "" });
  }
}
