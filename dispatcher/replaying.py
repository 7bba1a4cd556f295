"""A stretch of the journal decided again, and thought through under another policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher import journal_record, whatif
from dispatcher.journal import Again, NoBeginning, Redecider, TakenOver
from dispatcher.journal_record import Beginning
from dispatcher.model import Id, Policy
from dispatcher.rethink import Stretch, Thought, under
from dispatcher.simulate import Outcome
from wangxin.storage.postgres import Connection

SHOWN_MAX = 20
"""So many lines that differ are kept."""


@dataclass(slots=True)
class Replayed:
    """``differing``: the first lines of the asked time whose decisions are not the same now."""

    start: Beginning
    lines: int = 0
    decisions: int = 0
    different: int = 0
    differing: list[Again] = field(default_factory=list)
    stretch: Stretch | None = None


async def replay(conn: Connection, shard: str, from_ms: int, until_ms: int) -> Replayed:
    """Decide every line again from the last start before ``from_ms`` on. Raises NoBeginning.

    ``stretch`` is of the asked time, and begins with the last start before it.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        start = await journal_record.beginning(conn, shard, from_ms)
        if start is None or start.at_ms >= until_ms:
            raise NoBeginning
        found, redecider = Replayed(start), Redecider()
        async for line in journal_record.read(conn, shard, start, until_ms):
            again = redecider.again(line)
            found.lines += 1
            found.decisions += len(again.made)
            if not again.same:
                found.different += 1
                found.differing += [again][: SHOWN_MAX - len(found.differing)]
            if found.stretch is None:
                assert isinstance(again.event, TakenOver), "the first line is a start"
                found.stretch = Stretch(again.event, line.at_ms)
            found.stretch.take(line.at_ms, again.event, again.made)
    return found


@dataclass(frozen=True, slots=True)
class Changed:
    """A request that fares otherwise."""

    conversation: Id
    now: Outcome
    then: Outcome


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The same requests under the policies in force (``now``) and under another one (``then``)."""

    requests: int
    now: Mapping[str, float]
    then: Mapping[str, float]
    changed: tuple[Changed, ...]
    thoughts: tuple[Thought, Thought]


def otherwise(stretch: Stretch, shop: Id, policy: Policy, from_ms: int) -> Otherwise:
    """What another policy would have changed for requests that came at ``from_ms`` or later."""
    thoughts = under(stretch, shop, None), under(stretch, shop, policy)
    now, then = ({id_: one for id_, one in thought.outcomes.items() if one.at_ms >= from_ms} for thought in thoughts)
    changed = tuple(
        Changed(id_, one, then[id_])
        for id_, one in now.items()
        if (one.ending, one.pool, one.agent) != (then[id_].ending, then[id_].pool, then[id_].agent)
    )
    return Otherwise(
        len(now),
        whatif.figures(list(now.values()), stretch.start.routing.pools, whatif.Economy()),
        whatif.figures(list(then.values()), stretch.start.routing.pools, whatif.Economy()),
        changed,
        thoughts,
    )
