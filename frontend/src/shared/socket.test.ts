import { describe, expect, it } from "vitest";
import type { EntryView } from "./protocol";
import { afterClose, backoffMs } from "./socket";
import { Lane } from "./thread";

const line = (seq: number, extra: Partial<EntryView> = {}): EntryView => ({
  thread: "t",
  lane: "public",
  seq,
  at_ms: seq * 1_000,
  sender: { kind: "shopper", name: "", me: true },
  body: { kind: "text", text: String(seq) },
  ...extra,
});

describe("close codes", () => {
  it("come back, fetch a new token, or stay away", () => {
    expect([1006, 4000, 4399].map(afterClose)).toEqual(["back", "back", "back"]);
    expect([4400, 4499].map(afterClose)).toEqual(["reauth", "reauth"]);
    expect([4500, 4999].map(afterClose)).toEqual(["stay", "stay"]);
  });
  it("waits grow, are spread and bounded", () => {
    expect(backoffMs(0, 0)).toBe(100);
    expect(backoffMs(99, 1)).toBe(15_000);
    expect(backoffMs(3, 0.5)).toBeGreaterThan(backoffMs(3, 0.1));
  });
});

describe("a lane", () => {
  it("says where a line is missing and holds none beyond the gap", () => {
    const lane = new Lane();
    expect(lane.add(line(1))).toBe(true);
    expect(lane.add(line(3))).toBe(false);
    expect(lane.lastSeq).toBe(1);
    lane.addPage({ type: "history.page", ref: "", thread: "t", lane: "public", entries: [line(2), line(3)], more: false });
    expect(lane.entries.map((entry) => entry.seq)).toEqual([1, 2, 3]);
  });
  it("shows a line once, whether the ack or the log is first", () => {
    const unsent = { id: "a", atMs: 0, body: { kind: "text", text: "hi" } as const, fate: "sending" as const };
    const ack = { type: "ack", thread: "t", client_msg_id: "a", lane: "public", seq: 1, at_ms: 5 } as const;
    const me = { name: "", kind: "shopper" } as const;
    const first = new Lane();
    first.unsent.push({ ...unsent });
    first.acknowledged(ack, me);
    first.add(line(1, { client_msg_id: "a" }));
    expect([first.entries.length, first.unsent.length]).toEqual([1, 0]);
    const second = new Lane();
    second.unsent.push({ ...unsent });
    second.add(line(1, { client_msg_id: "a" }));
    second.acknowledged(ack, me);
    expect([second.entries.length, second.unsent.length]).toEqual([1, 0]);
  });
});
