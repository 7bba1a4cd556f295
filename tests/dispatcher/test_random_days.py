"""Random days, seeded, watched by an auditor who does not know the core; and a state machine that shrinks failures."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.model import Policy, TopicRule
from tests.dispatcher.auditor import Auditor
from tests.dispatcher.floor_plan import START, world

POLICIES = {
    "default": Policy(),
    "offers": Policy(answer="offer", wrap_up_ms=8_000),
    "round_robin": Policy(agent_rule="round_robin", waiting_max=5),
    "topics": Policy(topics=(TopicRule("pre_sales", 3, 20_000), TopicRule("after_sales", 6, 60_000))),
    "value": Policy(pool_rule="value", margin_fen=800, message_box_ms=60_000),
}


class Day:
    """One random day: events that can happen, in any order, at any time, also those that no longer make sense."""

    def __init__(self, policy: Policy, chance: Any, *, own: int = 2, gold: int = 2, silver: int = 1) -> None:
        self.routing = world(own, gold, silver, seats_max=2, policy=policy, contracts=({"daily_max": 40}, {}))
        self.core = Core(self.routing)
        self.auditor = Auditor(self.routing)
        self.now = START
        self.agents = [seat.agent for seat in self.routing.seats]
        self.count = 0
        self.chance = chance
        self.core.apply(ev.Tick(), START)

    def step(self) -> None:
        chance = self.chance
        # Timers fire when they are due, as the shell lets them: it sleeps until the next one.
        until = self.now + chance.choice((0, 0, 5, 300, 2_000, 15_000))
        while (due := self.core.next_timer_ms()) is not None and due <= until:
            self.now = max(self.now, due)
            self.auditor.saw(ev.Tick(), self.core.apply(ev.Tick(), self.now), self.now)
        self.now = until
        event = self.event()
        if isinstance(event, (ev.OfferAnswered, ev.TransferRequested, ev.ReplyAwaited, ev.AgentDisconnected)):
            self.auditor.barred.update(self.auditor.state)  # exclusions may now let others go first
        self.auditor.saw(event, self.core.apply(event, self.now), self.now)

    def event(self) -> ev.Event:
        chance, books = self.chance, self.auditor
        known = sorted(books.state) or ["none"]
        c = chance.choice(known)
        agent = chance.choice(self.agents)
        holder = books.agent.get(c) or agent
        epoch = books.epoch.get(c, 0) - chance.choice((0, 0, 0, 1))
        kind = chance.choice(KINDS)
        if kind == "ask":
            self.count += 1
            return ev.HandoffRequested(
                f"c{self.count:05}", "s", "x", self.now, chance.choice(("", "pre_sales", "after_sales")),
                sticky=chance.choice((None, None, agent)), sticky_ms=self.now - 1_000,
            )  # fmt: skip
        if kind == "again":
            return ev.HandoffRequested(c, "s", "x", books.enqueued.get(c, self.now)) if c != "none" else ev.Tick()
        if kind == "state":
            states = ("ready", "ready", "ready", "busy", "break", "hold", "draining", "offline")
            return ev.SeatStateSet(agent, chance.choice(states))
        if kind == "offer":
            to = books.offers.get(c, agent)
            accepted = chance.choice((True, True, False))
            if books.state.get(c) == "assigned":
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
                c, self.now - chance.choice((20_000, 70_000, 130_000)), chance.choice((True, False))
            ),
        }[kind]


KINDS = (
    *["ask"] * 10, *["state"] * 4, *["connect"] * 4, *["close"] * 7, *["offer"] * 4, "disconnect", "return", "return",
    "idle", "leave", "closed", "claim", "silent", "silent", "transfer", "again",
)  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_a_random_day_keeps_every_promise(name: str) -> None:
    for seed in range(3):
        day = Day(POLICIES[name], random.Random(f"{name}{seed}"))
        for _ in range(3_000):
            day.step()
        assert day.auditor.finished > 100, "the day was busy"


class _Drawn:
    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def choice(self, options: Any) -> Any:
        return self._draw(st.sampled_from(list(options)))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(POLICIES)))
def test_no_short_story_breaks_a_promise(story: st.DataObject, name: str) -> None:
    day = Day(POLICIES[name], _Drawn(story.draw), own=1, gold=1, silver=0)
    for _ in range(story.draw(st.integers(1, 40))):
        day.step()


def test_the_same_events_give_the_same_decisions() -> None:
    def told(seed: int) -> list[str]:
        day = Day(POLICIES["offers"], random.Random(seed))
        heard: list[str] = []
        apply = day.core.apply
        day.core.apply = lambda e, t: (made := apply(e, t), heard.append(repr(made)))[0]  # type: ignore[method-assign]
        for _ in range(1_500):
            day.step()
        return heard

    assert told(7) == told(7)
