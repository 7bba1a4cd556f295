"""Frames from the hub to people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from wangxin.protocol.base import Closed, Id, Ms, Seq
from wangxin.protocol.bodies import AnyBody

Lane = Literal["public", "internal"]
ThreadState = Literal["closed", "bot", "waiting", "assigned", "parked", "wrap_up", "message_box"]


class Answer(Closed):
    pass


class Sender(Closed):
    """``id`` is shown to agents only; ``name`` is the persona a shopper may know."""

    kind: Literal["shopper", "agent", "bot", "system", "push"]
    name: str = ""
    id: Id | None = None
    me: bool = Field(default=False, description="written by the very person who reads this")


class EntryView(Closed):
    """One numbered line as this viewer may see it. A recalled line keeps its number and shows no body of its own."""

    thread: Id
    lane: Lane
    seq: Seq
    at_ms: Ms
    sender: Sender
    client_msg_id: Id | None = None
    conversation: Id | None = None
    body: AnyBody | None = Field(description="null: recalled")


class ShopperView(Closed):
    """A shopper as an agent may see him; what the contract hides is absent."""

    name: str
    level: str = ""
    external_id: str | None = None
    guest: bool = False


class ThreadView(Closed):
    """Where a thread stands, for this viewer."""

    thread: Id
    shop: Id
    shop_name: str
    shop_slug: str = ""
    accent: str = ""
    shopper: ShopperView
    state: ThreadState
    conversation: Id | None = None
    topic: str = ""
    agent_name: str = ""
    mine: bool = Field(default=False, description="assigned to the agent who reads this")
    epoch: int = 0
    public_seq: Seq = 0
    internal_seq: Seq = 0
    last_at_ms: Ms = 0
    last_line: str = ""
    awaiting_since_ms: Ms | None = None
    my_read_seq: Seq = 0
    their_read_seq: Seq = 0
    their_delivered_seq: Seq = 0
    opened_at_ms: Ms | None = None


class You(Closed):
    role: Literal["shopper", "agent", "merchant", "provider"]
    id: Id
    name: str
    guest: bool = False


class Heartbeat(Closed):
    every_ms: int
    timeout_ms: int


class WireLimits(Closed):
    frame_bytes: int
    text_chars: int
    frames_per_s: int
    threads: int
    recall_ms: int
    image_bytes: int
    video_bytes: int
    video_ms: int


class Welcome(Answer):
    type: Literal["welcome"] = "welcome"
    you: You
    node: str
    server_ms: Ms
    limits: WireLimits
    heartbeat: Heartbeat
    threads: tuple[ThreadView, ...]
    seat: str | None = Field(default=None, description="an agent's state, as the dispatcher knows it")


class Live(Answer):
    """Everything missed was sent; what comes now is new."""

    type: Literal["live"] = "live"


class Ack(Answer):
    """Committed. ``seq`` is the line's number in its lane."""

    type: Literal["ack"] = "ack"
    thread: Id
    client_msg_id: Id
    lane: Lane = "public"
    seq: Seq
    at_ms: Ms


class Ok(Answer):
    type: Literal["ok"] = "ok"
    ref: str


class Error(Answer):
    """``code`` is ``noun.reason`` and stable; ``retry`` is ``never``, ``reauth`` or milliseconds to wait."""

    type: Literal["error"] = "error"
    code: str
    retry: Literal["never", "reauth"] | int = "never"
    detail: str = ""
    ref: str = ""
    client_msg_id: Id | None = None
    seq: Seq | None = Field(default=None, description="with message.reused: where the first words are")


class MessageNew(Answer):
    type: Literal["message.new"] = "message.new"
    entry: EntryView


class MessageRecalled(Answer):
    """The line ``seq`` shows nothing any more (its event line comes as message.new)."""

    type: Literal["message.recalled"] = "message.recalled"
    thread: Id
    seq: Seq


class Receipt(Answer):
    """How far the other side has received and read the public lane."""

    type: Literal["receipt"] = "receipt"
    thread: Id
    by: Literal["shopper", "agent"]
    delivered_seq: Seq
    read_seq: Seq


class TypingNow(Answer):
    type: Literal["typing"] = "typing"
    thread: Id
    by: Literal["shopper", "agent", "bot"]
    name: str = ""
    on: bool


class QueuePosition(Answer):
    """``position`` 1 is next. Waits are the expected median and the 90th percentile; null: not known."""

    type: Literal["queue.position"] = "queue.position"
    thread: Id
    position: int = Field(ge=0)
    wait_ms: Ms | None = None
    wait_p90_ms: Ms | None = None
    callback: bool = Field(default=False, description="he is called back in the chat: the window may be closed")
    helped: bool = Field(default=False, description="the bot answers meanwhile; his place is kept")


class ThreadUpdate(Answer):
    """A thread is now (or still) attached to you, and stands like this."""

    type: Literal["thread.update"] = "thread.update"
    view: ThreadView


class ThreadGone(Answer):
    """A thread is no longer yours to see."""

    type: Literal["thread.gone"] = "thread.gone"
    thread: Id
    reason: str = ""


class Offer(Answer):
    type: Literal["offer"] = "offer"
    conversation: Id
    thread: Id
    epoch: int
    shop_name: str
    shopper_name: str
    topic: str = ""
    expires_ms: Ms
    transfer_from: str = ""
    note: str = ""


class OfferRevoked(Answer):
    type: Literal["offer.revoked"] = "offer.revoked"
    conversation: Id
    reason: str = ""


class SlaWarn(Answer):
    type: Literal["sla.warn"] = "sla.warn"
    thread: Id
    waited_ms: Ms
    limit_ms: Ms


class SlaBreach(Answer):
    type: Literal["sla.breach"] = "sla.breach"
    thread: Id
    waited_ms: Ms
    limit_ms: Ms


class SlaTier(Answer):
    """A shopper waits for an answer and a tier of the shop's slow-response guard was reached: to the agent who has him
    (``colour``, ``notice``), or to the shop's supervisors. ``tier`` 1 is the first."""

    type: Literal["sla.tier"] = "sla.tier"
    thread: Id
    to: Literal["agent", "supervisor"]
    tier: int = Field(ge=1)
    waited_ms: Ms
    acts: tuple[Literal["colour", "notice", "supervisor", "reoffer", "overflow", "note"], ...]
    shopper_name: str = ""
    agent_name: str = ""


class MenuUpdated(Answer):
    type: Literal["menu.updated"] = "menu.updated"
    shop: Id
    version: int


class Presence(Answer):
    """Whether the other side of a thread is there: yes, no, or nobody knows just now."""

    type: Literal["presence"] = "presence"
    thread: Id
    who: Literal["shopper", "agent"]
    state: Literal["here", "away", "unknown"]


class SeatNow(Answer):
    """Your seat, after a change by you or by the dispatcher."""

    type: Literal["seat"] = "seat"
    state: str
    reason: str = ""
    load: int = 0
    seats_max: int = 0
    since_ms: Ms = 0


class Snapshot(Answer):
    """Too far behind to replay: the newest page of the lane; older lines by ``history``. Forget what you hold of it."""

    type: Literal["snapshot"] = "snapshot"
    thread: Id
    lane: Lane
    entries: tuple[EntryView, ...]


class HistoryPage(Answer):
    type: Literal["history.page"] = "history.page"
    ref: str
    thread: Id
    lane: Lane
    entries: tuple[EntryView, ...]
    more: bool


class Pong(Answer):
    type: Literal["pong"] = "pong"
    ref: str = ""
    server_ms: Ms


AnyAnswer = Annotated[
    Welcome
    | Live
    | Ack
    | Ok
    | Error
    | MessageNew
    | MessageRecalled
    | Receipt
    | TypingNow
    | QueuePosition
    | ThreadUpdate
    | ThreadGone
    | Offer
    | OfferRevoked
    | SlaWarn
    | SlaBreach
    | SlaTier
    | MenuUpdated
    | Presence
    | SeatNow
    | Snapshot
    | HistoryPage
    | Pong,
    Field(discriminator="type"),
]

ANSWER: TypeAdapter[AnyAnswer] = TypeAdapter(AnyAnswer)
