import { reactive } from "vue";

export type Mode = "watch" | "whisper" | "barge";
/** Threads a supervisor looks into, and how. */
export const watching = reactive(new Map<string, Mode>());
