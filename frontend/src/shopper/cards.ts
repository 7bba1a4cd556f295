// A product or order as the embedding page hands it in, made into a message.
import type { OrderBody, ProductBody } from "@/shared/protocol";

/** Null where what names it is missing. Money is in fen. */
export function cardOf(kind: "product" | "order", given: Record<string, unknown>): ProductBody | OrderBody | null {
  const text = (name: string) => (typeof given[name] === "string" ? (given[name] as string) : "");
  const fen = (name: string) => (Number.isInteger(given[name]) ? (given[name] as number) : 0);
  if (kind === "order") {
    const state = (text("state") || "paid") as OrderBody["state"];
    return text("id") ? { kind, order: text("id"), state, amount_fen: fen("amount_fen"), lines: [] } : null;
  }
  if (!text("id") || !text("title")) return null;
  return { kind, product: text("id"), title: text("title"), price_fen: fen("price_fen"), picture: text("picture"), url: text("url") };
}
