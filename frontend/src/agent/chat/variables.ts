/** What may stand in braces in a canned reply. The names are the shop's own language, whatever the page speaks. */
import type { Talk } from "../desk/store";
import { heldPanel } from "../panel/panel";

const NAME = "\u6635\u79f0"; // the shopper's name
const ORDER = "\u8ba2\u5355\u53f7"; // the newest order's number
const SIZE = "\u5c3a\u7801"; // its size
const SHOP = "\u5e97\u94fa"; // the shop's name
export const VARIABLES: readonly string[] = [NAME, ORDER, SIZE, SHOP];

export function variablesOf(talk: Talk): Record<string, string> {
  const order = heldPanel(talk.view.thread)?.orders[0];
  return {
    [NAME]: talk.view.shopper.name,
    [ORDER]: order?.id ?? "",
    [SIZE]: order?.lines[0]?.sku ?? "",
    [SHOP]: talk.view.shop_name,
  };
}
