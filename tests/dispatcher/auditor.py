"""A book-keeper who knows only what was promised and checks every decision of the core against it.

It keeps its own books from events and decisions alone; it never looks into the core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dispatcher import events as ev
from dispatcher.decisions import (
    Assign,
    Callback,
    Close,
    Decision,
    Guarded,
    MakeOffer,
    Overflowed,
    Park,
    Queued,
    Requeue,
    RevokeOffer,
    SetSeatState,
    ToBot,
    ToMessageBox,
    WrapUp,
)
from dispatcher.model import Id, Routing

DAY_MS = 86_400_000


@dataclass
class Case:
    """What is promised to one conversation. ``excluded``: agents who need not be asked again."""

    enqueued: int
    topic: str
    since: int
    epoch: int = 0
    state: str = "waiting"
    agent: Id | None = None
    stage: int = 0
    stage_ms: int = 0
    sticky: bool = False
    pinned: bool = False
    excluded: set[Id] = field(default_factory=set)
    counted: Id | None = None
    opened: set[Id] = field(default_factory=set)
    """Pools that their contract's own rules opened."""


@dataclass
class Auditor:
    """For one shop ``s`` with pools of its own and of contracts, whose stages only ever expand."""

    routing: Routing
    cases: dict[Id, Case] = field(default_factory=dict)
    offers: dict[Id, Id] = field(default_factory=dict)
    seat: dict[Id, str] = field(default_factory=dict)
    connected: set[Id] = field(default_factory=set)
    called: set[Id] = field(default_factory=set)
    """Who is called back, and may wait longer."""
    behind: dict[Id, int] = field(default_factory=dict)
    """Late answers of an agent: every two take a slot."""
    finished: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.cap = {s.agent: s.seats_max for s in self.routing.seats}
        self.pools = {s.agent: set(s.pools) for s in self.routing.seats}
        self.policy = self.routing.shops[0].policy
        self.contracts = {pool: c for c in self.routing.contracts for pool in c.pools}
        own = [p.id for p in self.routing.pools if p.shop == "s"]
        ranked = sorted(self.routing.contracts, key=lambda c: c.rank)
        preferred = [pool for c in ranked if c.rank == ranked[0].rank for pool in c.pools]
        self.stages = [
            {"own": own, "preferred": preferred, "any": list(self.contracts)}[str(stage.pools)]
            for stage in self.policy.stages
        ]
        self.ruled = {pool: c.overflow for pool, c in self.contracts.items() if c.overflow is not None}
        self.papers = {(c.contract, c.agent): c.until_ms for c in self.routing.certificates}
        self.used: dict[tuple[Id, int], int] = {}
        self.held: dict[Id, set[Id]] = {agent: set() for agent in self.cap}
        """Conversations that take a slot of his, offers included."""

    # --- what happened ------------------------------------------------------------------------------------------

    def saw(self, event: ev.Event, made: list[Decision], now_ms: int) -> None:
        """One ``apply``. Timers that were due must have been told of before, with a Tick."""
        self.now = now_ms
        if isinstance(event, ev.HandoffRequested):
            self._asked(event)
        elif isinstance(event, ev.SeatStateSet):
            self.seat[event.agent] = event.state
        elif isinstance(event, ev.AgentConnected):
            self.connected.add(event.agent)
        elif isinstance(event, ev.AgentDisconnected):
            self.connected.discard(event.agent)
        elif isinstance(event, ev.TurnsOpen):
            self.behind[event.agent] = event.turns
        self._stale(event, made)
        for decision in made:
            self._book(event, decision)
        self._check()

    def took_over(self, made: list[Decision], now_ms: int) -> None:
        """Another core began from the record: places are kept, and what somebody has waited opens stages for him."""
        self.now = now_ms
        for case in self.cases.values():
            case.stage, case.stage_ms, case.sticky = 0, case.since, False
            case.opened.clear()
        self.behind.clear()
        for decision in made:
            self._book(ev.Tick(), decision)
        self._check()

    def _asked(self, event: ev.HandoffRequested) -> None:
        case = self.cases.get(event.conversation)
        if case is None:
            self.asked += 1
            self.cases[event.conversation] = Case(
                event.enqueued_ms, event.topic, self.now, event.epoch, stage_ms=self.now,
                sticky=event.sticky is not None,
            )  # fmt: skip
        elif case.state == "message_box":
            self._wait(case)

    def _wait(self, case: Case) -> None:
        case.state, case.agent, case.since, case.stage, case.stage_ms = "waiting", None, self.now, 0, self.now
        case.opened.clear()

    def _stale(self, event: ev.Event, made: list[Decision]) -> None:
        """What bears an old fencing number, or answers an offer that is not his, changes nothing."""
        if isinstance(event, ev.CloseRequested):
            case = self.cases.get(event.conversation)
            old = case is not None and event.epoch is not None and event.epoch != case.epoch
            kinds: tuple[type[Decision], ...] = (Close, WrapUp)
        elif isinstance(event, ev.TransferRequested):
            case = self.cases.get(event.conversation)
            old = case is None or (case.agent, case.epoch) != (event.agent, event.epoch)
            kinds = (Requeue, MakeOffer)
        elif isinstance(event, ev.OfferAnswered):
            case = self.cases.get(event.conversation)
            old = case is None or self.offers.get(event.conversation) != event.agent or event.epoch != case.epoch + 1
            kinds = (Assign, MakeOffer, RevokeOffer)
        else:
            return
        done = [d for d in made if isinstance(d, kinds) and getattr(d, "conversation", None) == event.conversation]
        assert not old or not done, f"a stale {type(event).__name__} was followed: {done}"

    # --- what was decided ---------------------------------------------------------------------------------------

    def _book(self, event: ev.Event, d: Decision) -> None:
        if isinstance(d, SetSeatState):
            self.seat[d.agent] = d.state
        elif isinstance(d, Assign):
            self.called.discard(d.conversation)
            self._assigned(d)
        elif isinstance(d, Overflowed):
            self._overflowed(d)
        elif isinstance(d, Callback):
            assert self.cases[d.conversation].state == "waiting", "only who waits is called back"
            (self.called.add if d.on else self.called.discard)(d.conversation)
        elif isinstance(d, Guarded):
            assert d.waited_ms >= d.after_ms, "a tier before its time"
            assert (d.agent is None) == (self.cases[d.conversation].state == "waiting"), "nobody's slowness"
        elif isinstance(d, MakeOffer):
            assert d.conversation not in self.offers, "one offer at a time"
            if self.cases[d.conversation].state == "waiting":
                self._fifo(d.conversation, d.agent, d.pool, d.reason)
            self.offers[d.conversation] = d.agent
            self.held[d.agent].add(d.conversation)
            assert len(self.held[d.agent]) <= self.cap[d.agent], "an offer holds a slot"
        elif isinstance(d, RevokeOffer):
            assert self.offers.pop(d.conversation) == d.agent, "only an offer that was made is taken back"
            self.held[d.agent].discard(d.conversation)
            if self.cases[d.conversation].state == "waiting":
                self.cases[d.conversation].excluded.add(d.agent)
        elif isinstance(d, Requeue):
            case = self.cases[d.conversation]
            assert case.state in ("assigned", "parked", "wrap_up"), "only what somebody has is taken away"
            assert d.epoch == case.epoch + 1, "taking it away has a number of its own"
            case.epoch = d.epoch
            self._free(d.conversation, case)
            if d.agent is not None:
                case.excluded.add(d.agent)
            self._wait(case)
            case.pinned = isinstance(event, ev.TransferRequested) and event.to_pool is not None
        elif isinstance(d, (Park, WrapUp)):
            case = self.cases[d.conversation]
            assert case.state == "assigned", "only what is at hand is laid aside"
            case.state = "parked" if isinstance(d, Park) else "wrap_up"
            if isinstance(d, Park):
                self._free(d.conversation, case)
        elif isinstance(d, ToMessageBox):
            assert self.cases[d.conversation].state == "waiting", "who is served is not put into the message box"
            self.cases[d.conversation].state = "message_box"
        elif isinstance(d, Queued):
            most = sum(case.state == "waiting" for case in self.cases.values())
            assert 1 <= d.position <= most, f"place {d.position} of {most}"
        elif isinstance(d, (Close, ToBot)):
            self.finished += 1
            self._free(d.conversation, self.cases.pop(d.conversation))

    def _free(self, conversation: Id, case: Case) -> None:
        if case.agent is not None:
            self.held[case.agent].discard(conversation)

    def _assigned(self, d: Assign) -> None:
        case = self.cases[d.conversation]
        assert d.epoch == case.epoch + 1, "epochs grow by one"
        assert d.pool in self.pools[d.agent] & {p for stage in self.stages for p in stage}, "a pool he may go to"
        assert not self._barred(d.pool, d.agent), "only who is certified, where the contract asks for it"
        if d.pool in self.ruled and (d.reason == "ring" or d.reason.startswith("overflow")):
            assert d.pool in case.opened or case.pinned, "a contract is asked by its own rules alone"
        if case.state == "assigned":
            assert d.reason in ("transfer", "takeover"), f"{d.conversation} has somebody already"
        if d.reason == "resume":
            assert case.agent == d.agent, "it is resumed by who had it"
            assert self.seat[d.agent] in ("ready", "busy", "draining")
        elif d.reason == "claim":
            assert self.seat[d.agent] in ("ready", "busy")
        elif d.reason != "transfer" and self.offers.get(d.conversation) != d.agent:
            assert self.seat.get(d.agent) == "ready", "only who is ready gets a conversation"
            assert d.agent in self.connected, "only who is there gets a conversation"
        if case.state == "waiting" and self.offers.get(d.conversation) != d.agent:
            self._fifo(d.conversation, d.agent, d.pool, d.reason)
        self._free(d.conversation, case)
        offered = self.offers.pop(d.conversation, None)
        if offered is not None:
            self.held[offered].discard(d.conversation)
        self.held[d.agent].add(d.conversation)
        case.state, case.agent, case.epoch, case.pinned = "assigned", d.agent, d.epoch, False
        # An offer took its slot when it was made; meanwhile one who came back may have taken the reserve.
        reserve = self.policy.resume_reserve if d.reason == "resume" or offered == d.agent else 0
        load = len(self.held[d.agent])
        assert load <= self.cap[d.agent] + reserve, f"{d.agent} holds {load} of {self.cap[d.agent]} after {d.reason}"
        if d.contract is not None and d.contract != case.counted:
            case.counted = d.contract
            self.used[d.contract, self._day()] = self.used.get((d.contract, self._day()), 0) + 1

    def _overflowed(self, d: Overflowed) -> None:
        case = self.cases[d.conversation]
        if d.pool:
            rules = self.ruled[d.pool]
            assert d.pool not in case.opened, "a pool is opened once a wait"
            if d.reason == "time":
                assert rules.after_ms is not None, "never by time"
                assert self.now - case.since >= rules.after_ms, "a contract is asked before its own time"
            else:
                assert d.reason in (*(t.kind for t in rules.any_of), "slow"), "by a rule of its own"
            if d.reason == "oldest":
                above = next(t for t in rules.any_of if t.kind == "oldest")
                oldest = min(other.enqueued for other in self.cases.values() if other.state == "waiting")
                assert self.now - oldest >= min(above.above, above.clear_below or above.above), "nobody is so old"
            case.opened.add(d.pool)
            return
        assert d.stage == case.stage + 1, "stages are entered in order"
        rule = self.policy.stages[d.stage]
        if d.reason == "time":
            assert self.now - case.stage_ms >= rule.after_ms, "overflow before its time"
        if d.reason == "no_free_slot":
            free = [a for p in self._reached(case) for a in self._free_seats(p, d.conversation, case)]
            assert not free, f"{d.conversation} overflows while {free[0]} is free"
        case.stage, case.stage_ms = d.stage, case.stage_ms + rule.after_ms if d.reason == "time" else self.now

    def _fifo(self, conversation: Id, agent: Id, pool: Id, reason: str) -> None:
        """Whoever a seat takes from the line stands there before all its equals who may go to the same pool."""
        if reason != "ring" and not reason.startswith("overflow"):
            return
        mine = self.cases[conversation]
        for id_, case in self._in_line():
            if id_ == conversation or case.topic != mine.topic or agent in case.excluded:
                continue
            ahead = (case.enqueued, id_) < (mine.enqueued, conversation)
            could = pool in self._reached(case) and self._volume_left(pool, case)
            assert not (ahead and could), f"{id_} was passed by {conversation}"

    # --- what always holds --------------------------------------------------------------------------------------

    def _day(self) -> int:
        """The local day of a shop in Shanghai."""
        return (self.now + 8 * 3_600_000) // DAY_MS

    def _in_line(self) -> Iterator[tuple[Id, Case]]:
        """Who waits for anybody: not asked for by name, not on offer, not promised to one pool or agent."""
        for id_, case in self.cases.items():
            if case.state == "waiting" and id_ not in self.offers and not case.pinned:
                if case.sticky and self.policy.wrap_up_ms:
                    continue  # once, for a moment, he may be kept for who served him last
                yield id_, case

    def _reached(self, case: Case) -> list[Id]:
        stages = (pool for stage in self.stages[: case.stage + 1] for pool in stage)
        return [pool for pool in stages if pool not in self.ruled] + sorted(case.opened)

    def _volume_left(self, pool: Id, case: Case) -> bool:
        contract = self.contracts.get(pool)
        if contract is None or contract.daily_max is None or contract.id == case.counted:
            return True
        return self.used.get((contract.id, self._day()), 0) < contract.daily_max

    def _barred(self, pool: Id, agent: Id) -> bool:
        contract = self.contracts.get(pool)
        return contract is not None and contract.certified and self.papers.get((contract.id, agent), 0) <= self.now

    def _free_seats(self, pool: Id, conversation: Id, case: Case) -> list[Id]:
        """Who could take it now in this pool."""
        if not self._volume_left(pool, case):
            return []
        return [
            agent
            for agent, most in self.cap.items()
            if pool in self.pools[agent]
            and self.seat.get(agent) == "ready"
            and agent in self.connected
            and len(self.held[agent]) + self.behind.get(agent, 0) // 2 < most
            and agent not in case.excluded
            and not self._barred(pool, agent)
        ]

    def _check(self) -> None:
        for agent, most in self.cap.items():
            assert len(self.held[agent]) <= most + self.policy.resume_reserve, "never above the limit and the reserve"
        for id_, case in self.cases.items():
            box_ms = self.policy.callback_ms if id_ in self.called else self.policy.message_box_ms
            if case.state == "waiting" and id_ not in self.offers and box_ms is not None:
                assert self.now - case.since <= box_ms, "nobody waits past the last stage"
        for id_, case in self._in_line():
            free = [a for pool in self._reached(case) for a in self._free_seats(pool, id_, case)]
            assert not free, f"{id_} waits while {free[0]} is free"
        assert self.asked == self.finished + len(self.cases), "no conversation is lost"
