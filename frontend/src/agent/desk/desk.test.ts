import { describe, expect, it, vi } from "vitest";
import type { AnyAnswer, AnyFrame, EntryView } from "../../shared/protocol";
import type { CannedReply } from "../../shared/replies";
import { fill, findReplies, missing, slashed } from "./canned";
import { ACTIONS, actionOf, chordOf, mayBe } from "./keys";
import { add, addPage, emptyLog, trim, unread } from "./log";
import { freeze, rank, slaOf } from "./sla";
import { createDesk } from "./store";

const line = (seq: number, kind: "shopper" | "agent" = "shopper", lane: "public" | "internal" = "public"): EntryView => ({
  thread: "t", lane, seq, at_ms: 1000 * seq, sender: { kind, name: "", me: kind === "agent" }, body: { kind: "text", text: `${seq}` },
});

describe("the log of a thread", () => {
  it("finds a gap, and is whole again after the page that fills it", () => {
    const log = emptyLog();
    addPage(log, "public", [line(4), line(5)]);
    expect(add(log, line(8))).toBe("gap");
    expect(log.held.public).toBe(5);
    addPage(log, "public", [line(6), line(7), line(8)]);
    expect(log.held.public).toBe(8);
    expect(log.lines.map((one) => one.seq)).toEqual([4, 5, 6, 7, 8]);
    expect(add(log, line(7))).toBe("known");
  });
  it("keeps two lanes apart and counts what the shopper said since", () => {
    const log = emptyLog();
    addPage(log, "public", [line(1), line(2, "agent"), line(3)]);
    addPage(log, "internal", [line(1, "agent", "internal")]);
    expect(log.lines).toHaveLength(4);
    expect(unread(log, 1)).toBe(1);
  });
});

describe("a whole shift", () => {
  it("leaves nothing behind of conversations that are over or were only looked at", () => {
    const desk = createDesk(() => true, undefined, undefined, (thread) => thread === "watched");
    const view = (thread: string, mine: boolean) =>
      ({ thread, shop: "s", shopper: { name: thread }, mine, epoch: 1, public_seq: 0, internal_seq: 0, my_read_seq: 0 }) as never;
    for (let at = 0; at < 300; at += 1) {
      desk.hear({ type: "thread.update", view: view(`mine${at}`, true) } as never);
      desk.show(`mine${at}`);
      desk.hear({ type: "thread.gone", thread: `mine${at}` } as never);
      desk.lookAt(view(`ended${at}`, false));
    }
    desk.lookAt(view("watched", false));
    desk.leave();
    expect([...desk.talks.keys()]).toEqual(["watched"]);
    expect(desk.outgoing).toHaveLength(0);
  });
  it("keeps the newest lines of a thread that is left, and knows that there are older ones", () => {
    const log = emptyLog();
    addPage(log, "public", Array.from({ length: 500 }, (_, at) => line(at + 1)));
    log.more = false;
    trim(log, 200);
    expect([log.lines.length, log.lines[0]!.seq, log.held.public, log.more]).toEqual([200, 301, 500, true]);
    expect(add(log, line(501))).toBe("new");
  });
});

describe("the clock of an answer", () => {
  it("is green to 60 % of the limit, amber to the end, then red", () => {
    expect(slaOf(0, 30_000, 18_000)?.tone).toBe("ok");
    expect(slaOf(0, 30_000, 18_001)?.tone).toBe("warn");
    expect(slaOf(0, 30_000, 30_000)?.tone).toBe("warn");
    expect(slaOf(0, 30_000, 30_001)?.tone).toBe("bad");
    expect(slaOf(null, 30_000, 1)).toBeNull();
  });
  it("orders by share of the limit, pinned first, and freezes under a hand", () => {
    const row = (id: string, share: number, pinned = false) => ({ id, share, pinned, last_at_ms: 0 });
    const before = rank([row("a", 0.2), row("b", 0.9), row("c", -1, true)]);
    expect(before).toEqual(["c", "b", "a"]);
    expect(freeze(before, ["d", "a", "b"])).toEqual(["b", "a", "d"]);
  });
});

describe("canned replies", () => {
  const reply = (code: string, title: string, initials: string, body = ""): CannedReply => ({
    shop: "s", pool: null, shops: ["s"], id: code, own: false, code, title, initials, body, topic: "",
  });
  const all = [reply("fh", "sending", "fhsj"), reply("hh", "exchange", "hh"), reply("x1", "other", "hx", "fhsj in the text")];
  it("are found by code, then initials, then words", () => {
    expect(findReplies(all, "fh").map((one) => one.code)).toEqual(["fh", "x1"]);
    expect(findReplies(all, "hx")[0]?.code).toBe("x1");
    expect(findReplies(all, "EXCH")[0]?.code).toBe("hh");
    expect(findReplies(all, "zzz")).toEqual([]);
  });
  it("keep a variable that nobody knows, and say which", () => {
    const text = fill("{name}: {order} {}", { name: "Lin", order: "" });
    expect(text).toBe("Lin: {order} {}");
    expect(missing(text, ["name", "order"])).toEqual(["order"]);
    expect(missing("{smile}", ["name"])).toEqual([]);
  });
  it("open after a slash at the start of a word only", () => {
    expect(slashed("/h", 2)).toEqual({ from: 0, typed: "h" });
    expect(slashed("a /h", 4)).toEqual({ from: 2, typed: "h" });
    expect(slashed("http:/h", 7)).toBeNull();
  });
});

describe("the keyboard", () => {
  const press = (key: string, code: string, held: Partial<Record<"altKey" | "ctrlKey" | "shiftKey", boolean>> = {}) => ({
    key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held,
  });
  it("reads the physical key under Alt, and nothing without Alt or Ctrl while somebody types", () => {
    expect(chordOf(press("†", "KeyT", { altKey: true }))).toBe("Alt+T");
    expect(actionOf(press("?", "Slash", { shiftKey: true }), { ...ACTIONS }, false)).toBe("help");
    expect(actionOf(press("?", "Slash", { shiftKey: true }), { ...ACTIONS }, true)).toBeNull();
    expect(actionOf(press("Enter", "Enter", { ctrlKey: true }), { ...ACTIONS }, true)).toBe("send_next");
  });
  it("never gives an action to a letter alone", () => {
    expect(mayBe("T")).toBe(false);
    expect(mayBe("Alt+Y")).toBe(true);
  });
});

describe("the desk", () => {
  const view = (mine = true, state = "assigned") =>
    ({ thread: "t", shop: "s", shop_name: "", shopper: { name: "Lin" }, state, mine, epoch: 3, public_seq: 0, internal_seq: 0, last_at_ms: 0, last_line: "", my_read_seq: 0, their_read_seq: 0, their_delivered_seq: 0, topic: "" }) as never;
  const welcome = { type: "welcome", you: { role: "agent", id: "me", name: "He" }, node: "1", server_ms: Date.now(), limits: {}, heartbeat: {}, threads: [view()] } as unknown as AnyAnswer;
  it("says unsent words again after the line came back, under the same id, until they are acknowledged", () => {
    const sent: AnyFrame[] = [];
    let ids = 0;
    const desk = createDesk((frame) => sent.push(frame) > 0, () => `id${(ids += 1)}`);
    desk.hear(welcome);
    desk.say("t", { kind: "text", text: "words" } as never);
    const said = () => sent.filter((frame) => frame.type === "message.send");
    expect(said()).toHaveLength(0);
    desk.hear({ type: "live" });
    desk.down();
    desk.hear(welcome);
    desk.hear({ type: "live" });
    expect(said().map((frame) => (frame as { client_msg_id: string }).client_msg_id)).toEqual(["id1", "id1"]);
    desk.hear({ type: "ack", thread: "t", client_msg_id: "id1", lane: "public", seq: 1, at_ms: 5 });
    expect(desk.pendingOf("t")).toEqual([]);
    expect(desk.talk("t")?.log.lines).toHaveLength(1);
    desk.hear({ type: "message.new", entry: { ...line(1, "agent"), client_msg_id: "id1" } });
    expect(desk.talk("t")?.log.lines).toHaveLength(1);
  });
  it("tells of a wish that was taken down and refused later, with the conversation it was about", async () => {
    vi.stubGlobal("window", globalThis);
    const sent: AnyFrame[] = [];
    const desk = createDesk((frame) => sent.push(frame) > 0);
    const heard: string[] = [];
    desk.refused.push((why, talk) => heard.push(`${talk?.view.shopper.name} ${why.code}`));
    desk.hear(welcome);
    desk.hear({ type: "live" });
    const asked = desk.ask({ type: "transfer.request", thread: "t", epoch: 3, to_agent: "other" } as never);
    const { ref } = sent.find((frame) => frame.type === "transfer.request") as { ref: string };
    desk.hear({ type: "ok", ref });
    await asked;
    desk.hear({ type: "error", code: "transfer.refused", retry: "never", detail: "", ref });
    expect(heard).toEqual(["Lin transfer.refused"]);
  });
  it("says words again under the newer assignment, and gives them back when the conversation is somebody else's", () => {
    const said: { words: string; epoch: number; id: string }[] = [];
    let ids = 0;
    const desk = createDesk(
      (frame) => {
        if (frame.type === "message.send")
          said.push({ words: (frame.body as { text: string }).text, epoch: frame.epoch ?? 0, id: frame.client_msg_id });
        return true;
      },
      () => `id${(ids += 1)}`,
    );
    const back: string[] = [];
    desk.handedBack.push((thread, text, talk) => back.push(`${thread} ${text} ${talk?.gone}`));
    const stale = (id: string, code: string) =>
      desk.hear({ type: "error", code, retry: "never", detail: "", ref: "", client_msg_id: id });
    const standing = (epoch: number) => desk.hear({ type: "thread.update", view: { ...(view() as object), epoch } } as never);
    const text = (words: string) => desk.say("t", { kind: "text", text: words } as never);
    desk.hear(welcome);
    text("first");
    text("second");
    desk.hear({ type: "live" });
    stale("id1", "message.stale_epoch");
    expect(desk.pendingOf("t").map((one) => one.failed)).toEqual(["message.stale_epoch", ""]);
    standing(5);
    stale("id2", "message.stale_epoch");
    expect(said.slice(2)).toEqual([{ words: "first", epoch: 5, id: "id1" }, { words: "second", epoch: 5, id: "id2" }]);
    expect(desk.pendingOf("t").map((one) => one.failed)).toEqual(["", ""]);
    desk.show("t");
    desk.down();
    desk.note("t", "for colleagues");
    desk.hear({ ...(welcome as object), threads: [] } as never);
    desk.hear({ type: "live" });
    stale("id1", "thread.not_found");
    stale("id2", "thread.not_found");
    stale("id3", "thread.not_found");
    expect(back).toEqual(["t first true", "t second true"]);
    expect(desk.pendingOf("t").map((one) => [one.note, one.failed])).toEqual([[true, "thread.not_found"]]);
    standing(7);
    expect(said).toHaveLength(6);
  });
  it("reads on where it left off when a conversation comes back", () => {
    const asked: { lane: string; after?: number }[] = [];
    const desk = createDesk((frame) => {
      if (frame.type === "history") asked.push({ lane: frame.lane ?? "", after: frame.after ?? undefined });
      return true;
    });
    desk.hear(welcome);
    desk.hear({ type: "live" });
    const talk = desk.talk("t")!;
    addPage(talk.log, "public", [line(1), line(2)]);
    talk.log.loaded = true;
    desk.show("t");
    desk.hear({ type: "thread.gone", thread: "t", reason: "" });
    asked.length = 0;
    desk.hear({ type: "thread.update", view: { ...(view() as object), epoch: 9, public_seq: 6 } } as never);
    expect(asked).toEqual([{ lane: "public", after: 2 }]);
  });
  it("keeps refused words to be tried again, and a conversation that went away leaves the list", () => {
    const desk = createDesk(() => true, () => "id");
    desk.hear(welcome);
    desk.hear({ type: "live" });
    desk.say("t", { kind: "text", text: "words" } as never);
    desk.hear({ type: "error", code: "message.stale_epoch", retry: "never", detail: "", ref: "", client_msg_id: "id" });
    expect(desk.pendingOf("t")[0]?.failed).toBe("message.stale_epoch");
    desk.hear({ type: "thread.gone", thread: "t", reason: "" });
    expect(desk.mine.value).toEqual([]);
  });
});
