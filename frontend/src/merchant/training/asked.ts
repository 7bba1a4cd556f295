import { t } from "@/shared/i18n";
import type { Terms } from "../pools/contract/terms";

/** What a contract asks of agents before their first shopper, in words. */
export function askedOf(terms: Terms): string {
  const asked = (["exam", "drills", "practice"] as const).filter((one) => terms.training[one]).map((one) => t(`training.terms.${one}`));
  if (terms.training.typing_cpm) asked.push(t("training.terms.typing", { cpm: terms.training.typing_cpm }));
  if (terms.dedicated) asked.push(t("training.terms.dedicated"));
  return asked.join(t("training.comma")) || t("training.terms.none");
}
