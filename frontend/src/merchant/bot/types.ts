// What the bot's page works with; the shapes are those of /api/v1/menus/{shop}/faq, unknown and try.
import type { AnyBody } from "@/shared/protocol";

export interface Question {
  id: string;
  key: string;
  topic: string;
  phrasings: string[];
  answer: string;
  active: boolean;
  asked: number;
  media: string | null;
}
export interface Written {
  id?: string;
  topic: string;
  phrasings: string[];
  answer: string;
  active: boolean;
  /** of the library: goes out below the answer */
  media: string | null;
}
export interface Unknown {
  sayings: string[];
  times: number;
  last_ms: number;
  nearest: { id: string; text: string }[];
}
export interface Fault {
  row: number;
  field: string;
  code: string;
  words: string;
}
export interface Report {
  added: number;
  replaced: number;
  applied: boolean;
  bad: Fault[];
  bad_rows: number;
}
export type Expects = "entry" | "item" | "human" | "none";
export type Verdict = "right" | "offered" | "wrong";
export interface Golden {
  id: string;
  said: string;
  expects: Expects;
  ref: string;
  verdict: Verdict | null;
}
export interface Judged {
  id: string;
  said: string;
  verdict: Verdict;
  broke: boolean;
  how: string;
  gave: string;
  /** menus for some shoppers that answer it wrongly, though the default one does not */
  wrong_in: string[];
}
export interface Examined {
  total: number;
  right: number;
  offered: number;
  wrong: number;
  answered: number;
  precision: number | null;
  guard: Guard;
  judged: Judged[];
  changes: Change[];
  evaluation: Evaluation;
}
/** What a shop wants of a menu that breaks test questions. */
export type Guard = "warn" | "block";
interface Reply {
  how: string;
  gave: string;
  verdict: Verdict;
}
export interface Change {
  id: string;
  said: string;
  was: Reply;
  now: Reply;
  broke: boolean;
  /** the menu for some shoppers it is about; "": the default one */
  variant: string;
}
export interface Evaluation {
  total: number;
  answerable: number;
  top1: number | null;
  top3: number | null;
  mrr: number | null;
  coverage: number | null;
  threshold: number | null;
  off_by: number | null;
  calibration: { low: number; high: number; count: number; confidence: number; right: number }[];
  confusions: { wanted: string; gave: string; times: number; said: string }[];
}
export interface Tried {
  how: string;
  why: string;
  entry: string | null;
  item: string | null;
  label: string;
  topic: string;
  confidence: number;
  answers_from: number;
  suggests_from: number;
  words: string;
  says: AnyBody[];
  nearest: { id: string; text: string; score: number }[];
}
export const blankQuestion = (phrasings: string[] = []): Written => ({ topic: "", phrasings, answer: "", active: true, media: null });
