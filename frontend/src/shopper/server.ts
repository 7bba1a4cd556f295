// What the shopper window asks of the server beside its socket.
import { api } from "@/shared/api";
import { locale } from "@/shared/i18n";
import type { OrderBody } from "@/shared/protocol";
import { embedded } from "./host";

export interface ShopInfo {
  id: string;
  slug: string;
  name: string;
  accent: string;
  greeting: string;
}

export interface MenuItem {
  id: string;
  label: string;
  icon?: string;
  hint?: string;
  children?: MenuItem[];
}

export interface Menu {
  version: number;
  greeting: string;
  items: MenuItem[];
  /** after so long another menu may fit this shopper */
  look_again_ms?: number;
}

export const fetchShop = (slug: string) => api.get<ShopInfo>(`/shops/${slug}`, { as: null });
/** How this window was opened: as the address says (`?channel=app`), else in a page of the shop or by itself. */
const channel = new URLSearchParams(location.search).get("channel")?.slice(0, 40) || (embedded ? "embed" : "page");
export const fetchMenu = (shop: ShopInfo, token: string) =>
  api.get<Menu>(`/menus/${shop.id}`, { as: token, query: { channel, language: locale.value } });
export const fetchVisitor = async (slug: string) =>
  (await api.post<{ token: string }>("/visitor", { shop: slug }, { as: null })).token;
export const fetchUnread = async (token: string) => (await api.get<{ unread: number }>("/shopper/unread", { as: token })).unread;
/** No pushes of any topic, or pushes again. */
export const setConsent = (token: string, granted: boolean) =>
  api.post<void>("/shopper/consent", { topic: "*", granted }, { as: token });
/** The shopper's newest orders; a guest has none. */
export const fetchOrders = (shop: ShopInfo, token: string | null) =>
  api.get<{ orders: OrderBody[] }>(`/menus/${shop.id}/orders`, { as: token });
