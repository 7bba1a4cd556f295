// The shops this person talks to: guests by the tokens that stay on this device, members by tokens that the embedding
// page hands in.
import { api, ApiError } from "@/shared/api";

export interface Line {
  slug: string;
  name: string;
  unread: number;
  last: string;
  at: number;
}
const GUEST = "wangxin.visitor.";

/** slug → token, as the windows of this device have kept them. */
export function guestTokens(): Map<string, string> {
  const found = new Map<string, string>();
  try {
    for (let place = 0; place < localStorage.length; place += 1) {
      const key = localStorage.key(place) ?? "";
      const token = key.startsWith(GUEST) ? localStorage.getItem(key) : "";
      if (token) found.set(key.slice(GUEST.length), token);
    }
  } catch {
    // a frame whose storage is closed knows only what it is handed
  }
  return found;
}

/** Where one thread stands; null: there is none, or its token counts no more. */
export async function look(slug: string, token: string): Promise<Line | null> {
  try {
    const [shop, thread] = await Promise.all([
      api.get<{ name: string }>(`/shops/${encodeURIComponent(slug)}`, { as: null }),
      api.get<{ unread: number; last_line: string; last_ms: number | null }>("/shopper/unread", { as: token }),
    ]);
    return thread.last_ms === null ? null : { slug, name: shop.name, unread: thread.unread, last: thread.last_line, at: thread.last_ms };
  } catch (why) {
    if (why instanceof ApiError && why.code !== "network.away") return null;
    throw why;
  }
}
