"""What happened, in the past tense, and which process follows it up.

A fact is written into the outbox in the transaction that makes it true. ``FOLLOWS`` is the table of consequences
between processes; what a consumer does with a fact is listed in ``wangxin/app.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Consumer = Literal["bot", "dispatcher", "push", "metrics", "webhooks", "errands"]


class Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    shop: UUID


class ShopperSpoke(Fact):
    """A shopper wrote to the bot; ``waiting``: he asks it while he waits for a person."""

    fact: Literal["shopper_spoke"] = "shopper_spoke"
    thread: UUID
    conversation: UUID
    seq: int
    at_ms: int
    waiting: bool = False


class ShopperReturned(Fact):
    """A shopper wrote into a parked or wrapping-up conversation."""

    fact: Literal["shopper_returned"] = "shopper_returned"
    thread: UUID
    conversation: UUID
    seq: int
    at_ms: int


class HandoffRequested(Fact):
    """A conversation asks for a person; it is waiting since ``at_ms``."""

    fact: Literal["handoff_requested"] = "handoff_requested"
    thread: UUID
    conversation: UUID
    shopper: UUID
    topic: str = ""
    at_ms: int


class QueueLeft(Fact):
    """A waiting shopper cancelled, or chose to leave a message."""

    fact: Literal["queue_left"] = "queue_left"
    thread: UUID
    conversation: UUID
    leave_message: bool = False
    at_ms: int


class CallbackAsked(Fact):
    """A waiting shopper wants to be called back in the chat, or (not ``on``) stays after all."""

    fact: Literal["callback_asked"] = "callback_asked"
    thread: UUID
    conversation: UUID
    on: bool = True
    at_ms: int


class CloseRequested(Fact):
    """The agent (or the shopper) ended the conversation."""

    fact: Literal["close_requested"] = "close_requested"
    thread: UUID
    conversation: UUID
    by: UUID
    epoch: int | None = None
    reason: str = ""
    ref: str = ""
    at_ms: int


class SeatChanged(Fact):
    """An agent connected, left, or set his state. ``shop`` is the nil UUID: a seat serves many shops."""

    fact: Literal["seat_changed"] = "seat_changed"
    agent: UUID
    state: str | None = None
    connected: bool | None = None
    at_ms: int


class OfferAnswered(Fact):
    fact: Literal["offer_answered"] = "offer_answered"
    conversation: UUID
    agent: UUID
    epoch: int
    accepted: bool
    ref: str = ""
    at_ms: int


class TransferAsked(Fact):
    fact: Literal["transfer_asked"] = "transfer_asked"
    thread: UUID
    conversation: UUID
    by: UUID
    epoch: int
    to_agent: UUID | None = None
    to_pool: UUID | None = None
    note: str = ""
    ref: str = ""
    at_ms: int


class TransferAnswered(Fact):
    fact: Literal["transfer_answered"] = "transfer_answered"
    conversation: UUID
    agent: UUID
    accepted: bool
    ref: str = ""
    at_ms: int


class ConversationClaimed(Fact):
    """An agent takes a waiting conversation, or one from the message box, by himself; ``force``: a supervisor takes it
    whoever has it."""

    fact: Literal["conversation_claimed"] = "conversation_claimed"
    thread: UUID
    conversation: UUID
    agent: UUID
    force: bool = False
    ref: str = ""
    at_ms: int


class RoutingChanged(Fact):
    """Pools, contracts, seats or policy changed in PostgreSQL: read them again."""

    fact: Literal["routing_changed"] = "routing_changed"


class ConversationClosed(Fact):
    fact: Literal["conversation_closed"] = "conversation_closed"
    thread: UUID
    conversation: UUID
    shopper: UUID
    reason: str
    at_ms: int


class MenuTapped(Fact):
    fact: Literal["menu_tapped"] = "menu_tapped"
    thread: UUID
    shopper: UUID
    item: str
    version: int
    at_ms: int


class ErrandAsked(Fact):
    """A tap, button or form whose answer the shop's own server gives; ``ref``: which one."""

    fact: Literal["errand_asked"] = "errand_asked"
    thread: UUID
    shopper: UUID
    seq: int
    what: Literal["item", "choice", "form"]
    ref: str
    guest: bool = False
    at_ms: int


class Subscribed(Fact):
    """A shopper wants to hear of ``tag``, or (not ``on``) no longer."""

    fact: Literal["subscribed"] = "subscribed"
    thread: UUID
    shopper: UUID
    tag: str
    on: bool = True
    at_ms: int


class RatingGiven(Fact):
    fact: Literal["rating_given"] = "rating_given"
    thread: UUID
    conversation: UUID
    shopper: UUID
    stars: int
    at_ms: int


class PushFinished(Fact):
    """A run of a push rule is over; ``states``: what became of its people, by state of the ledger."""

    fact: Literal["push_finished"] = "push_finished"
    rule: UUID
    name: str
    run: UUID
    people: int
    states: dict[str, int]
    at_ms: int


class Unreached(BaseModel):
    """One message that reached no device. ``member``: the shop's own number of its shopper; None: a guest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delivery: UUID
    shopper: UUID
    member: str | None
    line: str


class PushUnreached(Fact):
    fact: Literal["push_unreached"] = "push_unreached"
    rule: UUID
    name: str
    run: UUID
    people: tuple[Unreached, ...]
    at_ms: int


class BenefitMoved(Fact):
    """A granted benefit was claimed, redeemed with an order, or withdrawn."""

    fact: Literal["benefit_moved"] = "benefit_moved"
    rule: UUID
    benefit: UUID
    shopper: UUID
    state: Literal["claimed", "redeemed", "withdrawn"]
    order: str = ""
    order_fen: int | None = None
    at_ms: int


class ShopEventReceived(Fact):
    """A CloudEvent of the merchant was stored; its body lies in ``shop_event``."""

    fact: Literal["shop_event_received"] = "shop_event_received"
    source: str
    event: str
    event_type: str
    at_ms: int


AnyFact = Annotated[
    ShopperSpoke
    | ShopperReturned
    | HandoffRequested
    | QueueLeft
    | CallbackAsked
    | CloseRequested
    | SeatChanged
    | OfferAnswered
    | TransferAsked
    | TransferAnswered
    | ConversationClaimed
    | RoutingChanged
    | ConversationClosed
    | MenuTapped
    | PushFinished
    | PushUnreached
    | BenefitMoved
    | ErrandAsked
    | Subscribed
    | RatingGiven
    | ShopEventReceived,
    Field(discriminator="fact"),
]

_FACTS: TypeAdapter[AnyFact] = TypeAdapter(AnyFact)

FOLLOWS: dict[type[Fact], tuple[Consumer, ...]] = {
    ShopperSpoke: ("bot",),  # written by append_entries
    ShopperReturned: ("dispatcher",),  # written by append_entries
    HandoffRequested: ("dispatcher", "webhooks"),
    QueueLeft: ("dispatcher",),
    CallbackAsked: ("dispatcher",),
    CloseRequested: ("dispatcher",),
    SeatChanged: ("dispatcher",),
    OfferAnswered: ("dispatcher",),
    TransferAsked: ("dispatcher",),
    TransferAnswered: ("dispatcher",),
    ConversationClaimed: ("dispatcher",),
    RoutingChanged: ("dispatcher",),
    ConversationClosed: ("push", "webhooks"),
    MenuTapped: ("push", "webhooks"),
    ErrandAsked: ("errands",),
    Subscribed: ("push",),
    RatingGiven: ("push", "webhooks"),
    ShopEventReceived: ("push",),
    PushFinished: ("webhooks",),
    PushUnreached: ("webhooks",),
    BenefitMoved: ("webhooks",),
}


def parse_fact(value: dict[str, Any]) -> AnyFact:
    return _FACTS.validate_python(value, strict=False)
