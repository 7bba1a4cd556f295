// What a person sets off on a page, one at a time: busy while it goes, and a refusal is kept to be shown.
import { ref, type Ref } from "vue";

/** `before` clears what the last deed said; `after` follows each deed, done or refused; `done` a done one alone. */
export function useDeeds(
  trouble: Ref<unknown> = ref(null),
  { before, after, done }: { before?: () => void; after?: () => unknown; done?: () => void } = {},
) {
  const busy = ref(false);
  async function doing(work: () => Promise<unknown>): Promise<void> {
    if (busy.value) return; // a second press before the button shows it
    busy.value = true;
    trouble.value = null;
    before?.();
    try {
      await work();
      done?.();
    } catch (why) {
      trouble.value = why;
    } finally {
      busy.value = false;
      await after?.();
    }
  }
  return { busy, trouble, doing };
}
