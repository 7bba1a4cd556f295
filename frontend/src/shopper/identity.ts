// Who chats: a member (a token signed by the shop, handed in by its page) or a guest whose token stays on this device.
import { recall, remember } from "@/shared/i18n";
import { fetchVisitor } from "./server";

/** Asks the embedding page for a fresh member token; empty: it has none any more. */
export type AskMember = () => Promise<string>;

export class Identity {
  member = "";
  private key: string;

  constructor(
    private slug: string,
    private askMember: AskMember,
  ) {
    this.key = `wangxin.visitor.${slug}`;
  }

  get guest(): string {
    return recall(this.key) ?? this.kept;
  }
  private kept = "";

  async token(fresh: boolean): Promise<string> {
    if (this.member && fresh) this.member = await this.askMember();
    if (this.member) return this.member;
    if (this.guest && !fresh) return this.guest;
    this.kept = await fetchVisitor(this.slug);
    remember(this.key, this.kept);
    return this.kept;
  }

  /** What REST calls carry. */
  get current(): string | null {
    return this.member || this.guest || null;
  }

  /** The guest of this device has become a member. */
  forgetGuest(): void {
    this.kept = "";
    remember(this.key, "");
  }

  forget(): void {
    this.member = "";
    this.forgetGuest();
  }
}
