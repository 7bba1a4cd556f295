// What the shopper was given, as the coupon cards of the thread show it: looked up when the first card is seen.
import { ref } from "vue";
import type { Wallet } from "@/shared/message/acts";
import type { Identity } from "./identity";
import { claimBenefit, fetchBenefits } from "./server";

const LOOK_MS = 100;

export function walletOf(identity: Identity): Wallet {
  const states = ref<Record<string, string>>({});
  let timer = 0;
  return {
    states,
    look() {
      clearTimeout(timer);
      timer = window.setTimeout(async () => {
        try {
          const held = identity.current ? await fetchBenefits(identity.current) : [];
          states.value = Object.fromEntries(held.map((one) => [one.id, one.state]));
        } catch {
          // shown as the line says; the next card asks again
        }
      }, LOOK_MS);
    },
    async claim(benefit) {
      const now = await claimBenefit(identity.current ?? "", benefit);
      states.value = { ...states.value, [now.id]: now.state };
    },
  };
}
