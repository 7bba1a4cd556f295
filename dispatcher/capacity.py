"""Seats at work: who may take one more, and in which order they are asked.

Capacity is a count of what a seat holds, changed in the same step as the assignment; it belongs to the agent, not to a
line, so a reconnect changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from dispatcher.model import AgentRule, Id, Seat, SeatState

PRESENT: frozenset[SeatState] = frozenset({"ready", "busy"})
KEEPS: frozenset[SeatState] = frozenset({"ready", "busy", "draining"})
"""States in which an agent goes on with the conversations he has."""

Score = tuple[int, ...]


@dataclass(slots=True)
class SeatNow:
    """A seat as it stands. ``live`` hold a slot (assigned or wrapping up), ``held`` are offers in the air."""

    terms: Seat
    skills: frozenset[str] = frozenset()
    """His skills, each also in every language he speaks."""
    state: SeatState = "offline"
    connected: bool = False
    before_loss: SeatState | None = None
    disconnected_ms: int | None = None
    live: set[Id] = field(default_factory=set)
    held: set[Id] = field(default_factory=set)
    parked: set[Id] = field(default_factory=set)
    served: int = 0
    served_day: int = 0
    credit: int = 0
    """Added to ``served`` when fairness is reckoned, so that who comes late need not catch up on the whole day."""
    last_assigned_ms: int = 0
    idle_since_ms: int = 0
    box_ms: int = -(2**40)
    strikes_ms: list[int] = field(default_factory=list)
    turns: int = 0
    """Shoppers of his who wait long for an answer: each weighs like one more conversation when agents are compared, and
    every two take one of his slots until he has caught up."""
    version: int = 0

    @property
    def load(self) -> int:
        return len(self.live) + len(self.held)

    @property
    def present(self) -> bool:
        """At work, or lost so recently that he may be back at once."""
        return self.state in PRESENT and (self.connected or self.disconnected_ms is not None)

    @property
    def free(self) -> bool:
        terms = self.terms
        return (
            self.state == "ready"
            and self.connected
            and len(self.live) + len(self.held) + (self.turns >> 1) < terms.seats_max
            and (terms.daily_max is None or self.served < terms.daily_max)
        )

    def share(self) -> int:
        """Work done in proportion to ability."""
        return (self.served + self.credit) * 1_000_000 // self.terms.ability_per_mille


def _least_loaded(seat: SeatNow) -> Score:
    terms = seat.terms
    level = (len(seat.live) + len(seat.held) + seat.turns) * 1_000 // terms.seats_max
    return (level, (seat.served + seat.credit) * 1_000_000 // terms.ability_per_mille, seat.last_assigned_ms)


def _fullest(seat: SeatNow) -> Score:
    return (-(seat.load * 1_000 // seat.terms.seats_max), seat.share(), seat.last_assigned_ms)


ORDINARY = 6
"""Conversations in an hour that the first slot of an ordinary agent is taken to bring until his curve is learnt."""


def _marginal(seat: SeatNow) -> Score:
    curve = seat.terms.curve_per_hour
    load = seat.load
    # Where it is not learnt yet, each further one is taken to bring half as much as the one before it.
    if load < len(curve):
        gain = curve[load] - (curve[load - 1] if load else 0)
    elif curve:
        gain = (curve[-1] - (curve[-2] if len(curve) > 1 else 0)) >> (load - len(curve) + 1)
    else:
        gain = ORDINARY * seat.terms.ability_per_mille >> load  # in 1,000 hours, as a curve is
    return (-gain, seat.share(), seat.last_assigned_ms)


_SCORES: dict[AgentRule, Callable[[SeatNow], Score]] = {
    "least_loaded": _least_loaded,
    "fullest": _fullest,
    "longest_idle": lambda seat: (seat.idle_since_ms,),
    "round_robin": lambda seat: (seat.last_assigned_ms,),
    "fastest": lambda seat: (-seat.terms.ability_per_mille, seat.idle_since_ms),
    "slowest": lambda seat: (seat.terms.ability_per_mille, seat.idle_since_ms),
    "marginal": _marginal,
}


def score(rule: AgentRule, seat: SeatNow) -> Score:
    """The smallest is asked first; ties are broken by id."""
    return _SCORES[rule](seat)


class FreeSeats:
    """For each (pool, rule) the seats with a free slot, best first: heaps whose stale rows are dropped on sight."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[Id, AgentRule], list[tuple[Score, Id, int]]] = {}
        self._rules: dict[Id, tuple[AgentRule, ...]] = {}
        self._version = 0

    def rules(self, rules: dict[Id, tuple[AgentRule, ...]]) -> None:
        """Which rules each pool is asked by (shops that share a pool may differ). Forgets all seats."""
        self._rules = rules
        self._heaps = {(pool, rule): [] for pool, those in rules.items() for rule in those}

    def touch(self, seat: SeatNow, seats: dict[Id, SeatNow]) -> bool:
        """The seat changed: what the heaps know of it is stale, and it is listed anew if it is free. True: it is."""
        self._version += 1
        seat.version = self._version
        if not seat.free:
            return False
        terms, version = seat.terms, seat.version
        for pool in terms.pools:
            for rule in self._rules.get(pool, ()):
                heap = self._heaps[pool, rule]
                heappush(heap, (_SCORES[rule](seat), terms.agent, version))
                if len(heap) > 64 and len(heap) > 4 * len(seats):
                    heap[:] = [row for row in heap if row[1] in seats and seats[row[1]].version == row[2]]
                    heapify(heap)
        return True

    def best(
        self,
        pool: Id,
        rule: AgentRule,
        seats: dict[Id, SeatNow],
        excluded: dict[Id, int],
        skill: str,
        now_ms: int,
        barred: Callable[[Id], bool] | None = None,
    ) -> list[tuple[Score, SeatNow]]:
        """The seat to ask with its score, then up to two that come next (for the explanation); empty: none is free.

        Who is ``barred`` is not asked.
        """
        heap = self._heaps.get((pool, rule))
        if not heap:
            return []
        stash: list[tuple[Score, Id, int]] = []
        found: list[tuple[Score, SeatNow]] = []
        while heap:
            first, agent, version = heap[0]
            seat = seats.get(agent)
            if seat is None or seat.version != version:
                heappop(heap)
                continue
            out = (excluded and excluded.get(agent, 0) > now_ms) or (skill and skill not in seat.skills)
            if out or (barred is not None and barred(agent)):
                stash.append(heappop(heap))
                continue
            after = [row for row in heap[1:3] if row[1] in seats and seats[row[1]].version == row[2]]
            if barred is not None:
                after = [row for row in after if not barred(row[1])]
            found = [(first, seat), *((row[0], seats[row[1]]) for row in sorted(after))]
            break
        for row in stash:
            heappush(heap, row)
        return found
