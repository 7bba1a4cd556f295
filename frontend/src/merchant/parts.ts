// What a form knows of the server's refusal: each field shows what is said of it.
import { computed, inject, onUnmounted, provide, ref, shallowReactive, type ComputedRef, type InjectionKey, type Ref } from "vue";
import { errorText } from "@/shared/api";

interface Held {
  trouble: Ref<unknown>;
  /** the fields that show what is said of them */
  fields: Set<() => string>;
}
const FAULT: InjectionKey<Held> = Symbol("fault");
const nothing = (): Held => ({ trouble: ref(null), fields: shallowReactive(new Set<() => string>()) });
const isOf = (field: string, path: string): boolean => path !== "" && (field === path || field.startsWith(`${path}.`));
const fieldOf = (trouble: unknown): string => (trouble as { field?: string } | null)?.field ?? "";

/** In a form: the refusal, for its fields and itself. */
export function provideFault(): Ref<unknown> {
  const held = nothing();
  provide(FAULT, held);
  return held.trouble;
}

/** In a field: what the server said of `path` or of something inside it; "": nothing. */
export function useFault(path: () => string): ComputedRef<string> {
  const { trouble, fields } = inject(FAULT, nothing, true);
  fields.add(path);
  onUnmounted(() => fields.delete(path));
  return computed(() => (isOf(fieldOf(trouble.value), path()) ? errorText(trouble.value) : ""));
}

/** What the server said of no field that is shown; "": nothing. */
export function useRest(): ComputedRef<string> {
  const { trouble, fields } = inject(FAULT, nothing, true);
  return computed(() => {
    const field = fieldOf(trouble.value);
    return trouble.value && ![...fields].some((path) => isOf(field, path())) ? errorText(trouble.value) : "";
  });
}

/** "a; b；c" as a list. */
export const listed = (text: string): string[] =>
  text
    .split(/[;；、]/)
    .map((one) => one.trim())
    .filter(Boolean);
