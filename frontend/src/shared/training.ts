// What /api/v1/training says. Times are ms; scores per mille, or characters a minute.
export type Step = "exam" | "drill" | "typing" | "practice";
export type StepState = "new" | "open" | "failed" | "passed" | "expired";
export interface Standing {
  step: Step;
  required: boolean;
  state: StepState;
  need: number;
  score: number | null;
  at_ms: number | null;
  until_ms: number | null;
  retry_ms: number;
}
/** `until_ms` null: the contract asks for nothing; 0: not certified. */
export interface Where {
  steps: Standing[];
  until_ms: number | null;
  revoked_ms: number | null;
}
export interface Article {
  kind: "article" | "phrase";
  title: string;
  text: string;
}
export interface Rules {
  questions: number;
  exam_pass: number;
  close_enough: number;
  talk_pass: number;
  reply_ms_max: number;
  turns: number;
  retake_after_min: number;
  tries_a_day: number;
  valid_days: number;
  chats: boolean;
}
export interface Pack {
  version: number;
  articles: Article[];
  rules: Rules;
}
/** What a provider teaches his people about one shop; version 0: nothing yet. */
export interface Script {
  version: number;
  articles: Article[];
  questions: { question: string; answer: string }[];
}
export interface Line {
  who: "shopper" | "agent" | "then";
  text: string;
  turn: number;
  near?: number;
  took_ms?: number;
}
export interface Try {
  id: string;
  step: Step;
  version: number;
  started_ms: number;
  begun_ms: number | null;
  finished_ms: number | null;
  score: number | null;
  passed: boolean | null;
  judged: boolean;
  note: string;
  questions?: { question: string; choices: string[]; right?: number }[];
  text?: string;
  turns?: number;
  answers: (Line & { choices?: (number | null)[]; typed?: string; right?: number; took_ms?: number; too_fast?: boolean })[];
}
export interface Member extends Where {
  agent: string;
  name: string;
}
export interface TryRow {
  id: string;
  agent: string;
  name: string;
  step: Step;
  pack_version: number;
  score: number;
  passed: boolean;
  judged: boolean;
  note: string;
  finished_ms: number;
}
export interface Team {
  required: Step[];
  agents: Member[];
  tries: TryRow[];
}

/** A score as people read it. */
export const scored = (step: Step, score: number): string => (step === "typing" ? String(score) : `${Math.round(score / 10)}%`);
