"""The shipped core in virtual time: modelled shoppers come, wait, lose patience or are served.

Nothing here decides; :class:`dispatcher.core.Core` does, as in production. The same visits give the same outcomes, so
two policies can be compared on the very same day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil
from typing import Literal

from dispatcher import decisions as de
from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.model import Id, Routing, Seat

FOR_EVER_MS = 2**50
Ending = Literal["served", "left", "boxed", "open"]
Pace = Callable[[Seat, int], float]
"""How much of its work each of an agent's conversations gets done in a ms, when he has so many at once."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A shopper who asks for a person at ``at_ms``, waits ``patience_ms`` at most, and needs ``work_ms`` of an agent
    who has nothing else. ``reply_ms``: how long such an agent takes for the first answer."""

    at_ms: int
    work_ms: float
    patience_ms: int = FOR_EVER_MS
    topic: str = ""
    reply_ms: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of a visit. ``wait_ms`` is until it was assigned, given up or put into the message box."""

    at_ms: int
    ending: Ending = "open"
    wait_ms: int = 0
    agent: Id = ""
    pool: Id = ""
    reason: str = ""
    level: int = 0
    """How many others the agent had when he got it."""
    reply_ms: int = 0
    price_fen: int = 0
    stated_ms: tuple[int, int] | None = None
    """The median and the 90th percentile of his wait that he was told when he came; None: he did not have to wait."""


def alone(seat: Seat, level: int) -> float:
    """Every conversation goes on at the agent's own speed, however many he has."""
    return seat.ability_per_mille / 1_000


def by_curve(total: Sequence[float]) -> Pace:
    """``total[k - 1]``: what an agent of usual ability gets done in a ms with k at once; beyond it, no more."""

    def pace(seat: Seat, level: int) -> float:
        return seat.ability_per_mille / 1_000 * total[min(level, len(total)) - 1] / level

    return pace


@dataclass(slots=True)
class _Desk:
    """What an agent has to do."""

    seat: Seat
    left: dict[Id, float]
    at_ms: int = 0
    version: int = 0


class Simulation:
    """One shop's floor. ``accept_ms``: how long an agent thinks about an offer before he accepts it."""

    def __init__(self, routing: Routing, pace: Pace = alone, *, accept_ms: int = 2_000) -> None:
        self.routing, self._pace, self._accept_ms = routing, pace, accept_ms
        self._prices = {contract.id: contract.price_fen for contract in routing.contracts}

    def run(
        self, visits: Sequence[Visit], *, start_ms: int = 0, also: Iterable[tuple[int, ev.Event]] = ()
    ) -> list[Outcome]:
        """``visits`` in order of time; every seat is ready from ``start_ms`` on. ``also``: further events to tell the
        core, with their times. Ends when the last visit has been served or has left."""
        self._core = Core(self.routing)
        self._desks = {seat.agent: _Desk(seat, {}) for seat in self.routing.seats}
        self._heap: list[tuple[int, int, str, Id, int]] = []
        self._order = 0
        self._visits = {f"c{n:09}": visit for n, visit in enumerate(visits)}
        self.outcomes = {id_: Outcome(visit.at_ms) for id_, visit in self._visits.items()}
        self._waiting: set[Id] = set()
        self._holder: dict[Id, Id] = {}
        self._also = [event for _, event in sorted(also, key=lambda row: row[0])]
        for number, at_ms in enumerate(sorted(at_ms for at_ms, _ in also)):
            self._later(at_ms, "also", "", number)
        for seat in self.routing.seats:
            self._tell(ev.AgentConnected(seat.agent), start_ms)
            self._tell(ev.SeatStateSet(seat.agent, "ready"), start_ms)
        shop = self.routing.shops[0].id
        coming = iter(self._visits.items())
        following = next(coming, None)
        while following is not None or self._waiting or self._holder:
            due = self._core.next_timer_ms()
            soon = self._heap[0][0] if self._heap else FOR_EVER_MS
            arrives = following[1].at_ms if following is not None else FOR_EVER_MS
            if due is not None and due <= soon and due <= arrives:
                self._tell(ev.Tick(), due)
            elif soon <= arrives:
                if soon == FOR_EVER_MS:
                    break  # who still waits, waits for ever
                self._happens(*heappop(self._heap))
            else:
                assert following is not None, "somebody arrives"
                id_, visit = following
                self._waiting.add(id_)
                if visit.patience_ms < FOR_EVER_MS:
                    self._later(visit.at_ms + visit.patience_ms, "patience", id_, 0)
                self._tell(ev.HandoffRequested(id_, shop, id_, visit.at_ms, visit.topic), visit.at_ms)
                following = next(coming, None)
        return list(self.outcomes.values())

    def _later(self, at_ms: int, what: str, id_: Id, number: int) -> None:
        self._order += 1
        heappush(self._heap, (at_ms, self._order, what, id_, number))

    def _happens(self, now: int, _: int, what: str, id_: Id, number: int) -> None:
        if what == "done":
            desk = self._desks[id_]
            if desk.version == number:
                self._work(desk, now)
                over = [c for c, left in desk.left.items() if left <= 1e-6] or [
                    min(desk.left, key=desk.left.__getitem__)
                ]
                for conversation in over:
                    self._tell(ev.CloseRequested(conversation), now)
        elif what == "patience" and id_ in self._waiting:
            self._tell(ev.QueueLeft(id_), now)
        elif what == "accept":
            offer = self._core.floor.conversations.get(id_)
            if offer is not None and offer.offer_to is not None and offer.epoch == number:
                self._tell(ev.OfferAnswered(id_, offer.offer_to, number + 1, True), now)
        elif what == "also":
            self._tell(self._also[number], now)

    # --- what the core decides -------------------------------------------------------------------------------------

    def _tell(self, event: ev.Event, now: int) -> None:
        for decision in self._core.apply(event, now):
            if isinstance(decision, de.Assign):
                self._assigned(decision, now)
            elif isinstance(decision, de.Close):
                self._lay_down(decision.conversation, now)
            elif isinstance(decision, de.Requeue):
                self._lay_down(decision.conversation, now)
                self._waiting.add(decision.conversation)
            elif isinstance(decision, de.ToBot):
                self._gone(decision.conversation, "left", now)
            elif isinstance(decision, de.ToMessageBox):
                self._gone(decision.conversation, "boxed", now, decision.reason)
            elif isinstance(decision, de.Queued):
                told = self.outcomes[decision.conversation]
                told.stated_ms = told.stated_ms or (decision.wait_ms, decision.wait_p90_ms)
            elif isinstance(decision, de.MakeOffer):
                self._later(now + self._accept_ms, "accept", decision.conversation, decision.epoch - 1)

    def _gone(self, conversation: Id, ending: Ending, now: int, reason: str = "") -> None:
        outcome = self.outcomes[conversation]
        outcome.ending, outcome.wait_ms, outcome.reason = ending, now - outcome.at_ms, reason
        self._waiting.discard(conversation)

    def _assigned(self, made: de.Assign, now: int) -> None:
        self._lay_down(made.conversation, now)
        self._waiting.discard(made.conversation)
        desk = self._desks[made.agent]
        self._work(desk, now)
        visit, outcome = self._visits[made.conversation], self.outcomes[made.conversation]
        if outcome.ending == "open":
            outcome.ending, outcome.wait_ms, outcome.reason = "served", now - visit.at_ms, made.reason
            outcome.agent, outcome.pool, outcome.level = made.agent, made.pool, made.level
            outcome.reply_ms = ceil(visit.reply_ms / (self._pace(desk.seat, len(desk.left) + 1)))
        if made.contract is not None:
            outcome.price_fen = self._prices[made.contract]
        desk.left[made.conversation] = visit.work_ms
        self._holder[made.conversation] = made.agent
        self._next_end(desk, now)

    def _lay_down(self, conversation: Id, now: int) -> None:
        agent = self._holder.pop(conversation, None)
        if agent is None:
            return
        desk = self._desks[agent]
        self._work(desk, now)
        del desk.left[conversation]
        self._next_end(desk, now)

    # --- work ------------------------------------------------------------------------------------------------------

    def _work(self, desk: _Desk, now: int) -> None:
        """Everything on the desk has gone on until now."""
        if desk.left and now > desk.at_ms:
            done = (now - desk.at_ms) * self._pace(desk.seat, len(desk.left))
            for conversation in desk.left:
                desk.left[conversation] -= done
        desk.at_ms = now

    def _next_end(self, desk: _Desk, now: int) -> None:
        desk.version += 1
        if desk.left:
            soonest = max(0.0, min(desk.left.values())) / self._pace(desk.seat, len(desk.left))
            self._later(now + ceil(soonest), "done", desk.seat.agent, desk.version)
