// What the server refused, by the place in the rule where the form shows it.

const KINDS = new Set([
  "all", "any", "not", "level", "num", "text", "tags", "flag", "within", "before", "missing", "anniversary", "behaved", "chatted", "bucket",
  "in_crowd", "event", "once", "recurring", "date", "festival", "manual", "image", "video", "card", "benefit", "menu", "coupon", "points",
  "red_packet",
]);
/** After these, and after a number in a list of conditions or blocks, a field of the server's may name its kind first. */
const BEFORE = new Set(["trigger", "root", "of", "gift"]);
const LISTS = new Set(["of", "blocks"]);

/** `trigger.once.at_local` is `trigger.at_local` in the rule: kinds of parts are left out. */
export function placed(field: string): string {
  const kept: string[] = [];
  let dropped = false;
  for (const part of field.split(".")) {
    const last = kept.at(-1) ?? "";
    dropped = !dropped && (BEFORE.has(last) || (/^\d+$/.test(last) && LISTS.has(kept.at(-2) ?? ""))) && KINDS.has(part);
    if (!dropped) kept.push(part);
  }
  return kept[0] === "body" ? kept.slice(1).join(".") : kept.join(".");
}
