"""The other compiler is asked about who is to get something: an audience must be the same in SQL and in Python."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from push.audience.compile import to_sql
from push.audience.leaves import Arguments, Moment
from push.model import RuleBody
from push.record.runs import Chunk
from wangxin.storage.postgres import Connection

log = logging.getLogger(__name__)
ONE_OF = 100
"""So many chunks of events without a benefit are asked about once."""


def asked(chunk: Chunk, body: RuleBody) -> bool:
    """Whether the predicate's answers are checked: each time where something is given, else now and then. Pure."""
    if chunk.kind != "event" or body.audience.everyone:
        return False
    return any(step.benefit for step in body.steps) or chunk.no % ONE_OF == 0


async def disputed(
    conn: Connection, chunk: Chunk, body: RuleBody, moment: Moment, people: Sequence[UUID]
) -> frozenset[UUID]:
    """Who of ``people``, all of them in by the predicate, is out by SQL. That is our own mistake: it is logged, and
    nobody is given anything on the strength of it."""
    args = Arguments([chunk.shop])
    where = to_sql(body.audience.root, moment, args)
    rows = await conn.fetch(
        f"select p.shopper_id from profile p where p.shop_id = $1 and p.shopper_id = any({args.bind(list(people))})"
        f" and {where}",
        *args.values,
    )
    found = frozenset(people) - {row["shopper_id"] for row in rows}
    if found:
        log.error("rule %s: predicate and SQL differ about %s", chunk.rule, sorted(map(str, found)))
    return found
