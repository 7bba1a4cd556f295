// Pictures and short videos as the server holds them: shown by links that expire.
import { api, ApiError } from "./api";

export type Variant = "full" | "thumb" | "poster";

/** What the server says of an upload. `original` and `thumb` are links that expire. */
export interface Stored {
  id: string;
  kind: "image" | "video";
  width: number;
  height: number;
  duration_ms: number | null;
  original: string;
  thumb: string;
  expires_ms: number;
}

const links = new Map<string, { original: string; thumb: string; until: number }>();

export function keepLinks(stored: Stored): void {
  links.set(stored.id, { original: stored.original, thumb: stored.thumb, until: stored.expires_ms - 60_000 });
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

/** A link to an upload that the page may show; kept until shortly before it expires. Rejects with ApiError. */
export async function mediaLink(media: string, variant: Variant, as?: string | null): Promise<string> {
  let held = links.get(media);
  if (!held || held.until <= Date.now()) {
    await ask(media, as);
    held = links.get(media);
  }
  if (!held) throw new ApiError("media.not_found", 404);
  return variant === "full" ? held.original : held.thumb;
}
