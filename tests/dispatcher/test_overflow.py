"""Each trigger that lets a waiting conversation go further than its own team, when it opens and when it shuts again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.decisions import Assign, Overflowed
from dispatcher.hours import every_day
from dispatcher.model import Policy, Routing, Stage, Trigger
from tests.dispatcher.floor_plan import START, Driver, assigned, of, world

NEVER_MS = 100_000_000


def over(*triggers: Trigger, mode: str = "expand", after_ms: int = NEVER_MS) -> Policy:
    """The own team, and beyond it by these triggers alone."""
    further = Stage("preferred", after_ms, triggers, mode=mode)  # type: ignore[arg-type]
    return Policy(stages=(Stage("own"), further), message_box_ms=None, nobody_ms=None)


def floor(policy: Policy, **more: object) -> Driver:
    d = Driver(world(own=1, gold=9, policy=policy, **more))  # type: ignore[arg-type]
    d.ready()
    return d


def reason(made: list[object]) -> str:
    found = of(made, Overflowed)
    return found[0].reason if found else ""


def test_no_free_slot_opens_at_once() -> None:
    d = floor(over(Trigger("no_free_slot")))
    assert reason(d.ask("a")) == ""
    assert (reason(made := d.ask("b")), of(made, Assign)[0].reason) == ("no_free_slot", "overflow:no_free_slot")


def test_a_predicted_wait_opens_when_it_is_too_long() -> None:
    d = floor(over(Trigger("ewt", above=300_000)))
    d.ask("a")
    assert reason(d.ask("b")) == "", "one handling time, in the median, is below"
    assert reason(d.ask("e")) == "ewt", "two are not"


def test_the_length_of_the_queue_opens_and_shuts_by_hysteresis() -> None:
    d = floor(over(Trigger("queue_len", above=2, clear_below=2)))
    for id_ in "abc":
        assert reason(d.ask(id_)) == ""
    assert reason(d.ask("e")) == "queue_len"
    assert assigned(d.close("a")) == {"b": "own1"}
    assert reason(d.ask("f")) == "queue_len", "two wait: not above, but not below either"
    assert assigned(d.close("b")) == {"c": "own1"}
    assert reason(d.ask("g")) == "", "one waits: shut again"
    assert reason(d.ask("h")) == "", "two wait: it opens only above"


def test_a_trigger_stays_open_for_its_time() -> None:
    d = floor(over(Trigger("queue_len", above=1, hold_ms=30_000)))
    for id_ in "ab":
        assert reason(d.ask(id_)) == ""
    assert reason(d.ask("c")) == "queue_len"
    assert assigned(d.close("a")) == {"b": "own1"}
    assert reason(d.ask("e")) == "queue_len"
    d.wait(30_000)
    assert reason(d.ask("f")) == ""


def test_the_oldest_wait_opens_within_a_second() -> None:
    d = floor(over(Trigger("oldest", above=30_000)))
    d.ask("a")
    d.ask("b")
    assert reason(d.wait(30_000)) == ""
    assert reason(d.wait(1_000)) == "oldest"


def test_a_falling_service_level_opens() -> None:
    d = floor(over(Trigger("service_level", above=900, clear_below=950)))
    d.ask("c0")
    for n in range(1, 5):
        assert reason(d.ask(f"c{n}")) == ""
        d.wait(31_000)
        d.close(f"c{n - 1}")
    assert d.core.floor.in_target["s"] < 900
    assert reason(d.ask("late")) == "service_level"


def test_outside_the_own_teams_hours_the_provider_answers_at_once() -> None:
    minute = (START // 60_000 + 480) % 1_440
    shut = every_day((minute + 120) % 1_380, (minute + 120) % 1_380 + 30)
    d = floor(over(Trigger("outside_hours")), pools={"own": {"hours": shut}})
    assert reason(d.ask("a")) == "outside_hours"
    assert d.agent_of("a") == "gold1"


def test_a_paused_contract_opens_the_next_stage() -> None:
    stages = (Stage(("gold",)), Stage("any", NEVER_MS, (Trigger("paused"),)))
    routing: Routing = world(own=0, gold=1, silver=1, policy=Policy(stages=stages), contracts=({"paused": True}, {}))
    d = Driver(routing)
    d.ready()
    assert reason(d.ask("a")) == "paused"
    assert d.agent_of("a") == "silver1"
    again = replace(routing, contracts=tuple(replace(c, paused=False) for c in routing.contracts))
    d.change(again)
    assert d.agent_of("a") == "silver1", "who is served stays where he is"
    d.ask("b")
    assert d.agent_of("b") == "gold1"


@pytest.mark.parametrize(("mode", "taken"), [("expand", {"b": "own1"}), ("transfer", {})])
def test_expand_keeps_the_earlier_pools_and_transfer_gives_them_up(mode: str, taken: dict[str, str]) -> None:
    d = Driver(world(own=1, gold=1, policy=over(mode=mode, after_ms=15_000)))
    d.ready("own1")
    d.ask("a")
    d.ask("b")
    assert reason(d.wait(15_000)) == "time"
    assert assigned(d.close("a")) == taken
