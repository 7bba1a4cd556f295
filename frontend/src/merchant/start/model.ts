// How far a shop is on its way to the first conversation.
import { computed } from "vue";
import { account } from "@/shared/session";

export interface Started {
  name: string;
  slug: string;
  greeting: string;
  accent: string;
  questions: number;
  products: number;
  members: number;
  agents: number;
  menu: number;
  talks: number;
}
export type Step = "look" | "questions" | "products" | "members" | "agents" | "menu" | "live";
export const STEPS: readonly Step[] = ["look", "questions", "products", "members", "agents", "menu", "live"];

export const shopId = computed(() => account.value?.shops[0]?.id ?? "");

/** Whether a step has what it needs. Products and members may be left for later. */
export const done = (step: Step, now: Started): boolean =>
  ({
    look: now.greeting !== "" || now.accent !== "",
    questions: now.questions > 0,
    products: now.products > 0,
    members: now.members > 0,
    agents: now.agents > 0,
    menu: now.menu > 0,
    live: now.talks > 0,
  })[step];
export const OPTIONAL: readonly Step[] = ["products", "members"];
