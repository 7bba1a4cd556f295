/** What a slash in the box calls up: replies that hold what is typed after it, then those that come near to it. */
import { computed, ref, type Ref, watch } from "vue";
import type { CannedReply } from "@/shared/replies";
import { findReplies, slashed } from "../desk/canned";
import type { Talk } from "../desk/store";
import { nearReplies, repliesOf } from "../replies";

const SHOWN = 8;
/** So few that what comes near is looked for as well. */
const FEW = 3;
const LOOKED_AFTER_MS = 120;

/** `text`: of the box; null: where nothing is called up. */
export function useSlash(talk: () => Talk, text: () => string | null, caret: Ref<number>) {
  /** shut by hand until something is typed */
  const shut = ref(false);
  const at = ref(0);
  const near = ref<CannedReply[]>([]);
  const slash = computed(() => {
    const words = text();
    return shut.value || words === null ? null : slashed(words, caret.value);
  });
  const exact = computed(() => (slash.value ? findReplies(repliesOf(talk().view.shop), slash.value.typed) : []));
  const found = computed(() => [...exact.value, ...near.value.filter((one) => !exact.value.some((held) => held.id === one.id))].slice(0, SHOWN));
  let looking = 0;
  watch(
    () => slash.value?.typed ?? "",
    (words) => {
      window.clearTimeout(looking);
      near.value = [];
      if (words.length < 2 || exact.value.length >= FEW) return;
      looking = window.setTimeout(async () => {
        const some = await nearReplies(talk(), words);
        if (slash.value?.typed === words) near.value = some;
      }, LOOKED_AFTER_MS);
    },
  );
  watch(found, () => (at.value = 0));
  return { shut, slash, at, found };
}
