"""What the people who use other desks complain about, each as a promise of ours. C1 … C27."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher import events as ev
from dispatcher.decisions import (
    Assign,
    MakeOffer,
    Overflowed,
    Queued,
    Refuse,
    Requeue,
    RevokeOffer,
    SetSeatState,
    ToMessageBox,
    Warn,
)
from dispatcher.hours import every_day
from dispatcher.model import Policy
from tests.dispatcher.floor_plan import START, Driver, assigned, of, with_seat, world


def test_c1_an_agent_who_never_answers_loses_the_conversation_to_another() -> None:
    d = Driver(world(own=2))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    d.wait(30_000)
    assert of(d.do(ev.ReplyAwaited("a", START, False)), Warn)[0].breach is False
    d.wait(30_000)
    made = d.do(ev.ReplyAwaited("a", START, False))
    assert [w.breach for w in of(made, Warn)] == [True]
    assert of(made, Requeue)[0].reason == "silent"
    assert assigned(made) == {"a": "own2"}


def test_c2_a_lost_agent_keeps_his_chats_for_the_grace_and_loses_them_after_it() -> None:
    d = Driver(world(own=2))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    d.do(ev.AgentDisconnected("own1"))
    assert d.wait(19_999) == []
    made = d.wait(1)
    assert of(made, Requeue)[0].reason == "disconnected"
    assert assigned(made) == {"a": "own2"}
    assert d.core.floor.seats["own1"].state == "offline"


@pytest.mark.parametrize("state", ["offline", "break", "hold"])
def test_c3_a_returning_shopper_is_not_sent_to_an_absent_agent(state: ev.SeatState) -> None:
    d = Driver(world(own=2))
    d.ready("own1")
    d.ask("a")
    d.do(ev.ShopperIdle("a", 120_000))
    assert d.state_of("a") == "parked"
    d.do(ev.SeatStateSet("own1", state))
    d.ready("own2")
    assert assigned(d.do(ev.ShopperReturned("a"))) == {"a": "own2"}
    d.close("a")
    assert assigned(d.ask("b", sticky="own1", sticky_ms=START)) == {"b": "own2"}


def test_c4_an_agent_who_becomes_ready_is_handed_the_backlog_at_once() -> None:
    d = Driver(world(own=1, seats_max=3))
    for id_ in "abcd":
        d.ask(id_)
        d.wait(1_000)
    assert list(assigned(d.ready("own1"))) == ["a", "b", "c"]


def test_c5_nobody_gets_more_than_his_limit_while_others_idle() -> None:
    d = Driver(world(own=3, seats_max=2))
    d.ready()
    for n in range(7):
        d.ask(f"c{n}")
        loads = sorted(d.load(f"own{k}") for k in (1, 2, 3))
        assert loads[-1] <= 2
        assert loads[-1] - loads[0] <= 1
    assert d.state_of("c6") == "waiting"


def test_c6_in_a_peak_everybody_has_a_place_in_line() -> None:
    d = Driver(world(own=1))
    d.ready()
    made = [d.ask(f"c{n}") for n in range(6)]
    assert [of(m, Queued)[0].position for m in made[1:]] == [1, 2, 3, 4, 5]


def test_c7_a_phone_in_the_background_is_within_its_grace_not_offline() -> None:
    d = Driver(world(own=1))
    d.ready()
    d.do(ev.AgentDisconnected("own1"))
    d.wait(15_000)
    d.do(ev.AgentConnected("own1"))
    d.wait(60_000)
    assert d.core.floor.seats["own1"].state == "ready"
    assert assigned(d.ask("a")) == {"a": "own1"}


def test_c8_of_two_agents_who_claim_the_same_conversation_one_is_refused() -> None:
    d = Driver(world(own=2))
    for agent in ("own1", "own2"):
        d.do(ev.AgentConnected(agent))
        d.do(ev.SeatStateSet(agent, "busy"))
    d.ask("a")
    assert assigned(d.do(ev.Claimed("a", "own1"))) == {"a": "own1"}
    assert of(d.do(ev.Claimed("a", "own2")), Refuse)[0].code == "conversation.taken"


def test_c9_simultaneous_arrivals_never_exceed_the_maximum() -> None:
    d = Driver(world(own=2, seats_max=3))
    d.ready()
    for n in range(50):
        d.ask(f"c{n:02}")
    assert [d.load("own1"), d.load("own2")] == [3, 3]


def test_c10_limits_of_agent_pool_contract_and_day_hold_at_once() -> None:
    routing = world(own=1, gold=2, seats_max=2, contracts=({"daily_max": 3}, {}))
    d = Driver(with_seat(routing, "gold1", daily_max=1))
    d.ready()
    for n in range(8):
        d.ask(f"c{n}")
    assert {a: d.load(a) for a in ("own1", "gold1", "gold2")} == {"own1": 2, "gold1": 1, "gold2": 2}
    assert sum(d.state_of(f"c{n}") == "waiting" for n in range(8)) == 3
    d.close("c2" if d.agent_of("c2") == "gold2" else "c3")
    assert sum(d.state_of(f"c{n}") == "waiting" for n in range(8)) == 3, "the contract's day is full"


def test_c11_a_waiting_conversation_can_be_claimed_moved_and_closed() -> None:
    d = Driver(world(own=1))
    d.do(ev.AgentConnected("own1"))
    d.do(ev.SeatStateSet("own1", "busy"))
    d.ask("a")
    d.ask("b")
    d.ask("e")
    d.do(ev.Claimed("a", "own1"))
    d.do(ev.CloseRequested("b", None, "shopper"))
    d.do(ev.QueueLeft("e", leave_message=True))
    assert [d.state_of(x) for x in "abe"] == ["assigned", "gone", "message_box"]


def test_c12_a_new_chat_reaches_a_ready_agent_without_toggling() -> None:
    d = Driver(world(own=1))
    d.ready()
    d.do(ev.AgentDisconnected("own1"))
    d.wait(30_000)
    d.do(ev.AgentConnected("own1"))
    assert assigned(d.ask("a")) == {"a": "own1"}


def test_c13_an_offer_goes_on_to_the_next_agent() -> None:
    d = Driver(world(own=2, policy=Policy(answer="offer")))
    d.ready()
    first = of(d.ask("a"), MakeOffer)[0].agent
    made = d.wait(20_000)
    assert of(made, RevokeOffer)[0].agent == first
    second = of(made, MakeOffer)[0]
    assert second.agent != first
    assert assigned(d.do(ev.OfferAnswered("a", second.agent, second.epoch, True))) == {"a": second.agent}


def test_c14_when_an_agent_goes_offline_his_chats_return_to_the_line_with_their_place() -> None:
    d = Driver(world(own=2))
    d.ready("own1")
    d.ask("a")
    d.wait(5_000)
    d.ask("b")
    made = d.do(ev.SeatStateSet("own1", "offline"))
    assert of(made, Requeue)[0].conversation == "a"
    assert assigned(d.ready("own2")) == {"a": "own2"}, "a came before b"


def test_c15_when_the_last_agent_leaves_the_shopper_is_told_and_not_left_before_nobody() -> None:
    d = Driver(world(own=1))
    d.ready()
    d.ask("a")
    d.do(ev.SeatStateSet("own1", "offline"))
    assert d.state_of("a") == "waiting"
    made = d.wait(20_000)
    assert of(made, ToMessageBox)[0].reason == "nobody"


def test_c16_after_the_last_stage_the_message_box_is_there() -> None:
    d = Driver(world(own=1))
    d.ready()
    d.ask("a")
    d.ask("b")
    d.wait(119_999)
    assert d.state_of("b") == "waiting"
    d.wait(1)
    assert d.state_of("b") == "message_box"


def test_c17_a_transfer_to_a_full_pool_waits_in_line_and_then_goes_where_there_is_room() -> None:
    d = Driver(world(own=2, gold=1))
    d.ready()
    for id_ in "abc":
        d.ask(id_)
    assert d.agent_of("c") == "gold1"
    c = d.core.floor.conversations["a"]
    giver = c.agent
    made = d.do(ev.TransferRequested("a", str(giver), c.epoch, to_pool="gold"))
    assert of(made, Requeue)[0].reason == "transferred"
    assert d.state_of("a") == "waiting"
    assert d.load(str(giver)) == 0, "the giver is free at once"
    assert assigned(d.close("c")) == {"a": "gold1"}


def test_c18_one_who_cannot_be_served_blocks_nobody() -> None:
    d = Driver(world(own=1, gold=1, contracts=({"topics": ("pre_sales",)}, {})))
    d.ready("gold1")
    d.ask("a", topic="after_sales")
    d.ask("b", topic="pre_sales")
    assert d.agent_of("b") == "gold1"
    d.ask("e", topic="pre_sales")
    assert assigned(d.close("b")) == {"e": "gold1"}


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


def test_c25_round_robin_respects_the_limit_and_absence() -> None:
    d = Driver(world(own=3, policy=Policy(agent_rule="round_robin")))
    d.ready()
    d.do(ev.AgentDisconnected("own2"))
    for id_ in "abc":
        d.ask(id_)
    assert [d.load(f"own{n}") for n in (1, 2, 3)] == [1, 0, 1]


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


def test_c27_an_agent_on_hold_gets_nothing_and_load_fits_ability() -> None:
    d = Driver(with_seat(world(own=3, seats_max=9), "own1", ability_per_mille=500))
    d.ready()
    d.do(ev.SeatStateSet("own3", "hold"))
    served = {"own1": 0, "own2": 0, "own3": 0}
    for n in range(90):
        (agent,) = assigned(d.ask(f"c{n}")).values()
        served[agent] += 1
        d.wait(1_000)
        d.close(f"c{n}")
    assert served["own3"] == 0
    assert served["own1"] == 30, "half the ability, half the work"


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
