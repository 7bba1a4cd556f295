"""A recorded stretch under another policy: who would have waited, who would have served whom, at what price.

Shoppers come as they came, agents are at their desks when they were, and a conversation takes as long as it took. What
nobody knows is modelled alike for both policies, so that only the policy differs: who left, leaves after the same wait
if he still waits; who was served, would have had patience for more; offers are accepted after two seconds; who did not
answer in time, or handed a conversation on, is taken to have served it; who was never served, to take the usual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from statistics import median

from dispatcher import decisions as de
from dispatcher import events as ev
from dispatcher.journal import TakenOver
from dispatcher.model import Id, Policy, Routing
from dispatcher.simulate import Outcome

ACCEPT_MS = 2_000
_FLOOR = (ev.AgentConnected, ev.AgentDisconnected, ev.SeatStateSet, ev.RoutingChanged)


@dataclass(slots=True)
class _Known:
    """What the record says of a conversation that was asked for in the stretch."""

    asked: ev.HandoffRequested
    at_ms: int
    left_ms: int | None = None
    assigned_ms: int | None = None
    over_ms: int | None = None


@dataclass(slots=True)
class Stretch:
    """What happened from outside, between a start and an end of the journal."""

    start: TakenOver
    start_ms: int
    end_ms: int = 0
    floor: list[tuple[int, ev.Event]] = field(default_factory=list)
    known: dict[Id, _Known] = field(default_factory=dict)
    ended: dict[Id, int] = field(default_factory=dict)
    """When conversations ended that were already going on at the start."""

    def take(self, at_ms: int, event: ev.Event | TakenOver, made: Sequence[de.Decision]) -> None:
        """The next line. A start within the stretch is not one from outside; who asked while nobody led is known by it
        alone."""
        self.end_ms = max(self.end_ms, at_ms)
        if isinstance(event, _FLOOR):
            self.floor.append((at_ms, event))
        elif isinstance(event, ev.HandoffRequested):
            self.known.setdefault(event.conversation, _Known(event, at_ms))
        elif isinstance(event, ev.QueueLeft) and event.conversation in self.known:
            self.known[event.conversation].left_ms = at_ms
        elif isinstance(event, TakenOver):
            before = {one.conversation for one in self.start.conversations}
            for one in event.conversations:
                if one.state in ("waiting", "offered") and one.conversation not in before:
                    asked = ev.HandoffRequested(
                        one.conversation, one.shop, one.shopper, one.enqueued_ms, one.topic, lang=one.lang
                    )
                    self.known.setdefault(one.conversation, _Known(asked, at_ms))
        for d in made:
            if isinstance(d, de.Assign):
                known = self.known.get(d.conversation)
                if known is not None and known.assigned_ms is None:
                    known.assigned_ms = at_ms
            elif isinstance(d, (de.Close, de.WrapUp, de.Park)):
                known = self.known.get(d.conversation)
                if known is None:
                    self.ended.setdefault(d.conversation, at_ms)
                elif known.over_ms is None:
                    known.over_ms = at_ms


@dataclass(slots=True)
class Thought:
    """What would have become of each of the shop's requests, and the decision that gave it to somebody first."""

    outcomes: dict[Id, Outcome] = field(default_factory=dict)
    first: dict[Id, de.Assign] = field(default_factory=dict)


def under(stretch: Stretch, shop: Id, policy: Policy | None) -> Thought:
    """What would have become of the shop's requests under ``policy`` (None: the policies that were in force)."""

    def changed(routing: Routing) -> Routing:
        if policy is None:
            return routing
        return replace(
            routing, shops=tuple(replace(s, policy=policy) if s.id == shop else s for s in routing.shops)
        )  # fmt: skip

    return _Driver(stretch, shop, changed(stretch.start.routing), changed).run()


class _Driver:
    def __init__(self, stretch: Stretch, shop: Id, routing: Routing, changed: Callable[[Routing], Routing]) -> None:
        self._stretch, self._shop, self._changed = stretch, shop, changed
        self._routing = routing
        self._heap: list[tuple[int, int, ev.Event]] = []
        self._order = 0
        self._waiting: dict[Id, int] = {}
        took = [k.over_ms - k.assigned_ms for k in stretch.known.values() if k.assigned_ms and k.over_ms]
        self._usual_ms = int(median(took)) if took else 300_000
        self.thought = Thought()

    def run(self) -> Thought:
        stretch = self._stretch
        rows: list[tuple[int, ev.Event]] = list(stretch.floor)
        for known in stretch.known.values():
            rows.append((known.at_ms, known.asked))
            if known.left_ms is not None:
                rows.append((known.left_ms, ev.QueueLeft(known.asked.conversation)))
            if known.asked.shop == self._shop:
                self.thought.outcomes[known.asked.conversation] = Outcome(known.at_ms)
        rows += [(at_ms, ev.CloseRequested(id_)) for id_, at_ms in stretch.ended.items()]
        rows.sort(key=lambda row: row[0])
        self._heap = [(at_ms, order, event) for order, (at_ms, event) in enumerate(rows)]
        self._order = len(rows)
        heapify(self._heap)
        self._core, made = replace(stretch.start, routing=self._routing).core(stretch.start_ms)
        self._follow(made, stretch.start_ms)
        while True:
            due = self._core.next_timer_ms()
            soon = self._heap[0][0] if self._heap else None
            if soon is None and (due is None or due > stretch.end_ms):
                return self.thought
            if soon is not None and soon > stretch.end_ms and (due is None or due > stretch.end_ms):
                return self.thought
            if due is not None and (soon is None or due <= soon):
                self._tell(ev.Tick(), due)
            else:
                at_ms, _, event = heappop(self._heap)
                self._happens(event, at_ms)

    def _later(self, at_ms: int, event: ev.Event) -> None:
        self._order += 1
        heappush(self._heap, (at_ms, self._order, event))

    def _happens(self, event: ev.Event, now: int) -> None:
        if isinstance(event, ev.RoutingChanged):
            event = ev.RoutingChanged(self._changed(event.routing))
        elif isinstance(event, ev.QueueLeft) and event.conversation not in self._waiting:
            return  # served before he lost patience
        elif isinstance(event, ev.HandoffRequested):
            event = replace(event, epoch=0)
            self._waiting[event.conversation] = now
        self._tell(event, now)

    def _tell(self, event: ev.Event, now: int) -> None:
        self._follow(self._core.apply(event, now), now)

    def _follow(self, made: list[de.Decision], now: int) -> None:
        for d in made:
            if isinstance(d, de.Assign):
                self._assigned(d, now)
            elif isinstance(d, de.Requeue):
                self._waiting[d.conversation] = now
            elif isinstance(d, de.MakeOffer):
                self._later(now + ACCEPT_MS, ev.OfferAnswered(d.conversation, d.agent, d.epoch, True))
            elif isinstance(d, (de.ToBot, de.ToMessageBox)):
                self._waiting.pop(d.conversation, None)
                outcome = self.thought.outcomes.get(d.conversation)
                if outcome is not None and outcome.ending == "open":
                    outcome.ending = "left" if isinstance(d, de.ToBot) else "boxed"
                    outcome.wait_ms = now - outcome.at_ms

    def _assigned(self, d: de.Assign, now: int) -> None:
        self._waiting.pop(d.conversation, None)
        known = self._stretch.known.get(d.conversation)
        if known is not None and (took_ms := self._took_ms(known)) is not None:
            self._later(now + took_ms, ev.CloseRequested(d.conversation, d.epoch))
        outcome = self.thought.outcomes.get(d.conversation)
        if outcome is None:
            return
        if outcome.ending in ("open", "boxed"):
            outcome.ending, outcome.wait_ms, outcome.reason = "served", now - outcome.at_ms, d.reason
            outcome.agent, outcome.pool, outcome.level = d.agent, d.pool, d.level
            self.thought.first[d.conversation] = d
        prices = {c.id: c.price_fen for c in self._core.floor.terms.routing.contracts}
        if d.contract is not None:
            outcome.price_fen = prices.get(d.contract, 0)

    def _took_ms(self, known: _Known) -> int | None:
        """How long it keeps an agent; None: to the end of the stretch, as it did."""
        if known.assigned_ms is None:
            return self._usual_ms
        return None if known.over_ms is None else max(0, known.over_ms - known.assigned_ms)
