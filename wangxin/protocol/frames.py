"""Frames from people to the hub. ``type`` is ``noun.verb``; ``ref`` comes back in the answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from wangxin.model import limits
from wangxin.protocol.base import Closed, Id, Key, LongText, MaybeText, Ref, Seq, ShortText
from wangxin.protocol.bodies import AnyBody

Lane = Literal["public", "internal"]


class Frame(Closed):
    ref: Ref = Field(default="", description="the sender's own mark; it comes back in ok or error")


class ResumePoint(Closed):
    thread: Id
    lane: Lane = "public"
    after: Seq


class Hello(Frame):
    """The first frame. ``resume`` names the last seq held of each thread and lane."""

    type: Literal["hello"] = "hello"
    token: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
    guest_token: Annotated[str, StringConstraints(max_length=4_096)] = Field(
        default="", description="with a member's token: the visitor token this device held before; the two are merged"
    )
    resume: tuple[ResumePoint, ...] = Field(default=(), max_length=limits.THREADS_PER_CONNECTION_MAX * 2)
    device: MaybeText = ""
    locale: MaybeText = ""


class MessageSend(Frame):
    """Sent again under the same ``client_msg_id`` until an ``ack`` comes: it is stored once. Agents name the epoch."""

    type: Literal["message.send"] = "message.send"
    thread: Id
    client_msg_id: Id
    body: AnyBody
    epoch: int | None = Field(default=None, ge=0)
    assisted: bool = Field(default=False, description="an agent sent a suggestion of the bot unchanged")
    typed_chars: int | None = Field(
        default=None, ge=0, le=limits.TEXT_CHARS_MAX,
        description="of an agent's text: characters he typed himself, pasted and canned text left out",
    )  # fmt: skip
    typed_ms: int | None = Field(default=None, ge=0, le=3_600_000, description="how long typing them took")


class MessageRecall(Frame):
    type: Literal["message.recall"] = "message.recall"
    thread: Id
    seq: Seq


class ReceiptDelivered(Frame):
    type: Literal["receipt.delivered"] = "receipt.delivered"
    thread: Id
    up_to_seq: Seq


class ReceiptRead(Frame):
    type: Literal["receipt.read"] = "receipt.read"
    thread: Id
    up_to_seq: Seq


class Typing(Frame):
    type: Literal["typing"] = "typing"
    thread: Id
    on: bool = True


class MenuTap(Frame):
    type: Literal["menu.tap"] = "menu.tap"
    thread: Id
    menu_version: int = Field(ge=0)
    item: Key
    client_msg_id: Id


class ChoiceSubmit(Frame):
    """A tap on a choice of the public line ``seq``."""

    type: Literal["choice.submit"] = "choice.submit"
    thread: Id
    seq: Seq
    choice: Key
    client_msg_id: Id


class FormSubmit(Frame):
    type: Literal["form.submit"] = "form.submit"
    thread: Id
    seq: Seq
    values: dict[Key, LongText] = Field(max_length=limits.FORM_FIELDS_MAX)
    client_msg_id: Id


class RatingSubmit(Frame):
    type: Literal["rating.submit"] = "rating.submit"
    thread: Id
    conversation: Id
    stars: int = Field(ge=1, le=5)
    reasons: tuple[ShortText, ...] = Field(default=(), max_length=3)
    text: MaybeText = ""
    client_msg_id: Id


class HumanRequest(Frame):
    type: Literal["human.request"] = "human.request"
    thread: Id
    topic: MaybeText = ""


class QueueLeave(Frame):
    """Cancel waiting; with ``leave_message`` the conversation goes to the message box instead of back to the bot."""

    type: Literal["queue.leave"] = "queue.leave"
    thread: Id
    leave_message: bool = False


class QueueCallback(Frame):
    """Wait without staying: the place in line is kept, the window may be closed, and the conversation goes on in the
    chat when an agent is free. ``on`` false: stay after all."""

    type: Literal["queue.callback"] = "queue.callback"
    thread: Id
    on: bool = True


class BotAsk(Frame):
    """Self-service while waiting: the assistant answers the public line ``seq`` of one's own; the place is kept."""

    type: Literal["bot.ask"] = "bot.ask"
    thread: Id
    seq: Seq


class History(Frame):
    """A page of a lane: the entries after ``after`` (ascending), or the newest before ``before``, or the newest."""

    type: Literal["history"] = "history"
    thread: Id
    lane: Lane = "public"
    after: Seq | None = None
    before: Seq | None = None
    limit: int = Field(default=50, ge=1, le=limits.HISTORY_PAGE_MAX)


class Ping(Frame):
    type: Literal["ping"] = "ping"


# --- agents only ------------------------------------------------------------------------------------------------


class AgentStateSet(Frame):
    type: Literal["agent.state"] = "agent.state"
    state: Literal["ready", "busy", "hold", "break", "training", "draining", "offline"]


class OfferAccept(Frame):
    type: Literal["offer.accept"] = "offer.accept"
    conversation: Id
    epoch: int = Field(ge=0)


class OfferReject(Frame):
    type: Literal["offer.reject"] = "offer.reject"
    conversation: Id
    epoch: int = Field(ge=0)
    reason: MaybeText = ""


class Claim(Frame):
    """Take a waiting conversation, or one out of the message box."""

    type: Literal["claim"] = "claim"
    thread: Id


class TransferRequest(Frame):
    type: Literal["transfer.request"] = "transfer.request"
    thread: Id
    epoch: int = Field(ge=0)
    to_agent: Id | None = None
    to_pool: Id | None = None
    note: MaybeText = ""


class TransferAccept(Frame):
    type: Literal["transfer.accept"] = "transfer.accept"
    conversation: Id


class TransferReject(Frame):
    type: Literal["transfer.reject"] = "transfer.reject"
    conversation: Id
    reason: MaybeText = ""


class NoteAdd(Frame):
    type: Literal["note.add"] = "note.add"
    thread: Id
    client_msg_id: Id
    text: LongText


class ConversationClose(Frame):
    type: Literal["conversation.close"] = "conversation.close"
    thread: Id
    epoch: int = Field(ge=0)
    reason: MaybeText = ""


class MonitorJoin(Frame):
    """A supervisor attaches a thread: to read along, to whisper to the agent (internal lane), or to speak (barge)."""

    type: Literal["monitor.join"] = "monitor.join"
    thread: Id
    mode: Literal["watch", "whisper", "barge"] = "watch"


class MonitorLeave(Frame):
    type: Literal["monitor.leave"] = "monitor.leave"
    thread: Id


class MonitorTakeover(Frame):
    type: Literal["monitor.takeover"] = "monitor.takeover"
    thread: Id


AnyFrame = Annotated[
    Hello
    | MessageSend
    | MessageRecall
    | ReceiptDelivered
    | ReceiptRead
    | Typing
    | MenuTap
    | ChoiceSubmit
    | FormSubmit
    | RatingSubmit
    | HumanRequest
    | QueueLeave
    | QueueCallback
    | BotAsk
    | History
    | Ping
    | AgentStateSet
    | OfferAccept
    | OfferReject
    | Claim
    | TransferRequest
    | TransferAccept
    | TransferReject
    | NoteAdd
    | ConversationClose
    | MonitorJoin
    | MonitorLeave
    | MonitorTakeover,
    Field(discriminator="type"),
]

FRAME: TypeAdapter[AnyFrame] = TypeAdapter(AnyFrame, config=ConfigDict(cache_strings="keys"))
"""Words and ids that people write hardly come twice: a cache of them costs time, and grows for an hour."""

SHOPPER_FRAMES: tuple[type[Frame], ...] = (
    MessageSend, MessageRecall, ReceiptDelivered, ReceiptRead, Typing, MenuTap, ChoiceSubmit, FormSubmit, RatingSubmit,
    HumanRequest, QueueLeave, QueueCallback, BotAsk, History, Ping,
)  # fmt: skip
AGENT_FRAMES: tuple[type[Frame], ...] = (
    MessageSend, MessageRecall, ReceiptDelivered, ReceiptRead, Typing, History, Ping, AgentStateSet, OfferAccept,
    OfferReject, Claim, TransferRequest, TransferAccept, TransferReject, NoteAdd, ConversationClose, MonitorJoin,
    MonitorLeave, MonitorTakeover,
)  # fmt: skip
MERCHANT_FRAMES: tuple[type[Frame], ...] = (
    MessageSend, Typing, History, Ping, NoteAdd, MonitorJoin, MonitorLeave, MonitorTakeover,
)  # fmt: skip
