// Colleagues' conversations, for a supervisor: read every few seconds on their page, and when a slow answer is told.
import { computed, ref } from "vue";
import { api, errorText } from "@/shared/api";

export interface Going {
  thread: string;
  shop: string;
  shop_name: string;
  state: string;
  conversation: string;
  topic: string;
  shopper_name: string;
  agent_name: string;
  last_line: string;
  since_ms: number;
  awaiting_since_ms: number | null;
  /** the guard's tier of the turn that goes on; null: none */
  tier: number | null;
  /** the guard told the supervisors of it */
  told: boolean | null;
}
const AGAIN_MS = 30_000;
export const team = ref<Going[]>([]);
export const teamTrouble = ref("");
export const teamRead = ref(false);
export const toldCount = computed(() => team.value.filter((one) => one.told).length);
let again = 0;

export async function readTeam(): Promise<void> {
  window.clearTimeout(again);
  try {
    team.value = (await api.get<{ team: Going[] }>("/desk/team")).team;
    teamTrouble.value = "";
  } catch (why) {
    teamTrouble.value = errorText(why);
  }
  teamRead.value = true;
  // What was told of stands on the rail until it is answered, whatever page is open.
  if (toldCount.value) again = window.setTimeout(() => void readTeam(), AGAIN_MS);
}
