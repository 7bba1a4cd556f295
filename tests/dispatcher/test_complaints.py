"""What the people who use other desks complain about, each as a promise of ours: C1 … C18, answers and lines.

C19 … C27 are in ``test_complaints_of_load.py``; the table of all is in docs/architecture.md.
"""

from __future__ import annotations

import pytest

from dispatcher import events as ev
from dispatcher.decisions import (
    MakeOffer,
    Queued,
    Refuse,
    Requeue,
    RevokeOffer,
    ToMessageBox,
    Warn,
)
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


def test_c7_a_phone_in_a_pocket_keeps_its_agents_conversations_and_nobody_else_gets_them() -> None:
    """Who has a phone that rings is not offline while its page sleeps; who has none is, after the usual grace."""
    d = Driver(with_seat(world(own=3, seats_max=2), "own1", rings=True))
    d.ready()
    for id_ in "abc":
        d.ask(id_)
    had = {id_: str(d.agent_of(id_)) for id_ in "abc"}
    assert sorted(had.values()) == ["own1", "own2", "own3"]
    d.do(ev.AgentDisconnected("own1"))
    d.do(ev.AgentDisconnected("own2"))
    made = d.wait(179_999)
    (lost,) = [id_ for id_, agent in had.items() if agent == "own2"]
    assert [(r.conversation, r.reason) for r in of(made, Requeue)] == [(lost, "disconnected")], "own2 has no phone"
    assert d.core.floor.seats["own1"].state == "ready"
    assert d.load("own1") == 1
    d.ask("d")
    assert d.agent_of("d") is None, "nobody new goes into a pocket"
    d.do(ev.AgentConnected("own1"))
    assert (d.agent_of("d"), d.load("own1")) == ("own1", 2), "and he goes on at once, as if he had never been away"
    assert {id_ for id_ in "abc" if d.agent_of(id_) == had[id_]} == set("abc") - {lost}
    d.do(ev.AgentDisconnected("own1"))
    made = d.wait(180_000)
    assert sorted(r.conversation for r in of(made, Requeue)) == sorted(
        ["d", *(id_ for id_ in "abc" if had[id_] == "own1")]
    ), "but not for ever"


def test_c7_in_a_pocket_a_late_answer_is_taken_back_as_from_anybody() -> None:
    d = Driver(with_seat(world(own=2), "own1", rings=True))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    d.do(ev.AgentDisconnected("own1"))
    d.wait(60_000)
    made = d.do(ev.ReplyAwaited("a", START, False))
    assert (of(made, Requeue)[0].reason, assigned(made)) == ("silent", {"a": "own2"})


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
