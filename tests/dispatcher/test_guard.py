"""The slow-response guard and the choices of who waits, in the core."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from dispatcher import events as ev
from dispatcher.contracts import check_policy
from dispatcher.decisions import Assign, Callback, Guarded, MakeOffer, Overflowed, Requeue, SetSeatState, ToMessageBox
from dispatcher.model import DEFAULT_GUARD, GuardTier, Policy, PoolAnswer, PoolGuard
from tests.dispatcher.floor_plan import START, Driver, assigned, of, world
from tests.dispatcher.random_day import fingerprint

PATIENT = Policy(first_reply_ms=None, next_reply_ms=None, park_ms=None)
"""Only the guard takes anything back."""


def late(d: Driver, until_ms: int, id_: str = "a", since: int = 0) -> list[object]:
    """Time passes to ``until_ms`` while the sweep says each second that the shopper waits since ``since``."""
    made: list[object] = []
    while d.now < until_ms:
        made += d.wait(1_000)
        if d.state_of(id_) == "assigned":
            made += d.do(ev.ReplyAwaited(id_, START + since, False))
    return made


def acts(made: list[object]) -> list[tuple[int, tuple[str, ...]]]:
    return [(d.waited_ms, d.acts) for d in made if isinstance(d, Guarded)]


def test_each_tier_acts_once_at_its_time_and_the_shopper_goes_from_hand_to_hand() -> None:
    d = Driver(world(own=2, gold=1, policy=PATIENT))
    d.ready("own1")
    d.ask("a")
    d.ready("own2", "gold1")
    made = late(d, 150_000)
    assert acts(made) == [
        (20_000, ("colour",)),
        (60_000, ("notice",)),
        (100_000, ("supervisor", "reoffer")),
        (150_000, ("overflow", "note")),
    ]
    assert [(r.agent, r.reason) for r in of(made, Requeue)] == [("own1", "silent"), ("own2", "silent")]
    assert [(a.agent, a.reason) for a in of(made, Assign)] == [("own2", "ring"), ("gold1", "overflow:slow")]
    assert late(d, 400_000) == [], "after the last tier nothing follows but the reply limits"


def test_an_answer_begins_a_new_turn() -> None:
    d = Driver(world(own=1, policy=PATIENT))
    d.ready()
    d.ask("a")
    assert len(acts(late(d, 60_000))) == 2
    d.wait(10_000)  # answered: the sweep does not name it
    assert acts(late(d, 89_000, since=70_000)) == []
    assert acts(late(d, 90_000, since=70_000)) == [(20_000, ("colour",))]


def test_what_a_sweep_says_leaves_a_trace_only_where_something_is_decided() -> None:
    d = Driver(world(own=1, policy=PATIENT))
    d.ready()
    d.ask("a")
    late(d, 25_000)
    d.wait(1_000)
    d.do(ev.Tick())
    before = fingerprint(d.core)
    assert d.do(ev.ReplyAwaited("a", START, False)) == []
    assert d.do(ev.ReplyAwaited("a", START + 20_000, False)) == []
    assert fingerprint(d.core) == before


def guarded(made: list[object]) -> list[tuple[int, str | None]]:
    return [(d.after_ms // 1_000, d.agent) for d in made if isinstance(d, Guarded)]


@pytest.mark.parametrize(("at_s", "taken_back_s"), [(60, 100), (95, 115)], ids=["long before", "just before"])
def test_after_a_takeover_the_tiers_run_for_who_took_it_over(at_s: int, taken_back_s: int) -> None:
    """The turn goes on: what is left of it concerns him, and he keeps it for the time of the first tier at least."""
    d = Driver(world(own=3, policy=PATIENT))
    d.ready("own1")
    d.ask("a")
    d.ready("own2", "own3")
    assert guarded(late(d, at_s * 1_000)) == [(20, "own1"), (60, "own1")]
    (given,) = of(d.do(ev.Claimed("a", "own2", force=True)), Assign)
    assert (given.agent, given.reason, given.from_agent) == ("own2", "takeover", "own1")
    assert guarded(late(d, taken_back_s * 1_000 - 1_000)) == []
    made = late(d, taken_back_s * 1_000)
    assert guarded(made) == [(100, "own2")]
    assert [(r.agent, r.reason) for r in of(made, Requeue)] == [("own2", "silent")], "a supervisor's, too"


def test_the_next_turn_after_a_takeover_has_all_its_tiers() -> None:
    d = Driver(world(own=2, policy=PATIENT))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    late(d, 160_000)
    holder = str(d.agent_of("a"))
    other = "own1" if holder == "own2" else "own2"
    d.do(ev.Claimed("a", other, force=True))
    assert late(d, 300_000) == [], "its tiers are over"
    found = late(d, 361_000, since=300_000)  # he answered, and the shopper wrote again
    assert guarded(found) == [(20, other), (60, other)]


def test_time_in_line_before_the_first_person_is_not_his_slowness() -> None:
    d = Driver(world(own=1, policy=replace(PATIENT, message_box_ms=None, nobody_ms=None)))
    d.ask("a")
    d.wait(300_000)
    d.ready()
    assert acts(late(d, 319_000)) == []
    assert acts(late(d, 320_000)) == [(20_000, ("colour",))]


def test_while_nobody_has_it_the_guard_goes_on_by_its_own_clock() -> None:
    d = Driver(world(own=1, policy=replace(PATIENT, message_box_ms=None, nobody_ms=None)))
    d.ready()
    d.ask("a")
    late(d, 100_000)
    d.do(ev.SeatStateSet("own1", "break"))
    assert d.state_of("a") == "waiting"
    made = d.wait(50_000)
    assert [(g.agent, g.acts) for g in of(made, Guarded)] == [(None, ("overflow", "note"))]
    assert of(made, Overflowed)[-1].stage == 2


def test_two_that_were_passed_on_put_the_agent_on_hold() -> None:
    d = Driver(world(own=2, seats_max=2, policy=PATIENT))
    d.ready("own1")
    d.ask("a")
    d.ask("b")
    d.ready("own2")
    d.wait(100_000)
    made = [x for id_ in "ab" for x in d.do(ev.ReplyAwaited(id_, START, False))]
    assert SetSeatState("own1", "hold", "silent") in made


def test_nobody_loses_what_he_has_just_been_given() -> None:
    d = Driver(world(own=2, policy=replace(PATIENT, guard=(*DEFAULT_GUARD[:3], GuardTier(101_000, ("overflow",))))))
    d.ready("own1")
    d.ask("a")
    d.ready("own2")
    late(d, 100_000)
    assert d.agent_of("a") == "own2"
    made = late(d, 119_000)
    assert of(made, Requeue) == []
    assert len(of(late(d, 121_000), Requeue)) == 1


def test_a_pool_may_have_tiers_of_its_own() -> None:
    tiers = (GuardTier(10_000, ("notice",)),)
    d = Driver(world(own=1, gold=1, policy=replace(PATIENT, pool_guard=(PoolGuard("gold", tiers),))))
    d.ready()
    d.ask("a")
    d.ask("b")
    assert d.agent_of("b") == "gold1"
    d.wait(10_000)
    assert acts(d.do(ev.ReplyAwaited("b", START, False))) == [(10_000, ("notice",))]
    assert acts(d.do(ev.ReplyAwaited("a", START, False))) == []


def test_who_takes_the_shard_over_repeats_no_tier() -> None:
    d = Driver(world(own=2, policy=PATIENT))
    d.ready("own1")
    d.ask("a")
    late(d, 60_000)
    c = d.core.floor.conversations["a"]
    fresh = Driver(d.routing)
    fresh.now = d.now
    fresh.core.take_over(
        [ev.SeatStanding("own1", "ready", connected=True)],
        [
            ev.ConversationStanding(
                "a", "s", "x", "assigned", c.enqueued_ms, START, c.epoch, agent="own1", pool="own",
                first_ms=START + 7, turn_ms=c.turn_ms, guarded_ms=c.guarded_ms,
            )
        ],
        {},
        START + d.now,
    )  # fmt: skip
    assert acts(late(fresh, 99_000)) == []
    assert acts(late(fresh, 100_000)) == [(100_000, ("supervisor", "reoffer"))]


@pytest.mark.parametrize(
    "tiers",
    [
        [{"after_ms": 20_000, "acts": []}],
        [{"after_ms": 60_000, "acts": ["note"]}] * 2,
        [{"after_ms": 1, "acts": ["note"]}],
    ],
)
def test_tiers_that_make_no_sense_are_refused(tiers: list[dict[str, object]]) -> None:
    stages = [{"pools": "own"}]
    with pytest.raises(ValidationError, match="guard"):
        check_policy({"stages": stages, "guard": tiers})
    assert check_policy({"stages": stages, "guard": []}).guard == ()


def test_who_is_behind_with_his_answers_is_asked_later() -> None:
    d = Driver(world(own=2, seats_max=5))
    d.ready()
    assert assigned(d.ask("a")) == {"a": "own1"}
    d.do(ev.TurnsOpen("own2", 2))
    assert assigned(d.ask("b")) == {"b": "own1"}, "one at hand weighs less than two that wait"
    d.do(ev.TurnsOpen("own2", 0))
    assert assigned(d.ask("e")) == {"e": "own2"}


def test_one_pool_may_be_asked_while_the_others_are_given() -> None:
    d = Driver(world(own=1, gold=1, policy=Policy(pool_answer=(PoolAnswer("gold", "offer"),))))
    d.ready()
    assert assigned(d.ask("a")) == {"a": "own1"}
    offer = of(d.ask("b"), MakeOffer)[0]
    assert offer.agent == "gold1"
    assert assigned(d.do(ev.OfferAnswered("b", "gold1", offer.epoch, True))) == {"b": "gold1"}


# --- choices of who waits -------------------------------------------------------------------------------------------


def test_who_is_called_back_keeps_his_place_beyond_the_message_box() -> None:
    d = Driver(world(own=1))
    d.ready()
    d.ask("a")
    d.ask("b")
    assert of(d.do(ev.CallbackAsked("b")), Callback) == [Callback("b", "s", True)]
    assert d.do(ev.CallbackAsked("b")) == [], "asked twice"
    d.wait(60_000)
    d.ask("e")
    d.wait(3_600_000)
    assert [d.state_of(x) for x in "be"] == ["waiting", "message_box"]
    assert assigned(d.close("a")) == {"b": "own1"}
    assert not d.core.floor.conversations["b"].callback


def test_who_is_called_back_waits_for_an_agent_to_come_to_work() -> None:
    d = Driver(world(own=1))
    d.ask("a")
    d.do(ev.CallbackAsked("a"))
    d.wait(600_000)
    assert d.state_of("a") == "waiting"
    assert assigned(d.ready()) == {"a": "own1"}


def test_a_callback_is_kept_for_its_time_and_may_be_taken_back() -> None:
    d = Driver(world(own=1, policy=Policy(callback_ms=600_000)))
    d.ready()
    for id_ in "abe":
        d.ask(id_)
    d.do(ev.CallbackAsked("b"))
    d.do(ev.CallbackAsked("e"))
    d.do(ev.CallbackAsked("e", on=False))
    assert of(d.wait(120_000), ToMessageBox)[0].conversation == "e"
    assert of(d.wait(480_000), ToMessageBox)[0].conversation == "b"


def test_a_callback_asked_for_while_an_offer_is_in_the_air_holds() -> None:
    d = Driver(world(own=1, policy=Policy(answer="offer", nobody_ms=None)))
    d.ready()
    offer = of(d.ask("a"), MakeOffer)[0]
    d.do(ev.CallbackAsked("a"))
    d.do(ev.OfferAnswered("a", "own1", offer.epoch, False))
    d.do(ev.SeatStateSet("own1", "break"))
    d.wait(3_600_000)
    assert d.state_of("a") == "waiting"
