// Made from wangxin/protocol by `python -m wangxin.protocol.typescript`. Never edited by hand.

/** A step of an after-sale case; `note` is what the shop says with it. */
export interface AfterSaleBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "aftersale";
  case: string;
  order: string;
  wants?: string;
  reason?: string;
  state: "open" | "approved" | "refused" | "received" | "done" | "withdrawn";
  note?: string;
}

export interface ArticleBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "article";
  title: string;
  text?: string;
  picture?: string;
  url: string;
}

/** A text the bot wrote; `faq` names the entry it comes from. Followed by choices, where there are any. */
export interface BotAnswerBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "bot_answer";
  text: string;
  faq?: string;
  choices?: Choice[];
}

export interface CardsBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "cards";
  title?: string;
  products: ProductCard[];
}

export interface Choice {
  id: string;
  label: string;
  hint?: string;
}

/** Buttons under a text. A tap answers with `choice.submit`. `human` among the ids asks for a person. */
export interface ChoicesBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "choices";
  text: string;
  choices: Choice[];
}

export interface CouponBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "coupon";
  coupon: string;
  title: string;
  value_fen: number;
  least_fen?: number;
  expires_ms?: number | null;
  claimed?: boolean;
  /** the shopper claims it by a tap */
  tap?: boolean;
}

/** A state event. `event` names it; the other fields are set where they mean something. */
export interface EventBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "event";
  event: "conversation.opened" | "handoff.requested" | "conversation.assigned" | "conversation.transferred" | "conversation.reclaimed" | "conversation.parked" | "conversation.resumed" | "conversation.wrapped_up" | "conversation.closed" | "conversation.message_box" | "queue.left" | "queue.callback" | "queue.stayed" | "reply.late" | "message.recalled" | "supervisor.joined" | "supervisor.left" | "benefit.granted" | "benefit.withdrawn";
  conversation?: string | null;
  agent_name?: string;
  /** the line that was recalled */
  seq?: number | null;
  text?: string;
  topic?: string;
  reason?: string;
  /** how long the shopper has waited */
  wait_ms?: number | null;
}

export interface FileBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "file";
  media: string;
  name: string;
  bytes: number;
}

export interface FormBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "form";
  form: string;
  title: string;
  fields: FormField[];
  submit?: string;
}

/** What a shopper filled in; made by the server from `form.submit`. `labels`: what the form calls each field. `hidden`: the reader's contract hides the values, which are masked. */
export interface FormAnswerBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "form_answer";
  form: string;
  title?: string;
  values: Record<string, string>;
  labels?: Record<string, string>;
  hidden?: boolean;
}

export interface FormField {
  id: string;
  label: string;
  type?: "text" | "long_text" | "number" | "phone" | "date" | "select" | "image" | "video";
  required?: boolean;
  options?: string[];
}

export interface ImageBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "image";
  /** id of an upload; links are made when it is shown and expire */
  media: string;
  /** what it shows, for who cannot see it */
  alt?: string;
  width?: number;
  height?: number;
}

export interface LocationBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "location";
  latitude: number;
  longitude: number;
  name?: string;
}

export interface LogisticsBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "logistics";
  order: string;
  carrier?: string;
  parcel?: string;
  steps?: LogisticsStep[];
}

export interface LogisticsStep {
  at_ms: number;
  text: string;
}

/** A line only agents see. */
export interface NoteBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "note";
  text: string;
}

export interface OrderBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "order";
  order: string;
  state: "unpaid" | "paid" | "shipped" | "signed" | "refunding" | "refunded" | "cancelled";
  amount_fen: number;
  lines?: OrderLine[];
}

export interface OrderLine {
  product?: string;
  title: string;
  sku?: string;
  count?: number;
  price_fen?: number;
  picture?: string;
}

export interface PayReminderBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "pay_reminder";
  order: string;
  amount_fen: number;
  text?: string;
}

export interface ProductBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "product";
  product: string;
  title: string;
  price_fen: number;
  picture?: string;
  url?: string;
}

export interface ProductCard {
  product: string;
  title: string;
  price_fen: number;
  picture?: string;
}

/** A shopper's rating; made by the server from `rating.submit`. */
export interface RatingBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "rating";
  conversation: string;
  stars: number;
  reasons?: string[];
  text?: string;
}

export interface RatingInviteBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "rating_invite";
  conversation: string;
}

export interface RefundBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "refund";
  order: string;
  amount_fen: number;
  state?: string;
}

/** Why a conversation went where it went; internal lane only. */
export interface RoutingBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "routing";
  decision: string;
  reason?: string;
  agent?: string | null;
  pool?: string | null;
  wait_ms?: number | null;
  note?: string;
}

export interface StickerBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "sticker";
  sticker: string;
}

/** Questions the shopper may have meant; a tap answers with `choice.submit`. */
export interface SuggestionsBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "suggestions";
  text: string;
  choices: Choice[];
}

export interface TextBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "text";
  text: string;
  /** set by the hub: an agent sent the bot's suggestion unchanged; shoppers never see it */
  assisted?: true | null;
}

export interface VideoBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "video";
  media: string;
  duration_ms?: number;
  width?: number;
  height?: number;
}

export interface VoiceBody {
  /** seq of the public line that is quoted */
  quote?: number | null;
  kind: "voice";
  media: string;
  duration_ms?: number;
}

export interface AgentStateSetFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "agent.state";
  state: "ready" | "busy" | "hold" | "break" | "training" | "draining" | "offline";
}

/** Self-service while waiting: the assistant answers the public line `seq` of one's own; the place is kept. */
export interface BotAskFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "bot.ask";
  thread: string;
  seq: number;
}

/** A tap on a choice of the public line `seq`. */
export interface ChoiceSubmitFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "choice.submit";
  thread: string;
  seq: number;
  choice: string;
  client_msg_id: string;
}

/** Take a waiting conversation, or one out of the message box. */
export interface ClaimFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "claim";
  thread: string;
}

export interface ConversationCloseFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "conversation.close";
  thread: string;
  epoch: number;
  reason?: string;
}

export interface FormSubmitFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "form.submit";
  thread: string;
  seq: number;
  values: Record<string, string>;
  client_msg_id: string;
}

/** The first frame. `resume` names the last seq held of each thread and lane. */
export interface HelloFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "hello";
  token: string;
  /** with a member's token: the visitor token this device held before; the two are merged */
  guest_token?: string;
  resume?: ResumePoint[];
  device?: string;
  locale?: string;
}

/** A page of a lane: the entries after `after` (ascending), or the newest before `before`, or the newest. */
export interface HistoryFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "history";
  thread: string;
  lane?: "public" | "internal";
  after?: number | null;
  before?: number | null;
  limit?: number;
}

export interface HumanRequestFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "human.request";
  thread: string;
  topic?: string;
}

export interface MenuTapFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "menu.tap";
  thread: string;
  menu_version: number;
  item: string;
  client_msg_id: string;
}

export interface MessageRecallFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "message.recall";
  thread: string;
  seq: number;
}

/** Sent again under the same `client_msg_id` until an `ack` comes: it is stored once. Agents name the epoch. */
export interface MessageSendFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "message.send";
  thread: string;
  client_msg_id: string;
  body: AnyBody;
  epoch?: number | null;
  /** an agent sent a suggestion of the bot unchanged */
  assisted?: boolean;
  /** of an agent's text: characters he typed himself, pasted and canned text left out */
  typed_chars?: number | null;
  /** how long typing them took */
  typed_ms?: number | null;
}

/** A supervisor attaches a thread: to read along, to whisper to the agent (internal lane), or to speak (barge). */
export interface MonitorJoinFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "monitor.join";
  thread: string;
  mode?: "watch" | "whisper" | "barge";
}

export interface MonitorLeaveFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "monitor.leave";
  thread: string;
}

export interface MonitorTakeoverFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "monitor.takeover";
  thread: string;
}

export interface NoteAddFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "note.add";
  thread: string;
  client_msg_id: string;
  text: string;
}

export interface OfferAcceptFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "offer.accept";
  conversation: string;
  epoch: number;
}

export interface OfferRejectFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "offer.reject";
  conversation: string;
  epoch: number;
  reason?: string;
}

export interface PingFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "ping";
}

/** Wait without staying: the place in line is kept, the window may be closed, and the conversation goes on in the chat when an agent is free. `on` false: stay after all. */
export interface QueueCallbackFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "queue.callback";
  thread: string;
  on?: boolean;
}

/** Cancel waiting; with `leave_message` the conversation goes to the message box instead of back to the bot. */
export interface QueueLeaveFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "queue.leave";
  thread: string;
  leave_message?: boolean;
}

export interface RatingSubmitFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "rating.submit";
  thread: string;
  conversation: string;
  stars: number;
  reasons?: string[];
  text?: string;
  client_msg_id: string;
}

export interface ReceiptDeliveredFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "receipt.delivered";
  thread: string;
  up_to_seq: number;
}

export interface ReceiptReadFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "receipt.read";
  thread: string;
  up_to_seq: number;
}

export interface ResumePoint {
  thread: string;
  lane?: "public" | "internal";
  after: number;
}

export interface TransferAcceptFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "transfer.accept";
  conversation: string;
}

export interface TransferRejectFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "transfer.reject";
  conversation: string;
  reason?: string;
}

export interface TransferRequestFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "transfer.request";
  thread: string;
  epoch: number;
  to_agent?: string | null;
  to_pool?: string | null;
  note?: string;
}

export interface TypingFrame {
  /** the sender's own mark; it comes back in ok or error */
  ref?: string;
  type: "typing";
  thread: string;
  on?: boolean;
}

/** Committed. `seq` is the line's number in its lane. */
export interface AckAnswer {
  type: "ack";
  thread: string;
  client_msg_id: string;
  lane: "public" | "internal";
  seq: number;
  at_ms: number;
}

/** One numbered line as this viewer may see it. A recalled line keeps its number and shows no body of its own. */
export interface EntryView {
  thread: string;
  lane: "public" | "internal";
  seq: number;
  at_ms: number;
  sender: Sender;
  client_msg_id?: string | null;
  conversation?: string | null;
  /** null: recalled */
  body?: AnyBody | null;
}

/** `code` is `noun.reason` and stable; `retry` is `never`, `reauth` or milliseconds to wait. */
export interface ErrorAnswer {
  type: "error";
  code: string;
  retry: "never" | "reauth" | number;
  detail: string;
  ref: string;
  client_msg_id?: string | null;
  /** with message.reused: where the first words are */
  seq?: number | null;
}

export interface Heartbeat {
  every_ms: number;
  timeout_ms: number;
}

export interface HistoryPageAnswer {
  type: "history.page";
  ref: string;
  thread: string;
  lane: "public" | "internal";
  entries: EntryView[];
  more: boolean;
}

/** Everything missed was sent; what comes now is new. */
export interface LiveAnswer {
  type: "live";
}

export interface MenuUpdatedAnswer {
  type: "menu.updated";
  shop: string;
  version: number;
}

export interface MessageNewAnswer {
  type: "message.new";
  entry: EntryView;
}

/** The line `seq` shows nothing any more (its event line comes as message.new). */
export interface MessageRecalledAnswer {
  type: "message.recalled";
  thread: string;
  seq: number;
}

export interface OfferAnswer {
  type: "offer";
  conversation: string;
  thread: string;
  epoch: number;
  shop_name: string;
  shopper_name: string;
  topic: string;
  expires_ms: number;
  transfer_from: string;
  note: string;
}

export interface OfferRevokedAnswer {
  type: "offer.revoked";
  conversation: string;
  reason: string;
}

export interface OkAnswer {
  type: "ok";
  ref: string;
}

export interface PongAnswer {
  type: "pong";
  ref: string;
  server_ms: number;
}

/** Whether the other side of a thread is there: yes, no, or nobody knows just now. */
export interface PresenceAnswer {
  type: "presence";
  thread: string;
  who: "shopper" | "agent";
  state: "here" | "away" | "unknown";
}

/** `position` 1 is next. Waits are the expected median and the 90th percentile; null: not known. */
export interface QueuePositionAnswer {
  type: "queue.position";
  thread: string;
  position: number;
  wait_ms?: number | null;
  wait_p90_ms?: number | null;
  /** he is called back in the chat: the window may be closed */
  callback: boolean;
  /** the bot answers meanwhile; his place is kept */
  helped: boolean;
}

/** How far the other side has received and read the public lane. */
export interface ReceiptAnswer {
  type: "receipt";
  thread: string;
  by: "shopper" | "agent";
  delivered_seq: number;
  read_seq: number;
}

/** Your seat, after a change by you or by the dispatcher. */
export interface SeatNowAnswer {
  type: "seat";
  state: string;
  reason: string;
  load: number;
  seats_max: number;
  since_ms: number;
}

/** `id` is shown to agents only; `name` is the persona a shopper may know. */
export interface Sender {
  kind: "shopper" | "agent" | "bot" | "system" | "push";
  name: string;
  id?: string | null;
  /** written by the very person who reads this */
  me: boolean;
}

/** A shopper as an agent may see him; what the contract hides is absent. */
export interface ShopperView {
  name: string;
  level: string;
  external_id?: string | null;
  guest: boolean;
}

export interface SlaBreachAnswer {
  type: "sla.breach";
  thread: string;
  waited_ms: number;
  limit_ms: number;
}

/** A shopper waits for an answer and a tier of the shop's slow-response guard was reached: to the agent who has him (`colour`, `notice`), or to the shop's supervisors. `tier` 1 is the first. */
export interface SlaTierAnswer {
  type: "sla.tier";
  thread: string;
  to: "agent" | "supervisor";
  tier: number;
  waited_ms: number;
  acts: ("colour" | "notice" | "supervisor" | "reoffer" | "overflow" | "note")[];
  shopper_name: string;
  agent_name: string;
}

export interface SlaWarnAnswer {
  type: "sla.warn";
  thread: string;
  waited_ms: number;
  limit_ms: number;
}

/** Too far behind to replay: the newest page of the lane; older lines by `history`. Forget what you hold of it. */
export interface SnapshotAnswer {
  type: "snapshot";
  thread: string;
  lane: "public" | "internal";
  entries: EntryView[];
}

/** A thread is no longer yours to see. */
export interface ThreadGoneAnswer {
  type: "thread.gone";
  thread: string;
  reason: string;
}

/** A thread is now (or still) attached to you, and stands like this. */
export interface ThreadUpdateAnswer {
  type: "thread.update";
  view: ThreadView;
}

/** Where a thread stands, for this viewer. */
export interface ThreadView {
  thread: string;
  shop: string;
  shop_name: string;
  shop_slug: string;
  accent: string;
  shopper: ShopperView;
  state: "closed" | "bot" | "waiting" | "assigned" | "parked" | "wrap_up" | "message_box";
  conversation?: string | null;
  topic: string;
  agent_name: string;
  /** assigned to the agent who reads this */
  mine: boolean;
  epoch: number;
  public_seq: number;
  internal_seq: number;
  last_at_ms: number;
  last_line: string;
  awaiting_since_ms?: number | null;
  my_read_seq: number;
  their_read_seq: number;
  their_delivered_seq: number;
  opened_at_ms?: number | null;
}

export interface TypingNowAnswer {
  type: "typing";
  thread: string;
  by: "shopper" | "agent" | "bot";
  name: string;
  on: boolean;
}

export interface WelcomeAnswer {
  type: "welcome";
  you: You;
  node: string;
  server_ms: number;
  limits: WireLimits;
  heartbeat: Heartbeat;
  threads: ThreadView[];
  /** an agent's state, as the dispatcher knows it */
  seat?: string | null;
}

export interface WireLimits {
  frame_bytes: number;
  text_chars: number;
  frames_per_s: number;
  threads: number;
  recall_ms: number;
  image_bytes: number;
  video_bytes: number;
  video_ms: number;
}

export interface You {
  role: "shopper" | "agent" | "merchant" | "provider";
  id: string;
  name: string;
  guest: boolean;
}

export type AnyBody =
  | TextBody
  | ImageBody
  | VideoBody
  | VoiceBody
  | FileBody
  | LocationBody
  | ProductBody
  | OrderBody
  | LogisticsBody
  | RefundBody
  | AfterSaleBody
  | PayReminderBody
  | CouponBody
  | ChoicesBody
  | FormBody
  | FormAnswerBody
  | ArticleBody
  | SuggestionsBody
  | CardsBody
  | RatingInviteBody
  | RatingBody
  | StickerBody
  | BotAnswerBody
  | EventBody
  | NoteBody
  | RoutingBody;

export type AnyFrame =
  | HelloFrame
  | MessageSendFrame
  | MessageRecallFrame
  | ReceiptDeliveredFrame
  | ReceiptReadFrame
  | TypingFrame
  | MenuTapFrame
  | ChoiceSubmitFrame
  | FormSubmitFrame
  | RatingSubmitFrame
  | HumanRequestFrame
  | QueueLeaveFrame
  | QueueCallbackFrame
  | BotAskFrame
  | HistoryFrame
  | PingFrame
  | AgentStateSetFrame
  | OfferAcceptFrame
  | OfferRejectFrame
  | ClaimFrame
  | TransferRequestFrame
  | TransferAcceptFrame
  | TransferRejectFrame
  | NoteAddFrame
  | ConversationCloseFrame
  | MonitorJoinFrame
  | MonitorLeaveFrame
  | MonitorTakeoverFrame;

export type AnyAnswer =
  | WelcomeAnswer
  | LiveAnswer
  | AckAnswer
  | OkAnswer
  | ErrorAnswer
  | MessageNewAnswer
  | MessageRecalledAnswer
  | ReceiptAnswer
  | TypingNowAnswer
  | QueuePositionAnswer
  | ThreadUpdateAnswer
  | ThreadGoneAnswer
  | OfferAnswer
  | OfferRevokedAnswer
  | SlaWarnAnswer
  | SlaBreachAnswer
  | SlaTierAnswer
  | MenuUpdatedAnswer
  | PresenceAnswer
  | SeatNowAnswer
  | SnapshotAnswer
  | HistoryPageAnswer
  | PongAnswer;

export const CLOSE = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED: 1003,
  BAD_UTF8: 1007,
  TOO_MANY_BAD_FRAMES: 1008,
  TOO_BIG: 1009,
  DRAINING: 4000,
  SILENT: 4001,
  TOO_SLOW: 4002,
  STORE_AWAY: 4003,
  OTHER_DEVICES: 4005,
  RIGHTS_CHANGED: 4006,
  TOKEN_EXPIRED: 4401,
  TOKEN_WRONG: 4403,
  HELLO_MISSING: 4408,
  REVOKED: 4500,
  HELLO_TWICE: 4502,
} as const;
