/** Words that the shop wants looked at before they go out: asked while somebody still types, so that sending does not wait. */
import { api } from "@/shared/api";
import type { Key } from "@/shared/i18n";

export interface Hit {
  word: string;
  act: "warn" | "block" | "replace";
  instead: string;
  group: string;
}
export interface Verdict {
  found: Hit[];
  text: string;
}
/** A server that has not answered by then does not hold a shopper up. */
const WAIT_MS = 1_500;
const REST_MS = 350;
const clean = (text: string): Verdict => ({ found: [], text });

let last: { thread: string; text: string; verdict: Promise<Verdict> } | null = null;
let timer = 0;

function ask(thread: string, text: string): Promise<Verdict> {
  if (last?.thread === thread && last.text === text) return last.verdict;
  const verdict = api
    .post<Verdict>(`/desk/threads/${thread}/wording`, { text }, { signal: AbortSignal.timeout(WAIT_MS) })
    .catch(() => {
      if (last?.verdict === verdict) last = null; // asked again the next time
      return clean(text);
    });
  last = { thread, text, verdict };
  return verdict;
}
/** What is being typed will soon be sent. */
export function foresee(thread: string, text: string): void {
  window.clearTimeout(timer);
  if (text) timer = window.setTimeout(() => void ask(thread, text), REST_MS);
}
/** What is in a text; nothing where nobody can say. */
export const looked = (thread: string, text: string): Promise<Verdict> => (text ? ask(thread, text) : Promise.resolve(clean(text)));

/** What is said of words that stand in the way: those that are not allowed, else those that are asked about. */
export function doubtText(hits: readonly Hit[]): [Key, { words: string }] {
  const blocked = hits.filter((hit) => hit.act === "block");
  const bad = blocked.length ? blocked : hits;
  return [blocked.length ? "agent.wording.blocked" : "agent.wording.doubtful", { words: bad.map((hit) => hit.word).join(", ") }];
}
