"""Random days: events that can happen, in any order, at any time, also those that no longer make sense."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.decisions import Decision
from dispatcher.journal import Line, TakenOver, canonical, from_row, to_row
from dispatcher.lines import Conversation
from dispatcher.model import Certificate, OverflowRules, Policy, Stage, TopicRule, Trigger
from tests.dispatcher.auditor import Auditor
from tests.dispatcher.floor_plan import START, world

_MEASURED = (
    Trigger("ewt", 5_000, 3_000),
    Trigger("queue_len", 3),
    Trigger("oldest", 6_000),
    Trigger("service_level", 800),
)
POLICIES = {
    "default": Policy(),
    "offers": Policy(answer="offer", wrap_up_ms=8_000),
    "round_robin": Policy(agent_rule="round_robin", waiting_max=5),
    "topics": Policy(topics=(TopicRule("pre_sales", 3, 20_000), TopicRule("after_sales", 6, 60_000))),
    "value": Policy(pool_rule="value", margin_fen=800, message_box_ms=60_000),
    "wrap_up": Policy(agent_rule="marginal", wrap_up_ms=4_000, sticky_hold_ms=9_000),
    "measured": Policy(stages=(Stage("own"), Stage("preferred", 15_000, _MEASURED), Stage("any", 10_000))),
    "own_rules": Policy(pool_rule="value", margin_fen=500),
}
OWN_RULES = OverflowRules((Trigger("queue_len", 2), Trigger("oldest", 9_000, 5_000)), 20_000)
"""Of the preferred contract, in days of the policy of this name."""
KINDS = (
    *["ask"] * 10, *["state"] * 4, *["connect"] * 4, *["close"] * 7, *["offer"] * 4, "disconnect", "return", "return",
    "idle", "leave", "closed", "claim", "silent", "silent", "transfer", "again", "callback", "behind",
)  # fmt: skip
STATES = (*["ready"] * 6, "busy", "break", "hold", "draining", "offline")
LIKELY = {
    "close": ("assigned",), "closed": ("assigned", "message_box"), "transfer": ("assigned",), "silent": ("assigned",),
    "idle": ("assigned", "parked"), "return": ("parked", "wrap_up"), "claim": ("waiting", "message_box"),
    "leave": ("waiting",), "callback": ("waiting",), "again": ("message_box",), "offer": ("offered",),
}  # fmt: skip
"""Whom a kind of event mostly happens to; now and then it happens to anybody."""
OPEN_MAX = 40
PAUSES = (0, 0, 5, 300, 2_000, 15_000)


class Day:
    """``crashes``: now and then the core is lost, and another one begins from what the record would hold.

    ``lines`` is the journal, as it would be written; ``marks`` the core's state after each of its steps.
    """

    def __init__(
        self, policy: Policy, chance: random.Random | Any, *, own: int = 2, gold: int = 2, silver: int = 1,
        crashes: bool = False, journal: bool = False, certified: bool = False,
    ) -> None:  # fmt: skip
        rules = OWN_RULES if policy is POLICIES["own_rules"] else None
        terms = {"daily_max": 40, "certified": certified, "overflow": rules}
        self.routing = world(own, gold, silver, seats_max=2, policy=policy, contracts=(terms, {}))
        if certified:  # one has a paper, one whose paper ends within the day, the others have none
            papers = (Certificate("cg", 1, "gold1", 2**60), Certificate("cg", 1, "gold2", START + 1_800_000))
            self.routing = replace(self.routing, certificates=papers)
        self.auditor = Auditor(self.routing)
        self.now = START
        self.agents = [seat.agent for seat in self.routing.seats]
        self.count = self.crashed = self.told = 0
        self.chance, self.crashes, self.journal = chance, crashes, journal
        self.lines: list[Line] = []
        self.marks: list[bytes] = []
        self._begin(TakenOver(self.routing))

    # --- the core, its journal, its record ----------------------------------------------------------------------

    def _begin(self, start: TakenOver) -> None:
        self.core, made = start.core(self.now)
        self._keep(start, made)
        self.auditor.took_over(made, self.now)

    def _keep(self, event: ev.Event | TakenOver, made: list[Decision]) -> None:
        self.told += 1
        if self.journal:
            rows = orjson.loads(orjson.dumps([to_row(event), [to_row(d) for d in made]]))
            self.lines.append(Line(1, self.told, self.now, *rows))
            self.marks.append(fingerprint(self.core))

    def tell(self, event: ev.Event) -> None:
        made = self.core.apply(event, self.now)
        self._keep(event, made)
        self.auditor.saw(event, made, self.now)

    def pass_time(self, ms: int) -> None:
        """Timers fire when they are due, as the shell lets them: it sleeps until the next one."""
        until = self.now + ms
        while (due := self.core.next_timer_ms()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(ev.Tick())
        self.now = until

    def crash(self) -> None:
        self.crashed += 1
        self._begin(standing(self.core, self.routing))

    def step(self) -> None:
        self.pass_time(self.chance.choice(PAUSES))
        if self.crashes and self.chance.random() < 0.004:
            self.crash()
        kind = self.chance.choice(KINDS)
        self.tell(self.event("closed" if kind == "ask" and len(self.auditor.cases) >= OPEN_MAX else kind))

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def _whom(self, kind: str) -> str:
        books = self.auditor
        likely = LIKELY.get(kind, ())
        fitting = [
            id_
            for id_, case in books.cases.items()
            if case.state in likely or ("offered" in likely and id_ in books.offers)
        ]
        anybody = not fitting or self.chance.choice((False,) * 7 + (True,))
        return str(self.chance.choice((list(books.cases) or ["none"]) if anybody else fitting))

    def event(self, kind: str) -> ev.Event:
        chance, books = self.chance, self.auditor
        c = self._whom(kind)
        case = books.cases.get(c)
        agent = chance.choice(self.agents)
        holder = (case.agent if case else None) or agent
        epoch = (case.epoch if case else 0) - chance.choice((0, 0, 0, 1))
        if kind == "ask":
            self.count += 1
            return ev.HandoffRequested(
                f"c{self.count:06}", "s", "x", self.now, chance.choice(("", "pre_sales", "after_sales")),
                sticky=chance.choice((None, None, agent)), sticky_ms=self.now - 1_000,
            )  # fmt: skip
        if kind == "again":
            return ev.HandoffRequested(c, "s", "x", case.enqueued, case.topic) if case else ev.Tick()
        if kind == "state":
            return ev.SeatStateSet(agent, chance.choice(STATES))
        if kind == "offer":
            to = books.offers.get(c, agent)
            accepted = chance.choice((True, True, False))
            if case is not None and case.state == "assigned":
                return ev.TransferAnswered(c, to, accepted)
            return ev.OfferAnswered(c, to, epoch + 1, accepted)
        if kind == "transfer":
            target: dict[str, str] = chance.choice(({}, {"to_agent": agent}, {"to_pool": "gold"}))
            return ev.TransferRequested(c, holder, epoch, **target)
        return {
            "connect": ev.AgentConnected(agent),
            "disconnect": ev.AgentDisconnected(agent),
            "return": ev.ShopperReturned(c),
            "idle": ev.ShopperIdle(c, chance.choice((130_000, 130_000, 2_000_000))),
            "leave": ev.QueueLeft(c, chance.choice((True, False))),
            "close": ev.CloseRequested(c, epoch),
            "closed": ev.CloseRequested(c, None, "shopper"),
            "claim": ev.Claimed(c, agent),
            "silent": ev.ReplyAwaited(
                c, self.now - chance.choice((20_000, 70_000, 130_000, 200_000)), chance.choice((True, False))
            ),
            "callback": ev.CallbackAsked(c, chance.choice((True, True, False))),
            "behind": ev.TurnsOpen(agent, chance.choice((0, 0, 1, 3))),
        }[kind]


def standing(core: Core, routing: Any) -> TakenOver:
    """What the record would tell another core: what was committed, not what was learnt or remembered beside it."""
    floor = core.floor
    seats = tuple(
        ev.SeatStanding(
            agent, seat.state, seat.connected, seat.before_loss, seat.disconnected_ms, seat.served, seat.served_day,
            seat.last_assigned_ms, tuple(seat.strikes_ms),
        )
        for agent, seat in sorted(floor.seats.items())
    )  # fmt: skip
    conversations = tuple(_standing(c) for _, c in sorted(floor.conversations.items()))
    return TakenOver(routing, seats, conversations, tuple((*key, count) for key, count in sorted(floor.used.items())))


def _standing(c: Conversation) -> ev.ConversationStanding:
    offer = None
    if c.offer_to is not None and c.offer_pool is not None:
        offer = ev.OfferStanding(c.offer_to, c.offer_pool, c.offer_ms, c.offer_reason, c.note, c.transfer_ref)
    return ev.ConversationStanding(
        c.id, c.shop, c.shopper, c.state, c.enqueued_ms, c.waiting_ms if c.state == "waiting" else c.since_ms, c.epoch,
        c.topic, c.agent, c.pool, tuple(c.excluded.items()) if c.state == "waiting" else (), c.counted, offer,
        c.first_ms, c.turn_ms, c.guarded_ms, c.callback, c.pinned, c.pinned_ms, tuple(c.had), c.lang,
    )  # fmt: skip


def _plain(value: Any) -> list[Any]:
    """The fields of a seat or conversation, sets in order."""
    fields = (getattr(value, name) for name in value.__slots__)
    return [sorted(field) if isinstance(field, set) else field for field in fields]


def fingerprint(core: Core) -> bytes:
    """Everything decisions rest on: two cores with equal ones decide alike from here on."""
    f = core.floor
    told = [
        f.now_ms, f.timers.listed(), f.rates.snapshot(), f.used, f.opened, f.in_target, f.box, f.present, f.slots,
        sorted(f.lines.ids()), [_plain(f.seats[id_]) for id_ in sorted(f.seats)],
        [_plain(f.conversations[id_]) for id_ in sorted(f.conversations)],
    ]  # fmt: skip
    return hashlib.blake2b(repr(told).encode(), digest_size=16).digest()


def decided_again(lines: Sequence[Line], marks: Sequence[bytes]) -> int:
    """How many steps a core that is given the journal takes otherwise: other decisions, or another state after them.

    A crash between any two steps is one of them: the journal up to there is all that is left.
    """
    other = 0
    core = None
    for line, mark in zip(lines, marks, strict=True):
        event = from_row(line.event)
        if isinstance(event, TakenOver):
            core, made = event.core(line.at_ms)
        else:
            assert core is not None, "a journal begins with a start"
            made = core.apply(event, line.at_ms)
        same = canonical([to_row(d) for d in made]) == canonical(line.decisions) and fingerprint(core) == mark
        other += not same
    return other
