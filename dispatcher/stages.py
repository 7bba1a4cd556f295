"""When the search for a seat goes on to its next stage: after a time, or as soon as a trigger holds."""

from __future__ import annotations

from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.policy import Measures, holds


def opens(f: Floor, c: Conversation, stage: int) -> str | None:
    """Why the stage is open for this conversation now; None: it is not yet."""
    rule = f.policy(c).stages[stage]
    if f.now_ms - c.stage_ms >= rule.after_ms:
        return "time"
    if full(f, c):
        return "queue_len"
    if not rule.enter_if:
        return None
    if rule.enter_if[0].kind == "no_free_slot":
        return "no_free_slot"
    seen = measures(f, c)
    for index, trigger in enumerate(rule.enter_if):
        key = (c.shop, stage, index)
        if holds(trigger, seen, f.opened.get(key), f.now_ms):
            f.opened.setdefault(key, f.now_ms)
            return trigger.kind
        f.opened.pop(key, None)
    return None


def full(f: Floor, c: Conversation) -> bool:
    """Whether as many wait as may in each pool that it could wait for."""
    if not f.terms.bounded:
        return False
    found = [f.terms.pools[pool] for pool in c.pools if not f.usable(c, pool)[1]]
    return bool(found) and all(
        pool.waiting_max is not None and f.lines.waiting(pool.id) >= pool.waiting_max for pool in found
    )


def measures(f: Floor, c: Conversation) -> Measures:
    ids = f.lines.ids()
    oldest = min((f.conversations[id_].enqueued_ms for id_ in ids if f.conversations[id_].shop == c.shop), default=None)
    reached = [f.usable(c, pool)[1] for pool in c.pools]
    return Measures(
        any_usable=any(why in ("", "limit") for why in reached),
        predicted_ms=f.predict(c)[0],
        waiting=f.lines.of_shop(c.shop) + (0 if c.id in f.lines else 1),
        oldest_ms=f.now_ms - min(c.enqueued_ms, oldest if oldest is not None else c.enqueued_ms),
        in_target_per_mille=f.in_target.get(c.shop, 1_000),
        paused=bool(reached) and all(why in ("closed", "paused") for why in reached),
    )
