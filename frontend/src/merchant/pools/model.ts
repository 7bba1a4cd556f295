// What the live floor is, and where this shop lies under /api/v1/dispatch. Times are ms, money is fen.
import { computed } from "vue";
import { t } from "@/shared/i18n";
import { account } from "@/shared/session";
import type { Standing } from "./contract/terms";
import type { Hours } from "./hours";
import type { RestRow } from "./rests";

export interface Today {
  conversations: number;
  overflowed: number;
  taken_back: number;
  waited_ms?: number;
  frt_mean_ms?: number | null;
  frt_p95_ms?: number | null;
  answered?: number;
}
export interface PoolRow {
  id: string;
  name: string;
  kind: "in_house" | "outsourced";
  state: "open" | "draining" | "closed";
  provider_id: string | null;
  provider_name: string;
  stars_tenths: number;
  hours: Hours | null;
  skills: string[];
  languages: string[];
  waiting_max: number | null;
  share_weight: number;
  seats_default: number;
  standing: Standing;
  /** whether the merchant may change it */
  mine: boolean;
  open: boolean;
  seats: number;
  ready: number;
  slots: number;
  load: number;
  free: number;
  wait_ms: number | null;
  today: Today;
}
export interface SeatRow {
  agent: string;
  name: string;
  pools: string[];
  own: boolean;
  state: string;
  connected: boolean;
  since_ms: number;
  load: number;
  seats_max: number;
  /** of an own agent: before his soft start and measured typing */
  seats_agreed?: number;
  ability_per_mille?: number;
  skill_levels?: Record<string, number>;
  languages?: string[];
  protected?: boolean;
  daily_max?: number | null;
}
export interface Floor {
  pools: PoolRow[];
  rests: RestRow[];
  seats: SeatRow[];
  standing: { waiting: number; assigned: number; parked: number; message_box: number; oldest_waiting_ms: number | null };
}
export interface AssignmentRow {
  conversation_id: string;
  epoch: number;
  agent_name: string;
  pool_name: string;
  shopper_name: string;
  reason: string;
  waited_ms: number;
  assigned_ms: number;
}
const shop = computed(() => account.value?.shops[0]?.id ?? "");
export const shopsMine = computed(() => account.value?.shops ?? []);
export const shopName = (id: string): string => shopsMine.value.find((one) => one.id === id)?.name ?? t("terms.contract.otherShop");
/** The path of this merchant's shop under /dispatch. */
export const at = (path: string): string => `/dispatch/${shop.value}/${path}`;
