// The shopper's side of one thread: what is shown, and which frame follows what the shopper does.
import { computed, reactive, ref, shallowRef } from "vue";
import type { ApiError } from "@/shared/api";
import { locale, tMaybe } from "@/shared/i18n";
import { inspect, upload } from "@/shared/media";
import type { Act } from "@/shared/message/acts";
import type { AnyBody, EntryView, OrderBody, ProductBody, QueuePositionAnswer, ThreadView, WireLimits } from "@/shared/protocol";
import { Line, newId, type LineState, type Saying } from "@/shared/socket";
import { Lane, type Unsent } from "@/shared/thread";
import { tellHost } from "./host";
import { Identity } from "./identity";
import { fetchMenu, fetchShop, type Menu, type MenuItem, type ShopInfo } from "./server";

const DEFAULT_LIMITS = { text_chars: 4_000, image_bytes: 10 << 20, video_bytes: 50 << 20, video_ms: 60_000, recall_ms: 120_000 };
const TYPING_EVERY_MS = 3_000;
const TYPING_SHOWN_MS = 6_000;

export class Chat {
  readonly lane = reactive(new Lane()) as Lane;
  readonly state = ref<LineState>("connecting");
  readonly shop = shallowRef<ShopInfo | null>(null);
  readonly menu = shallowRef<Menu | null>(null);
  readonly view = shallowRef<ThreadView | null>(null);
  readonly queue = shallowRef<QueuePositionAnswer | null>(null);
  readonly typing = ref("");
  readonly loading = ref(false);
  readonly trouble = shallowRef<unknown>(null);
  readonly guest = ref(true);
  readonly theirRead = ref(0);
  readonly theirDelivered = ref(0);
  readonly myRead = ref(0);
  /** whether the shopper is looking: an iframe that is closed is not */
  readonly looking = ref(true);
  readonly unread = computed(
    () => this.lane.entries.filter((one) => one.seq > this.myRead.value && one.sender.kind !== "shopper" && isSaid(one)).length,
  );
  private line: Line | null = null;
  private saidTyping = 0;
  private typingTimer = 0;
  private files = new Map<string, File>();
  private started = 0;

  constructor(
    private slug: string,
    readonly identity: Identity,
  ) {
    document.addEventListener("visibilitychange", () => this.seen());
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
      this.menu.value = await fetchMenu(shop, token);
    } catch (trouble) {
      if (run !== this.started) return;
      // Without a menu there is still a chat; without shop or token there is none.
      if (!this.line) this.trouble.value = trouble;
      tellHost({ did: "error", code: (trouble as ApiError).code ?? "page.trouble" });
    }
  }

  /** Be somebody else: another member, or a guest again. */
  async become(member: string): Promise<void> {
    if (member === this.identity.member) return;
    this.identity.member = member;
    this.leave();
    await this.start();
  }

  leave(): void {
    this.line?.end();
    this.line = null;
    Object.assign(this.lane, new Lane());
    this.view.value = this.queue.value = null;
    this.theirRead.value = this.theirDelivered.value = this.myRead.value = 0;
    this.typing.value = "";
    this.state.value = "connecting";
  }

  private connect(run: number): void {
    this.line?.end();
    const line = new Line({
      token: (fresh) => this.identity.token(fresh),
      guest: () => (this.identity.member ? this.identity.guest : ""),
      resume: () => (this.thread && this.lane.lastSeq ? [{ thread: this.thread, lane: "public", after: this.lane.lastSeq }] : []),
      device: matchMedia("(pointer: coarse)").matches ? "phone" : "desktop",
      locale: locale.value,
    });
    this.line = line;
    line.on("state", () => {
      if (run === this.started) this.state.value = line.state;
    });
    line.on("welcome", (answer) => {
      this.guest.value = answer.you.guest ?? false;
      const view = answer.threads[0];
      if (view) this.stand(view);
      tellHost({ did: "user" });
    });
    line.on("live", () => void this.fill());
    line.on("thread.update", (answer) => this.stand(answer.view));
    line.on("message.new", (answer) => this.hear(answer.entry));
    line.on("message.recalled", (answer) => this.lane.recalled(answer.seq));
    line.on("snapshot", (answer) => this.lane.restart(answer));
    line.on("gap", () => void this.fill());
    line.on("ack", (answer) => {
      this.lane.acknowledged(answer, { name: "", kind: "shopper" });
      this.files.delete(answer.client_msg_id);
    });
    line.on("ok", (answer) => this.lane.taken(answer.ref));
    line.on("error", (answer) => {
      if (typeof answer.retry !== "number") this.lane.failed(answer.client_msg_id ?? answer.ref, answer.code);
    });
    line.on("receipt", (answer) => {
      if (answer.by === "shopper") return;
      this.theirRead.value = Math.max(this.theirRead.value, answer.read_seq);
      this.theirDelivered.value = Math.max(this.theirDelivered.value, answer.delivered_seq);
    });
    line.on("typing", (answer) => {
      clearTimeout(this.typingTimer);
      this.typing.value = answer.on && answer.by !== "shopper" ? answer.by : "";
      if (answer.on) this.typingTimer = window.setTimeout(() => (this.typing.value = ""), TYPING_SHOWN_MS);
    });
    line.on("queue.position", (answer) => (this.queue.value = answer));
    line.on("menu.updated", () => void this.refreshMenu());
  }

  private async refreshMenu(): Promise<void> {
    const shop = this.shop.value;
    if (shop) this.menu.value = await fetchMenu(shop, this.identity.current ?? "").catch(() => this.menu.value);
  }

  private stand(view: ThreadView): void {
    this.view.value = view;
    if (view.state !== "waiting") this.queue.value = null;
    this.theirRead.value = Math.max(this.theirRead.value, view.their_read_seq);
    this.theirDelivered.value = Math.max(this.theirDelivered.value, view.their_delivered_seq);
    this.myRead.value = Math.max(this.myRead.value, view.my_read_seq);
  }

  private hear(entry: EntryView): void {
    if (entry.lane !== "public") return;
    const before = this.lane.lastSeq;
    if (!this.lane.add(entry)) return void this.fill();
    if (this.lane.lastSeq === before) return;
    const mine = entry.sender.kind === "shopper";
    if (!mine) {
      if (entry.sender.kind === "agent" || entry.sender.kind === "bot") this.typing.value = "";
      this.line?.tell({ type: "receipt.delivered", thread: this.thread, up_to_seq: entry.seq });
    }
    this.seen();
    tellHost({ did: "message", kind: entry.body?.kind ?? "recalled", mine });
    this.tellUnread();
  }

  /** Tell the embedding page how much is unread, and the last line in words. */
  tellUnread(): void {
    const last = this.lane.entries.findLast((one) => one.sender.kind !== "shopper" && isSaid(one));
    tellHost({ did: "unread", count: this.unread.value, last: last?.body ? lineOf(last.body) : "" });
  }

  /** Fetch what the log holds and this page does not: the newest page at first, the lines after a gap later. */
  private async fill(): Promise<void> {
    if (!this.thread || !this.line) return;
    const last = this.lane.lastSeq;
    try {
      for (;;) {
        const after = this.lane.lastSeq;
        const page = await this.line.ask({
          type: "history", thread: this.thread, lane: "public", limit: last ? 200 : 30, ...(last ? { after } : {}),
        });
        if (page.type !== "history.page") break;
        this.lane.addPage(page);
        if (!last || !page.more || this.lane.lastSeq === after) break;
      }
      if (this.lane.lastSeq) this.line.tell({ type: "receipt.delivered", thread: this.thread, up_to_seq: this.lane.lastSeq });
      this.seen();
      this.tellUnread();
    } catch {
      // The line was lost meanwhile; the next welcome resumes.
    }
  }

  async older(): Promise<void> {
    if (this.loading.value || !this.lane.more || !this.line || !this.lane.firstSeq) return;
    this.loading.value = true;
    try {
      const page = await this.line.ask({ type: "history", thread: this.thread, lane: "public", before: this.lane.firstSeq, limit: 50 });
      if (page.type === "history.page") {
        this.lane.addPage(page);
        this.lane.more = page.more;
      }
    } catch {
      // asked again at the next scroll
    } finally {
      this.loading.value = false;
    }
  }

  /** The shopper has the end of the log before his eyes. */
  seen(): void {
    if (!this.looking.value || document.visibilityState !== "visible" || !this.lane.lastSeq) return;
    if (this.lane.lastSeq <= this.myRead.value) return;
    this.myRead.value = this.lane.lastSeq;
    this.line?.tell({ type: "receipt.read", thread: this.thread, up_to_seq: this.lane.lastSeq });
    this.tellUnread();
  }

  // --- what the shopper does -------------------------------------------------------------------------------------

  /** Show at once, and say until it is acknowledged. */
  private say(body: AnyBody, frame: (id: string) => Saying): void {
    const id = newId();
    this.lane.unsent.push({ id, atMs: this.now(), body, fate: "sending" });
    this.line?.say(frame(id));
  }

  send(body: AnyBody): void {
    this.say(body, (client_msg_id) => ({ type: "message.send", thread: this.thread, client_msg_id, body }));
    this.saidTyping = 0;
  }

  tapMenu(item: MenuItem): void {
    const menu_version = this.menu.value?.version ?? 0;
    this.say({ kind: "text", text: item.label }, (client_msg_id) => ({
      type: "menu.tap", thread: this.thread, menu_version, item: item.id, client_msg_id,
    }));
  }

  askHuman(): void {
    void this.line?.ask({ type: "human.request", thread: this.thread }).catch(() => undefined);
  }

  leaveQueue(leaveMessage: boolean): void {
    void this.line?.ask({ type: "queue.leave", thread: this.thread, leave_message: leaveMessage }).catch(() => undefined);
  }

  typed(): void {
    const now = Date.now();
    if (now - this.saidTyping < TYPING_EVERY_MS) return;
    this.saidTyping = now;
    this.line?.tell({ type: "typing", thread: this.thread, on: true });
  }

  act(act: Act): void {
    const thread = this.thread;
    switch (act.do) {
      case "choice":
        if (act.choice === "human") return this.askHuman();
        return this.say({ kind: "text", text: act.label }, (client_msg_id) => ({
          type: "choice.submit", thread, seq: act.seq, choice: act.choice, client_msg_id,
        }));
      case "form":
        return this.say({ kind: "form_answer", form: "form", ...act.shown }, (client_msg_id) => ({
          type: "form.submit", thread, seq: act.seq, values: act.values, client_msg_id,
        }));
      case "rate":
        return this.say(
          { kind: "rating", conversation: act.conversation, stars: act.stars, reasons: act.reasons, text: act.text },
          (client_msg_id) => ({
            type: "rating.submit", thread, conversation: act.conversation, stars: act.stars, reasons: act.reasons, text: act.text, client_msg_id,
          }),
        );
      case "recall":
        void this.line?.ask({ type: "message.recall", thread, seq: act.seq }).catch(() => undefined);
        return;
      case "retry":
        return this.retry(act.id);
      case "ask":
        return this.send({ kind: "text", text: act.text });
    }
  }

  private retry(id: string): void {
    const unsent = this.lane.unsent.find((one) => one.id === id);
    if (!unsent) return;
    unsent.fate = "sending";
    const file = this.files.get(id);
    if (file && unsent.body.kind !== "text") return void this.putUp(unsent, file);
    this.line?.say({ type: "message.send", thread: this.thread, client_msg_id: id, body: unsent.body });
  }

  /** Check, show a preview, send up, then say it. */
  async sendFile(file: File): Promise<unknown> {
    try {
      const seen = await inspect(file, this.limits);
      const place = { media: "00000000-0000-0000-0000-000000000000", width: seen.width, height: seen.height };
      const body: AnyBody = seen.kind === "image" ? { kind: "image", ...place } : { kind: "video", ...place, duration_ms: seen.durationMs };
      const id = newId();
      this.files.set(id, file);
      this.lane.unsent.push({ id, atMs: this.now(), body, fate: "sending", preview: URL.createObjectURL(file), progress: 0 });
      void this.putUp(this.lane.unsent.at(-1) as Unsent, file);
      return null;
    } catch (trouble) {
      return trouble;
    }
  }

  private async putUp(unsent: Unsent, file: File): Promise<void> {
    try {
      const up = await upload(file, this.identity.current, (share) => (unsent.progress = share));
      unsent.progress = 1;
      if (unsent.body.kind === "image" || unsent.body.kind === "video") unsent.body = { ...unsent.body, media: up.media };
      this.line?.say({ type: "message.send", thread: this.thread, client_msg_id: unsent.id, body: unsent.body });
    } catch (trouble) {
      this.lane.failed(unsent.id, (trouble as ApiError).code ?? "");
    }
  }

  /** A product or order that the embedding page hands in; what does not fit is left out. */
  sendCard(kind: "product" | "order", given: Record<string, unknown>): void {
    const text = (name: string) => (typeof given[name] === "string" ? (given[name] as string) : "");
    const fen = (name: string) => (Number.isInteger(given[name]) ? (given[name] as number) : 0);
    if (kind === "product") {
      const product: ProductBody = {
        kind: "product", product: text("id"), title: text("title"), price_fen: fen("price_fen"), picture: text("picture"), url: text("url"),
      };
      if (product.product && product.title) this.send(product);
    } else {
      const order: OrderBody = {
        kind: "order", order: text("id"), state: (text("state") || "paid") as OrderBody["state"], amount_fen: fen("amount_fen"), lines: [],
      };
      if (order.order) this.send(order);
    }
  }
}

/** Words or a card, not a state line. */
function isSaid(entry: EntryView): boolean {
  return !!entry.body && entry.body.kind !== "event" && entry.sender.kind !== "system";
}

/** One line of a body, for lists and the launcher. */
export function lineOf(body: AnyBody): string {
  if ("text" in body && typeof body.text === "string" && body.text && body.kind !== "rating") return body.text;
  if ("title" in body && typeof body.title === "string" && body.title) return body.title;
  return tMaybe(`common.kind.${body.kind}`, body.kind);
}
