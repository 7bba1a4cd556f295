"""From hand to hand: offers, transfers, claims. A refused transfer returns to the giver, never to limbo."""

from __future__ import annotations

from dispatcher import events as ev
from dispatcher.decisions import MakeOffer, Refuse
from dispatcher.floor import Floor
from dispatcher.lifecycle import drained, let_go, offer_gone, requeue, revoke, strike
from dispatcher.lines import Conversation
from dispatcher.model import Id
from dispatcher.routing import assign, pool_for, refused


def offer_over(f: Floor, c: Conversation) -> None:
    agent = c.offer_to
    moving = c.state == "assigned"
    offer_gone(f, c, "expired")
    if agent is not None and not moving:
        policy = f.policy(c)
        strike(f, agent, policy.strikes_max, policy.strike_window_ms)


def offer_answered(f: Floor, e: ev.OfferAnswered) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.offer_to != e.agent or c.state != "waiting" or e.epoch != c.epoch + 1:
        if e.accepted:
            f.decisions.append(Refuse(e.conversation, e.agent, "offer.gone", e.ref))
        return
    if not e.accepted:
        offer_gone(f, c, "refused")
        return
    seat = f.seats[e.agent]
    pool = c.offer_pool
    assert pool is not None, "an offer names its pool"
    if f.barred(c, pool, e.agent):
        # His certificate ended while it was on offer.
        f.decisions.append(Refuse(c.id, e.agent, "offer.gone", e.ref))
        offer_gone(f, c, "gone")
        return
    revoke(f, c, "taken", tell=False)
    assign(f, c, seat, pool, c.offer_reason)


def transfer_requested(f: Floor, e: ev.TransferRequested) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.state != "assigned" or c.agent != e.agent or c.epoch != e.epoch:
        f.decisions.append(Refuse(e.conversation, e.agent, "assignment.stale", e.ref))
        return
    if c.offer_to is not None:
        f.decisions.append(Refuse(c.id, e.agent, "transfer.pending", e.ref))
    elif e.to_agent is not None:
        _transfer_to_agent(f, c, e.to_agent, e)
    elif e.to_pool is not None:
        why = f.usable(c, e.to_pool)[1] if e.to_pool in f.terms.every_pool[c.shop] else "no_contract"
        if why or not f.able(c, e.to_pool):
            f.decisions.append(Refuse(c.id, e.agent, f"transfer.{why or 'nobody'}", e.ref))
        else:
            requeue(f, c, "transferred", bar=e.agent, pinned=e.to_pool)
    else:
        requeue(f, c, "transferred", bar=e.agent)


def _transfer_to_agent(f: Floor, c: Conversation, to: Id, e: ev.TransferRequested) -> None:
    giver = c.agent
    assert giver is not None, "only an assigned conversation is transferred"
    seat = f.seats.get(to)
    if to == giver or seat is None or not seat.connected or seat.state != "ready":
        f.decisions.append(Refuse(c.id, giver, "transfer.away", e.ref))
        return
    pool = pool_for(f, c, seat)
    if pool is None:
        f.decisions.append(Refuse(c.id, giver, f"transfer.{refused(f, c, seat)}", e.ref))
        return
    if not seat.free:
        f.decisions.append(Refuse(c.id, giver, "transfer.full", e.ref))
        return
    c.offer_to, c.offer_pool, c.offer_reason, c.note = to, pool, "transfer", e.note
    c.transfer_ref = e.ref
    c.offer_ms = f.now_ms + f.policy(c).transfer_offer_ms
    seat.held.add(c.id)
    f.touch(seat)
    f.timers.set("offer", c.id, c.offer_ms)
    f.decisions.append(MakeOffer(c.id, c.shop, to, c.epoch + 1, c.offer_ms, giver, e.note, pool=pool, ref=e.ref))


def transfer_answered(f: Floor, e: ev.TransferAnswered) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.offer_to != e.agent or c.state != "assigned":
        if e.accepted:
            f.decisions.append(Refuse(e.conversation, e.agent, "offer.gone", e.ref))
        return
    if not e.accepted:
        offer_gone(f, c, "refused")
        return
    giver = c.agent
    pool = c.offer_pool
    assert pool is not None, "an offer names its pool"
    if f.barred(c, pool, e.agent):
        f.decisions.append(Refuse(c.id, e.agent, "offer.gone", e.ref))
        offer_gone(f, c, "gone")
        return
    revoke(f, c, "taken", tell=False)
    f.handled(c)
    let_go(f, c)
    assign(f, c, f.seats[e.agent], pool, "transfer")
    drained(f, giver)


def claimed(f: Floor, e: ev.Claimed) -> None:
    c = f.conversations.get(e.conversation)
    seat = f.seats.get(e.agent)
    takeable = c is not None and (c.state in ("waiting", "message_box") or (e.force and c.agent != e.agent))
    if c is None or not takeable:
        f.decisions.append(Refuse(e.conversation, e.agent, "conversation.taken", e.ref))
        return
    if seat is None or not seat.connected or seat.state not in ("ready", "busy"):
        f.decisions.append(Refuse(c.id, e.agent, "seat.not_ready", e.ref))
        return
    pool = pool_for(f, c, seat)
    if pool is None:
        f.decisions.append(Refuse(c.id, e.agent, f"claim.{refused(f, c, seat)}", e.ref))
        return
    if not e.force and (seat.load >= seat.terms.seats_max or (seat.state == "ready" and not seat.free)):
        f.decisions.append(Refuse(c.id, e.agent, "seat.full", e.ref))
        return
    revoke(f, c, "taken")
    giver = c.agent
    let_go(f, c)
    assign(f, c, seat, pool, "takeover" if e.force and giver else "claim")
    drained(f, giver)
