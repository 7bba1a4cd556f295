/** What the shopper panel knows of a thread's shopper; read when a thread is opened, kept for a minute. */
import { reactive, ref } from "vue";
import { api, ApiError, errorText } from "@/shared/api";
import type { Talk } from "../desk/store";

export interface Profile {
  name: string;
  guest: boolean;
  conversations: number;
  starred: boolean;
  hidden: string[];
  level?: string;
  external_id?: string | null;
  since_ms?: number;
  orders?: number;
  refunds?: number;
  spent_fen?: number;
  remark?: string;
  remark_by?: string;
  tags?: string[];
}
export interface OrderLine {
  product?: string;
  title: string;
  sku?: string;
  count?: number;
  price_fen?: number;
  picture?: string;
}
export interface Order {
  id: string;
  state: "unpaid" | "paid" | "shipped" | "signed" | "refunding" | "refunded" | "cancelled";
  amount_fen: number;
  refunded_fen: number;
  lines: OrderLine[];
  logistics: Record<string, unknown>;
  created_ms: number;
  masked: string[];
  /** what the shop's own server would do for it now */
  actions: string[];
}
export interface Panel {
  profile: Profile | null;
  orders: Order[];
  ordersHidden: boolean;
  /** the shop's own server does not answer: the orders are those it told of before */
  shopSilent: boolean;
  trouble: string;
  /** The shopper is no longer ours to look at: somebody else serves him now. */
  closed: boolean;
  read_ms: number;
}

const panels = reactive(new Map<string, Panel>());
const KEPT_MS = 60_000;
/** So many shoppers are kept; whoever was read longest ago goes first. */
const KEPT_PANELS = 60;

/** Grows when what we may see may be another: the panel that is shown is read again, the others when they are opened. */
export const stale = ref(0);
export function rightsChanged(): void {
  for (const panel of panels.values()) panel.read_ms = 0;
  stale.value += 1;
}

export const heldPanel = (thread: string): Panel | undefined => panels.get(thread);

/** The member level, as the hub or the panel knows it; empty: none, or the contract hides it. */
export const levelOf = (talk: Talk): string => talk.view.shopper.level || (panels.get(talk.view.thread)?.profile?.level ?? "");

export async function panelOf(thread: string, again = false): Promise<Panel> {
  const held = panels.get(thread);
  if (held && !again && !held.trouble && Date.now() - held.read_ms < KEPT_MS) return held;
  if (!held) panels.set(thread, { profile: null, orders: [], ordersHidden: false, shopSilent: false, trouble: "", closed: false, read_ms: Date.now() });
  const panel = panels.get(thread)!;
  panels.delete(thread); // the newest stands last
  panels.set(thread, panel);
  for (const oldest of panels.keys()) if (panels.size > KEPT_PANELS) panels.delete(oldest);
  panel.read_ms = Date.now();
  try {
    const [profile, orders] = await Promise.all([
      api.get<Profile>(`/desk/threads/${thread}/shopper`).then((known) => (panel.profile = known)),
      api.get<{ orders: Order[]; hidden: boolean; silent?: boolean }>(`/desk/threads/${thread}/orders`),
    ]);
    Object.assign(panel, { profile, orders: orders.orders, ordersHidden: orders.hidden, shopSilent: Boolean(orders.silent), trouble: "", closed: false });
  } catch (why) {
    if (why instanceof ApiError && why.code === "thread.not_found") {
      Object.assign(panel, { profile: null, orders: [], ordersHidden: false, shopSilent: false, trouble: "", closed: true });
    } else panel.trouble = errorText(why);
  }
  return panel;
}

/** A picture that lies on our own origin; others the page's policy forbids. */
export function ownPicture(url: string | undefined): string {
  return url && (url.startsWith("/") || url.startsWith("data:image/")) ? url : "";
}
