"""Bringing conversations and seats together: the search that widens (a seat that became free: ``pull``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dispatcher.box import fall_back, to_box
from dispatcher.capacity import KEEPS, SeatNow, score
from dispatcher.decisions import Assign, Candidate, Helped, MakeOffer, Overflowed, PoolSeen, Queued, Waited
from dispatcher.floor import Floor
from dispatcher.lines import Conversation
from dispatcher.model import AgentRule, Contract, Id, Pool
from dispatcher.policy import deal, rank_pools
from dispatcher.stages import by_rules, full, next_by_rules_ms, opens, reach

_AT_ONCE = ("claim", "transfer", "resume", "takeover", "message_box")
"""Reasons that need no offer: somebody has agreed already, or nobody is watching the clock."""
_SHUT = ("closed", "outside_hours", "no_contract", "suspended", "skill")
"""Why a pool takes nobody, now or soon: where all say so, a message is left at once."""
_TAKEN = "no_free_slot"
TURNED_MAX = 3
"""How many whom the contract kept out an explanation names."""


def route(f: Floor, c: Conversation, *, told: bool = True) -> bool:
    """Find a seat for a waiting conversation, or let it wait in every pool it may go to. True: it has one.

    ``told``: say Queued where it waits.
    """
    assert c.in_line, "only who waits is routed"
    if f.now_ms >= c.hold_ms and _try_sticky(f, c):
        return True
    if f.now_ms < c.hold_ms:
        f.timers.set("hold", c.id, c.hold_ms)
    elif _widen(f, c):
        return True
    _wait(f, c, told=told)
    return False


def _try_sticky(f: Floor, c: Conversation) -> bool:
    """The agent who served this shopper last, if he is ready and has room, or will have within the hold time."""
    if c.sticky is None:
        return False
    policy = f.policy(c)
    if f.now_ms - c.sticky_ms > policy.sticky_window_ms:
        return False
    seat = f.seats.get(c.sticky)
    if seat is None or seat.state != "ready" or not seat.connected or c.excluded.get(c.sticky, 0) > f.now_ms:
        return False
    pool = pool_for(f, c, seat)
    if pool is None:
        return False
    if seat.free:
        give(f, c, seat, pool, "sticky")
        return True
    if c.hold_ms == 0 and policy.sticky_hold_ms:
        ends = [f.conversations[id_].since_ms for id_ in seat.live if f.conversations[id_].state == "wrap_up"]
        if ends and min(ends) + policy.wrap_up_ms - f.now_ms <= policy.sticky_hold_ms:
            c.hold_ms = f.now_ms + policy.sticky_hold_ms
            if c.stage_ms < 0:
                c.pools = (pool,)  # until then it waits for this agent alone
    return False


def pool_for(f: Floor, c: Conversation, seat: SeatNow) -> Id | None:
    """The pool under which this seat may serve this conversation now; None: it may not."""
    if c.skill and c.skill not in seat.skills:
        return None
    reach = f.terms.every_pool[c.shop]
    for pool in seat.terms.pools:
        if pool in reach and not f.usable(c, pool)[1] and not f.barred(c, pool, seat.terms.agent):
            return pool
    return None


def refused(f: Floor, c: Conversation, seat: SeatNow) -> str:
    """Why no pool of the seat may serve the conversation: what its contract asks of him, else that there is none."""
    for pool in seat.terms.pools:
        if pool in f.terms.every_pool[c.shop] and not f.usable(c, pool)[1]:
            return f.barred(c, pool, seat.terms.agent) or "no_contract"
    return "no_contract"


def _try_pools(f: Floor, c: Conversation, pools: tuple[Id, ...], seen: list[PoolSeen]) -> bool:
    if len(pools) == 1:  # most often: nothing to rank, no share to keep
        pool = pools[0]
        contract, why = f.usable(c, pool)
        if why:
            seen.append(PoolSeen(pool, c.stage, why))  # type: ignore[arg-type]
            return False
        return _try_pool(f, c, pool, contract, 0, {}, seen)
    usable: list[tuple[Pool, Contract | None, int]] = []
    for pool in pools:
        contract, why = f.usable(c, pool)
        if why:
            seen.append(PoolSeen(pool, c.stage, why))  # type: ignore[arg-type]
        else:
            usable.append((f.terms.pools[pool], contract, 0))
    if not usable:
        return False
    policy = f.policy(c)
    turned: dict[Id, Candidate] = {}
    levels: dict[Id, int] = {}
    if policy.pool_rule == "value" and len(usable) > 1:
        for one, terms, _ in usable:
            shut = door(f, policy.agent_rule, one.id, terms, {})
            first = f.free.best(one.id, policy.agent_rule, f.seats, c.excluded, c.skill, f.now_ms, shut)
            levels[one.id] = first[0][1].load if first else 0
    order = [(0, *usable[0][:2])]
    if len(usable) > 1:
        usable = [(one, terms, f.used_today(terms) if terms else 0) for one, terms, _ in usable]
        order = rank_pools(policy, usable, levels, f.deficits, c.shop)
    return any(_try_pool(f, c, one.id, terms, shown, turned, seen, usable) for shown, one, terms in order)


def _try_pool(
    f: Floor,
    c: Conversation,
    pool: Id,
    contract: Contract | None,
    shown: int,
    turned: dict[Id, Candidate],
    seen: list[PoolSeen],
    shared: Sequence[tuple[Pool, Contract | None, int]] = (),
) -> bool:
    """The best free seat of a pool takes the conversation, if there is one. ``shared``: pools among which it ranked."""
    rule = f.policy(c).agent_rule
    barred = door(f, rule, pool, contract, turned)
    rows = f.free.best(pool, rule, f.seats, c.excluded, c.skill, f.now_ms, barred)
    if not rows:
        out = next((one.barred for one in turned.values() if one.pool == pool), _TAKEN) if turned else _TAKEN
        seen.append(PoolSeen(pool, c.stage, out, shown))  # type: ignore[arg-type]
        return False
    own = c.ruled.get(pool, "") if c.ruled else ""
    seen.append(PoolSeen(pool, c.stage, "chosen", shown, own))
    c.seen = tuple(seen)
    candidates = tuple([Candidate(s.terms.agent, pool, s.load, s.terms.seats_max, key) for key, s in rows])
    if turned:
        candidates += tuple(turned.values())[:TURNED_MAX]
    if len(shared) > 1:
        deal(f.deficits, c.shop, pool, shared)
    give(f, c, rows[0][1], pool, f"overflow:{own}" if own else c.stage_reason or "ring", candidates)
    return True


def door(
    f: Floor, rule: AgentRule, pool: Id, contract: Contract | None, turned: dict[Id, Candidate]
) -> Callable[[Id], bool] | None:
    """Whom the contract keeps out, noted in ``turned`` for the explanation; None: it asks nothing of anybody."""
    if contract is None or not (contract.certified or contract.dedicated):
        return None

    def barred(agent: Id) -> bool:
        why = f.terms.bars(contract, agent, f.now_ms)
        if why:
            seat = f.seats[agent]
            turned[agent] = Candidate(agent, pool, seat.load, seat.terms.seats_max, score(rule, seat), why)
        return bool(why)

    return barred


def _widen(f: Floor, c: Conversation) -> bool:
    """Ask the pools reached so far, then each further stage that is open already. True: it has a seat."""
    stages = f.policy(c).stages
    seen: list[PoolSeen] = []
    if c.pinned is not None:
        c.pools = (c.pinned,)
        done = _try_pools(f, c, c.pools, seen)
        c.seen = tuple(seen)
        return done
    if c.stage_ms < 0 and stages:
        c.stage_ms = f.now_ms
        reach(f, c)
    if _try_pools(f, c, c.pools, seen):
        return True
    ruling = f.terms.ruling[c.shop]
    if ruling and (opened := by_rules(f, c)) and _try_pools(f, c, opened, seen):
        return True
    while c.stage + 1 < len(stages):
        why = opens(f, c, c.stage + 1)
        if why is None:
            break
        enter(f, c, why)
        if _try_pools(f, c, _entered(f, c), seen):
            return True
    if ruling:
        shut = (pool for pool, _ in f.terms.ruled(c.shop, f.now_ms) if pool not in c.ruled)
        seen += [PoolSeen(pool, c.stage, "not_yet") for pool in shut]
    c.seen = tuple(seen)
    return False


def _entered(f: Floor, c: Conversation) -> tuple[Id, ...]:
    """The pools of the stage that was just entered which may be asked by it."""
    if not f.terms.ruling[c.shop]:
        return f.terms.stage_pools(c.shop, c.stage)
    return tuple(pool for pool in f.terms.stage_pools(c.shop, c.stage) if not f.terms.ruled_by(c.shop, pool, f.now_ms))


def widen_at_once(f: Floor, c: Conversation) -> bool:
    """Search the further stages now, the nearest first, whatever opens them otherwise. True: it has a seat."""
    assert c.in_line, "only who waits is routed"
    if c.pinned is None and c.stage_ms < 0 and f.policy(c).stages:
        c.stage_ms = f.now_ms
        reach(f, c)
    if c.pinned is None and (opened := by_rules(f, c, whatever=True)) and _try_pools(f, c, opened, []):
        return True
    while c.pinned is None and c.stage + 1 < len(f.policy(c).stages):
        enter(f, c, "slow")
        if _try_pools(f, c, _entered(f, c), []):
            return True
    return route(f, c)


def enter(f: Floor, c: Conversation, why: str) -> None:
    """Go on to the next stage. One that is open by time began when it was due, so no time without a leader is lost."""
    c.stage += 1
    c.stage_ms = c.stage_ms + f.policy(c).stages[c.stage].after_ms if why == "time" else f.now_ms
    c.stage_reason = f"overflow:{why}"
    reach(f, c)
    f.decisions.append(Overflowed(c.id, c.shop, c.stage, why))


def _wait(f: Floor, c: Conversation, *, told: bool) -> None:
    policy = f.policy(c)
    if _nowhere(f, c):
        to_box(f, c, "hours")
        return
    if f.terms.capped and c.id not in f.lines and f.full_topic(c):
        to_box(f, c, "full")
        return
    if f.terms.rested and c.pinned is None and _rests(f, c):
        return
    box_ms = policy.callback_ms if c.callback else policy.message_box_ms
    if box_ms is not None and f.now_ms >= c.waiting_ms + box_ms:
        fall_back(f, c)  # an offer was in the air when the time came
        return
    if c.id not in f.lines and c.pinned is None and full(f, c):
        to_box(f, c, "full")
        return
    _free_the_excluded(f, c)
    f.lines.add(c)
    if c.stage + 1 < len(policy.stages) and c.pinned is None and f.now_ms >= c.hold_ms:
        f.timers.set("stage", c.id, c.stage_ms + policy.stages[c.stage + 1].after_ms)
    if "~" in c.skill and policy.language_wait_ms is not None and ("language", c.id) not in f.timers:
        f.timers.set("language", c.id, max(f.now_ms, c.waiting_ms + policy.language_wait_ms))
    if f.terms.ruling[c.shop] and c.pinned is None and (by_rule_ms := next_by_rules_ms(f, c)) is not None:
        f.timers.set("rule", c.id, max(by_rule_ms, c.hold_ms))
    if box_ms is not None:
        f.timers.set("box", c.id, c.waiting_ms + box_ms)
    if policy.nobody_ms is not None and not c.callback and ("nobody", c.id) not in f.timers and not f.somebody(c):
        f.timers.set("nobody", c.id, max(f.now_ms, c.waiting_ms) + policy.nobody_ms)
    f.timers.set("minute", "", (f.now_ms // 60_000 + 1) * 60_000)
    if f.terms.measured[c.shop]:
        f.timers.set("second", "", f.now_ms + 1_000)
    if told:
        position = f.position(c)
        median, p90 = f.predict(c, position - 1)
        f.decisions.append(Queued(c.id, c.shop, position, median, p90, c.stage, c.seen))


def _rests(f: Floor, c: Conversation) -> bool:
    """Where its steps lead that nobody sits: the bot helps while it waits, the message box ends the waiting (True)."""
    for pool in f.terms.rests(c.shop, c.stage) if c.stage_ms >= 0 else ():
        if pool.kind == "message_box" and not c.callback and f.takes(c.shop, pool):
            to_box(f, c, "waited")
            return True
        if pool.kind == "bot" and c.helped is None and f.takes(c.shop, pool):
            c.helped = pool.id
            f.decisions.append(Helped(c.id, c.shop, pool.id))
    return False


def _nowhere(f: Floor, c: Conversation) -> bool:
    """No pool of the shop may serve it now, and waiting would not change that soon."""
    for pool in f.terms.every_pool[c.shop]:
        if f.usable(c, pool)[1] not in _SHUT:
            break
    else:
        return True
    return False


def _free_the_excluded(f: Floor, c: Conversation) -> None:
    """Who let it wait is not asked again, unless nobody else is there: then soon."""
    if not c.excluded:
        return
    barred = [agent for agent, until in sorted(c.excluded.items()) if until > f.now_ms]
    if not barred:
        c.excluded.clear()
        return
    every = f.terms.every_pool[c.shop]
    others = sum(f.able(c, pool) for pool in every)
    for agent in barred:
        seat = f.seats.get(agent)
        if seat is not None and seat.present:
            others -= sum(1 for pool in seat.terms.pools if pool in every and not f.barred(c, pool, agent))
    if others <= 0:
        soon = f.now_ms + f.policy(c).retry_ms
        c.excluded = {agent: min(c.excluded[agent], soon) for agent in barred}
    f.timers.set("retry", c.id, min(c.excluded[agent] for agent in barred))


def give(
    f: Floor, c: Conversation, seat: SeatNow, pool: Id, reason: str, candidates: tuple[Candidate, ...] = (),
    line: tuple[Waited, ...] = (),
) -> None:  # fmt: skip
    """Give ``c`` to ``seat``, or offer it where the policy says so."""
    policy = f.policy(c)
    if not candidates:
        candidates = (
            Candidate(seat.terms.agent, pool, seat.load, seat.terms.seats_max, score(policy.agent_rule, seat)),
        )
    if policy.answer_in(pool) == "offer" and reason not in _AT_ONCE:
        f.lines.remove(c)
        c.offer_to, c.offer_pool, c.offer_reason = seat.terms.agent, pool, reason
        c.offer_ms = f.now_ms + policy.offer_ms
        seat.held.add(c.id)
        f.touch(seat)
        f.timers.set("offer", c.id, c.offer_ms)
        f.decisions.append(MakeOffer(c.id, c.shop, seat.terms.agent, c.epoch + 1, c.offer_ms, pool=pool, reason=reason))
        return
    assign(f, c, seat, pool, reason, candidates, line)


def assign(
    f: Floor, c: Conversation, seat: SeatNow, pool: Id, reason: str, candidates: tuple[Candidate, ...] = (),
    line: tuple[Waited, ...] = (),
) -> None:  # fmt: skip
    """Now it is his. The count grows in the same step."""
    waited = f.now_ms - c.waiting_ms if c.state == "waiting" else 0
    predicted = f.predict(c, 0)[0] if c.id in f.lines else 0
    before = c.agent
    was = c.state
    f.lines.remove(c)
    f.timers.drop(c.id)
    if was == "message_box":
        f.box[c.shop].pop(c.id, None)
    if was == "waiting":
        f.rates.waited(c.shop, waited, left=False)
        share = f.in_target.get(c.shop, 1_000)
        f.in_target[c.shop] = (share * 31 + (1_000 if waited <= c.target_ms else 0)) // 32
    contract, _ = f.usable(c, pool)
    day = f.terms.day(c.shop, f.now_ms)
    if contract is not None and c.counted != contract.id:
        key = (contract.id, day)
        f.used[key] = f.used.get(key, 0) + 1
        c.counted = contract.id
    if not c.tallied:
        c.tallied = True
        key = (c.shop, day)
        f.used[key] = f.used.get(key, 0) + 1
    level = seat.load
    seat.held.discard(c.id)
    seat.parked.discard(c.id)
    seat.live.add(c.id)
    if reason != "resume":
        f.new_day(seat, day)
        if c.had.get(seat.terms.agent) != day:
            c.had[seat.terms.agent] = day
            seat.served += 1
        seat.last_assigned_ms = f.now_ms
    f.touch_load(seat)
    c.state, c.agent, c.pool, c.since_ms = "assigned", seat.terms.agent, pool, f.now_ms
    c.first_ms = c.first_ms or f.now_ms
    c.callback = False
    c.offer_to = c.offer_pool = c.pinned = None
    c.epoch += 1
    c.warned = 0
    event = "resumed" if reason == "resume" else "transferred" if before not in (None, c.agent) else "assigned"
    f.decisions.append(
        Assign(
            c.id, c.shop, seat.terms.agent, pool, c.epoch, reason, c.stage,
            event=event,  # type: ignore[arg-type]
            from_agent=before, contract=contract.id if contract else None,
            contract_version=contract.version if contract else 0, policy_version=f.policy(c).version,
            waited_ms=waited, predicted_ms=predicted, level=level, candidates=candidates, pools=c.seen, line=line,
        )
    )  # fmt: skip
    c.seen = ()


def may_keep(seat: SeatNow | None) -> bool:
    return seat is not None and seat.connected and seat.state in KEEPS
