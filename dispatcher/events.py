"""What the core is told happened. Frozen; times come with ``apply``.

``ref`` is the asker's own mark: a refusal names it.
"""

from __future__ import annotations

from dispatcher.model import ConversationState, Id, Routing, SeatState, frozen


@frozen
class HandoffRequested:
    """``enqueued_ms`` is the shopper's place in line; ``sticky`` the agent who served him last, ``sticky_ms`` when;
    ``lang`` what his window speaks."""

    conversation: Id
    shop: Id
    shopper: Id
    enqueued_ms: int
    topic: str = ""
    epoch: int = 0
    sticky: Id | None = None
    sticky_ms: int = 0
    lang: str = ""


@frozen
class AgentConnected:
    agent: Id


@frozen
class AgentDisconnected:
    agent: Id


@frozen
class SeatStateSet:
    agent: Id
    state: SeatState


@frozen
class ShopperReturned:
    """The shopper wrote into a parked or wrapping-up conversation."""

    conversation: Id


@frozen
class ShopperIdle:
    """An assigned shopper has been silent for ``idle_ms`` since a person's answer.

    ``away``: he is not on the page; None: nobody knows, so more patience is due.
    """

    conversation: Id
    idle_ms: int
    away: bool | None = True


@frozen
class QueueLeft:
    conversation: Id
    leave_message: bool = False


@frozen
class CallbackAsked:
    """A waiting shopper wants to be called back in the chat, or (not ``on``) stays after all."""

    conversation: Id
    on: bool = True


@frozen
class CloseRequested:
    """``epoch`` None: not an agent's wish (the shopper's, or the system's). ``by`` hears of a refusal."""

    conversation: Id
    epoch: int | None = None
    reason: str = "agent"
    by: Id | None = None
    ref: str = ""


@frozen
class OfferAnswered:
    conversation: Id
    agent: Id
    epoch: int
    accepted: bool
    ref: str = ""


@frozen
class TransferRequested:
    conversation: Id
    agent: Id
    epoch: int
    to_agent: Id | None = None
    to_pool: Id | None = None
    note: str = ""
    ref: str = ""


@frozen
class TransferAnswered:
    conversation: Id
    agent: Id
    accepted: bool
    ref: str = ""


@frozen
class Claimed:
    """An agent takes a waiting conversation by himself; ``force`` (a supervisor) takes even an assigned one."""

    conversation: Id
    agent: Id
    force: bool = False
    ref: str = ""


@frozen
class ReplyAwaited:
    """The shopper of an assigned conversation waits since ``since_ms`` for words of a person.

    ``replied``: this agent has answered at least once under this assignment.
    """

    conversation: Id
    since_ms: int
    replied: bool


@frozen
class TurnsOpen:
    """So many of an agent's shoppers wait longer than the first tier of the guard for his answer now."""

    agent: Id
    turns: int


@frozen
class RoutingChanged:
    routing: Routing


@frozen
class Tick:
    """Time passed; timers that are due fire."""


Event = (
    HandoffRequested
    | AgentConnected
    | AgentDisconnected
    | SeatStateSet
    | ShopperReturned
    | ShopperIdle
    | QueueLeft
    | CallbackAsked
    | CloseRequested
    | OfferAnswered
    | TransferRequested
    | TransferAnswered
    | Claimed
    | ReplyAwaited
    | TurnsOpen
    | RoutingChanged
    | Tick
)


@frozen
class SeatStanding:
    """A seat as the record knows it, for taking over."""

    agent: Id
    state: SeatState = "offline"
    connected: bool = False
    before_loss: SeatState | None = None
    disconnected_ms: int | None = None
    served: int = 0
    served_day: int = 0
    last_assigned_ms: int = 0
    strikes_ms: tuple[int, ...] = ()


@frozen
class OfferStanding:
    """An offer in the air: to whom, under which pool, until when."""

    agent: Id
    pool: Id
    expires_ms: int
    reason: str
    note: str = ""
    ref: str = ""


@frozen
class ConversationStanding:
    """An open conversation as the record knows it, for taking over. ``since_ms``: when this state began."""

    conversation: Id
    shop: Id
    shopper: Id
    state: ConversationState
    enqueued_ms: int
    since_ms: int
    epoch: int
    topic: str = ""
    agent: Id | None = None
    pool: Id | None = None
    excluded: tuple[tuple[Id, int], ...] = ()
    counted: Id | None = None
    offer: OfferStanding | None = None
    first_ms: int = 0
    turn_ms: int = 0
    """The turn that was guarded last; 0: answered since."""
    guarded_ms: int = 0
    callback: bool = False
    pinned: Id | None = None
    pinned_until_ms: int = 0
    had: tuple[Id, ...] = ()
    """Agents in whose day it counts already."""
    lang: str = ""
