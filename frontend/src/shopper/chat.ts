// The shopper's window: its line to the hub, what is shown of it, and which frame follows what the shopper does.
import { computed, ref, shallowRef, watch } from "vue";
import type { ApiError } from "@/shared/api";
import { locale, recall, remember } from "@/shared/i18n";
import type { Act } from "@/shared/message/acts";
import type { AnyBody, AnyFrame, EntryView, OrderBody, QueuePositionAnswer, WireLimits } from "@/shared/protocol";
import { Line, newId, type LineState, type Saying } from "@/shared/socket";
import type { Unsent } from "@/shared/thread";
import { tellHost } from "./host";
import { Identity } from "./identity";
import { want } from "./parts";
import { fetchMenu, fetchOrders, fetchShop, fetchUnread, setConsent, type Menu, type MenuItem, type ShopInfo } from "./server";
import { lineOf, Threads } from "./threads";

const DEFAULT_LIMITS = { text_chars: 4_000, image_bytes: 10 << 20, video_bytes: 50 << 20, video_ms: 60_000, recall_ms: 120_000 };
const TYPING_EVERY_MS = 3_000;
const TYPING_SHOWN_MS = 6_000;
const FIRST_PAGE = 30;

export class Chat {
  readonly threads = new Threads();
  readonly state = ref<LineState>("connecting");
  readonly shop = shallowRef<ShopInfo | null>(null);
  readonly menu = shallowRef<Menu | null>(null);
  readonly view = this.threads.active;
  readonly queue = shallowRef<QueuePositionAnswer | null>(null);
  readonly typing = ref("");
  readonly loading = ref(false);
  readonly trouble = shallowRef<unknown>(null);
  readonly guest = ref(true);
  readonly name = ref("");
  /** changes when somebody else is at the window */
  readonly person = ref(0);
  /** the first page of history is here */
  readonly filled = ref(false);
  /** whether the shopper is looking: an iframe that is closed is not */
  readonly looking = ref(true);
  /** the shopper wants no pushes of this shop */
  readonly refused = ref(false);
  /** while waiting, the assistant answers what is written */
  readonly selfService = ref(false);
  /** an agent came while nobody looked */
  readonly called = ref(false);
  readonly more = computed(() => this.threads.oldest.value !== null);
  private line: Line | null = null;
  private saidTyping = 0;
  private typingTimer = 0;
  private menuTimer = 0;
  /** of what is on its way up */
  readonly files = new Map<string, File>();
  private early: (() => void)[] = [];
  private started = 0;

  constructor(
    private slug: string,
    readonly identity: Identity,
  ) {
    this.refused.value = recall(this.refusedKey) === "1";
    document.addEventListener("visibilitychange", () => this.seen());
    watch(locale, () => void this.refreshMenu());
  }

  private get refusedKey(): string {
    return `wangxin.refused.${this.slug}`;
  }
  get begun(): boolean {
    return this.started > 0;
  }
  get thread(): string {
    return this.view.value?.thread ?? "";
  }
  get limits(): Pick<WireLimits, "text_chars" | "image_bytes" | "video_bytes" | "video_ms" | "recall_ms"> {
    return this.line?.welcome?.limits ?? DEFAULT_LIMITS;
  }
  now(): number {
    return this.line?.now() ?? Date.now();
  }

  async start(): Promise<void> {
    const run = ++this.started;
    this.trouble.value = null;
    try {
      const shop = this.shop.value ?? (await fetchShop(this.slug));
      this.shop.value = shop;
      const token = await this.identity.token(false);
      if (run !== this.started) return;
      this.connect(run);
      this.show(await fetchMenu(shop, token));
    } catch (trouble) {
      if (run !== this.started) return;
      // Without a menu there is still a chat; without shop or token there is none.
      if (!this.line) this.trouble.value = trouble;
      tellHost({ did: "error", code: (trouble as ApiError).code ?? "page.trouble" });
    }
  }

  /** Be somebody else: another member, or a guest again. */
  async become(member: string): Promise<void> {
    if (this.started && member === this.identity.member) return;
    this.identity.member = member;
    this.leave();
    await this.start();
  }

  leave(): void {
    this.line?.end();
    this.line = null;
    this.threads.clear();
    this.person.value += 1;
    this.queue.value = null;
    this.filled.value = false;
    this.typing.value = this.name.value = "";
    this.state.value = "connecting";
  }

  private connect(run: number): void {
    this.line?.end();
    const line = new Line({
      token: (fresh) => this.identity.token(fresh),
      guest: () => (this.identity.member ? this.identity.guest : ""),
      resume: () =>
        [...this.threads.views.keys()].flatMap((thread) => {
          const after = this.threads.lane(thread).lastSeq;
          return after ? [{ thread, lane: "public" as const, after }] : [];
        }),
      device: matchMedia("(pointer: coarse)").matches ? "phone" : "desktop",
      locale: locale.value,
    });
    this.line = line;
    line.on("state", () => {
      if (run === this.started) this.state.value = line.state;
    });
    line.on("welcome", (answer) => {
      this.guest.value = answer.you.guest ?? false;
      this.name.value = answer.you.name;
      // The guest this device was is the member now; his token opens nothing any more.
      if (!this.guest.value) this.identity.forgetGuest();
      answer.threads.forEach((view) => this.threads.stand(view));
      tellHost({ did: "user" });
    });
    line.on("live", () => {
      void this.fill();
      this.threads.lane(this.thread).unsent.push(...this.threads.lane("").unsent.splice(0));
      this.early.splice(0).forEach((say) => say());
    });
    line.on("thread.update", (answer) => {
      this.threads.stand(answer.view);
      if (answer.view.state === "waiting") return;
      this.queue.value = null;
      this.selfService.value = false;
    });
    line.on("message.new", (answer) => this.hear(answer.entry));
    line.on("message.recalled", (answer) => this.threads.lane(answer.thread).recalled(answer.seq));
    line.on("snapshot", (answer) => answer.lane === "public" && this.threads.lane(answer.thread).restart(answer));
    line.on("ack", (answer) => {
      this.threads.lane(answer.thread).acknowledged(answer, { name: this.name.value, kind: "shopper" });
      this.files.delete(answer.client_msg_id);
      if (this.selfService.value) this.wish({ type: "bot.ask", thread: answer.thread, seq: answer.seq });
    });
    line.on("ok", (answer) => this.threads.taken(answer.ref));
    line.on("error", (answer) => {
      if (typeof answer.retry !== "number") this.threads.failed(answer.client_msg_id ?? answer.ref, answer.code);
    });
    line.on("receipt", (answer) => {
      const view = this.threads.views.get(answer.thread);
      if (view && answer.by !== "shopper")
        this.threads.stand({ ...view, their_read_seq: answer.read_seq, their_delivered_seq: answer.delivered_seq });
    });
    line.on("typing", (answer) => {
      clearTimeout(this.typingTimer);
      this.typing.value = answer.on && answer.by !== "shopper" ? answer.by : "";
      if (answer.on) this.typingTimer = window.setTimeout(() => (this.typing.value = ""), TYPING_SHOWN_MS);
    });
    line.on("queue.position", (answer) => {
      // The shop's steps have led to the bot: from now on it answers, until the shopper wishes otherwise.
      if (answer.helped && !this.queue.value?.helped) this.selfService.value = true;
      this.queue.value = answer;
    });
    line.on("menu.updated", () => void this.refreshMenu());
  }

  private show(menu: Menu): void {
    this.menu.value = menu;
    clearTimeout(this.menuTimer);
    // one that depends on the hour or the queue is asked for again
    if (menu.look_again_ms) this.menuTimer = window.setTimeout(() => this.refreshMenu(), menu.look_again_ms);
  }
  async refreshMenu(): Promise<void> {
    const shop = this.shop.value;
    if (!shop || !this.begun) return;
    const menu = await fetchMenu(shop, this.identity.current ?? "").catch(() => this.menu.value);
    if (menu) this.show(menu);
  }

  private hear(entry: EntryView): void {
    if (entry.lane !== "public") return;
    const lane = this.threads.lane(entry.thread);
    const before = lane.lastSeq;
    if (!lane.add(entry)) return void this.fill();
    if (lane.lastSeq === before) return;
    const mine = entry.sender.kind === "shopper";
    if (!mine) {
      if (entry.sender.kind === "agent" || entry.sender.kind === "bot") this.typing.value = "";
      this.line?.tell({ type: "receipt.delivered", thread: entry.thread, up_to_seq: entry.seq });
    }
    if (entry.body?.kind === "event" && entry.body.event === "conversation.assigned") this.called.value = true;
    this.seen();
    tellHost({ did: "message", kind: entry.body?.kind ?? "recalled", mine });
    this.tellUnread();
  }

  /** Tell the embedding page how much is unread, and the last line in words; `atLeast` counts what is not loaded. */
  tellUnread(atLeast = 0): void {
    const last = this.threads.last();
    tellHost({ did: "unread", count: Math.max(atLeast, this.threads.unread.value), last: last?.body ? lineOf(last.body) : "" });
  }

  /** Fetch what the log holds and this page does not: the newest page at first, the lines after a gap later. */
  private async fill(): Promise<void> {
    const line = this.line;
    if (!line) return;
    try {
      await Promise.all([...this.threads.views.keys()].map((thread) => this.fillThread(line, thread)));
      this.filled.value = true;
      this.seen();
      const unread = this.threads.unread.value;
      this.tellUnread(unread >= FIRST_PAGE ? await fetchUnread(this.identity.current ?? "").catch(() => 0) : 0);
    } catch {
      // The line was lost meanwhile; the next welcome resumes.
    }
  }

  private async fillThread(line: Line, thread: string): Promise<void> {
    const lane = this.threads.lane(thread);
    const last = lane.lastSeq;
    for (;;) {
      const after = lane.lastSeq;
      const page = await line.ask({ type: "history", thread, lane: "public", limit: last ? 200 : FIRST_PAGE, ...(last ? { after } : {}) });
      if (page.type !== "history.page") break;
      lane.addPage(page);
      if (!last) lane.more = page.more;
      if (!last || !page.more || lane.lastSeq === after) break;
    }
    if (lane.lastSeq) line.tell({ type: "receipt.delivered", thread, up_to_seq: lane.lastSeq });
  }

  async older(): Promise<void> {
    const thread = this.threads.oldest.value;
    if (this.loading.value || !this.line || !thread) return;
    const lane = this.threads.lane(thread);
    this.loading.value = true;
    try {
      const page = await this.line.ask({ type: "history", thread, lane: "public", before: lane.firstSeq, limit: 50 });
      if (page.type === "history.page") {
        lane.addPage(page);
        lane.more = page.more;
      }
    } catch {
      // asked again at the next scroll
    } finally {
      this.loading.value = false;
    }
  }

  /** The shopper has the end of the log before his eyes. */
  seen(): void {
    if (!this.looking.value || document.visibilityState !== "visible") return;
    let read = false;
    this.called.value = false;
    for (const [thread, view] of this.threads.views) {
      const up_to_seq = this.threads.lane(thread).lastSeq;
      if (up_to_seq <= view.my_read_seq || !this.line?.tell({ type: "receipt.read", thread, up_to_seq })) continue;
      this.threads.stand({ ...view, my_read_seq: up_to_seq });
      read = true;
    }
    if (read) this.tellUnread();
  }

  // --- what the shopper does -------------------------------------------------------------------------------------

  /** Show at once, and say until it is acknowledged. Before the hub has named the thread, it waits for that. */
  private say(body: AnyBody, frame: (id: string, thread: string) => Saying, at = this.thread): void {
    const id = newId();
    this.threads.lane(at).unsent.push({ id, atMs: this.now(), body, fate: "sending" });
    if (at) this.line?.say(frame(id, at));
    else this.early.push(() => this.line?.say(frame(id, this.thread)));
  }

  send(body: AnyBody): void {
    this.say(body, (client_msg_id, thread) => ({ type: "message.send", thread, client_msg_id, body }));
    this.saidTyping = 0;
  }

  /** Say what is shown already. */
  speak({ id, body }: Unsent): void {
    this.line?.say({ type: "message.send", thread: this.thread, client_msg_id: id, body });
  }

  tapMenu(item: MenuItem): void {
    const menu_version = this.menu.value?.version ?? 0;
    this.say({ kind: "text", text: item.label }, (client_msg_id, thread) => ({
      type: "menu.tap", thread, menu_version, item: item.id, client_msg_id,
    }));
  }

  askHuman(): void {
    if (this.state.value !== "live") this.early.push(() => this.askHuman());
    else this.wish({ type: "human.request", thread: this.thread });
  }

  async orders(): Promise<OrderBody[]> {
    const shop = this.shop.value;
    return shop ? (await fetchOrders(shop, this.identity.current)).orders : [];
  }

  /** Ask for something whose effect comes by the log. */
  wish(frame: AnyFrame): void {
    void this.line?.ask(frame).catch(() => undefined);
  }

  typed(): void {
    const now = Date.now();
    if (now - this.saidTyping < TYPING_EVERY_MS) return;
    this.saidTyping = now;
    this.line?.tell({ type: "typing", thread: this.thread, on: true });
  }

  /** `thread`: of the line that was acted on. */
  act(act: Act, thread = this.thread): void {
    switch (act.do) {
      case "choice":
        if (act.choice === "human") return this.askHuman();
        return this.say({ kind: "text", text: act.label }, (client_msg_id) => ({
          type: "choice.submit", thread, seq: act.seq, choice: act.choice, client_msg_id,
        }), thread);
      case "form":
        return this.say(
          { kind: "form_answer", form: "form", ...act.shown, quote: act.seq },
          (client_msg_id) => ({ type: "form.submit", thread, seq: act.seq, values: act.values, client_msg_id }),
          thread,
        );
      case "rate": {
        const { conversation, stars, reasons, text } = act;
        return this.say(
          { kind: "rating", conversation, stars, reasons, text },
          (client_msg_id) => ({ type: "rating.submit", thread, conversation, stars, reasons, text, client_msg_id }),
          thread,
        );
      }
      case "recall":
        return this.wish({ type: "message.recall", thread, seq: act.seq });
      case "retry":
        return this.retry(act.id);
      case "card":
        return this.send(act.card);
      case "refuse":
        return void this.refuse(act.refused);
      case "ask":
        return this.send({ kind: "text", text: act.text });
    }
  }

  /** No more pushes of this shop, or pushes again. */
  async refuse(refused: boolean): Promise<void> {
    try {
      await setConsent(this.identity.current ?? "", !refused);
      this.refused.value = refused;
      remember(this.refusedKey, refused ? "1" : "");
    } catch (trouble) {
      tellHost({ did: "error", code: (trouble as ApiError).code ?? "page.trouble" });
    }
  }

  private retry(id: string): void {
    const unsent = this.threads.unsent.value.find((one) => one.id === id);
    if (!unsent) return;
    unsent.fate = "sending";
    const file = this.files.get(id);
    if (file) void want().then((parts) => parts.putUp(this, unsent, file));
    else this.speak(unsent);
  }

  /** Check, show a preview, send up, then say it. Gives what is wrong with the file, or null. `voiceMs`: of a voice. */
  async sendFile(file: File, voiceMs = 0): Promise<unknown> {
    try {
      await (await want()).sendFile(this, file, voiceMs);
      return null;
    } catch (trouble) {
      return trouble;
    }
  }

  /** A product or order that the embedding page hands in; what does not fit is left out. */
  async sendCard(kind: "product" | "order", given: Record<string, unknown>): Promise<void> {
    const card = (await want()).cardOf(kind, given);
    if (card) this.send(card);
  }
}
