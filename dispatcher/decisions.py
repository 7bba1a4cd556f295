"""What the core decided. Frozen; each is committed before anyone hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dispatcher.model import Id, SeatState


@dataclass(frozen=True, slots=True)
class Candidate:
    """A seat that was looked at: ``score`` is compared element by element, the smallest wins. ``barred``: why its
    contract kept it out (``not_certified``, ``not_in_group``)."""

    agent: Id
    pool: Id
    load: int
    seats_max: int
    score: tuple[int, ...]
    barred: str = ""


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """A pool that was looked at and what became of it."""

    pool: Id
    stage: int
    verdict: Literal[
        "chosen", "no_free_slot", "closed", "outside_hours", "no_contract", "paused", "limit", "skill",
        "not_certified", "not_in_group",
    ]  # fmt: skip
    score: int = 0


@dataclass(frozen=True, slots=True)
class Assign:
    """``epoch`` is the new fencing number. ``event`` says how it is told; ``from_agent`` had it until now."""

    conversation: Id
    shop: Id
    agent: Id
    pool: Id
    epoch: int
    reason: str
    stage: int
    event: Literal["assigned", "transferred", "resumed"] = "assigned"
    from_agent: Id | None = None
    contract: Id | None = None
    contract_version: int = 0
    policy_version: int = 0
    waited_ms: int = 0
    predicted_ms: int = 0
    level: int = 0
    candidates: tuple[Candidate, ...] = ()
    pools: tuple[PoolSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The conversation waits; ``position`` 1 is next; waits are expected median and 90th percentile."""

    conversation: Id
    shop: Id
    position: int
    wait_ms: int
    wait_p90_ms: int
    stage: int
    pools: tuple[PoolSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Overflowed:
    """A waiting conversation may now also (or only) go to the pools of a further stage."""

    conversation: Id
    shop: Id
    stage: int
    reason: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """Taken from ``agent`` and waiting again, its place in line kept. ``epoch`` is the new fencing number."""

    conversation: Id
    shop: Id
    agent: Id | None
    epoch: int
    reason: Literal["silent", "disconnected", "transferred", "agent_left", "returned", "removed", "contract_ended"]


@dataclass(frozen=True, slots=True)
class Park:
    conversation: Id
    shop: Id
    agent: Id


@dataclass(frozen=True, slots=True)
class WrapUp:
    conversation: Id
    shop: Id
    agent: Id


@dataclass(frozen=True, slots=True)
class Close:
    conversation: Id
    shop: Id
    agent: Id | None
    reason: str


@dataclass(frozen=True, slots=True)
class ToMessageBox:
    conversation: Id
    shop: Id
    reason: Literal["full", "hours", "nobody", "waited", "asked"]


@dataclass(frozen=True, slots=True)
class ToBot:
    """The shopper no longer waits for a person."""

    conversation: Id
    shop: Id


@dataclass(frozen=True, slots=True)
class MakeOffer:
    """``epoch`` is the number the assignment would get. A slot is held until ``expires_ms``."""

    conversation: Id
    shop: Id
    agent: Id
    epoch: int
    expires_ms: int
    from_agent: Id | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RevokeOffer:
    conversation: Id
    shop: Id
    agent: Id
    reason: Literal["expired", "refused", "gone", "taken"]


@dataclass(frozen=True, slots=True)
class Refuse:
    """An agent's wish could not be granted; ``code`` is ``noun.reason``, ``ref`` the mark he gave it."""

    conversation: Id
    agent: Id
    code: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Warn:
    """An answer is late; ``breach``: past the limit, else past the warning share of it."""

    conversation: Id
    shop: Id
    agent: Id
    waited_ms: int
    limit_ms: int
    breach: bool


@dataclass(frozen=True, slots=True)
class SetSeatState:
    agent: Id
    state: SeatState
    reason: str


Decision = (
    Assign
    | Queued
    | Overflowed
    | Requeue
    | Park
    | WrapUp
    | Close
    | ToMessageBox
    | ToBot
    | MakeOffer
    | RevokeOffer
    | Refuse
    | Warn
    | SetSeatState
)
