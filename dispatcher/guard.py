"""The slow-response guard: what follows when a shopper waits too long for a person's answer, tier by tier.

The clock is the shopper's: it goes on when his conversation passes from hand to hand, and begins with the first person
who got it (before that he waits in line, and is told his place). An agent is never passed by before he has had it for
the time of the first tier.
"""

from __future__ import annotations

from dispatcher import events as ev
from dispatcher import lifecycle
from dispatcher.decisions import Guarded
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import GuardTier, Id, Policy
from dispatcher.routing import route, widen_at_once

_SAME_MS = 2_000
"""Two clocks tell when a turn began, ours and the record's: beginnings this close are one."""
_TAKES = frozenset({"reoffer", "overflow"})


def tiers_of(policy: Policy, pool: Id | None) -> tuple[GuardTier, ...]:
    """The tiers that hold for a conversation in this pool."""
    return next((own.tiers for own in policy.pool_guard if own.pool == pool), policy.guard)


def first_ms(policy: Policy) -> int | None:
    """The shortest wait that any tier acts on; None: no tier does."""
    every = (policy.guard, *(own.tiers for own in policy.pool_guard))
    return min((tiers[0].after_ms for tiers in every if tiers), default=None)


def reply_awaited(f: Floor, e: ev.ReplyAwaited) -> None:
    """Reply limits first: what they take back is guarded on while it waits.

    The journal keeps only what something was decided about, so nothing else may leave a trace.
    """
    c = f.conversations.get(e.conversation)
    if c is None or c.state != "assigned":
        return
    before, made = (c.turn_ms, c.turn_seen_ms, c.guarded_ms, c.warned, c.warned_since_ms), len(f.decisions)
    since = max(e.since_ms, c.first_ms)
    if abs(since - c.turn_ms) > _SAME_MS:
        c.turn_ms, c.guarded_ms = since, 0
    c.turn_seen_ms = f.now_ms
    lifecycle.reply_awaited(f, e)
    if c.state == "assigned":
        act(f, c)
    if len(f.decisions) == made:
        c.turn_ms, c.turn_seen_ms, c.guarded_ms, c.warned, c.warned_since_ms = before


def act(f: Floor, c: Conversation) -> None:
    """Do what is due by now; while nobody has the conversation, a timer brings the next tier."""
    while c.turn_ms and c.state in ("waiting", "assigned"):
        policy = f.policy(c)
        tiers = tiers_of(policy, c.pool)
        place = next((n for n, tier in enumerate(tiers) if tier.after_ms > c.guarded_ms), None)
        if place is None:
            return
        tier = tiers[place]
        takes = not _TAKES.isdisjoint(tier.acts)
        due = c.turn_ms + tier.after_ms
        if takes and c.state == "assigned":
            due = max(due, c.since_ms + tiers[0].after_ms)
        if f.now_ms < due:
            if c.state == "waiting":
                f.timers.set("guard", c.id, due)
            return
        c.guarded_ms = tier.after_ms
        f.decisions.append(
            Guarded(
                c.id, c.shop, c.agent, c.pool, place + 1, tier.after_ms, c.turn_ms, f.now_ms - c.turn_ms, tier.acts,
                policy.version,
            )
        )  # fmt: skip
        if takes:
            _pass_on(f, c, policy, wide="overflow" in tier.acts)


def _pass_on(f: Floor, c: Conversation, policy: Policy, *, wide: bool) -> None:
    agent = c.agent
    if c.state == "assigned" and agent is not None:
        lifecycle.requeue(f, c, "silent", bar=agent, onward=widen_at_once if wide else route)
        lifecycle.strike(f, agent, policy.strikes_max, policy.strike_window_ms)
    elif wide and c.in_line:
        widen_at_once(f, c)
