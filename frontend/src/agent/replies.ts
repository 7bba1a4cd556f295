/** Canned replies and suggestions, as the server has them. */
import { ref } from "vue";
import { api } from "@/shared/api";
import { type CannedReply, EMPTY_BOOK, type ReplyBook, type ReplyMedia } from "@/shared/replies";
import type { Talk } from "./desk/store";

/** what may be sent, and who writes what */
export const book = ref<ReplyBook>(EMPTY_BOOK);

export async function readReplies(): Promise<void> {
  try {
    book.value = await api.get<ReplyBook>("/desk/replies");
  } catch {
    // what was read before stays of use
  }
}

export function repliesOf(shop: string): CannedReply[] {
  return book.value.replies.filter((reply) => reply.shops.includes(shop));
}

/** Replies near to what was typed (misspelt, of the same sound), as the server finds them; none where it cannot. */
export async function nearReplies(talk: Talk, typed: string): Promise<CannedReply[]> {
  try {
    const { replies: ids } = await api.get<{ replies: string[] }>(`/desk/threads/${talk.view.thread}/replies`, { query: { q: typed } });
    const mine = repliesOf(talk.view.shop);
    return ids.flatMap((id) => mine.find((reply) => reply.id === id) ?? []);
  } catch {
    return [];
  }
}

/** Where a reply is kept, and what of it. */
export const pathOf = (reply: Pick<CannedReply, "id" | "shop" | "pool">): string =>
  reply.pool ? `/desk/pools/${reply.pool}/replies/${reply.id}` : `/desk/shops/${reply.shop}/replies/${reply.id}`;

export function markUsed(reply: CannedReply): void {
  void api.post(`${pathOf(reply)}/used`).catch(() => undefined);
}

export interface Suggestion {
  title: string;
  text: string;
  /** goes out before the words */
  media?: ReplyMedia | null;
}

/** Up to three answers to what the shopper said last; none where nobody can say. */
export async function suggest(talk: Talk): Promise<Suggestion[]> {
  try {
    const answer = await api.get<{ suggestions: Suggestion[] }>("/menus/suggestions", { query: { thread: talk.view.thread } });
    return answer.suggestions.slice(0, 3);
  } catch {
    return [];
  }
}

/** What the shop's bot knows about `words` (all of it, the most asked first, when there are none). */
export async function searchKnowledge(talk: Talk, words: string): Promise<Suggestion[]> {
  const answer = await api.get<{ suggestions: Suggestion[] }>("/menus/knowledge", { query: { thread: talk.view.thread, q: words } });
  return answer.suggestions;
}
