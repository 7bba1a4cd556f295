import { describe, expect, it } from "vitest";
import type { EntryView, ThreadView } from "@/shared/protocol";
import { lineOf, Threads } from "./threads";

const view = (thread: string, more: Partial<ThreadView> = {}): ThreadView =>
  ({
    thread, shop: "s", shop_name: "", shopper: { name: "" }, state: "closed",
    my_read_seq: 0, their_read_seq: 0, their_delivered_seq: 0, ...more,
  }) as ThreadView;
const entry = (thread: string, seq: number, at_ms: number, kind: EntryView["sender"]["kind"] = "shopper"): EntryView => ({
  thread, lane: "public", seq, at_ms, sender: { kind, name: "", me: kind === "shopper" }, body: { kind: "text", text: `${thread}${seq}` },
});

function held(...given: [thread: string, more: boolean, entries: EntryView[]][]): Threads {
  const threads = new Threads();
  for (const [thread, more, entries] of given) {
    threads.stand(view(thread));
    threads.lane(thread).entries.push(...entries);
    threads.lane(thread).more = more;
  }
  return threads;
}
const order = (threads: Threads) => threads.entries.value.map((one) => one.thread + one.seq);

describe("the threads of a member and of the guests he was", () => {
  it("are one log by time", () => {
    const threads = held(["own", false, [entry("own", 1, 10), entry("own", 2, 40)]], ["guest", false, [entry("guest", 1, 20), entry("guest", 2, 30)]]);
    expect(order(threads)).toEqual(["own1", "guest1", "guest2", "own2"]);
  });

  it("show nothing before the first line of one whose older lines are missing, and ask for that one first", () => {
    const threads = held(["own", true, [entry("own", 5, 25)]], ["guest", true, [entry("guest", 1, 20), entry("guest", 2, 30)]]);
    expect(order(threads)).toEqual(["own5", "guest2"]);
    expect(threads.oldest.value).toBe("own");
    threads.lane("own").more = threads.lane("guest").more = false;
    expect(order(threads)).toEqual(["guest1", "own5", "guest2"]);
    expect(threads.oldest.value).toBeNull();
  });

  it("take the next words where a person is engaged, else in the member's own", () => {
    const threads = held(["own", false, []], ["guest", false, []]);
    expect(threads.active.value?.thread).toBe("own");
    threads.stand(view("guest", { state: "assigned" }));
    expect(threads.active.value?.thread).toBe("guest");
    threads.stand(view("guest", { state: "closed" }));
    expect(threads.active.value?.thread).toBe("own");
  });

  it("count what the shop said and nobody read, and receipts never go back", () => {
    const threads = held(["own", false, [entry("own", 1, 1, "agent"), entry("own", 2, 2), entry("own", 3, 3, "push"), entry("own", 4, 4, "system")]]);
    expect(threads.unread.value).toBe(2);
    threads.stand(view("own", { my_read_seq: 1 }));
    threads.stand(view("own"));
    expect(threads.unread.value).toBe(1);
    expect(threads.last()?.seq).toBe(3);
    threads.stand(view("own", { their_read_seq: 2 }));
    expect(threads.theirs.value.read).toBe(2);
  });

  it("find what failed or was taken, in whichever thread it was said", () => {
    const threads = held(["own", false, []], ["guest", false, []]);
    threads.lane("guest").unsent.push({ id: "a", atMs: 1, body: { kind: "text", text: "a" }, fate: "sending" });
    threads.failed("a", "message.too_long");
    expect(threads.unsent.value[0]).toMatchObject({ fate: "failed", why: "message.too_long" });
    threads.taken("a");
    expect(threads.unsent.value).toEqual([]);
  });
});

it("the launcher's line is words or a title", () => {
  expect(lineOf({ kind: "text", text: "hello" })).toBe("hello");
  expect(lineOf({ kind: "product", product: "p", title: "Coat", price_fen: 1 })).toBe("Coat");
  expect(lineOf({ kind: "image", media: "m" })).toBe("image");
});
