// One line to the hub: hello, resume, heartbeat, come back with jitter, and nothing said is lost while it is away.
//
// What is said under a `client_msg_id` stays in `unsaid` until the hub's ack, and is said again after every welcome:
// the hub stores it once. Everything else is sent only while the line is live.
import type { AnyAnswer, AnyFrame, ErrorAnswer, ResumePoint, WelcomeAnswer } from "./protocol";

export type LineState = "connecting" | "live" | "lost" | "ended";

/** Frames that are repeated until they are acknowledged. */
export type Saying = Extract<AnyFrame, { client_msg_id: string }>;
type Of<T extends AnyAnswer["type"]> = Extract<AnyAnswer, { type: T }>;
type Hear = (answer: AnyAnswer) => void;

export class WireError extends Error {
  constructor(
    readonly code: string,
    readonly retry: ErrorAnswer["retry"] = "never",
    readonly detail = "",
  ) {
    super(code);
  }
}

export interface LineOptions {
  /** A token for hello; `fresh`: the last one was refused, fetch another. Rejecting ends the line. */
  token: (fresh: boolean) => Promise<string>;
  /** The guest this device was before its member signed in; the two become one. */
  guest?: () => string;
  /** The last seq held of each thread and lane. */
  resume: () => ResumePoint[];
  url?: string;
  device?: string;
  locale?: string;
  /** For tests. */
  open?: (url: string) => WebSocket;
  random?: () => number;
}

const BACK_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000];
const ANSWER_MS = 15_000;
/** Something was said and nothing at all has come back for this long: the line is given up. */
const SUSPECT_MS = 12_000;

/** What a close code asks for (DESIGN: 4000-4399 come back, 4400-4499 new token first, 4500-4999 stay away). */
export function afterClose(code: number): "back" | "reauth" | "stay" {
  if (code >= 4400 && code <= 4499) return "reauth";
  if (code >= 4500 && code <= 4999) return "stay";
  return "back";
}

/** How long to wait before try `attempt` (0, 1, …): full jitter over a growing, bounded span. */
export function backoffMs(attempt: number, random: number): number {
  const span = BACK_MS[Math.min(attempt, BACK_MS.length - 1)] as number;
  return Math.round(span / 3 + random * span * (2 / 3));
}

export const newId = (): string =>
  crypto.randomUUID?.() ??
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (Number(c) ^ ((crypto.getRandomValues(new Uint8Array(1))[0] as number) & (15 >> (Number(c) / 4)))).toString(16),
  );

export class Line {
  state: LineState = "connecting";
  welcome: WelcomeAnswer | null = null;
  /** server time minus ours */
  offsetMs = 0;
  /** why it ended, when it did */
  endedBy = 0;
  private socket: WebSocket | null = null;
  private attempt = 0;
  private fresh = false;
  private unsaid = new Map<string, Saying>();
  private asked = new Map<string, { done: (answer: AnyAnswer) => void; failed: (why: WireError) => void; timer: number }>();
  private hearers = new Map<string, Set<Hear>>();
  private backTimer = 0;
  private silence = 0;
  private suspect = 0;
  private refs = 0;
  private left = false;

  constructor(private readonly options: LineOptions) {
    addEventListener("online", this.hurry);
    addEventListener("offline", this.drop);
    document.addEventListener("visibilitychange", this.hurry);
    void this.connect();
  }

  /** Hear answers of one type; `state` and `any` too. Gives the way to stop. */
  on<T extends AnyAnswer["type"]>(type: T, hear: (answer: Of<T>) => void): () => void;
  on(type: "any", hear: Hear): () => void;
  on(type: "state", hear: () => void): () => void;
  on(type: string, hear: (answer: never) => void): () => void {
    const set = this.hearers.get(type) ?? new Set<Hear>();
    this.hearers.set(type, set);
    set.add(hear as Hear);
    return () => set.delete(hear as Hear);
  }

  /** Say something that must arrive. It is repeated after every reconnect until it is acknowledged or refused. */
  say(frame: Saying): void {
    const marked = { ...frame, ref: frame.client_msg_id };
    this.unsaid.set(frame.client_msg_id, marked);
    if (this.state === "live") this.write(marked);
  }

  /** Send something that is of no use later (typing, receipts). False: the line is away. */
  tell(frame: AnyFrame): boolean {
    if (this.state !== "live") return false;
    this.write(frame);
    return true;
  }

  /** Ask, and get ok, a page or an ack; rejects with WireError. */
  ask(frame: AnyFrame): Promise<AnyAnswer> {
    if (this.state !== "live") return Promise.reject(new WireError("network.away", 3_000));
    const ref = `r${++this.refs}`;
    return new Promise((done, failed) => {
      const timer = window.setTimeout(() => {
        this.asked.delete(ref);
        failed(new WireError("network.slow", 3_000));
      }, ANSWER_MS);
      this.asked.set(ref, { done, failed, timer });
      this.write({ ...frame, ref });
    });
  }

  /** Leave for good. */
  end(): void {
    this.left = true;
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.drop);
    document.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.backTimer);
    clearTimeout(this.silence);
    clearTimeout(this.suspect);
    this.socket?.close(1000);
    this.become("ended");
  }

  /** The hub's clock now. */
  now(): number {
    return Date.now() + this.offsetMs;
  }

  private readonly hurry = (): void => {
    if (this.state === "lost" && document.visibilityState === "visible") {
      clearTimeout(this.backTimer);
      void this.connect();
    }
  };

  /** The device has no network, or the hub is silent: do not wait for the socket to notice. */
  private readonly drop = (): void => {
    const socket = this.socket;
    if (!socket) return;
    this.lost(4001);
    socket.close(4001);
  };

  private async connect(): Promise<void> {
    let token: string;
    try {
      token = await this.options.token(this.fresh);
    } catch (trouble) {
      const code = (trouble as { code?: string }).code ?? "";
      if (code.startsWith("network.") || code.startsWith("server.")) return this.comeBack();
      this.endedBy = 4403;
      return this.become("ended");
    }
    if (this.left) return;
    this.fresh = false;
    const url = this.options.url ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    const socket = (this.options.open ?? ((to: string) => new WebSocket(to)))(url);
    this.socket = socket;
    socket.onopen = () =>
      this.write({
        type: "hello",
        token,
        guest_token: this.options.guest?.() ?? "",
        resume: this.options.resume(),
        device: this.options.device ?? "",
        locale: this.options.locale ?? "",
      });
    socket.onmessage = (event: MessageEvent) => this.hear(JSON.parse(event.data as string) as AnyAnswer);
    socket.onclose = (event: CloseEvent) => {
      if (this.socket === socket) this.lost(event.code);
    };
  }

  private lost(code: number): void {
    this.socket = null;
    clearTimeout(this.silence);
    clearTimeout(this.suspect);
    this.suspect = 0;
    for (const [, asked] of this.asked) {
      clearTimeout(asked.timer);
      asked.failed(new WireError("network.away", 3_000));
    }
    this.asked.clear();
    if (this.left) return;
    const next = afterClose(code);
    if (next === "stay" || (next === "reauth" && this.attempt > 4)) {
      this.endedBy = code;
      return this.become("ended");
    }
    this.fresh = next === "reauth";
    this.comeBack();
  }

  private comeBack(): void {
    this.become("lost");
    const wait = backoffMs(this.attempt, (this.options.random ?? Math.random)());
    this.attempt += 1;
    this.backTimer = window.setTimeout(() => void this.connect(), wait);
  }

  private write(frame: AnyFrame): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(frame));
    if ("client_msg_id" in frame) this.suspect ||= window.setTimeout(this.drop, SUSPECT_MS);
  }

  private become(state: LineState): void {
    this.state = state;
    this.tellHearers("state", null as never);
  }

  private tellHearers(type: string, answer: AnyAnswer): void {
    for (const hear of this.hearers.get(type) ?? []) hear(answer);
  }

  /** Browsers cannot see pings: ask for a pong when nothing was heard for long, and give the line up without one. */
  private listen(): void {
    clearTimeout(this.silence);
    clearTimeout(this.suspect);
    this.suspect = 0;
    const beat = this.welcome?.heartbeat ?? { every_ms: 15_000, timeout_ms: 10_000 };
    this.silence = window.setTimeout(() => {
      this.write({ type: "ping" });
      this.silence = window.setTimeout(this.drop, beat.timeout_ms);
    }, beat.every_ms);
  }

  private hear(answer: AnyAnswer): void {
    this.listen();
    switch (answer.type) {
      case "welcome":
        this.welcome = answer;
        this.offsetMs = answer.server_ms - Date.now();
        break;
      case "live":
        this.attempt = 0;
        this.become("live");
        for (const frame of this.unsaid.values()) this.write(frame);
        break;
      case "ack":
        this.unsaid.delete(answer.client_msg_id);
        break;
      case "message.new":
        if (answer.entry.sender.me && answer.entry.client_msg_id) this.unsaid.delete(answer.entry.client_msg_id);
        break;
      case "error":
        this.refused(answer, answer.client_msg_id ?? answer.ref);
        this.answer(answer.ref, (asked) => asked.failed(new WireError(answer.code, answer.retry, answer.detail)));
        break;
      case "ok":
        this.unsaid.delete(answer.ref);
        this.answer(answer.ref, (asked) => asked.done(answer));
        break;
      case "history.page":
        this.answer(answer.ref, (asked) => asked.done(answer));
        break;
    }
    this.tellHearers(answer.type, answer);
    this.tellHearers("any", answer);
  }

  private refused(answer: ErrorAnswer, id: string): void {
    const frame = this.unsaid.get(id);
    if (!frame) return;
    if (typeof answer.retry === "number") {
      window.setTimeout(() => {
        if (this.state === "live" && this.unsaid.has(id)) this.write(frame);
      }, answer.retry + 50);
    } else this.unsaid.delete(id);
  }

  private answer(ref: string, then: (asked: { done: (a: AnyAnswer) => void; failed: (e: WireError) => void }) => void): void {
    const asked = this.asked.get(ref);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.asked.delete(ref);
    then(asked);
  }
}
