"""What the people who use other desks complain about, each as a promise of ours: C19 … C27, load and fairness."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from dispatcher import events as ev
from dispatcher.decisions import (
    MakeOffer,
    Refuse,
    SetSeatState,
)
from dispatcher.model import AgentRule, Policy
from tests.dispatcher.floor_plan import START, Driver, assigned, of, with_seat, world


def test_c19_a_resumed_chat_never_makes_more_than_one_above_the_limit() -> None:
    d = Driver(world(own=1, seats_max=2))
    d.ready()
    for id_ in "abcd":
        d.ask(id_)
        d.do(ev.ShopperIdle(id_, 120_000))
    d.ask("e")
    d.ask("f")
    assert d.load("own1") == 2
    d.do(ev.ShopperReturned("a"))
    assert (d.load("own1"), d.state_of("a")) == (3, "assigned")
    d.do(ev.ShopperReturned("b"))
    assert (d.load("own1"), d.state_of("b")) == (3, "waiting")


def test_c19_the_night_is_handed_out_by_rate_oldest_first() -> None:
    d = Driver(world(own=2, seats_max=5, policy=Policy(backlog_every_ms=30_000)))
    for n in range(6):
        d.ask(f"n{n}")
        d.wait(1_000)
    d.wait(120_000)
    assert all(d.state_of(f"n{n}") == "message_box" for n in range(6))
    first = d.ready()
    assert sorted(assigned(first)) == ["n0", "n1"], "one each"
    assert d.wait(29_999) == []
    assert sorted(assigned(d.wait(1))) == ["n2", "n3"]


def test_c20_offline_and_back_does_not_reset_capacity() -> None:
    d = Driver(world(own=1, seats_max=2))
    d.ready()
    d.ask("a")
    d.ask("b")
    d.do(ev.AgentDisconnected("own1"))
    d.do(ev.AgentConnected("own1"))
    d.do(ev.SeatStateSet("own1", "busy"))
    d.do(ev.SeatStateSet("own1", "ready"))
    d.ask("e")
    assert (d.load("own1"), d.state_of("e")) == (2, "waiting")


def test_c21_after_two_unanswered_chats_an_agent_is_on_hold() -> None:
    d = Driver(world(own=2, seats_max=2))
    d.ready("own1")
    d.ask("a")
    d.ask("b")
    d.ready("own2")
    d.wait(60_000)
    d.do(ev.ReplyAwaited("a", START, False))
    made = d.do(ev.ReplyAwaited("b", START, False))
    assert SetSeatState("own1", "hold", "silent") in made
    assert {d.agent_of("a"), d.agent_of("b")} == {"own2"}


def test_c22_the_only_agent_who_declined_is_asked_again() -> None:
    d = Driver(world(own=1, policy=Policy(answer="offer", nobody_ms=None)))
    d.ready()
    offer = of(d.ask("a"), MakeOffer)[0]
    d.do(ev.OfferAnswered("a", "own1", offer.epoch, False))
    assert of(d.wait(5_000), MakeOffer)[0].agent == "own1"


def test_c23_the_cap_of_the_queue_admits_exactly_so_many() -> None:
    d = Driver(world(own=1, policy=Policy(waiting_max=3)))
    d.ready()
    for n in range(10):
        d.ask(f"c{n}")
    states = [d.state_of(f"c{n}") for n in range(10)]
    assert (states.count("assigned"), states.count("waiting"), states.count("message_box")) == (1, 3, 6)


def test_c24_an_agent_back_from_leave_is_not_buried() -> None:
    d = Driver(world(own=1, seats_max=5))
    for n in range(100):
        d.ask(f"c{n:02}")
    d.wait(20_000)
    d.ready()
    d.wait(89_999)
    assert d.load("own1") <= 4


@pytest.mark.parametrize("rule", ["round_robin", "least_loaded", "longest_idle", "marginal"])
def test_c25_no_rule_goes_past_the_limit_or_to_somebody_who_is_not_there(rule: AgentRule) -> None:
    """A long random day: at every step nobody is above his limit, and nobody new went to a seat without its page."""
    chance = random.Random(25)
    d = Driver(with_seat(world(own=4, seats_max=3, policy=Policy(agent_rule=rule)), "own4", seats_max=1))
    d.ready()
    here, n = {f"own{k}": True for k in range(1, 5)}, 0
    given = dict.fromkeys(here, 0)
    for _ in range(1_500):
        what = chance.random()
        agent = chance.choice(sorted(here))
        if what < 0.5:
            n += 1
            made = d.ask(f"c{n}")
        elif what < 0.85:
            going = sorted(id_ for seat in d.core.floor.seats.values() for id_ in seat.live)
            made = d.close(chance.choice(going)) if going else []
        elif here[agent]:
            here[agent], made = False, d.do(ev.AgentDisconnected(agent))
        else:
            here[agent], made = True, d.do(ev.AgentConnected(agent))
        made = [*made, *d.wait(chance.randrange(9_000))]
        for name in assigned(made).values():
            given[name] += 1
            assert here[name], "his page is closed: nothing new goes there, not in the grace either"
        loads = {name: d.load(name) for name in here}
        assert all(load <= (1 if name == "own4" else 3) for name, load in loads.items()), loads
    assert all(given.values()), "each had his share of the day"


def test_c26_a_refused_transfer_returns_to_the_giver_and_capacity_counts_for_direct_ones() -> None:
    d = Driver(world(own=2))
    d.ready()
    d.ask("a")
    giver = str(d.agent_of("a"))
    taker = "own2" if giver == "own1" else "own1"
    epoch = d.core.floor.conversations["a"].epoch
    offer = of(d.do(ev.TransferRequested("a", giver, epoch, to_agent=taker, ref="r7")), MakeOffer)[0]
    assert offer.agent == taker
    made = d.do(ev.TransferAnswered("a", taker, False))
    assert of(made, Refuse)[0] == Refuse("a", giver, "transfer.refused", "r7")
    assert (d.agent_of("a"), d.core.floor.conversations["a"].epoch) == (giver, epoch)
    d.ask("b")
    assert d.agent_of("b") == taker
    made = d.do(ev.TransferRequested("a", giver, epoch, to_agent=taker))
    assert of(made, Refuse)[0].code == "transfer.full"


def test_c27_load_fits_ability_whenever_somebody_came_and_however_long_his_chats_are() -> None:
    """A day with unequal agents, one of whom comes at noon: what each got, by his ability and hours, differs little."""
    chance = random.Random(27)
    routing = world(own=4, seats_max=4)
    for agent, ability in (("own1", 500), ("own2", 1_000), ("own3", 1_500)):
        routing = with_seat(routing, agent, ability_per_mille=ability)
    d = Driver(routing)
    d.ready("own1", "own2", "own3")
    given = dict.fromkeys(("own1", "own2", "own3", "own4"), 0)
    for n in range(600):
        if n == 300:
            d.ready("own4")
        for agent in assigned(d.ask(f"c{n}")).values():
            given[agent] += 1
        d.wait(chance.randrange(1_000, 5_000))
        for id_ in sorted(id_ for seat in d.core.floor.seats.values() for id_ in seat.live):
            if chance.random() < 0.6:
                d.close(id_)
    work = {"own1": 300 * 0.5 / 3 + 300 * 0.5 / 4, "own2": 300 / 3 + 300 / 4, "own3": 300 * 1.5 / 3 + 300 * 1.5 / 4}
    work["own4"] = 300 / 4
    assert all(0.85 < given[agent] / fair < 1.15 for agent, fair in work.items()), (given, work)


@pytest.mark.parametrize("state", ["hold", "break"])
def test_c27_whoever_is_on_hold_gets_nothing_not_by_any_door_for_a_day(state: ev.SeatState) -> None:
    d = Driver(world(own=2, seats_max=9))
    d.ready("own1")
    d.ask("a")
    d.do(ev.ShopperIdle("a", 120_000))
    d.do(ev.SeatStateSet("own1", state))
    d.ready("own2")
    assert assigned(d.do(ev.ShopperReturned("a"))) == {"a": "own2"}, "he comes back to whom he knows: not there"
    assert assigned(d.ask("b", sticky="own1", sticky_ms=START + d.now)) == {"b": "own2"}
    epoch = d.core.floor.conversations["b"].epoch
    made = d.do(ev.TransferRequested("b", "own2", epoch, to_agent="own1"))
    assert of(made, Refuse)[0].code.startswith("transfer."), "nor by transfer"
    for hour in range(24):
        made = d.ask(f"h{hour}")
        assert "own1" not in assigned([*made, *d.wait(3_600_000)]).values()
        for id_ in sorted(d.core.floor.seats["own2"].live):
            d.close(id_)
    assert d.load("own1") == 0


def test_c27_only_the_first_assignment_counts_in_somebodys_day() -> None:
    """A conversation that comes back to him, and one that he never got, are no work more."""
    d = Driver(with_seat(world(own=1, seats_max=1), "own1", daily_max=2))
    d.ready()
    d.ask("a")
    for _ in range(3):
        d.do(ev.ShopperIdle("a", 120_000))
        d.do(ev.ShopperReturned("a"))
    assert d.core.floor.seats["own1"].served == 1
    d.ask("b")
    d.do(ev.QueueLeft("b"))
    assert d.core.floor.seats["own1"].served == 1
    d.close("a")
    assert assigned(d.ask("c")) == {"c": "own1"}


def test_every_complaint_has_its_tests_and_the_table_names_them() -> None:
    here = Path(__file__).parent
    named = [
        name
        for file in ("test_complaints.py", "test_complaints_of_load.py")
        for name in re.findall(r"^def (test_c\d+_\w+)", (here / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert {int(name.split("_")[1][1:]) for name in named} == set(range(1, 28))
    table = (here.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"`(test_c\d+_\w+)`", table)) == sorted(named)
