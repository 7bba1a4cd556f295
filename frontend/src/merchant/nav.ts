// The pages of the merchant console, in the order of the navigation. The page `x` is src/merchant/pages/x.vue.
import { Bot, ChartLine, ClipboardCheck, LayoutDashboard, ListTree, ReceiptText, Rocket, Send, Settings, Undo2, Users } from "@lucide/vue";
import type { Component } from "vue";
import type { Key } from "@/shared/i18n";

export interface NavItem {
  page: string;
  text: Key;
  icon: Component;
}

/** What a provider's people see instead. */
export const PROVIDER_NAV: readonly NavItem[] = [{ page: "provider", text: "merchant.nav.provider", icon: Users }];

export const NAV: readonly NavItem[] = [
  { page: "overview", text: "merchant.nav.overview", icon: LayoutDashboard },
  { page: "menus", text: "merchant.nav.menus", icon: ListTree },
  { page: "bot", text: "merchant.nav.bot", icon: Bot },
  { page: "aftersale", text: "merchant.nav.aftersale", icon: Undo2 },
  { page: "push", text: "merchant.nav.push", icon: Send },
  { page: "pools", text: "merchant.nav.pools", icon: Users },
  { page: "statements", text: "merchant.nav.statements", icon: ReceiptText },
  { page: "quality", text: "merchant.nav.quality", icon: ClipboardCheck },
  { page: "report", text: "merchant.nav.report", icon: ChartLine },
  { page: "start", text: "merchant.nav.start", icon: Rocket },
  { page: "settings", text: "merchant.nav.settings", icon: Settings },
];
