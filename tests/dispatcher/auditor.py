"""A book-keeper who knows only what was promised and checks every decision of the core against it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatcher import events as ev
from dispatcher.decisions import (
    Assign,
    Close,
    Decision,
    MakeOffer,
    Park,
    Requeue,
    RevokeOffer,
    SetSeatState,
    ToBot,
    ToMessageBox,
    WrapUp,
)
from dispatcher.model import Routing


@dataclass
class Auditor:
    """Keeps its own books from events and decisions alone; it never looks into the core."""

    routing: Routing
    state: dict[str, str] = field(default_factory=dict)
    agent: dict[str, str | None] = field(default_factory=dict)
    epoch: dict[str, int] = field(default_factory=dict)
    enqueued: dict[str, int] = field(default_factory=dict)
    topic: dict[str, str] = field(default_factory=dict)
    offers: dict[str, str] = field(default_factory=dict)
    seat: dict[str, str] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    waiting_since: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.cap = {s.agent: s.seats_max for s in self.routing.seats}
        self.pools = {s.agent: set(s.pools) for s in self.routing.seats}
        policy = self.routing.shops[0].policy
        self.reserve, self.box_ms = policy.resume_reserve, policy.message_box_ms
        self.reach = {p.id for p in self.routing.pools if p.shop == "s"} | {
            pool for c in self.routing.contracts for pool in c.pools
        }

    def load(self, agent: str) -> int:
        held = sum(1 for c, a in self.agent.items() if a == agent and self.state[c] in ("assigned", "wrap_up"))
        return held + sum(1 for a in self.offers.values() if a == agent)

    def saw(self, event: ev.Event, made: list[Decision], now_ms: int) -> None:
        fresh: set[str] = set()
        if isinstance(event, ev.HandoffRequested) and event.conversation not in self.state:
            self.asked += 1
            fresh.add(event.conversation)
            self.state[event.conversation] = "waiting"
            self.agent[event.conversation] = None
            self.epoch[event.conversation] = event.epoch
            self.enqueued[event.conversation] = event.enqueued_ms
            self.topic[event.conversation] = event.topic
            self.waiting_since[event.conversation] = now_ms
        elif isinstance(event, ev.HandoffRequested) and self.state[event.conversation] == "message_box":
            self.state[event.conversation] = "waiting"
            self.waiting_since[event.conversation] = now_ms
            fresh.add(event.conversation)
        if isinstance(event, ev.SeatStateSet):
            self.seat[event.agent] = event.state
        if isinstance(event, ev.AgentConnected):
            self.connected.add(event.agent)
        if isinstance(event, ev.AgentDisconnected):
            self.connected.discard(event.agent)
        for decision in made:
            self._book(event, decision, now_ms)
        self._check(now_ms)

    def _book(self, event: ev.Event, d: Decision, now_ms: int) -> None:
        if isinstance(d, SetSeatState):
            self.seat[d.agent] = d.state
        elif isinstance(d, Assign):
            c = d.conversation
            assert self.state[c] in ("waiting", "message_box", "parked", "wrap_up", "assigned"), "assigned from nowhere"
            assert d.epoch == self.epoch[c] + 1, "epochs grow by one"
            assert d.pool in self.pools[d.agent] & self.reach, "only through a pool of his that the shop may use"
            if d.reason == "resume":
                assert self.agent[c] == d.agent
                assert self.seat[d.agent] in ("ready", "busy", "draining")
            elif d.reason == "claim":
                assert self.seat[d.agent] in ("ready", "busy")
            elif d.reason not in ("transfer",) and self.offers.get(c) != d.agent:
                assert self.seat.get(d.agent) == "ready", "only who is ready gets a conversation"
                assert d.agent in self.connected, "only who is there gets a conversation"
            self._fifo(d)
            self.offers.pop(c, None)
            self.state[c], self.agent[c], self.epoch[c] = "assigned", d.agent, d.epoch
            most = self.cap[d.agent] + (self.reserve if d.reason == "resume" else 0)
            assert self.load(d.agent) <= max(most, self.cap[d.agent] + self.reserve * (d.reason == "resume")), (
                f"{d.agent} holds {self.load(d.agent)} of {self.cap[d.agent]} after {d.reason}"
            )
        elif isinstance(d, MakeOffer):
            assert d.conversation not in self.offers, "one offer at a time"
            self.offers[d.conversation] = d.agent
            assert self.load(d.agent) <= self.cap[d.agent]
        elif isinstance(d, RevokeOffer):
            assert self.offers.pop(d.conversation) == d.agent
        elif isinstance(d, Requeue):
            c = d.conversation
            assert self.state[c] in ("assigned", "parked", "wrap_up")
            assert d.epoch == self.epoch[c] + 1
            self.state[c], self.agent[c], self.epoch[c] = "waiting", None, d.epoch
            self.waiting_since[c] = now_ms
        elif isinstance(d, Park):
            assert self.state[d.conversation] == "assigned"
            self.state[d.conversation] = "parked"
        elif isinstance(d, WrapUp):
            assert self.state[d.conversation] == "assigned"
            self.state[d.conversation] = "wrap_up"
        elif isinstance(d, ToMessageBox):
            assert self.state[d.conversation] == "waiting"
            self.state[d.conversation] = "message_box"
        elif isinstance(d, (Close, ToBot)):
            self.finished += 1
            for book in (self.state, self.agent, self.epoch, self.enqueued, self.topic, self.waiting_since):
                book.pop(d.conversation)

    def _fifo(self, d: Assign) -> None:
        """Whoever a free seat takes from the line stands there before all its equals who may go to the same pool."""
        if d.stage or d.reason not in ("ring",) or self.state[d.conversation] != "waiting":
            return
        mine = (self.enqueued[d.conversation], d.conversation)
        for c, state in self.state.items():
            if state == "waiting" and c not in self.offers and self.topic[c] == self.topic[d.conversation]:
                assert (self.enqueued[c], c) >= mine or c in self.barred, f"{c} was passed by {d.conversation}"

    barred: set[str] = field(default_factory=set)
    """Conversations that may be passed by: one agent is not asked again for them."""

    def _check(self, now_ms: int) -> None:
        for agent, most in self.cap.items():
            assert self.load(agent) <= most + self.reserve, "never above the limit and the reserve"
        for c, state in self.state.items():
            if state == "waiting" and self.box_ms is not None and c not in self.offers:
                assert now_ms - self.waiting_since[c] <= self.box_ms, "nobody waits past the last stage"
        assert self.asked == self.finished + len(self.state), "no conversation is lost"
