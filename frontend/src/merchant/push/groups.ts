// Conditions in groups: all of them, any of them, none of them; groups may stand in groups.
import { leafOf, ready, row, rowOf, type Row } from "./rows";
import type { Node } from "./types";

export type Joined = "all" | "any" | "none";
export interface Group {
  joined: Joined;
  parts: Part[];
}
export type Part = Row | Group;

export const isGroup = (part: Part): part is Group => "parts" in part;
export const group = (joined: Joined = "all", ...parts: Part[]): Group => ({ joined, parts });
/** Deeper than this the server takes none: four levels, and "none of" is two of them. */
export const GROUP_DEPTH_MAX = 2;

/** What of a group says something, and will stand in the rule. */
export const counted = (one: Group): Part[] => one.parts.filter((part) => (isGroup(part) ? counted(part).length > 0 : ready(part)));

const partNode = (part: Part): Node => (isGroup(part) ? nodeOf(part) : leafOf(part));
export function nodeOf(one: Group): Node {
  const of = counted(one).map(partNode);
  if (!of.length) return { k: "all", of };
  if (one.joined !== "none") return { k: one.joined, of };
  return { k: "not", of: of.length === 1 ? of[0]! : { k: "any", of } };
}

/** Where a part of the group at `path` stands in the rule, as the server names it; "": nowhere. */
export function placeOf(one: Group, part: Part, path: string): string {
  const said = counted(one);
  const place = said.indexOf(part);
  if (place < 0) return "";
  if (one.joined !== "none") return `${path}.of.${place}`;
  return said.length === 1 ? `${path}.of` : `${path}.of.of.${place}`;
}

function partOf(node: Node): Part {
  if (node.k === "all" || node.k === "any") return node.of.length ? groupOf(node) : { ...row("other"), kept: node };
  if (node.k === "not") {
    const said = rowOf(node);
    return said.kind !== "other" || empty(node.of) ? said : groupOf(node);
  }
  return rowOf(node);
}
const empty = (node: Node) => (node.k === "all" || node.k === "any") && !node.of.length;

/** The group that says what a tree says. */
export function groupOf(root: Node): Group {
  if (root.k === "all" && !root.of.length) return group();
  if ((root.k === "all" || root.k === "any") && root.of.length) return group(root.k, ...root.of.map(partOf));
  if (root.k === "not" && !empty(root.of)) {
    const said = rowOf(root);
    if (said.kind !== "other") return group("all", said);
    return root.of.k === "any" ? group("none", ...root.of.of.map(partOf)) : group("none", partOf(root.of));
  }
  return group("all", partOf(root));
}
