"""The figures in PostgreSQL: cursors, lines to fold, and the folded rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from metrics.clocks import ALWAYS, Calendar, Hours
from metrics.lines import line_of
from metrics.model import Line
from metrics.packing import pack, unpack
from metrics.rows import TABLES, Row, Table, Thread, rows_of
from metrics.state import Changes, Rated, ThreadState
from metrics.turns import fold
from wangxin.storage.archive import Archive, lines_of
from wangxin.storage.postgres import Connection

_READ = ("event", "routing", "rating", "text")
"""Kinds whose body the fold looks into."""
LINES_EACH_MAX = 2_000  # of one thread in one transaction; the rest follows in the next


@dataclass(frozen=True, slots=True)
class Cursor:
    """A thread locked for folding, and how far it is."""

    whose: Thread
    public_seq: int
    internal_seq: int
    state: ThreadState


async def calendars(conn: Connection, shops: Iterable[UUID]) -> dict[UUID, Calendar]:
    """Zone and service hours of each shop as they changed; ``hours`` is seven lists of [from, to] minutes, Monday
    first."""
    rows = await conn.fetch(
        "select shop_id, tz, hours, at_ms(from_at) as from_ms from shop_clock where shop_id = any($1)"
        " order by shop_id, from_at",
        list(shops),
    )
    periods: dict[UUID, list[tuple[int, str, Hours]]] = {}
    for row in rows:
        periods.setdefault(row["shop_id"], []).append((row["from_ms"], row["tz"], _hours(row["hours"])))
    return {shop: Calendar(tuple(some)) for shop, some in periods.items()}


def _hours(value: Any) -> Hours:
    if not isinstance(value, list) or len(value) != 7:
        return ALWAYS
    return Hours(tuple(tuple((int(begin), int(end)) for begin, end in day) for day in value))


async def grown_threads(conn: Connection, limit: int, *, within_s: int | None) -> list[tuple[UUID, UUID]]:
    """(shop, thread) with lines above their cursor; only those written to lately, or all (None: the slow sweep).

    A thread's own numbers decide, never a serial id over all threads: a late commit still lies above it.
    """
    rows = await conn.fetch(
        """select t.shop_id, t.id from shop s
           cross join lateral (select * from thread x where x.shop_id = s.shop_id
             and ($2::int is null or x.lately > clock_timestamp() - $2 * interval '1 second' - interval '5 minutes')
             and ($2::int is null or x.last_at > clock_timestamp() - $2 * interval '1 second')) t
           left join fold_cursor c on c.shop_id = t.shop_id and c.thread_id = t.id
           where t.public_seq > coalesce(c.public_seq, 0) or t.internal_seq > coalesce(c.internal_seq, 0)
           order by t.last_at limit $1""",
        limit,
        within_s,
    )
    return [(row["shop_id"], row["id"]) for row in rows]


async def lock_cursors(conn: Connection, threads: Sequence[tuple[UUID, UUID]]) -> list[Cursor]:
    """The cursors of those threads that nobody else is folding, locked until the transaction ends."""
    shops, ids = [shop for shop, _ in threads], [thread for _, thread in threads]
    await conn.execute(
        "insert into fold_cursor (shop_id, thread_id) select * from unnest($1::uuid[], $2::uuid[])"
        " order by 1, 2 on conflict do nothing",
        shops,
        ids,
    )
    rows = await conn.fetch(
        """select c.shop_id, c.thread_id, c.public_seq, c.internal_seq, c.state::text as state, t.shopper_id
           from unnest($1::uuid[], $2::uuid[]) w(shop, thread)
           join fold_cursor c on c.shop_id = w.shop and c.thread_id = w.thread
           join thread t on t.shop_id = c.shop_id and t.id = c.thread_id
           for update of c skip locked""",
        shops,
        ids,
    )
    return [
        Cursor(
            Thread(row["shop_id"], row["thread_id"], row["shopper_id"]),
            row["public_seq"],
            row["internal_seq"],
            unpack(row["state"]) if row["state"] else ThreadState(),
        )
        for row in rows
    ]


@dataclass(slots=True)
class Fresh:
    """Lines above a cursor and how far they reach."""

    lines: list[Line]
    public_seq: int
    internal_seq: int


async def read_lines(
    conn: Connection,
    cursors: Sequence[Cursor],
    *,
    limit_each: int = LINES_EACH_MAX,
    until: dict[UUID, tuple[int, int]] | None = None,
) -> dict[UUID, Fresh]:
    """By thread: the next lines of both lanes in the order they were written, at most up to the seqs in ``until``."""
    ends = [(until or {}).get(cursor.whose.thread, (2**62, 2**62)) for cursor in cursors]
    rows = await conn.fetch(
        """select e.thread_id, e.lane, e.seq, at_ms(e.at) as at_ms, e.sender_kind, e.sender_id,
             e.conversation_id, e.kind,
             case when e.kind in ('event', 'routing', 'rating', 'text') then e.body end as body
           from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
                w(shop, thread, public, internal, public_end, internal_end)
           cross join lateral (select * from entry x where x.shop_id = w.shop and x.thread_id = w.thread
             and ((x.lane = 0 and x.seq > w.public and x.seq <= w.public_end)
               or (x.lane = 1 and x.seq > w.internal and x.seq <= w.internal_end))
             order by x.at, x.lane, x.seq limit $7) e
           order by e.thread_id, e.at, e.lane, e.seq""",
        [cursor.whose.shop for cursor in cursors],
        [cursor.whose.thread for cursor in cursors],
        [cursor.public_seq for cursor in cursors],
        [cursor.internal_seq for cursor in cursors],
        [public for public, _ in ends],
        [internal for _, internal in ends],
        limit_each,
    )
    fresh = {cursor.whose.thread: Fresh([], cursor.public_seq, cursor.internal_seq) for cursor in cursors}
    for row in rows:
        one = fresh[row["thread_id"]]
        public = row["lane"] == 0
        if public:
            one.public_seq = row["seq"]
        else:
            one.internal_seq = row["seq"]
        line = line_of(
            public=public, seq=row["seq"], at_ms=row["at_ms"], sender_kind=row["sender_kind"], sender=row["sender_id"],
            conversation=row["conversation_id"], kind=row["kind"], body=row["body"] or {},
        )  # fmt: skip
        if line is not None:
            one.lines.append(line)
    return fresh


async def write(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        await conn.execute(table.upsert, orjson.dumps(rows, default=str).decode())


async def write_ratings(conn: Connection, shop: UUID, late: Mapping[UUID | None, Rated]) -> None:
    """Over conversations that were written before."""
    if late:
        await conn.execute(
            """update tally t set score = w.score, rated_at = ms_at(w.at_ms)
               from unnest($2::uuid[], $3::int[], $4::bigint[]) w(conversation, score, at_ms)
               where t.shop_id = $1 and t.conversation_id = w.conversation""",
            shop, list(late), [one.score for one in late.values()], [one.at_ms for one in late.values()],
        )  # fmt: skip


async def fold_threads(conn: Connection, threads: Sequence[tuple[UUID, UUID]]) -> tuple[int, set[tuple[UUID, UUID]]]:
    """Folds what is new in ``threads`` in the caller's transaction: (lines folded, (shop, shopper) concerned)."""
    cursors = await lock_cursors(conn, threads)
    if not cursors:
        return 0, set()
    times = await calendars(conn, {cursor.whose.shop for cursor in cursors})
    fresh = await read_lines(conn, cursors)
    rows: dict[str, list[Row]] = {table.name: [] for table in TABLES}
    moved: list[tuple[UUID, UUID, int, int, str]] = []
    late: defaultdict[UUID, dict[UUID | None, Rated]] = defaultdict(dict)
    n = 0
    for cursor in cursors:
        new = fresh[cursor.whose.thread]
        state, changes = fold(cursor.state, new.lines)
        for name, some in rows_of(cursor.whose, changes, times[cursor.whose.shop]).items():
            rows[name] += some
        late[cursor.whose.shop].update(changes.late_ratings)
        moved.append((cursor.whose.shop, cursor.whose.thread, new.public_seq, new.internal_seq, pack(state).decode()))
        n += len(new.lines)
    for table in TABLES:
        await write(conn, table, rows[table.name])
    for shop, some_rated in late.items():
        await write_ratings(conn, shop, some_rated)
    await conn.execute(
        """update fold_cursor c set public_seq = w.public, internal_seq = w.internal, state = w.state::jsonb,
             folded_at = clock_timestamp()
           from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
                w(shop, thread, public, internal, state)
           where c.shop_id = w.shop and c.thread_id = w.thread""",
        *(list(column) for column in zip(*moved, strict=True)),
    )
    return n, {(cursor.whose.shop, cursor.whose.shopper) for cursor in cursors}


# --- recomputing ----------------------------------------------------------------------------------------------------


async def recompute(
    conn: Connection, shop: UUID, threads: Sequence[UUID], calendar: Calendar, archive: Archive
) -> dict[str, list[Row]]:
    """The rows of some threads computed again from archive and record, up to where their cursors are.

    Raises ArchiveDamaged.
    """
    found = await conn.fetch(
        """select c.thread_id, c.public_seq, c.internal_seq, t.shopper_id from fold_cursor c
           join thread t on t.shop_id = c.shop_id and t.id = c.thread_id
           where c.shop_id = $1 and c.thread_id = any($2)""",
        shop,
        threads,
    )
    ends = {row["thread_id"]: (row["public_seq"], row["internal_seq"]) for row in found}
    cursors = [Cursor(Thread(shop, row["thread_id"], row["shopper_id"]), 0, 0, ThreadState()) for row in found]
    rows: dict[str, list[Row]] = {table.name: [] for table in TABLES}
    # In one go, not in the pieces in which it was streamed: that is the point of the comparison.
    fresh = await read_lines(conn, cursors, limit_each=10_000_000, until=ends)
    old = await _archived(conn, archive, shop, threads)
    for cursor in cursors:
        thread = cursor.whose.thread
        changes: Changes = fold(ThreadState(), old.get(thread, []) + fresh[thread].lines)[1]
        for name, some in rows_of(cursor.whose, changes, calendar).items():
            rows[name] += some
    return rows


async def _archived(conn: Connection, archive: Archive, shop: UUID, threads: Sequence[UUID]) -> dict[UUID, list[Line]]:
    """The archived lines of each thread as the fold reads them, in the order they were written; moments are rounded as
    ``at_ms`` does."""
    found: dict[UUID, list[Line]] = {}
    for row in await lines_of(conn, archive, shop, threads):
        conversation = row["conversation_id"]
        line = line_of(
            public=row["lane"] == "public", seq=row["seq"], at_ms=(row["at"] + 500) // 1_000,
            sender_kind=row["sender_kind"], sender=UUID(row["sender_id"]),
            conversation=None if conversation is None else UUID(conversation), kind=row["kind"],
            body=orjson.loads(row["body"]) if row["kind"] in _READ else {},
        )  # fmt: skip
        if line is not None:
            found.setdefault(UUID(row["thread_id"]), []).append(line)
    return found


async def stored(conn: Connection, table: Table, shop: UUID, threads: Sequence[UUID]) -> list[Row]:
    return [dict(row) for row in await conn.fetch(table.select, shop, threads)]


async def threads_after(conn: Connection, shop: UUID, after: UUID, limit: int) -> list[UUID]:
    rows = await conn.fetch(
        "select thread_id from fold_cursor where shop_id = $1 and thread_id > $2 order by thread_id limit $3",
        shop,
        after,
        limit,
    )
    return [row["thread_id"] for row in rows]
