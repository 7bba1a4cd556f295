"""Bugs of the kinds that other desks have had, to be planted into the core: the auditor must find each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dispatcher import core, lifecycle, pull, routing
from dispatcher import events as ev
from dispatcher.capacity import SeatNow
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import Policy
from dispatcher.policy import Terms
from tests.dispatcher.random_day import POLICIES

Set = Callable[[object, str, Any], None]
"""As ``setattr``; whoever calls puts the old value back."""


@dataclass(frozen=True)
class Bug:
    """``found``: what the auditor says of it, as a pattern."""

    plant: Callable[[Set], None]
    found: str
    policy: Policy = POLICIES["default"]


def _one_slot_too_many(put: Set) -> None:
    def free(seat: SeatNow) -> bool:
        return seat.state == "ready" and seat.connected and seat.load <= seat.terms.seats_max

    put(SeatNow, "free", property(free))


def _overflow_though_free(put: Set) -> None:
    asked = routing._try_pools

    def try_pools(f: Floor, c: Conversation, pools: Any, seen: Any) -> bool:
        return not (c.stage == 0 and c.id[-1] in "13579") and asked(f, c, pools, seen)

    put(routing, "_try_pools", try_pools)


def _overflow_before_its_time(put: Set) -> None:
    put(routing, "opens", lambda f, c, stage: "time")


def _place_lost(put: Set) -> None:
    begin = lifecycle._begin_waiting

    def begin_at_the_end(c: Conversation, now_ms: int) -> None:
        begin(c, now_ms)
        c.enqueued_ms = now_ms

    put(lifecycle, "_begin_waiting", begin_at_the_end)


def _given_twice(put: Set) -> None:
    def asked(f: Floor, e: ev.HandoffRequested) -> None:
        c = f.conversations.get(e.conversation)
        if c is not None and c.state == "assigned" and c.offer_to is None:
            c.state = "waiting"
            routing.route(f, c)
        else:
            lifecycle.handoff_requested(f, e)

    put(core, "_APPLY", {**core._APPLY, ev.HandoffRequested: asked})


def _stale_number_taken(put: Set) -> None:
    def close(f: Floor, e: ev.CloseRequested) -> None:
        c = f.conversations.get(e.conversation)
        lifecycle.close_requested(f, replace(e, epoch=c.epoch) if c is not None and e.epoch is not None else e)

    put(core, "_APPLY", {**core._APPLY, ev.CloseRequested: close})


def _backlog_forgotten(put: Set) -> None:
    put(pull, "_next_for", lambda f, seat: None)


def _offer_holds_no_slot(put: Set) -> None:
    put(SeatNow, "load", property(lambda seat: len(seat.live)))
    put(
        SeatNow,
        "free",
        property(lambda seat: seat.state == "ready" and seat.connected and len(seat.live) < seat.terms.seats_max),
    )


def _waits_for_ever(put: Set) -> None:
    fire = core._fire_for
    put(core, "_fire_for", lambda f, what, c: None if what == "box" else fire(f, what, c))


def _own_rules_ignored(put: Set) -> None:
    put(routing, "next_by_rules_ms", lambda f, c: None)
    put(Terms, "ruled", lambda terms, shop, now_ms: [])
    put(Terms, "ruled_by", lambda terms, shop, pool, now_ms: None)


PLANTED = {
    "one slot too many": Bug(_one_slot_too_many, "holds 3 of 2"),
    "overflow while an own seat is free": Bug(_overflow_though_free, "overflows while"),
    "overflow before its time": Bug(_overflow_before_its_time, "before its time"),
    "place in line lost": Bug(_place_lost, "was passed by"),
    "given to two agents": Bug(_given_twice, "has somebody already|who is served|place"),
    "stale number accepted": Bug(_stale_number_taken, "a stale CloseRequested was followed"),
    "backlog not handed out": Bug(_backlog_forgotten, "waits while"),
    "an offer holds no slot": Bug(_offer_holds_no_slot, "holds a slot|holds 3 of 2", POLICIES["offers"]),
    "a contract's own rules passed over": Bug(_own_rules_ignored, "own rules alone|own time", POLICIES["own_rules"]),
    "waits for ever": Bug(_waits_for_ever, "past the last stage"),
}
