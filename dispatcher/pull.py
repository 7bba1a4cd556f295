"""The pull of a seat that became free: who waits for it, then the message box, slowly."""

from __future__ import annotations

from dispatcher.capacity import SeatNow
from dispatcher.decisions import Waited
from dispatcher.floor import Floor
from dispatcher.lines import Conversation, Equals
from dispatcher.model import Id
from dispatcher.routing import give, pool_for

LINE_MAX = 5
"""How many of those who waited an explanation names."""


def pull(f: Floor) -> None:
    """Seats that became free take who waits for them, then from the message box, slowly."""
    while f.freed:
        agent = min(f.freed)
        seat = f.seats[agent]
        found = _next_for(f, seat)
        if found is None:
            f.freed.discard(agent)
            _from_box(f, seat)
        else:
            pool, c, line = found
            rule = c.ruled.get(pool, "")
            reason = "sticky" if f.now_ms < c.hold_ms else f"overflow:{rule}" if rule else c.stage_reason
            # Who waits has found nobody free, so that this seat is the only candidate: the choice was among the line.
            give(f, c, seat, pool, reason or ("transfer" if c.pinned else "ring"), line=line)


def _next_for(f: Floor, seat: SeatNow) -> tuple[Id, Conversation, tuple[Waited, ...]] | None:
    pools = [pool for pool in seat.terms.pools if f.lines.waiting(pool)]
    if not pools:
        return None
    agent, now, skills = seat.terms.agent, f.now_ms, seat.skills
    best: tuple[tuple[int, int, int, Id], Id, Conversation] | None = None

    def fits(c: Conversation) -> bool:
        if c.excluded and c.excluded.get(agent, 0) > now:
            return False
        if now < c.hold_ms and c.sticky != agent:
            return False
        return not f.usable(c, pool)[1]

    def line_fits(equals: Equals) -> bool:
        _, _, shop, topic, skill = equals
        contract, why = f.terms.usable(shop, pool, topic, now)
        return (not skill or skill in skills) and not why and not f.terms.bars(contract, agent, now)

    seen: list[tuple[tuple[int, int, int, Id], Conversation, Id]] = []
    for pool in pools:
        found = f.lines.best(pool, now, f.conversations, line_fits, fits, seen)
        if found is not None and (best is None or found[0] < best[0]):
            best = (found[0], pool, found[1])
    if best is None:
        return None
    seen.sort(key=lambda row: row[0])
    line = [Waited(c.id, at, c.priority, now - c.enqueued_ms, -key[1]) for key, c, at in seen[:LINE_MAX]]
    return best[1], best[2], tuple(line)


def _from_box(f: Floor, seat: SeatNow) -> None:
    """One conversation from the message box, oldest first, not more often than the policy allows."""
    if not any(f.box.values()):
        return
    choice: tuple[int, Id, Id] | None = None
    for shop in sorted(f.box):
        box = f.box[shop]
        if not box:
            continue
        every = f.terms.policy(shop).backlog_every_ms
        if f.now_ms < seat.box_ms + every:
            f.timers.set("pull", seat.terms.agent, seat.box_ms + every)
            continue
        for id_, enqueued in sorted(box.items(), key=lambda row: (row[1], row[0]))[:20]:
            pool = pool_for(f, f.conversations[id_], seat)
            if pool is not None:
                if choice is None or (enqueued, id_, pool) < choice:
                    choice = (enqueued, id_, pool)
                break
    if choice is not None:
        seat.box_ms = f.now_ms
        give(f, f.conversations[choice[1]], seat, choice[2], "message_box")
        f.touch(seat)
    if any(f.box.values()):
        f.timers.set("minute", "", (f.now_ms // 60_000 + 1) * 60_000)
