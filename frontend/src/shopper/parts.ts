// What the first screen does not need is fetched once the page is at rest: all of it must open without a network.
import { shallowRef } from "vue";
import { wantRich } from "@/shared/message/rich";

type Later = typeof import("./later");
const AT_REST_MS = 1_500;
export const later = shallowRef<Later | null>(null);
let asked: Promise<Later> | null = null;

/** The parts, once they are here; after a failure the next asking tries again. */
export function want(): Promise<Later> {
  asked ??= import("./later").then(
    (parts) => (later.value = parts),
    (trouble: unknown) => {
      asked = null;
      throw trouble;
    },
  );
  return asked;
}

export function fetchAhead(): void {
  setTimeout(() => {
    want().catch(() => {});
    wantRich();
    import("@/shared/EmojiPanel.vue").catch(() => {});
  }, AT_REST_MS);
}
