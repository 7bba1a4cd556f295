"""Each trigger that lets a waiting conversation go further than its own team, when it opens and when it shuts again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher import events as ev
from dispatcher.decisions import Assign, Overflowed, Queued
from dispatcher.hours import every_day
from dispatcher.model import OverflowRules, Policy, Routing, Stage, TopicRule, Trigger
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


def test_a_contracts_own_rules_take_the_place_of_the_policys_steps() -> None:
    rules = OverflowRules((Trigger("queue_len", above=2),), 40_000)
    d = floor(over(Trigger("no_free_slot")), contracts=({"overflow": rules}, {}))
    d.ask("a")
    assert (reason(made := d.ask("b")), assigned(made)) == ("no_free_slot", {}), "the step has opened, the contract not"
    assert [(one.pool, one.verdict) for one in of(made, Queued)[0].pools][-1] == ("gold", "not_yet")
    d.ask("c")
    made = d.ask("e")
    assert [(one.reason, one.pool) for one in of(made, Overflowed)][-1] == ("queue_len", "gold")
    (given,) = of(made, Assign)
    assert (given.reason, given.pools[-1].rule) == ("overflow:queue_len", "queue_len")
    assert assigned(d.wait(39_999)) == {}
    assert set(assigned(d.wait(1))) == {"b", "c"}, "or by the contract's own time"


def test_a_new_version_without_rules_of_its_own_is_asked_by_the_policy_again() -> None:
    never = OverflowRules((Trigger("queue_len", above=99),))
    d = floor(over(Trigger("no_free_slot")), contracts=({"overflow": never}, {}))
    first, other = d.routing.contracts
    newer = replace(first, version=2, starts_ms=START + 60_000, overflow=None)
    d.change(replace(d.routing, contracts=(first, newer, other)))
    d.ask("a")
    assert assigned(d.ask("b")) == {}
    assert set(assigned(d.wait(60_000))) == {"b"}, "as soon as it begins"


def test_an_agent_who_is_far_behind_gets_nobody_until_he_has_caught_up() -> None:
    d = Driver(world(own=1, seats_max=3, policy=Policy(stages=(Stage("own"),))))
    d.ready()
    d.ask("a")
    d.ask("b")
    d.do(ev.TurnsOpen("own1", 2))
    assert assigned(d.ask("c")) == {}, "two late answers take a slot"
    assert assigned(d.do(ev.TurnsOpen("own1", 1))) == {"c": "own1"}


def test_who_goes_to_and_fro_counts_once_in_an_agents_day() -> None:
    d = Driver(world(own=2, policy=Policy(stages=(Stage("own"),))))
    d.ready()
    d.ask("a")
    for giver, taker in (("own1", "own2"), ("own2", "own1")):
        d.do(ev.TransferRequested("a", giver, d.core.floor.conversations["a"].epoch, to_agent=taker))
        d.do(ev.TransferAnswered("a", taker, True))
        assert d.agent_of("a") == taker
    assert [d.core.floor.seats[agent].served for agent in ("own1", "own2")] == [1, 1]


def test_a_seat_that_comes_free_tells_whom_it_chose_among() -> None:
    d = Driver(world(own=2, policy=Policy(stages=(Stage("own"),), topics=(TopicRule("vip", 5, 20_000),))))
    d.ready()
    for id_, topic in (("a", ""), ("b", ""), ("c", ""), ("e", "vip")):
        d.ask(id_, topic=topic)
        d.wait(10_000)
    (given,) = of(d.close("a"), Assign)
    assert [(one.conversation, one.priority, one.ratio) for one in given.line] == [("c", 5, 666), ("e", 5, 500)]
    assert [one.agent for one in given.candidates] == ["own1"]
    assert [one.verdict for one in given.pools] == ["no_free_slot"]
