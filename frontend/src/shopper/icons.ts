// The icons a menu item may name; anything else is drawn without one.
import {
  BookOpen, ClipboardList, CircleHelp, Crown, FileText, Gift, Headphones, MapPin, MessageCircle, Package, Ruler, Search,
  Store, Ticket, Truck, Undo2, Wallet,
} from "@lucide/vue";
import type { Component } from "vue";

export const ICONS: Record<string, Component> = {
  book: BookOpen, orders: ClipboardList, order: ClipboardList, help: CircleHelp, faq: CircleHelp, crown: Crown, member: Crown,
  form: FileText, file: FileText, gift: Gift, coupon: Ticket, ticket: Ticket, human: Headphones, headset: Headphones,
  pin: MapPin, chat: MessageCircle, package: Package, size: Ruler, ruler: Ruler, search: Search, store: Store, truck: Truck,
  logistics: Truck, undo: Undo2, refund: Undo2, return: Undo2, wallet: Wallet,
};
