/** Twelve fixed hues; a shop keeps its own wherever it is shown. */
export function shopHue(shop: string): string {
  let sum = 0;
  for (const sign of shop) sum = (sum * 31 + sign.charCodeAt(0)) >>> 0;
  return `var(--wx-shop-${(sum % 12) + 1})`;
}
/** The hue as text, readable on any ground of the page in both themes. */
export function shopInk(shop: string): string {
  return `color-mix(in srgb, ${shopHue(shop)} var(--wx-shop-share), var(--wx-text))`;
}
export function shopGround(shop: string): string {
  return `color-mix(in srgb, ${shopHue(shop)} 14%, var(--wx-surface))`;
}
/** The sign on an avatar: the first letter or character of a name. */
export function sign(name: string): string {
  return [...name.trim()][0]?.toUpperCase() ?? "·";
}
