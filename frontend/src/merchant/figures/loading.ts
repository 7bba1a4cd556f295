// Fetching a figure's rows: the newest question wins, and what is shown stays until its answer is there.
import { onBeforeUnmount, ref, shallowRef } from "vue";

export function useAnswer<T>(ask: (signal: AbortSignal) => Promise<T>) {
  const answer = shallowRef<T | null>(null);
  const trouble = shallowRef<unknown>(null);
  const busy = ref(false);
  let under: AbortController | undefined;

  async function load(): Promise<void> {
    under?.abort();
    const mine = (under = new AbortController());
    busy.value = true;
    try {
      const found = await ask(mine.signal);
      if (under !== mine) return;
      answer.value = found;
      trouble.value = null;
    } catch (why) {
      if (under === mine && (why as Error).name !== "AbortError") trouble.value = why;
    } finally {
      if (under === mine) busy.value = false;
    }
  }
  onBeforeUnmount(() => {
    const last = under;
    under = undefined;
    last?.abort();
  });
  return { answer, trouble, busy, load };
}

/** Calls `again` every `everyMs` while the page is seen, never twice at once, and after a pause of at least `times` what an
 * answer took: a shop whose day is long to read is asked less often. */
export function usePolling(again: () => Promise<void>, everyMs: number, times = 0): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  async function tick(): Promise<void> {
    clearTimeout(timer);
    const began = performance.now();
    if (document.visibilityState === "visible") await again();
    if (!over) timer = setTimeout(() => void tick(), Math.max(everyMs, times * (performance.now() - began)));
  }
  const seen = () => {
    if (document.visibilityState === "visible") void tick();
  };
  document.addEventListener("visibilitychange", seen);
  void tick();
  onBeforeUnmount(() => {
    over = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  });
}
