"""Random days, seeded, watched by an auditor who does not know the core; a state machine that shrinks failures; and
bugs planted on purpose, each of which must be found. The long run is ``python -m benchmarks.invariants``."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dispatcher import events as ev
from tests.dispatcher.planted import PLANTED
from tests.dispatcher.random_day import KINDS, PAUSES, POLICIES, Day, decided_again


@pytest.mark.parametrize("name", POLICIES)
def test_a_random_day_keeps_every_promise_though_the_core_crashes(name: str) -> None:
    for seed in range(2):
        day = Day(POLICIES[name], random.Random(f"{name}{seed}"), crashes=bool(seed))
        day.steps(2_000)
        assert day.auditor.finished > 100, "the day was busy"
        assert bool(day.crashed) == bool(seed)


@pytest.mark.parametrize("name", ["default", "offers"])
def test_a_random_day_gives_nobody_to_who_is_not_certified(name: str) -> None:
    day = Day(POLICIES[name], random.Random(name), own=1, gold=4, silver=0, certified=True)
    day.steps(1_500)
    assert day.auditor.finished > 50, "the day was busy"


@pytest.mark.parametrize("name", ["default", "offers", "measured"])
def test_after_a_crash_between_any_two_steps_the_journal_gives_the_same_state_and_decisions(name: str) -> None:
    day = Day(POLICIES[name], random.Random(name), crashes=True, journal=True)
    day.steps(400)
    assert decided_again(day.lines, day.marks) == 0


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = PLANTED[name]
    bug.plant(monkeypatch.setattr)
    day = Day(bug.policy, random.Random(name), own=3, gold=2)
    with pytest.raises(AssertionError, match=bug.found):
        day.steps(10_000)


class Floor(RuleBasedStateMachine):
    """Short stories of every kind of step; the auditor checks after each."""

    @initialize(data=st.data(), name=st.sampled_from(sorted(POLICIES)))
    def opens(self, data: st.DataObject, name: str) -> None:
        self.day = Day(POLICIES[name], _Drawn(data.draw), own=1, gold=1, silver=0, journal=True)
        for agent in self.day.agents:
            self.day.tell(ev.AgentConnected(agent))
            self.day.tell(ev.SeatStateSet(agent, "ready"))

    @rule(data=st.data(), kind=st.sampled_from(sorted(set(KINDS))))
    def happens(self, data: st.DataObject, kind: str) -> None:
        self.day.chance = _Drawn(data.draw)
        self.day.tell(self.day.event(kind))

    @rule(ms=st.sampled_from(PAUSES))
    def time_passes(self, ms: int) -> None:
        self.day.pass_time(ms)

    @rule()
    def crashes(self) -> None:
        self.day.crash()

    def teardown(self) -> None:
        if hasattr(self, "day"):
            assert decided_again(self.day.lines, self.day.marks) == 0


class _Drawn:
    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def choice(self, options: Any) -> Any:
        return self._draw(st.sampled_from(list(options)))


TestNoShortStoryBreaksAPromise = Floor.TestCase
TestNoShortStoryBreaksAPromise.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
