/** What all parts of the page share: one desk, one clock, what is open, what is being typed. */
import { computed, reactive, ref, watch } from "vue";
import { api } from "@/shared/api";
import { watching } from "./chat/monitor";
import { ACTIONS, type Chords } from "./desk/keys";
import type { ReplyMedia } from "@/shared/replies";
import * as keep from "./desk/keep";
import { createDesk, REPLY_MS_DEFAULT, type Talk } from "./desk/store";
import { freeze, rank, slaOf, type Sla } from "./desk/sla";
import type { AnyFrame, OfferAnswer } from "@/shared/protocol";

export interface Shop {
  id: string;
  slug: string;
  name: string;
  accent: string;
  reply_ms: number;
  /** what its shoppers call this agent; empty: as everywhere */
  persona: string;
}
export interface DeskNow {
  shops: Shop[];
  server_ms: number;
  /** open ones: the page may not have been there when they were made */
  offers: OfferAnswer[];
  /** turns of mine that the slow-response guard has acted on */
  late: { thread: string; tier: number }[];
  outsourced: boolean;
  seat: { state: string; reason: string; load: number; seats_max: number; since_ms: number } | null;
  supervises: boolean;
  /** never ranked by speed: no limit stands beside my response time */
  protected: boolean;
  tags_can_change: boolean;
}
export interface Draft {
  text: string;
  note: boolean;
  assisted: string;
  /** pictures and videos of canned replies that go out with the words */
  media?: ReplyMedia[];
}
export type Page = "talks" | "records" | "replies" | "figures" | "training" | "team" | "settings";
export type Tab = "mine" | "waiting" | "ended";
export type Layer = "transfer" | "close" | "help" | "products" | "status" | null;

let sender: (frame: AnyFrame) => boolean = () => false;
export function sendThrough(send: (frame: AnyFrame) => boolean): void {
  sender = send;
}
export const desk = createDesk(
  (frame) => sender(frame),
  undefined,
  (thread, lane, before) => api.get(`/desk/threads/${thread}/entries`, { query: { lane, before } }),
  (thread) => watching.has(thread),
);

export const ui = reactive({
  page: "talks" as Page,
  tab: "mine" as Tab,
  /** On a phone one pane is shown at a time. */
  pane: "list" as "list" | "chat" | "shopper",
  panel: keep.read("wx.agent.panel", true),
  layer: null as Layer,
  hover: false,
  search: "",
  /** A sentence for the screen reader and the foot of the page; empty: none. */
  said: "",
});
watch(
  () => ui.panel,
  (on) => keep.write("wx.agent.panel", on),
);

export const allowed = ref<DeskNow | null>(null);
export const shops = computed(() => new Map((allowed.value?.shops ?? []).map((shop) => [shop.id, shop])));

export async function readDesk(): Promise<void> {
  const now = await api.get<DeskNow>("/desk");
  allowed.value = now;
  if (now.seat) desk.seat.value = now.seat;
  for (const offer of now.offers) desk.hear(offer);
  for (const { thread, tier } of now.late) Object.assign(desk.talks.get(thread) ?? {}, { tier });
  for (const shop of now.shops) desk.replyMs.set(shop.id, shop.reply_ms);
  for (const talk of desk.talks.values()) talk.limit_ms = desk.replyMs.get(talk.view.shop) ?? talk.limit_ms;
}

// --- one clock for the page ---------------------------------------------------------------------------------------

/** How soon a shopper must be answered where his shop has not said. */
export const REPLY_MS = REPLY_MS_DEFAULT;
export const nowMs = ref(Date.now());
/** An offer whose end was not heard of is taken away this long after its time. */
const LATE_MS = 3_000;
let ticking = 0;
export function startClock(): void {
  window.clearInterval(ticking);
  ticking = window.setInterval(() => {
    nowMs.value = desk.now();
    for (const offer of [...desk.offers]) if (offer.expires_ms + LATE_MS < nowMs.value) desk.dropOffer(offer.conversation);
    for (const talk of desk.talks.values()) if (talk.typing && Date.now() > talk.typing_until) talk.typing = false;
  }, 1000);
}

export function slaOfTalk(talk: Talk): Sla | null {
  if (!talk.view.mine) return null;
  return slaOf(talk.view.awaiting_since_ms, talk.limit_ms || REPLY_MS_DEFAULT, nowMs.value);
}

// --- the list -------------------------------------------------------------------------------------------------------

let shown: string[] = [];
/** Threads of the list in order; while a hand is over it, rows stay where they are. */
export const listed = computed<Talk[]>(() => {
  const rows = desk.mine.value.map((talk) => ({
    id: talk.view.thread,
    pinned: talk.pinned,
    share: slaOfTalk(talk)?.share ?? -1,
    last_at_ms: talk.view.last_at_ms,
  }));
  const wanted = rank(rows);
  shown = ui.hover ? freeze(shown, wanted) : wanted;
  const words = ui.search.trim().toLowerCase();
  return shown
    .map((id) => desk.talks.get(id)!)
    .filter((talk) => talk && (words === "" || matches(talk, words)));
});

function matches(talk: Talk, words: string): boolean {
  if (talk.view.shopper.name.toLowerCase().includes(words)) return true;
  if (talk.view.last_line.toLowerCase().includes(words)) return true;
  return talk.log.lines.some((line) => JSON.stringify(line.body ?? "").toLowerCase().includes(words));
}

export function openTalk(thread: string): void {
  desk.show(thread);
  ui.page = "talks";
  ui.pane = "chat";
}

export function step(by: 1 | -1): void {
  const ids = listed.value.map((talk) => talk.view.thread);
  if (!ids.length) return;
  const at = desk.opened.value ? ids.indexOf(desk.opened.value) : -1;
  const next = at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length;
  openTalk(ids[next]!);
}

/** The conversation that has used most of its time, other than the open one. */
export function mostUrgent(): Talk | undefined {
  return desk.mine.value
    .filter((talk) => talk.view.thread !== desk.opened.value && talk.view.awaiting_since_ms != null)
    .sort((a, b) => (slaOfTalk(b)?.share ?? 0) - (slaOfTalk(a)?.share ?? 0))[0];
}

// --- pins -----------------------------------------------------------------------------------------------------------

const pins = new Set<string>(keep.read<string[]>("wx.agent.pins", []));
export function togglePin(talk: Talk): void {
  talk.pinned = !talk.pinned;
  if (talk.pinned) pins.add(talk.view.thread);
  else pins.delete(talk.view.thread);
  keep.write("wx.agent.pins", [...pins].slice(-200));
}
watch(
  () => [...desk.talks.keys()],
  (ids) => {
    for (const id of ids) if (pins.has(id)) desk.talks.get(id)!.pinned = true;
  },
);

// --- drafts ---------------------------------------------------------------------------------------------------------

const DRAFT = "wx.agent.draft.";
const drafts = reactive(new Map<string, Draft>());
for (const key of keep.keys(DRAFT)) drafts.set(key.slice(DRAFT.length), keep.read(key, { text: "", note: false, assisted: "" }));

export function draftOf(thread: string): Draft {
  let draft = drafts.get(thread);
  if (!draft) {
    drafts.set(thread, { text: "", note: false, assisted: "" });
    draft = drafts.get(thread)!;
  }
  return draft;
}
export function keepDraft(thread: string): void {
  const draft = drafts.get(thread);
  if (draft && (draft.text || draft.note || draft.media?.length)) return keep.write(DRAFT + thread, draft);
  keep.forget(DRAFT + thread);
  if (thread !== desk.opened.value) drafts.delete(thread);
}
/** Words that could not be said are the writer's again: after what stands there, in the order they were said. */
export function backToDraft(thread: string, text: string): void {
  const draft = draftOf(thread);
  draft.text = [draft.text, text].filter(Boolean).join("\n");
  keepDraft(thread);
}
export const hasDraft = (thread: string): boolean => Boolean(drafts.get(thread)?.text.trim());

watch(desk.opened, (_, left) => left && keepDraft(left));

// --- keys -----------------------------------------------------------------------------------------------------------

export const chords = reactive<Chords>({ ...ACTIONS, ...keep.read<Partial<Chords>>("wx.agent.keys", {}) });
export function keepChords(): void {
  keep.write("wx.agent.keys", chords);
}

/** Say one sentence, at the foot of the page and to a screen reader. */
let saidTimer = 0;
export function tell(sentence: string): void {
  ui.said = sentence;
  window.clearTimeout(saidTimer);
  saidTimer = window.setTimeout(() => (ui.said = ""), 6000);
}
