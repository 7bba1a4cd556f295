/** What the chat sends besides text, and how what is on its way is shown. */
import { reactive } from "vue";
import { errorText, token } from "@/shared/api";
import { inspect, upload } from "@/shared/upload";
import type { AnyBody } from "@/shared/protocol";
import type { Unsent } from "@/shared/thread";
import { uuid } from "../desk/ids";
import type { Talk } from "../desk/store";
import { desk, tell } from "../room";

interface Going extends Unsent {
  thread: string;
  file: File;
}
/** Media on its way up; when it is there it becomes a message. */
const going = reactive<Going[]>([]);

/** Lines of a thread that have no number yet, oldest first. */
export function fates(thread: string): Unsent[] {
  const said = desk.pendingOf(thread).map((one) => ({
    id: one.client_msg_id,
    atMs: one.at_ms,
    body: one.body,
    fate: one.failed ? ("failed" as const) : ("sending" as const),
    why: one.failed,
  }));
  return [...going.filter((one) => one.thread === thread), ...said];
}

export async function sendFile(talk: Talk, file: File): Promise<void> {
  const limits = desk.limits.value ?? { image_bytes: 10 << 20, video_bytes: 50 << 20, video_ms: 60_000 };
  let seen: Awaited<ReturnType<typeof inspect>>;
  try {
    seen = await inspect(file, limits);
  } catch (trouble) {
    return tell(errorText(trouble));
  }
  const { kind, width, height, durationMs } = seen;
  const shape = { media: "00000000-0000-0000-0000-000000000000", width, height };
  const body = (kind === "image" ? { kind, ...shape } : { kind, ...shape, duration_ms: durationMs }) as AnyBody;
  const preview = URL.createObjectURL(file);
  const one = reactive<Going>({ id: uuid(), thread: talk.view.thread, atMs: desk.now(), body, fate: "sending", progress: 0, preview, file });
  going.push(one);
  try {
    const there = await upload(file, token.value, (share) => (one.progress = share), talk.view.shop);
    desk.say(talk.view.thread, {
      kind,
      media: there.media,
      width: there.width ?? width,
      height: there.height ?? height,
      ...(kind === "video" ? { duration_ms: there.duration_ms ?? durationMs } : {}),
    } as AnyBody);
  } catch (trouble) {
    tell(errorText(trouble));
  } finally {
    going.splice(going.findIndex((other) => other.id === one.id), 1);
    URL.revokeObjectURL(preview);
  }
}

/** Ask for a rating, once a conversation. */
export function inviteRating(talk: Talk): boolean {
  const conversation = talk.view.conversation;
  if (!conversation) return false;
  desk.say(talk.view.thread, { kind: "rating_invite", conversation } as AnyBody);
  return true;
}
