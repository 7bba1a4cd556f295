"""Shoppers who fall silent, and who come back: a conversation laid aside gives its slot back until then."""

from __future__ import annotations

from dispatcher import events as ev
from dispatcher.decisions import Park
from dispatcher.floor import Floor
from dispatcher.lifecycle import close, drained, let_go, requeue, revoke
from dispatcher.routing import assign, may_keep


def shopper_idle(f: Floor, e: ev.ShopperIdle) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.agent is None or c.state not in ("assigned", "parked"):
        return
    policy = f.policy(c)
    if policy.close_idle_ms is not None and e.idle_ms >= policy.close_idle_ms:
        close(f, c, "idle")
    elif c.state == "assigned" and policy.park_ms is not None and e.idle_ms >= _patience_ms(policy.park_ms, e.away):
        revoke(f, c, "gone")
        agent = c.agent
        f.handled(c)
        let_go(f, c)
        seat = f.seats.get(agent)
        if seat is not None:
            seat.parked.add(c.id)
        c.state, c.since_ms = "parked", f.now_ms
        f.decisions.append(Park(c.id, c.shop, agent))
        drained(f, agent)


def _patience_ms(park_ms: int, away: bool | None) -> int:
    """How long a silent shopper keeps his slot: three times as long where it is not known whether he reads."""
    return park_ms if away else 3 * park_ms


def shopper_returned(f: Floor, e: ev.ShopperReturned) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.state not in ("parked", "wrap_up") or c.agent is None:
        return
    seat = f.seats.get(c.agent)
    room = c.state == "wrap_up"
    if seat is not None and not room:
        room = seat.load < seat.terms.seats_max + f.policy(c).resume_reserve
    pool = c.pool if seat is not None and c.pool in seat.terms.pools else None
    barred = pool is not None and f.barred(c, pool, c.agent)
    if seat is not None and pool is not None and room and not barred and may_keep(seat):
        assign(f, c, seat, pool, "resume")
        return
    if seat is not None:
        seat.parked.discard(c.id)
    requeue(f, c, "returned")
