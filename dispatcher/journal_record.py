"""The journal in PostgreSQL: written in the transaction of what it tells of, read for replay, kept for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.journal import Line, Row
from wangxin.model.facts import Fact
from wangxin.storage import outbox
from wangxin.storage.postgres import Connection

FORGET_AT_ONCE = 5_000
_READ_AT_ONCE = 500


_WRITE = f"""with followed as (delete from outbox where id = any($7)), told as ({outbox.writing(8)})
  insert into dispatch_journal (shard, epoch, seq, at_ms, event, decisions)
  select $1, $2, l.seq, l.at_ms, l.event::jsonb, l.decisions::jsonb
    from unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[]) l(seq, at_ms, event, decisions)"""


async def write(
    conn: Connection, shard: str, epoch: int, rows: Sequence[tuple[int, int, Row, list[Row]]],
    followed: Sequence[int] = (), facts: Sequence[Fact] = (),
) -> None:  # fmt: skip
    """(seq, at_ms, event, decisions) each. ``followed``: facts of the outbox that they follow up, forgotten here;
    ``facts``: what others are to follow up."""
    told = outbox.rows_of(facts)
    if rows or followed or told:
        await conn.execute(
            _WRITE, shard, epoch, [row[0] for row in rows], [row[1] for row in rows],
            [orjson.dumps(row[2]).decode() for row in rows], [orjson.dumps(row[3]).decode() for row in rows],
            list(followed), [row[0] for row in told], [row[1] for row in told], [row[2] for row in told],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beginning:
    epoch: int
    seq: int
    at_ms: int


async def beginning(conn: Connection, shard: str, at_ms: int) -> Beginning | None:
    """The last start at or before ``at_ms``; else the first there is; None: the journal has none."""
    for where, order in (("at_ms <= $2", "desc"), ("at_ms > $2", "asc")):
        row = await conn.fetchrow(
            f"select epoch, seq, at_ms from dispatch_journal where shard = $1 and {where}"
            f" and event->>'type' = 'TakenOver' order by at_ms {order}, epoch {order}, seq {order} limit 1",
            shard, at_ms,
        )  # fmt: skip
        if row is not None:
            return Beginning(*row)
    return None


async def read(conn: Connection, shard: str, start: Beginning, until_ms: int) -> AsyncIterator[Line]:
    """Every line from ``start`` on, as far as ``until_ms``, in the order of commits. Within a transaction."""
    cursor: Any = conn.cursor(
        "select epoch, seq, at_ms, event, decisions from dispatch_journal"
        " where shard = $1 and (epoch, seq) >= ($2, $3) and at_ms < $4 order by epoch, seq",
        shard, start.epoch, start.seq, until_ms, prefetch=_READ_AT_ONCE,
    )  # fmt: skip
    async for row in cursor:
        yield Line(*row)


async def count(conn: Connection, shard: str, start: Beginning, until_ms: int, most: int) -> int:
    """How many lines ``read`` would give; counted no further than ``most``."""
    found: int = await conn.fetchval(
        "select count(*) from (select 1 from dispatch_journal"
        " where shard = $1 and (epoch, seq) >= ($2, $3) and at_ms < $4 limit $5) lines",
        shard, start.epoch, start.seq, until_ms, most,
    )  # fmt: skip
    return found


async def read_text(conn: Connection, shard: str, start: Beginning, until_ms: int) -> AsyncIterator[bytes]:
    """The same lines as ``read``, each as a line of JSON that nobody here need understand. Within a transaction."""
    cursor: Any = conn.cursor(
        "select json_build_array(epoch, seq, at_ms, event, decisions)::text || e'\\n' as line from dispatch_journal"
        " where shard = $1 and (epoch, seq) >= ($2, $3) and at_ms < $4 order by epoch, seq",
        shard, start.epoch, start.seq, until_ms, prefetch=_READ_AT_ONCE,
    )  # fmt: skip
    async for row in cursor:
        yield row["line"].encode()


async def forget(conn: Connection, shard: str, before_ms: int) -> bool:
    """Forget stretches that ended before ``before_ms``, so many rows at once. True: there may be more."""
    start = await conn.fetchrow(
        "select epoch, seq from dispatch_journal where shard = $1 and at_ms <= $2 and event->>'type' = 'TakenOver'"
        " order by at_ms desc, epoch desc, seq desc limit 1",
        shard, before_ms,
    )  # fmt: skip
    if start is None:
        return False
    done: str = await conn.execute(
        "delete from dispatch_journal where (shard, epoch, seq) in (select shard, epoch, seq from dispatch_journal"
        " where shard = $1 and (epoch, seq) < ($2, $3) order by epoch, seq limit $4)",
        shard, start["epoch"], start["seq"], FORGET_AT_ONCE,
    )  # fmt: skip
    return int(done.split()[-1]) == FORGET_AT_ONCE
