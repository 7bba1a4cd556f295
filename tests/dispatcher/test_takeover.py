"""A core that begins from the record: what was in the air stays in the air, and what cannot is taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.decisions import Assign, Decision, MakeOffer, Overflowed, Refuse, RevokeOffer, SetSeatState
from dispatcher.model import Policy, SeatState, Stage
from tests.dispatcher.floor_plan import START, of, world

WAITING = ev.ConversationStanding("a", "s", "x", "waiting", START, START, 0)
GIVEN = replace(WAITING, state="assigned", agent="own2", pool="own", epoch=1)
OFFER = ev.OfferStanding("own1", "own", START + 20_000, "ring", "要退货", "r7")


def begin(*standing: ev.ConversationStanding, state: SeatState = "ready", at: int = START) -> tuple[Core, Any]:
    core = Core(world(own=2, policy=Policy(answer="offer")))
    seats = (ev.SeatStanding("own1", state, True), ev.SeatStanding("own2", "ready", True))
    return core, core.take_over(seats, standing, {}, at)


def later(core: Core, at: int) -> list[Decision]:
    return core.apply(ev.Tick(), at)


@pytest.mark.parametrize("late", [0, 60_000], ids=["in time", "answered while nobody led"])
def test_an_offer_that_stands_can_be_accepted(late: int) -> None:
    core, made = begin(replace(WAITING, offer=OFFER), at=START + late)
    assert made == []
    assert core.floor.seats["own1"].load == 1
    (given,) = of(core.apply(ev.OfferAnswered("a", "own1", 1, True), START + late), Assign)
    assert (given.agent, given.epoch, given.reason) == ("own1", 1, "ring")


def test_a_transfer_that_stands_can_be_refused_and_the_giver_hears_of_it_under_his_mark() -> None:
    core, _ = begin(replace(GIVEN, offer=OFFER))
    made = core.apply(ev.TransferAnswered("a", "own1", False), START)
    assert [(one.agent, one.code, one.ref) for one in of(made, Refuse)] == [("own2", "transfer.refused", "r7")]


def test_an_offer_that_stands_runs_out_at_its_time_and_the_next_one_is_asked() -> None:
    core, _ = begin(replace(WAITING, offer=OFFER))
    assert later(core, START + 19_999) == []
    made = later(core, START + 20_000)
    assert [one.reason for one in of(made, RevokeOffer)] == ["expired"]
    assert [one.agent for one in of(made, MakeOffer)] == ["own2"]


@pytest.mark.parametrize("state", ["break", "offline", "hold"])
def test_an_offer_to_somebody_who_is_no_longer_ready_is_taken_back_at_once(state: SeatState) -> None:
    _, made = begin(replace(WAITING, offer=OFFER), state=state)
    assert [one.reason for one in of(made, RevokeOffer)] == ["gone"]
    assert [one.agent for one in of(made, MakeOffer)] == ["own2"]
    assert not of(made, SetSeatState)


def test_an_offer_to_a_seat_that_is_no_longer_there_is_taken_back_at_once() -> None:
    _, made = begin(replace(WAITING, offer=replace(OFFER, agent="gone")))
    assert [one.agent for one in of(made, RevokeOffer)] == ["gone"]
    assert [one.agent for one in of(made, MakeOffer)] == ["own1"]


def test_a_transfer_to_a_pool_waits_for_that_pool_under_the_next_leader_too() -> None:
    core = Core(world(own=1, gold=1))
    pinned = replace(WAITING, epoch=2, pinned="gold", pinned_until_ms=START + 10_000, had=("own1",))
    made = core.take_over([ev.SeatStanding("own1", "ready", True)], [pinned], {}, START)
    assert of(made, Assign) == [], "the free seat of another pool does not take it"
    (given,) = of(later(core, START + 10_000), Assign)
    assert given.agent == "own1", "until its time has run out"
    assert core.floor.seats["own1"].served == 0, "it counted in his day before"


def test_what_a_shopper_has_waited_opens_the_stages_under_the_next_leader_too() -> None:
    policy = Policy(stages=(Stage("own"), Stage("preferred", 15_000), Stage("any", 10_000)))
    for waited, stages, left in ((14_000, [], 1_000), (16_000, [1], 9_000), (26_000, [1, 2], None)):
        core = Core(world(own=1, gold=1, silver=1, policy=policy))
        made = core.take_over([], [WAITING], {}, START + waited)
        assert [one.stage for one in of(made, Overflowed)] == stages
        if left is not None:
            assert not of(later(core, START + waited + left - 1), Overflowed)
            assert of(later(core, START + waited + left), Overflowed), "not from the take-over on"
