// One message of a rule as the form shows it: versions, each of blocks in order; what stands in; what it gives.
import { t } from "@/shared/i18n";
import type { Benefit, Block, Step } from "./types";

export const BLOCKS_MAX = 6;
export const VERSIONS_MAX = 6;
export const MESSAGES_MAX = 5;
export type BlockKind = "text" | "media" | "card" | "menu" | "benefit";
export interface BlockDraft {
  /** tells it from others while it is moved */
  key: number;
  kind: BlockKind;
  text: string;
  title: string;
  url: string;
  sku: string;
  priceYuan: number;
  media: string;
  video: boolean;
  alt: string;
  items: { item: string; label: string }[];
}
export interface Version {
  id: string;
  weight: number;
  blocks: BlockDraft[];
}
export type Gives = "none" | "points" | "coupon" | "red_packet";
export interface Message {
  /** after the one before */
  afterHours: number;
  versions: Version[];
  defaults: Record<string, string>;
  fallback: string;
  gives: Gives;
  giftTitle: string;
  giftAmount: number;
  giftLeast: number;
  stock: number | null;
  budgetYuan: number | null;
  claim: "auto" | "tap";
  validDays: number;
  onEmpty: "skip" | "send_without";
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const VARIABLES = ["name", "level", "points", "balance", "city", "orders_n", "spent", "shop", "benefit", "member_days"];

let made = 0;
export const block = (kind: BlockKind, more: Partial<BlockDraft> = {}): BlockDraft => ({
  key: ++made, kind, text: "", title: "", url: "", sku: "", priceYuan: 0, media: "", video: false, alt: "", items: [], ...more,
});
export const version = (text = ""): Version => ({ id: "", weight: 1, blocks: [block("text", { text })] });
export const message = (more: Partial<Message> = {}): Message => ({
  afterHours: 24, versions: [version()], defaults: {}, fallback: "", gives: "none", giftTitle: "", giftAmount: 100, giftLeast: 0,
  stock: null, budgetYuan: null, claim: "auto", validDays: 30, onEmpty: "skip", ...more,
});
/** Another version beside the last one, with its words. */
export const another = (one: Version): Version => ({ id: "", weight: 1, blocks: one.blocks.map((held) => ({ ...held, key: ++made, items: [...held.items] })) });
export const versionName = (place: number) => "ABCDEF"[place] ?? String(place);

/** A message that gives something shows it in each version; one that gives nothing shows nothing. */
export function showGift(one: Message): void {
  for (const { blocks } of one.versions) {
    const place = blocks.findIndex((held) => held.kind === "benefit");
    if (one.gives === "none" && place >= 0) blocks.splice(place, 1);
    else if (one.gives !== "none" && place < 0) blocks.splice(1, 0, block("benefit"));
  }
}

/** The words in which variables may stand. */
export const wordsOf = (one: Message): string[] =>
  one.versions.flatMap(({ blocks }) => blocks.flatMap((held) => (held.kind === "card" ? [held.title, held.text] : [held.text])));

/** Variables that the words use, in order of appearance. */
export function variablesOf(texts: string[]): string[] {
  const found = new Set<string>();
  for (const text of texts)
    for (const match of text.matchAll(/\{\{\s*((?:event\.)?[a-z_][a-z0-9_]*)/g)) found.add(match[1]!);
  return [...found];
}
export function defaultOf(one: Message, name: string): string {
  return one.defaults[name] ?? (name === "name" ? t("push.default.name") : name === "shop" ? t("push.default.shop") : "0");
}

const times = (value: unknown, by: number) => (typeof value === "number" ? Math.round(value * by) : (value as number));

function benefitOf(one: Message): Benefit | null {
  const common = { stock: one.stock, on_empty: one.onEmpty, valid_ms: times(one.validDays, DAY_MS) };
  const money = { ...common, claim: one.claim, budget_cents: one.budgetYuan === null ? null : times(one.budgetYuan, 100) };
  switch (one.gives) {
    case "none":
      return null;
    case "points":
      return { gift: { k: "points", amount: one.giftAmount }, ...common };
    case "coupon":
      return {
        gift: {
          k: "coupon", title: one.giftTitle.trim() || t("push.gift.coupon"),
          amount_cents: times(one.giftAmount, 100), threshold_cents: times(one.giftLeast, 100),
        },
        ...money,
      };
    case "red_packet":
      return { gift: { k: "red_packet", min_cents: times(one.giftLeast, 100) || 1, max_cents: times(one.giftAmount, 100) }, ...money };
  }
}

/** Whether a block says something yet; a version's first words stand in any case. */
const says = (one: BlockDraft, first: boolean): boolean => {
  if (one.kind === "text") return first || !!one.text.trim();
  if (one.kind === "card") return !!one.title.trim();
  return one.kind === "media" ? !!one.media : one.kind === "menu" ? one.items.length > 0 : true;
};
export function countedBlocks(one: Version): BlockDraft[] {
  const first = one.blocks.find((held) => held.kind === "text");
  const said = one.blocks.filter((held) => says(held, held === first && !one.blocks.some((other) => other !== held && says(other, false))));
  return said.length ? said : [block("text")];
}
function blockOf(one: BlockDraft): Block {
  switch (one.kind) {
    case "text":
      return { k: "text", text: one.text.trim() || "…" };
    case "card":
      return {
        k: "card", title: one.title.trim(), text: one.text.trim(), url: one.url.trim(), sku: one.sku.trim(),
        price_cents: one.sku.trim() ? times(one.priceYuan, 100) : null,
      };
    case "media":
      return one.video ? { k: "video", media_id: one.media } : { k: "image", media_id: one.media, alt: one.alt.trim() };
    case "menu":
      return { k: "menu", text: one.text.trim() || t("push.extra.menuText"), items: one.items };
    case "benefit":
      return { k: "benefit" };
  }
}

export function stepOf(one: Message, first: boolean): Step {
  return {
    after_ms: first ? 0 : times(one.afterHours, HOUR_MS),
    content: {
      variants: one.versions.map((held, place) => ({ id: held.id || versionName(place), weight: held.weight, blocks: countedBlocks(held).map(blockOf) })),
      defaults: Object.fromEntries(variablesOf(wordsOf(one)).map((name) => [name, defaultOf(one, name)])),
      fallback: one.fallback.trim(),
    },
    benefit: benefitOf(one),
  };
}

function draftBlock(one: Block): BlockDraft {
  switch (one.k) {
    case "text":
      return block("text", { text: one.text });
    case "card":
      return block("card", { title: one.title, text: one.text, url: one.url, sku: one.sku ?? "", priceYuan: (one.price_cents ?? 0) / 100 });
    case "image":
      return block("media", { media: one.media_id, alt: one.alt ?? "" });
    case "video":
      return block("media", { media: one.media_id, video: true });
    case "menu":
      return block("menu", { text: one.text, items: [...one.items] });
    case "benefit":
      return block("benefit");
  }
}

export function messageOf(step: Step): Message {
  const { content, benefit } = step;
  const draft = message({
    afterHours: (step.after_ms ?? 0) / HOUR_MS,
    versions: content.variants.map((one) => ({ id: one.id, weight: one.weight, blocks: one.blocks.map(draftBlock) })),
    defaults: { ...content.defaults },
    fallback: content.fallback ?? "",
  });
  const gift = benefit?.gift;
  if (!gift) return draft;
  Object.assign(draft, {
    gives: gift.k, stock: benefit.stock, claim: benefit.claim ?? "auto", onEmpty: benefit.on_empty,
    validDays: (benefit.valid_ms ?? 30 * DAY_MS) / DAY_MS,
    budgetYuan: typeof benefit.budget_cents === "number" ? benefit.budget_cents / 100 : null,
  });
  if (gift.k === "points") draft.giftAmount = gift.amount;
  else if (gift.k === "coupon")
    Object.assign(draft, { giftTitle: gift.title, giftAmount: gift.amount_cents / 100, giftLeast: gift.threshold_cents / 100 });
  else Object.assign(draft, { giftAmount: gift.max_cents / 100, giftLeast: gift.min_cents / 100 });
  return draft;
}
