// What a form knows of the server's refusal: each field shows what is said of it.
import { computed, inject, provide, ref, type ComputedRef, type InjectionKey, type Ref } from "vue";
import { errorText } from "@/shared/api";

const FAULT: InjectionKey<Ref<unknown>> = Symbol("fault");

/** In a form: the refusal, for its fields and itself. */
export function provideFault(): Ref<unknown> {
  const trouble = ref<unknown>(null);
  provide(FAULT, trouble);
  return trouble;
}

/** In a field: what the server said of `path` or of something inside it; "": nothing. */
export function useFault(path: () => string): ComputedRef<string> {
  const trouble = inject(FAULT, ref(null));
  return computed(() => {
    const field = (trouble.value as { field?: string } | null)?.field ?? "";
    const mine = path();
    return mine && (field === mine || field.startsWith(`${mine}.`)) ? errorText(trouble.value) : "";
  });
}

/** "a; b；c" as a list. */
export const listed = (text: string): string[] =>
  text
    .split(/[;；、]/)
    .map((one) => one.trim())
    .filter(Boolean);
