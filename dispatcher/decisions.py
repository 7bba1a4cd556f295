"""What the core decided. Frozen; each is committed before anyone hears of it."""

from __future__ import annotations

from typing import Literal

from dispatcher.model import GuardAct, Id, SeatState, frozen


@frozen
class Candidate:
    """A seat that was looked at: ``score`` is compared element by element, the smallest wins. ``barred``: why its
    contract kept it out (``not_certified``, ``not_in_group``)."""

    agent: Id
    pool: Id
    load: int
    seats_max: int
    score: tuple[int, ...]
    barred: str = ""


@frozen
class PoolSeen:
    """A pool that was looked at and what became of it. ``not_yet``: the contract's own rules do not open it yet.
    ``rule``: which of the contract's own rules opened it; empty: the policy's stage did."""

    pool: Id
    stage: int
    verdict: Literal[
        "chosen", "no_free_slot", "closed", "outside_hours", "no_contract", "paused", "suspended", "limit", "skill",
        "not_certified", "not_in_group", "not_yet",
    ]  # fmt: skip
    score: int = 0
    rule: str = ""


@frozen
class Waited:
    """A conversation that was looked at when a seat came free: priority first, then the wait in thousandths of its
    target."""

    conversation: Id
    pool: Id
    priority: int
    waited_ms: int
    ratio: int


@frozen
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
    line: tuple[Waited, ...] = ()
    """Where a seat that came free chose among those who waited: the first of each line, the chosen one in front."""


@frozen
class Queued:
    """The conversation waits; ``position`` 1 is next; waits are expected median and 90th percentile."""

    conversation: Id
    shop: Id
    position: int
    wait_ms: int
    wait_p90_ms: int
    stage: int
    pools: tuple[PoolSeen, ...] = ()


@frozen
class Overflowed:
    """A waiting conversation may now also (or only) go to the pools of a further stage, or (``pool``) to one whose
    contract says itself when it is asked."""

    conversation: Id
    shop: Id
    stage: int
    reason: str
    pool: Id = ""


@frozen
class Requeue:
    """Taken from ``agent`` and waiting again, its place in line kept. ``epoch`` is the new fencing number."""

    conversation: Id
    shop: Id
    agent: Id | None
    epoch: int
    reason: Literal["silent", "disconnected", "transferred", "agent_left", "returned", "removed", "contract_ended"]
    pinned: Id | None = None
    """The one pool it waits for, until ``pinned_until_ms``."""
    pinned_until_ms: int = 0


@frozen
class Park:
    conversation: Id
    shop: Id
    agent: Id


@frozen
class WrapUp:
    conversation: Id
    shop: Id
    agent: Id


@frozen
class Close:
    conversation: Id
    shop: Id
    agent: Id | None
    reason: str


@frozen
class ToMessageBox:
    conversation: Id
    shop: Id
    reason: Literal["full", "hours", "nobody", "waited", "asked"]


@frozen
class Callback:
    """The shopper need not stay at his window: his place is kept and he is called back in the chat. Or (not ``on``)
    he stays after all."""

    conversation: Id
    shop: Id
    on: bool


@frozen
class Helped:
    """The bot answers while the shopper waits; his place is kept."""

    conversation: Id
    shop: Id
    pool: Id


@frozen
class ToBot:
    """The shopper no longer waits for a person: he left (``asked``), waited as long as he may (``waited``), or there
    was neither a place in line nor one in the message box (``full``)."""

    conversation: Id
    shop: Id
    reason: Literal["asked", "waited", "full"] = "asked"


@frozen
class MakeOffer:
    """``epoch`` is the number the assignment would get, ``reason`` and ``pool`` its own. A slot is held until
    ``expires_ms``. ``ref``: the giver's mark of a transfer."""

    conversation: Id
    shop: Id
    agent: Id
    epoch: int
    expires_ms: int
    from_agent: Id | None = None
    note: str = ""
    pool: Id = ""
    reason: str = "transfer"
    ref: str = ""


@frozen
class RevokeOffer:
    conversation: Id
    shop: Id
    agent: Id
    reason: Literal["expired", "refused", "gone", "taken"]


@frozen
class Refuse:
    """An agent's wish could not be granted; ``code`` is ``noun.reason``, ``ref`` the mark he gave it."""

    conversation: Id
    agent: Id
    code: str
    ref: str = ""


@frozen
class Warn:
    """An answer is late; ``breach``: past the limit, else past the warning share of it."""

    conversation: Id
    shop: Id
    agent: Id
    waited_ms: int
    limit_ms: int
    breach: bool


@frozen
class Guarded:
    """A shopper waits since ``since_ms`` for a person's answer: what the tier of ``after_ms`` asks for. ``agent``: who
    had the conversation until now; None: it waits in line again. What moves it follows as decisions of its own."""

    conversation: Id
    shop: Id
    agent: Id | None
    pool: Id | None
    tier: int
    after_ms: int
    since_ms: int
    waited_ms: int
    acts: tuple[GuardAct, ...]
    policy_version: int


@frozen
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
    | Helped
    | Callback
    | MakeOffer
    | RevokeOffer
    | Refuse
    | Warn
    | Guarded
    | SetSeatState
)
