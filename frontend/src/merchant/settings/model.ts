// A shop's settings as REST shows them.
import { computed } from "vue";
import { account } from "@/shared/session";

export interface ApiKey {
  id: string;
  name: string;
  hint: string;
  scopes: string[];
  made_ms: number;
  used_ms: number | null;
  revoked_ms: number | null;
}

export interface Secret {
  kid: string;
  ends_ms: number | null;
}

export interface ShopSettings {
  id: string;
  slug: string;
  name: string;
  origins: string[];
  secrets: Secret[];
  keys: ApiKey[];
}

const shop = computed(() => account.value?.shops[0]?.id ?? "");
export const at = (path = ""): string => `/settings/${shop.value}${path && `/${path}`}`;
