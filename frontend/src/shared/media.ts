// Pictures, short videos and voices as the server holds them: shown by links that expire.
import { api, ApiError } from "./api";

export type Variant = "full" | "thumb" | "poster";

/** What the server says of an upload. `original` and `thumb` are links that expire. */
export interface Stored {
  id: string;
  kind: "image" | "video" | "voice";
  width: number;
  height: number;
  duration_ms: number | null;
  original: string;
  thumb: string;
  /** what to show: of a converted video, that one */
  play: string;
  plays: Plays;
  progress: number;
  expires_ms: number;
}
/** Whether every desk plays a video: as it is; perhaps not; not yet; as converted. */
export type Plays = "yes" | "no" | "waiting" | "converted";

type Held = Pick<Stored, "play" | "thumb" | "plays" | "progress"> & { until: number };
const links = new Map<string, Held>();

/** A day's pictures are more than a page needs: the oldest go, and are asked for again. */
const LINKS_KEPT = 500;

export function keepLinks(stored: Stored): void {
  links.delete(stored.id);
  if (links.size >= LINKS_KEPT) links.delete(links.keys().next().value as string);
  const { play, thumb, plays, progress } = stored;
  links.set(stored.id, { play, thumb, plays, progress, until: stored.expires_ms - 60_000 });
}

/** Those asked for in one turn of the page go out in one request. */
let waiting: { ids: Set<string>; as: string | null | undefined; answer: Promise<void> } | null = null;

function ask(media: string, as: string | null | undefined): Promise<void> {
  if (!waiting || waiting.as !== as || waiting.ids.size >= 50) {
    const ids = new Set<string>();
    const mine = { ids, as, answer: Promise.resolve() };
    mine.answer = new Promise<void>((then) => setTimeout(then, 0)).then(async () => {
      if (waiting === mine) waiting = null;
      const found = await api.post<{ links: Stored[] }>("/media/links", { ids: [...ids] }, { as });
      found.links.forEach(keepLinks);
    });
    waiting = mine;
  }
  waiting.ids.add(media);
  return waiting.answer;
}

async function holding(media: string, as?: string | null): Promise<Held> {
  let held = links.get(media);
  if (!held || held.until <= Date.now()) {
    await ask(media, as);
    held = links.get(media);
  }
  if (!held) throw new ApiError("media.not_found", 404);
  return held;
}

/** A link to an upload that the page may show; kept until shortly before it expires. Rejects with ApiError. */
export async function mediaLink(media: string, variant: Variant, as?: string | null): Promise<string> {
  const held = await holding(media, as);
  return variant === "full" ? held.play : held.thumb;
}

/** How it stands with playing a video, asked anew while it is being converted. Rejects with ApiError. */
export async function playing(media: string, as?: string | null): Promise<Pick<Stored, "plays" | "progress" | "play">> {
  if (links.get(media)?.plays === "waiting") links.delete(media);
  return holding(media, as);
}
