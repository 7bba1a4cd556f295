"""What each thing that happened does to the floor. One function an event; the table is in :mod:`dispatcher.core`."""

from __future__ import annotations

from collections.abc import Callable

from dispatcher import events as ev
from dispatcher.box import to_box
from dispatcher.capacity import SeatNow
from dispatcher.decisions import (
    Callback,
    Close,
    Refuse,
    Requeue,
    RevokeOffer,
    SetSeatState,
    ToBot,
    Warn,
    WrapUp,
)
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import Id, SeatState, spoken
from dispatcher.routing import route
from dispatcher.stages import reach

# --- conversations that come, wait and go -----------------------------------------------------------------------------


def handoff_requested(f: Floor, e: ev.HandoffRequested) -> None:
    c = f.conversations.get(e.conversation)
    if c is not None:
        if c.state != "message_box":
            return  # asked twice
        f.box[c.shop].pop(c.id, None)
        _begin_waiting(c, f.now_ms)
    else:
        rule = f.terms.topic(e.shop, e.topic)
        c = f.conversations[e.conversation] = Conversation(
            e.conversation, e.shop, e.shopper, e.topic, rule.priority, rule.target_ms, rule.needs,
            min(e.enqueued_ms, f.now_ms), epoch=e.epoch, waiting_ms=f.now_ms, since_ms=f.now_ms, sticky=e.sticky,
            sticky_ms=e.sticky_ms, lang=spoken(e.lang) if e.lang else "",
        )  # fmt: skip
        if c.lang:
            c.skill = f.need(c)
    if f.lines.of_shop(c.shop) >= f.policy(c).waiting_max:
        # The bound protects those who wait already; a free seat implies that nobody waits, so none is passed by.
        to_box(f, c, "full")
        return
    route(f, c)


def _begin_waiting(c: Conversation, now_ms: int) -> None:
    c.state, c.waiting_ms, c.since_ms = "waiting", now_ms, now_ms
    c.stage, c.stage_ms, c.stage_reason, c.pools = 0, -1, "", ()
    c.ruled.clear()
    c.helped = None
    c.agent = c.pool = c.pinned = None
    c.hold_ms = 0


def queue_left(f: Floor, e: ev.QueueLeft) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.state != "waiting":
        return  # somebody has it by now, or it is in the message box already
    revoke(f, c, "gone")
    if e.leave_message:
        to_box(f, c, "asked")
        return
    f.rates.waited(c.shop, f.now_ms - c.waiting_ms, left=True)
    f.decisions.append(ToBot(c.id, c.shop))
    f.forget(c)


def callback_asked(f: Floor, e: ev.CallbackAsked) -> None:
    """He keeps his place, longer than somebody who sits and waits; his window may close."""
    c = f.conversations.get(e.conversation)
    if c is None or c.state != "waiting" or c.callback == e.on:
        return
    c.callback = e.on
    f.timers.clear("nobody", c.id)
    f.timers.clear("box", c.id)
    f.decisions.append(Callback(c.id, c.shop, e.on))
    if c.in_line:
        route(f, c)


def close_requested(f: Floor, e: ev.CloseRequested) -> None:
    c = f.conversations.get(e.conversation)
    if c is None:
        return
    if e.epoch is not None and e.epoch != c.epoch:
        if e.by is not None:
            f.decisions.append(Refuse(c.id, e.by, "assignment.stale", e.ref))
        return  # another agent has it by now
    wrap_ms = f.policy(c).wrap_up_ms
    if wrap_ms and c.state == "assigned" and e.epoch is not None and c.agent is not None:
        revoke(f, c, "gone")
        f.handled(c, more_ms=wrap_ms)
        c.state, c.since_ms = "wrap_up", f.now_ms
        f.timers.set("wrap", c.id, f.now_ms + wrap_ms)
        f.decisions.append(WrapUp(c.id, c.shop, c.agent))
        return
    close(f, c, e.reason)


def close(f: Floor, c: Conversation, reason: str) -> None:
    revoke(f, c, "gone")
    if c.state == "waiting":
        f.rates.waited(c.shop, f.now_ms - c.waiting_ms, left=True)
    if c.state == "assigned" and c.pool is not None:
        f.handled(c)
    agent = c.agent
    let_go(f, c)
    f.decisions.append(Close(c.id, c.shop, agent, reason))
    f.forget(c)
    drained(f, agent)


def let_go(f: Floor, c: Conversation) -> None:
    """His slot, if he holds one, is free again."""
    seat = f.seats.get(c.agent or "")
    if seat is None:
        return
    seat.live.discard(c.id)
    seat.parked.discard(c.id)
    if not seat.live:
        seat.idle_since_ms = f.now_ms
    f.touch_load(seat)


def drained(f: Floor, agent: Id | None) -> None:
    seat = f.seats.get(agent or "")
    if seat is not None and seat.state == "draining" and not seat.live:
        set_state(f, seat, "offline", "drained")


TURN_KNOWN_MS = 2_500
"""A turn that was acted on so lately is not answered yet."""


def requeue(
    f: Floor,
    c: Conversation,
    why: str,
    *,
    bar: Id | None = None,
    pinned: Id | None = None,
    onward: Callable[[Floor, Conversation], object] = route,
) -> None:
    """Take it from its agent and let it wait where it stood, before those who came later. ``onward`` finds the next."""
    agent = c.agent
    revoke(f, c, "gone")
    if c.state == "assigned" and c.pool is not None:
        f.handled(c)
    let_go(f, c)
    f.timers.clear("wrap", c.id)
    _begin_waiting(c, f.now_ms)
    c.epoch += 1 if agent is not None else 0
    if bar is not None:
        c.excluded[bar] = f.now_ms + f.policy(c).exclude_ms
        if c.sticky == bar:
            c.sticky = None
    until = f.now_ms + f.policy(c).transfer_wait_ms if pinned is not None else 0
    f.decisions.append(Requeue(c.id, c.shop, agent, c.epoch, why, pinned, until))  # type: ignore[arg-type]
    if pinned is not None:
        c.pinned, c.pinned_ms = pinned, until
        f.timers.set("unpin", c.id, until)
    if c.turn_ms and f.now_ms - c.turn_seen_ms <= TURN_KNOWN_MS:
        f.timers.set("guard", c.id, f.now_ms)
    onward(f, c)
    drained(f, agent)


# --- seats ------------------------------------------------------------------------------------------------------------


def set_state(f: Floor, seat: SeatNow, state: SeatState, reason: str) -> None:
    if seat.state == state:
        return
    if seat.state in ("offline", "hold", "break", "training") and state == "ready":
        _catch_up(f, seat)
        seat.idle_since_ms = f.now_ms
    seat.state = state
    f.decisions.append(SetSeatState(seat.terms.agent, state, reason))
    f.touch(seat)


def _catch_up(f: Floor, seat: SeatNow) -> None:
    """Who comes late is not sent all the work until he has caught up: he starts level with the least loaded."""
    agent = seat.terms.agent
    pools = set(seat.terms.pools)
    shares = [o.share() for a, o in f.seats.items() if a != agent and o.state == "ready" and pools & set(o.terms.pools)]
    if shares and min(shares) > seat.share():
        seat.credit = min(shares) * seat.terms.ability_per_mille // 1_000_000 - seat.served


def agent_connected(f: Floor, e: ev.AgentConnected) -> None:
    seat = f.seats.get(e.agent)
    if seat is None or seat.connected:
        return
    seat.connected = True
    seat.disconnected_ms = None
    f.timers.clear("grace", e.agent)
    back, seat.before_loss = seat.before_loss, None
    if seat.state == "offline" and back is not None:
        set_state(f, seat, back, "reconnected")
    f.touch(seat)


def agent_disconnected(f: Floor, e: ev.AgentDisconnected) -> None:
    seat = f.seats.get(e.agent)
    if seat is None or not seat.connected:
        return
    seat.connected = False
    seat.disconnected_ms = f.now_ms
    f.timers.set("grace", e.agent, f.now_ms + grace_ms(f, seat))
    f.touch(seat)


def grace_ms(f: Floor, seat: SeatNow) -> int:
    """How long a lost line may take to come back: the most patient of the shops he serves. A page that sleeps in a
    pocket is a lost line, too; whoever can be called there has longer."""
    policies = [f.terms.policy(shop) for shop in _shops_of(f, seat)]
    found = max((policy.grace_ms for policy in policies), default=0)
    return max([found, *(policy.phone_grace_ms for policy in policies if seat.terms.rings)])


def _shops_of(f: Floor, seat: SeatNow) -> list[Id]:
    pools = set(seat.terms.pools)
    return [shop for shop, every in sorted(f.terms.every_pool.items()) if pools & set(every)]


def grace_over(f: Floor, agent: Id) -> None:
    seat = f.seats.get(agent)
    if seat is None or seat.connected:
        return
    seat.disconnected_ms = None
    if seat.state != "offline":
        seat.before_loss = seat.state if seat.state != "draining" else None
    set_state(f, seat, "offline", "disconnected")
    f.touch(seat)
    leave(f, seat, "disconnected")


def leave(f: Floor, seat: SeatNow, why: str) -> None:
    """Everything he had goes back to the line, oldest first; what he was only wrapping up is closed."""
    for c in sorted((f.conversations[id_] for id_ in seat.live), key=lambda c: (c.enqueued_ms, c.id)):
        if c.state == "wrap_up":
            close(f, c, "wrapped_up")
        else:
            requeue(f, c, why)
    for id_ in sorted(seat.held):
        offer_gone(f, f.conversations[id_], "gone")


def seat_state_set(f: Floor, e: ev.SeatStateSet) -> None:
    seat = f.seats.get(e.agent)
    if seat is None:
        return
    seat.before_loss = None
    if e.state == "ready":
        seat.strikes_ms.clear()
    set_state(f, seat, e.state, "agent")
    if e.state == "offline":
        leave(f, seat, "agent_left")
    elif e.state != "ready":
        for id_ in sorted(seat.held):
            offer_gone(f, f.conversations[id_], "gone")
    drained(f, e.agent)


def turns_open(f: Floor, e: ev.TurnsOpen) -> None:
    """Who is behind with his answers is asked later than his equals."""
    seat = f.seats.get(e.agent)
    if seat is not None and seat.turns != e.turns:
        seat.turns = e.turns
        f.touch(seat)


def terms_turned(f: Floor) -> None:
    """Contracts begin and end: whose has ended keeps nothing of that shop, be it at hand, laid aside or on offer."""
    due = f.terms.next_turn_ms(f.now_ms)
    if due is None:
        f.timers.clear("terms", "")
    else:
        f.timers.set("terms", "", due)
    for c in sorted(f.conversations.values(), key=lambda c: (c.enqueued_ms, c.id)):
        if c.pool is not None and not f.terms.serves(c.shop, c.pool, f.now_ms):
            if c.state == "wrap_up":
                close(f, c, "wrapped_up")
            else:
                requeue(f, c, "contract_ended")
        elif c.offer_to and c.offer_pool is not None and not f.terms.serves(c.shop, c.offer_pool, f.now_ms):
            offer_gone(f, c, "gone")
        elif c.in_line and c.pinned is None and c.stage_ms >= 0:
            before = c.pools
            reach(f, c)
            if c.pools != before:
                route(f, c, told=False)


# --- silence ----------------------------------------------------------------------------------------------------------


def reply_awaited(f: Floor, e: ev.ReplyAwaited) -> None:
    c = f.conversations.get(e.conversation)
    if c is None or c.state != "assigned" or c.agent is None:
        return
    policy = f.policy(c)
    limit = policy.next_reply_ms if e.replied else policy.first_reply_ms
    if limit is None:
        return
    since = max(e.since_ms, c.since_ms)
    if since != c.warned_since_ms:
        c.warned, c.warned_since_ms = 0, since  # answered meanwhile: a new wait
    waited = f.now_ms - since
    level = 2 if waited >= limit else 1 if waited >= limit * policy.warn_per_mille // 1_000 else 0
    if level > c.warned:
        c.warned = level
        f.decisions.append(Warn(c.id, c.shop, c.agent, waited, limit, level == 2))
    if level == 2:
        agent = c.agent
        requeue(f, c, "silent", bar=agent)
        strike(f, agent, policy.strikes_max, policy.strike_window_ms)


def strike(f: Floor, agent: Id, most: int, window_ms: int) -> None:
    seat = f.seats.get(agent)
    if seat is None:
        return
    seat.strikes_ms = [ms for ms in seat.strikes_ms if f.now_ms - ms < window_ms] + [f.now_ms]
    if len(seat.strikes_ms) >= most and seat.state == "ready":
        set_state(f, seat, "hold", "silent")


def wrap_over(f: Floor, c: Conversation) -> None:
    close(f, c, "wrapped_up")


# --- offers that came to nothing --------------------------------------------------------------------------------------


def revoke(f: Floor, c: Conversation, why: str, *, tell: bool = True) -> None:
    if c.offer_to is None:
        return
    agent, c.offer_to = c.offer_to, None
    f.timers.clear("offer", c.id)
    seat = f.seats.get(agent)
    if seat is not None:
        seat.held.discard(c.id)
        f.touch(seat)
    if tell:
        f.decisions.append(RevokeOffer(c.id, c.shop, agent, why))  # type: ignore[arg-type]


def offer_gone(f: Floor, c: Conversation, why: str) -> None:
    """The offer came to nothing: the next one is asked, or the giver keeps his conversation and is told."""
    agent = c.offer_to
    if agent is None:
        return
    revoke(f, c, why)
    if c.state == "assigned":
        assert c.agent is not None, "an assigned conversation has an agent"
        f.decisions.append(Refuse(c.id, c.agent, f"transfer.{why}", c.transfer_ref))
        return
    c.excluded[agent] = f.now_ms + f.policy(c).exclude_ms
    if c.sticky == agent:
        c.sticky = None
    route(f, c)
