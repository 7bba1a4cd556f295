"""How the core behaves where nobody complained: overflow, places in line, hours, draining, epochs, wrapping up."""

from __future__ import annotations

from dataclasses import replace

from dispatcher import events as ev
from dispatcher.decisions import (
    Assign,
    Overflowed,
    Queued,
    Refuse,
    SetSeatState,
    ToMessageBox,
)
from dispatcher.hours import every_day
from dispatcher.model import Policy
from tests.dispatcher.floor_plan import START, Driver, assigned, of, world


def test_a_full_own_team_overflows_at_once_to_the_preferred_provider() -> None:
    d = Driver(world(own=1, gold=1, silver=1))
    d.ready()
    assert assigned(d.ask("a")) == {"a": "own1"}
    made = d.ask("b")
    assert of(made, Overflowed)[0].reason == "no_free_slot"
    (given,) = of(made, Assign)
    assert (given.agent, given.reason, given.stage, given.contract) == ("gold1", "overflow:no_free_slot", 1, "cg")
    assert d.ask("e")[-1] == Queued("e", "s", 1, *d.core.floor.predict(d.core.floor.conversations["e"], 0), 1,
                                    d.core.floor.conversations["e"].seen)  # fmt: skip
    assert assigned(d.wait(10_000)) == {"e": "silver1"}


def test_overflow_keeps_the_place_in_line() -> None:
    d = Driver(world(own=1, gold=1))
    d.ready()
    for id_ in "abcd":
        d.ask(id_)
        d.wait(100)
    assert assigned(d.close("b")) == {"c": "gold1"}
    assert assigned(d.close("a")) == {"d": "own1"}


def test_outside_all_hours_the_message_box_answers_at_once() -> None:
    # START is 2025-11-24 in China, some hour; a window of one minute an hour before it is shut.
    minute = (START // 60_000 + 480) % 1_440
    shut = every_day((minute + 120) % 1_380, (minute + 120) % 1_380 + 30)
    d = Driver(world(own=1, pools={p: {"hours": shut} for p in ("own", "gold", "silver")}))
    d.ready()
    made = d.ask("a")
    assert of(made, ToMessageBox)[0].reason == "hours"


def test_draining_keeps_what_there_is_and_then_goes_offline() -> None:
    d = Driver(world(own=1, seats_max=3))
    d.ready()
    d.ask("a")
    d.do(ev.SeatStateSet("own1", "draining"))
    d.ask("b")
    assert d.state_of("b") == "waiting"
    assert SetSeatState("own1", "offline", "drained") in d.close("a")


def test_a_stale_epoch_closes_and_transfers_nothing() -> None:
    d = Driver(world(own=2))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    d.wait(60_000)
    d.do(ev.ReplyAwaited("a", START, False))
    assert d.agent_of("a") == "own2"
    assert d.do(ev.CloseRequested("a", 1)) == []
    assert of(d.do(ev.TransferRequested("a", "own1", 1)), Refuse)[0].code == "assignment.stale"


def test_wrap_up_holds_the_slot_and_words_within_it_resume() -> None:
    d = Driver(world(own=1, policy=Policy(wrap_up_ms=10_000)))
    d.ready()
    d.ask("a")
    d.close("a")
    d.ask("b")
    assert (d.state_of("a"), d.state_of("b")) == ("wrap_up", "waiting")
    d.do(ev.ShopperReturned("a"))
    assert d.state_of("a") == "assigned"
    d.close("a")
    assert assigned(d.wait(10_000)) == {"b": "own1"}


def test_a_returning_shopper_goes_to_the_agent_who_knows_him() -> None:
    d = Driver(world(own=3, seats_max=2))
    d.ready()
    assert assigned(d.ask("a", sticky="own3", sticky_ms=START)) == {"a": "own3"}
    assert of([x for _, x in d.log], Assign)[0].reason == "sticky"


def test_a_returning_shopper_waits_a_moment_for_the_agent_who_is_just_wrapping_up() -> None:
    d = Driver(world(own=2, policy=Policy(wrap_up_ms=4_000)))
    d.ready("own1")
    d.ask("a")
    d.close("a")
    d.ask("b", sticky="own1", sticky_ms=START)
    d.ready("own2")
    assert (d.state_of("a"), d.state_of("b")) == ("wrap_up", "waiting")
    assert [(a.agent, a.reason) for a in of(d.wait(4_000), Assign)] == [("own1", "sticky")]


def test_when_that_moment_is_over_anybody_may_serve_him() -> None:
    d = Driver(world(own=2, policy=Policy(wrap_up_ms=4_000)))
    d.ready("own1")
    d.ask("a")
    d.close("a")
    d.ask("b", sticky="own1", sticky_ms=START)
    d.do(ev.SeatStateSet("own1", "break"))
    d.ready("own2")
    d.wait(4_999)
    assert d.state_of("b") == "waiting"
    assert assigned(d.wait(1)) == {"b": "own2"}


def test_who_waits_already_may_still_be_promised_to_his_agent_who_begins_to_wrap_up() -> None:
    d = Driver(world(own=2, policy=Policy(wrap_up_ms=4_000, sticky_hold_ms=60_000)))
    d.ready("own1")
    d.ask("a")
    d.ask("b", sticky="own1", sticky_ms=START)  # own1 is busy: the search widens
    d.wait(9_000)
    d.close("a")
    assert [(a.agent, a.reason) for a in of(d.wait(20_000), Assign)] == [("own1", "sticky")]


def test_a_removed_seats_chats_go_to_others_and_never_back_to_it() -> None:
    d = Driver(world(own=2, seats_max=3))
    d.ready()
    d.ask("a")
    gone = str(d.agent_of("a"))
    left = replace(d.routing, seats=tuple(seat for seat in d.routing.seats if seat.agent != gone))
    d.do(ev.RoutingChanged(left))
    assert d.agent_of("a") in {"own1", "own2"} - {gone}
    assert gone not in d.core.floor.seats
