// Addresses inside text, found here and shown as links; the text itself is only ever a text node.
import { ref } from "vue";

export type Part = { text: string } | { text: string; url: string };
const ADDRESS = /https?:\/\/[^\s<>"'，。！？；：、）】》]+/g;

/** "see https://a.cn/b." -> ["see ", {url}, "."] */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const url = found[0].replace(/[.,;:!?)\]]+$/, "");
    if (found.index > at) parts.push({ text: text.slice(at, found.index) });
    parts.push({ text: url, url });
    at = found.index + url.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at) });
  return parts;
}

/** The foreign address somebody is about to open; LeaveDialog asks first. */
export const leaving = ref<string | null>(null);

export function isForeign(url: string): boolean {
  try {
    return new URL(url).host !== location.host;
  } catch {
    return true;
  }
}
