// The threads of one shopper in one shop: his own, and those of guests he once was. The window shows them as one log.
import { computed, reactive } from "vue";
import type { AnyBody, EntryView, ThreadView } from "@/shared/protocol";
import { Lane } from "@/shared/thread";
import { tMaybe } from "@/shared/i18n";

/** Somebody is, or will be, on the other side. */
const LIVE = ["waiting", "assigned", "parked"];

export class Threads {
  /** in the order the hub names them: his own first */
  readonly views = reactive(new Map<string, ThreadView>());
  private readonly lanes = reactive(new Map()) as Map<string, Lane>;

  /** Where the next words go: the thread in which a person is engaged, else the shopper's own. */
  readonly active = computed<ThreadView | null>(() => {
    const all = [...this.views.values()];
    return all.find((view) => LIVE.includes(view.state)) ?? all[0] ?? null;
  });

  /** All lines by time. Where a thread has older lines that are not fetched yet, nothing before its first is shown. */
  readonly entries = computed<EntryView[]>(() => {
    const held = this.held();
    if (held.length <= 1) return held[0]?.entries ?? [];
    const from = Math.max(0, ...held.filter((lane) => lane.more).map(firstMs));
    return held.flatMap((lane) => lane.entries.filter((one) => one.at_ms >= from)).sort((a, b) => a.at_ms - b.at_ms);
  });

  readonly unsent = computed(() => [...this.lanes.values()].flatMap((lane) => lane.unsent));

  readonly unread = computed(() => {
    let count = 0;
    for (const [thread, view] of this.views)
      for (const one of this.lanes.get(thread)?.entries ?? []) if (one.seq > view.my_read_seq && isFromShop(one)) count += 1;
    return count;
  });

  /** How far the shop has received and read the thread of the shopper's last words. */
  readonly theirs = computed(() => {
    const mine = lastOf(this.entries.value, (one) => one.sender.kind === "shopper" && !!one.body && one.body.kind !== "event");
    const view = mine && this.views.get(mine.thread);
    return { read: view?.their_read_seq ?? 0, delivered: view?.their_delivered_seq ?? 0 };
  });

  /** The lane of a thread; "" holds what was said before the hub named the thread. */
  lane(thread: string): Lane {
    const held = this.lanes.get(thread);
    if (held) return held;
    this.lanes.set(thread, new Lane());
    return this.lanes.get(thread) as Lane;
  }

  /** Take a thread's standing; receipts never go back. */
  stand(view: ThreadView): void {
    const held = this.views.get(view.thread);
    this.views.set(view.thread, {
      ...view,
      my_read_seq: Math.max(view.my_read_seq, held?.my_read_seq ?? 0),
      their_read_seq: Math.max(view.their_read_seq, held?.their_read_seq ?? 0),
      their_delivered_seq: Math.max(view.their_delivered_seq, held?.their_delivered_seq ?? 0),
    });
  }

  /** The thread whose older lines come next when the reader scrolls up; null: all are here. */
  readonly oldest = computed(() => {
    const held = [...this.lanes].filter(([, lane]) => lane.more && lane.entries.length);
    return held.sort(([, a], [, b]) => firstMs(b) - firstMs(a))[0]?.[0] ?? null;
  });

  /** The newest line the shop said. */
  last(): EntryView | undefined {
    return lastOf(this.entries.value, isFromShop);
  }

  /** Taken by the hub; its line comes by the log. */
  taken(id: string): void {
    for (const lane of this.lanes.values()) lane.taken(id);
  }

  failed(id: string, why: string): void {
    for (const lane of this.lanes.values()) lane.failed(id, why);
  }

  clear(): void {
    this.views.clear();
    this.lanes.clear();
  }

  private held(): Lane[] {
    return [...this.lanes.values()].filter((lane) => lane.entries.length);
  }
}

const firstMs = (lane: Lane): number => lane.entries[0]?.at_ms ?? 0;

function lastOf(entries: EntryView[], wanted: (entry: EntryView) => boolean): EntryView | undefined {
  for (let at = entries.length - 1; at >= 0; at -= 1) if (wanted(entries[at] as EntryView)) return entries[at];
  return undefined;
}

/** Words or a card of the other side, not a state line. */
function isFromShop(entry: EntryView): boolean {
  return !!entry.body && entry.body.kind !== "event" && entry.sender.kind !== "system" && entry.sender.kind !== "shopper";
}

/** One line of a body, for the launcher. */
export function lineOf(body: AnyBody): string {
  if ("text" in body && typeof body.text === "string" && body.text && body.kind !== "rating") return body.text;
  if ("title" in body && typeof body.title === "string" && body.title) return body.title;
  return tMaybe(`common.kind.${body.kind}`, body.kind);
}
