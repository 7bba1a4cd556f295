// What the shopper was given, as the coupon cards of his window show it: looked up when the first card is seen.
import { ref } from "vue";
import { api } from "../api";

interface Held {
  id: string;
  state: string;
}
const LOOK_MS = 100;
/** Where each benefit stands, by id. */
export const states = ref<Record<string, string>>({});
let timer = 0;

export function look(token: string): void {
  clearTimeout(timer);
  timer = window.setTimeout(async () => {
    try {
      const held = await api.get<Held[]>("/shopper/benefits", { as: token });
      states.value = Object.fromEntries(held.map((one) => [one.id, one.state]));
    } catch {
      // shown as the line says; the next card asks again
    }
  }, LOOK_MS);
}

export async function claimed(token: string, benefit: string): Promise<void> {
  const now = await api.post<Held>(`/shopper/benefits/${benefit}/claim`, {}, { as: token });
  states.value = { ...states.value, [now.id]: now.state };
}
