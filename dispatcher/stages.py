"""When the search for a seat goes on to its next stage: after a time, or as soon as a trigger holds."""

from __future__ import annotations

from dispatcher.decisions import Overflowed
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import Id, Trigger
from dispatcher.policy import Measures, holds


def opens(f: Floor, c: Conversation, stage: int) -> str | None:
    """Why the stage is open for this conversation now; None: it is not yet."""
    rule = f.policy(c).stages[stage]
    if f.now_ms - c.stage_ms >= rule.after_ms:
        return "time"
    if full(f, c):
        return "queue_len"
    return _any_of(f, c, stage, rule.enter_if)


def _any_of(f: Floor, c: Conversation, whose: int | Id, triggers: tuple[Trigger, ...]) -> str | None:
    """The first trigger that holds. ``whose``: the stage's, or the contract's."""
    if not triggers:
        return None
    if triggers[0].kind == "no_free_slot":
        return "no_free_slot"
    seen = measures(f, c)
    for index, trigger in enumerate(triggers):
        key = (c.shop, whose, index)
        if holds(trigger, seen, f.opened.get(key), f.now_ms):
            f.opened.setdefault(key, f.now_ms)
            return trigger.kind
        f.opened.pop(key, None)
    return None


def by_rules(f: Floor, c: Conversation, *, whatever: bool = False) -> tuple[Id, ...]:
    """Reach the pools that their contracts' own rules open now (``whatever``: all of them); returns the new ones."""
    found = []
    for pool, contract in f.terms.ruled(c.shop, f.now_ms):
        if pool in c.ruled or contract.overflow is None:
            continue
        rules = contract.overflow
        why: str | None
        if whatever:
            why = "slow"
        elif rules.after_ms is not None and f.now_ms - c.waiting_ms >= rules.after_ms:
            why = "time"
        else:
            why = _any_of(f, c, contract.id, rules.any_of)
        if why is not None:
            c.ruled[pool] = why
            found.append(pool)
            f.decisions.append(Overflowed(c.id, c.shop, c.stage, why, pool))
    if found:
        reach(f, c)
    return tuple(found)


def reach(f: Floor, c: Conversation) -> None:
    """``c.pools``: those of the stages it has entered, but for pools whose contract says itself when they are asked,
    and those of these that were opened."""
    pools = f.terms.reached(c.shop, c.stage)
    if f.terms.ruling[c.shop]:
        ruled = dict(f.terms.ruled(c.shop, f.now_ms))
        pools = tuple(pool for pool in pools if pool not in ruled) + tuple(pool for pool in c.ruled if pool in ruled)
    c.pools = pools


def next_by_rules_ms(f: Floor, c: Conversation) -> int | None:
    """When a contract's own rules open its pools by time; None: none does."""
    due = (
        c.waiting_ms + contract.overflow.after_ms
        for pool, contract in f.terms.ruled(c.shop, f.now_ms)
        if pool not in c.ruled and contract.overflow is not None and contract.overflow.after_ms is not None
    )
    return min(due, default=None)


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
