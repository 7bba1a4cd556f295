"""The dispatcher's decisions: ``Core.apply(event, now_ms) -> decisions``.

Synchronous, without input or output, clock or chance; integers only and ties by id, so that the same events give the
same decisions, byte for byte, in production, in replay and in simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dispatcher import box, guard, handover, idle, lifecycle, routing
from dispatcher import events as ev
from dispatcher.decisions import Decision
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import Id, Routing, spoken
from dispatcher.pull import pull
from dispatcher.stages import reach

FIRED_MAX = 100_000
"""More timers are never due at once: one that sets itself again for now must end in an error, not in silence."""
ANSWER_MS = 2_000
"""An offer that ran out while nobody led stands so long: an answer that was given meanwhile still counts."""


def _routing_changed(f: Floor, e: ev.RoutingChanged) -> None:
    """Terms changed: seats follow, and who waits is asked again under the new ones."""
    f.terms = type(f.terms)(e.routing)
    f.free.rules(f.terms.rules_by_pool())
    known = {seat.agent: seat for seat in e.routing.seats}
    for agent in sorted(set(f.seats) - set(known)):
        # Offline first: what he had must not come back to him.
        lifecycle.set_state(f, f.seats[agent], "offline", "removed")
        lifecycle.leave(f, f.seats[agent], "removed")
        f.drop_seat(agent)
    for agent in sorted(known):
        seat = f.seats.get(agent)
        if seat is None:
            f.add_seat(known[agent])
        else:
            seat.terms, seat.skills = known[agent], f.terms.skills_of(known[agent])
            f.touch(seat)
    for c in sorted(f.conversations.values(), key=lambda c: (c.enqueued_ms, c.id)):
        rule = f.terms.topic(c.shop, c.topic)
        if c.in_line:
            f.lines.remove(c)
        c.priority, c.target_ms, c.skill = rule.priority, rule.target_ms, f.need(c)
        if c.in_line:
            stages = len(f.policy(c).stages)
            if c.pinned is None and c.stage_ms >= 0:
                c.stage = min(c.stage, max(0, stages - 1))
                reach(f, c)
            routing.route(f, c)
    lifecycle.terms_turned(f)


_APPLY: dict[type[Any], Callable[[Floor, Any], None]] = {
    ev.HandoffRequested: lifecycle.handoff_requested,
    ev.AgentConnected: lifecycle.agent_connected,
    ev.AgentDisconnected: lifecycle.agent_disconnected,
    ev.SeatStateSet: lifecycle.seat_state_set,
    ev.ShopperReturned: idle.shopper_returned,
    ev.ShopperIdle: idle.shopper_idle,
    ev.QueueLeft: lifecycle.queue_left,
    ev.CallbackAsked: lifecycle.callback_asked,
    ev.CloseRequested: lifecycle.close_requested,
    ev.OfferAnswered: handover.offer_answered,
    ev.TransferRequested: handover.transfer_requested,
    ev.TransferAnswered: handover.transfer_answered,
    ev.Claimed: handover.claimed,
    ev.ReplyAwaited: guard.reply_awaited,
    ev.TurnsOpen: lifecycle.turns_open,
    ev.RoutingChanged: _routing_changed,
    ev.Tick: lambda f, e: None,
}


def _fire(f: Floor, what: str, id_: str) -> None:
    if what == "grace":
        lifecycle.grace_over(f, id_)
    elif what == "pull":
        seat = f.seats.get(id_)
        if seat is not None and seat.free:
            f.freed.add(id_)
    elif what == "terms":
        lifecycle.terms_turned(f)
    elif what in ("minute", "second"):
        _look_again(f, minute=what == "minute")
    else:
        c = f.conversations.get(id_)
        if c is not None:
            _fire_for(f, what, c)


def _fire_for(f: Floor, what: str, c: Conversation) -> None:
    if what == "wrap" and c.state == "wrap_up":
        lifecycle.wrap_over(f, c)
    elif what == "offer" and c.offer_to is not None:
        handover.offer_over(f, c)
    elif what == "guard" and c.state == "waiting":
        guard.act(f, c)
    elif what == "language" and c.lang:
        waiting = c.in_line
        if waiting:
            f.lines.remove(c)
        c.lang = ""
        c.skill = f.need(c)
        if waiting:
            routing.route(f, c, told=False)
    elif what == "box" and c.in_line:
        box.fall_back(f, c)
    elif what == "unpin" and c.state == "waiting":
        c.pinned = None
        c.stage, c.stage_ms = 0, -1
        if c.in_line:
            f.lines.remove(c)
            routing.route(f, c)
    elif what == "nobody" and c.in_line:
        if f.somebody(c):
            nobody_ms = f.policy(c).nobody_ms
            if nobody_ms is not None:
                f.timers.set("nobody", c.id, f.now_ms + nobody_ms)
        else:
            box.to_box(f, c, "nobody")
    elif what in ("stage", "rule", "hold", "retry") and c.in_line:
        routing.route(f, c, told=False)


def _look_again(f: Floor, *, minute: bool) -> None:
    """What may change by the clock alone: hours, contracts, daily limits, and triggers on length, age and level."""
    waiting = sorted((f.conversations[id_] for id_ in f.lines.ids()), key=lambda c: (c.priority, c.enqueued_ms, c.id))
    for c in waiting:
        if c.in_line:
            routing.route(f, c, told=False)
    if minute and (waiting or any(f.box.values())):
        f.freed.update(agent for agent, seat in f.seats.items() if seat.free)
        f.timers.set("minute", "", (f.now_ms // 60_000 + 1) * 60_000)


class Core:
    """One shard's dispatcher. Not thread-safe: it has one writer."""

    def __init__(self, routing: Routing) -> None:
        self.floor = Floor(routing)
        lifecycle.terms_turned(self.floor)

    def apply(self, event: ev.Event, now_ms: int) -> list[Decision]:
        """What follows from ``event`` at ``now_ms`` (time never runs backwards: an earlier one counts as the last).

        Timers due by then fire first. Every decision must be committed before the next call's are heard of.
        """
        f = self.floor
        if now_ms > f.now_ms:
            f.now_ms = now_ms
        fired = 0
        while (due := f.timers.pop(f.now_ms)) is not None:
            fired += 1
            assert fired <= FIRED_MAX, f"the timer {due} is set again for a time that is over"
            _fire(f, *due)
            if f.freed:
                pull(f)
        _APPLY[type(event)](f, event)
        if f.freed:
            pull(f)
        made, f.decisions = f.decisions, []
        return made

    def next_timer_ms(self) -> int | None:
        return self.floor.timers.next_ms()

    def take_over(
        self,
        seats: Iterable[ev.SeatStanding],
        conversations: Iterable[ev.ConversationStanding],
        used: dict[tuple[Id, int], int],
        now_ms: int,
    ) -> list[Decision]:
        """Start from what the record knows, and decide at once what is overdue."""
        f = self.floor
        f.now_ms = now_ms
        f.used = dict(used)
        for standing in sorted(seats, key=lambda s: s.agent):
            seat = f.seats.get(standing.agent)
            if seat is None:
                continue
            seat.state, seat.connected = standing.state, standing.connected
            seat.before_loss, seat.disconnected_ms = standing.before_loss, standing.disconnected_ms
            seat.served, seat.served_day = standing.served, standing.served_day
            seat.last_assigned_ms = standing.last_assigned_ms
            seat.strikes_ms = list(standing.strikes_ms)
            if not seat.connected and seat.state != "offline":
                seat.disconnected_ms = now_ms if seat.disconnected_ms is None else seat.disconnected_ms
                f.timers.set("grace", standing.agent, seat.disconnected_ms + lifecycle.grace_ms(f, seat))
        for row in sorted(conversations, key=lambda c: (c.enqueued_ms, c.conversation)):
            if row.shop in f.terms.shops:
                _stand(f, row)
        for seat in f.seats.values():
            f.touch(seat)
        for c in sorted(f.conversations.values(), key=lambda c: (c.priority, c.enqueued_ms, c.id)):
            if c.in_line:
                routing.route(f, c)
            elif c.offer_to is not None and not _still_offered(f, c):
                lifecycle.offer_gone(f, c, "gone")
        for c in sorted(f.conversations.values(), key=lambda c: c.id):
            if c.agent is not None and c.agent not in f.seats:
                lifecycle.requeue(f, c, "removed")
        lifecycle.terms_turned(f)
        return self.apply(ev.Tick(), now_ms)


def _stand(f: Floor, row: ev.ConversationStanding) -> None:
    rule = f.terms.topic(row.shop, row.topic)
    c = Conversation(
        row.conversation, row.shop, row.shopper, row.topic, rule.priority, rule.target_ms, rule.needs, row.enqueued_ms,
        state=row.state, epoch=row.epoch, waiting_ms=row.since_ms, since_ms=row.since_ms, agent=row.agent,
        pool=row.pool, excluded=dict(row.excluded), counted=row.counted, tallied=row.agent is not None,
        first_ms=row.first_ms, turn_ms=row.turn_ms, turn_seen_ms=f.now_ms if row.turn_ms else 0,
        guarded_ms=row.guarded_ms, callback=row.callback,
        had=dict.fromkeys(row.had, f.terms.day(row.shop, f.now_ms)), lang=spoken(row.lang),
    )  # fmt: skip
    c.skill = f.need(c)
    f.conversations[c.id] = c
    seat = f.seats.get(c.agent or "")
    if c.state == "message_box":
        f.box.setdefault(c.shop, {})[c.id] = c.enqueued_ms
    elif seat is not None and c.state in ("assigned", "wrap_up"):
        seat.live.add(c.id)
    elif seat is not None and c.state == "parked":
        seat.parked.add(c.id)
    if c.state == "waiting" and c.turn_ms:
        f.timers.set("guard", c.id, f.now_ms)
    if c.state == "wrap_up":
        f.timers.set("wrap", c.id, c.since_ms + f.policy(c).wrap_up_ms)
    if row.pinned is not None and c.state == "waiting":
        c.pinned, c.pinned_ms = row.pinned, row.pinned_until_ms
        f.timers.set("unpin", c.id, max(c.pinned_ms, f.now_ms))
    elif c.state == "waiting" and f.policy(c).stages:
        c.stage_ms = c.waiting_ms  # what he has waited opens stages under the next leader too
        reach(f, c)
    if row.offer is not None and c.state in ("waiting", "assigned"):
        _stand_offer(f, c, row.offer)


def _stand_offer(f: Floor, c: Conversation, offer: ev.OfferStanding) -> None:
    """It stays in the air, its slot held and its time running on; where it cannot, ``take_over`` takes it back."""
    c.offer_to, c.offer_pool, c.offer_reason, c.offer_ms = offer.agent, offer.pool, offer.reason, offer.expires_ms
    c.note, c.transfer_ref = offer.note, offer.ref
    f.timers.set("offer", c.id, max(c.offer_ms, f.now_ms + ANSWER_MS))
    seat = f.seats.get(offer.agent)
    if seat is not None:
        seat.held.add(c.id)


def _still_offered(f: Floor, c: Conversation) -> bool:
    seat = f.seats.get(c.offer_to or "")
    if seat is None or seat.state != "ready" or c.offer_pool not in seat.terms.pools:
        return False
    return c.state == "waiting" or c.agent in f.seats
