// What the shopper window asks of the server beside its socket.
import { api } from "@/shared/api";

export interface ShopInfo {
  id: string;
  slug: string;
  name: string;
  accent?: string;
  /** average response of the last days, where there is one */
  average_response_ms?: number | null;
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
  items: MenuItem[];
}

export const fetchShop = (slug: string) => api.get<ShopInfo>(`/shops/${slug}`, { as: null });
export const fetchMenu = (shop: ShopInfo, token: string) => api.get<Menu>(`/menus/${shop.id}`, { as: token });
export const fetchVisitor = async (slug: string) =>
  (await api.post<{ token: string }>("/visitor", { shop: slug }, { as: null })).token;
