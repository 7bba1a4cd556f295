// What one party holds of a thread's lane: entries without gaps, and what was said but is not acknowledged yet.
// Pure state; the page asks `history` where `missing()` says so.
import type { AckAnswer, AnyBody, EntryView, HistoryPageAnswer, SnapshotAnswer } from "./protocol";

export type Fate = "sending" | "failed";

/** Something said here whose number is not known yet. */
export interface Unsent {
  id: string;
  atMs: number;
  body: AnyBody;
  fate: Fate;
  /** error code, when it failed */
  why?: string;
  /** 0..1 while its media goes up */
  progress?: number;
  /** a local picture to show meanwhile */
  preview?: string;
}

export class Lane {
  entries: EntryView[] = [];
  unsent: Unsent[] = [];
  /** older lines exist */
  more = true;

  /** The newest number held without a gap before it. */
  get lastSeq(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }
  get firstSeq(): number {
    return this.entries[0]?.seq ?? 0;
  }

  /** Add a live line. False: lines before it are missing, ask history after `lastSeq`. */
  add(entry: EntryView): boolean {
    this.settle(entry);
    const last = this.lastSeq;
    if (entry.seq <= last) {
      if (entry.seq < this.firstSeq) return true;
      this.put(entry);
      return true;
    }
    if (last > 0 && entry.seq !== last + 1) return false;
    if (last === 0 && entry.seq !== 1 && !this.more) return false;
    this.entries.push(entry);
    if (entry.seq === 1) this.more = false;
    return true;
  }

  /** Add a page of history, wherever it belongs; gives how many lines were new. */
  addPage(page: HistoryPageAnswer): number {
    let added = 0;
    for (const entry of page.entries) {
      this.settle(entry);
      if (this.put(entry)) added += 1;
    }
    if (this.firstSeq === 1) this.more = false;
    return added;
  }

  /** Forget what is held; start from the newest page. */
  restart(snapshot: SnapshotAnswer): void {
    this.entries = [...snapshot.entries];
    for (const entry of snapshot.entries) this.settle(entry);
    this.more = this.firstSeq > 1;
  }

  recalled(seq: number): void {
    const at = this.entries.findIndex((entry) => entry.seq === seq);
    if (at >= 0) this.entries[at] = { ...(this.entries[at] as EntryView), body: null };
  }

  acknowledged(ack: AckAnswer, mine: { name: string; kind: EntryView["sender"]["kind"] }): void {
    const unsent = this.unsent.find((one) => one.id === ack.client_msg_id);
    if (!unsent) return;
    this.add({
      thread: ack.thread,
      lane: ack.lane,
      seq: ack.seq,
      at_ms: ack.at_ms,
      sender: { kind: mine.kind, name: mine.name, me: true },
      client_msg_id: ack.client_msg_id,
      body: unsent.body,
    });
    this.unsent = this.unsent.filter((one) => one !== unsent);
  }

  /** Taken by the server, whose line comes by the log. */
  taken(id: string): void {
    this.unsent = this.unsent.filter((one) => one.id !== id);
  }

  failed(id: string, why: string): void {
    const unsent = this.unsent.find((one) => one.id === id);
    if (unsent) Object.assign(unsent, { fate: "failed", why });
  }

  private settle(entry: EntryView): void {
    if (entry.sender.me && entry.client_msg_id)
      this.unsent = this.unsent.filter((one) => one.id !== entry.client_msg_id);
  }

  /** Insert in order; false where its number was held already (the newer view wins). */
  private put(entry: EntryView): boolean {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle] as EntryView).seq < entry.seq) low = middle + 1;
      else high = middle;
    }
    if (this.entries[low]?.seq === entry.seq) {
      this.entries[low] = entry;
      return false;
    }
    this.entries.splice(low, 0, entry);
    return true;
  }
}
