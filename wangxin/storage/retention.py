"""How long a shop keeps its conversations: what is older goes into its archive, and out of the record.

A walk through a shop's threads, one a day, in bounded steps. A step's lines are on disk before the transaction that
takes them out of the record commits; where it does not commit, the next try writes the same file again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from wangxin.storage import archive as files
from wangxin.storage.archive import Archive, Named
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

log = logging.getLogger("wangxin.retention")

DAYS_MIN = 100
"""Statements are corrected for 92 days: until then, who disputes one can read what it rests on."""
DAYS_MAX = 3_650
STEP_LINES = 20_000
STEP_THREADS = 1_000
COUNTED_MAX = 100_000
_LOCK = 0x6172


@dataclass(frozen=True, slots=True)
class Keeping:
    """``days`` None: for ever. ``through``: lines of before this day are in the archive."""

    days: int | None
    through: date | None
    files: int
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Concerned:
    """Conversations that ended before ``before`` and are not archived; ``more``: at least so many."""

    before: date
    conversations: int
    more: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one step moved. ``more``: the walk is not at its end."""

    entries: int
    threads: int
    more: bool


_GOAL = "(date_trunc('day', ms_at({now}) at time zone s.tz) - {days} * interval '1 day')::date"
_GOAL_NOW = _GOAL.format(now="$2", days="s.kept_days")


async def keeping(conn: Connection, shop: UUID) -> Keeping:
    row = await conn.fetchrow(
        """select s.kept_days as days, r.through, f.files, f.entries, f.bytes
             from shop s left join archive_run r on r.shop_id = s.shop_id
               cross join lateral (select count(*) as files, coalesce(sum(entries), 0)::bigint as entries,
                 coalesce(sum(bytes), 0)::bigint as bytes from archive_file a where a.shop_id = s.shop_id) f
            where s.shop_id = $1""",
        shop,
    )
    assert row is not None, "the caller found the shop"
    return Keeping(**dict(row))


async def concerned(conn: Connection, shop: UUID, days: int, now_ms: int) -> Concerned:
    """What keeping for ``days`` days would archive now. Changes nothing."""
    row = await conn.fetchrow(
        f"""with goal as (select {_GOAL.format(now="$2", days="$3::int")} as day, s.tz from shop s where s.shop_id = $1)
            select goal.day, (select count(*) from (
              select 1 from conversation c left join archive_run r on r.shop_id = c.shop_id
               where c.shop_id = $1 and c.state = 'closed' and c.opened_at < goal.day::timestamp at time zone goal.tz
                 and c.closed_at < goal.day::timestamp at time zone goal.tz
                 and (r.through is null or c.closed_at >= r.through::timestamp at time zone goal.tz)
               limit {COUNTED_MAX + 1}) c) as n from goal""",
        shop,
        now_ms,
        days,
    )
    assert row is not None, "the caller found the shop"
    return Concerned(row["day"], min(row["n"], COUNTED_MAX), row["n"] > COUNTED_MAX)


async def keep(conn: Connection, shop: UUID, days: int | None) -> None:
    await conn.execute("update shop set kept_days = $2 where shop_id = $1", shop, days)


async def due(conn: Connection, now_ms: int, shop: UUID | None = None) -> list[UUID]:
    """Shops whose archive does not reach the day it should."""
    rows = await conn.fetch(
        f"""select s.shop_id from shop s left join archive_run r on r.shop_id = s.shop_id
            where s.kept_days is not null and ($1::uuid is null or s.shop_id = $1)
              and (r.through is null or r.through < {_GOAL_NOW} or r.after_thread is not null) order by 1""",
        shop,
        now_ms,
    )
    return [row["shop_id"] for row in rows]


async def work(pool: Pool, archive: Archive, now_ms: int, shop: UUID | None = None) -> dict[UUID, int]:
    """Archive what is due, shop by shop (or ``shop`` alone); returns how many lines each moved."""
    moved: dict[UUID, int] = {}
    async with pool.acquire() as conn:
        for one in await due(conn, now_ms, shop):
            moved[one] = 0
            try:
                while True:
                    done = await step(conn, archive, one, now_ms)
                    moved[one] += done.entries
                    if not done.more:
                        break
                    await asyncio.sleep(0)
            except TRANSIENT:
                raise
            except Exception:
                log.exception("the archive of shop %s stumbled; the others do not wait for it", one)
    return moved


async def lock(conn: Connection, shop: UUID) -> None:
    """One at a time changes a shop's archive, until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock($1, hashtext($2))", _LOCK, str(shop))


async def step(conn: Connection, archive: Archive, shop: UUID, now_ms: int) -> Step:
    """Move at most about STEP_LINES lines of the next threads into one file, in a transaction of its own."""
    async with conn.transaction():
        await lock(conn, shop)
        walk = await _walk(conn, shop, now_ms)
        if walk is None:
            return Step(0, 0, more=False)
        goal, after = walk
        found = await conn.fetch(_OLD, shop, goal, after, STEP_THREADS, STEP_LINES)
        taken, whole = _share(found)
        rows = await conn.fetch(_TAKE, shop, [row["id"] for row in taken], [row["until"] for row in taken], STEP_LINES)
        if rows:
            await _file(conn, archive, shop, goal, rows)
        if taken and whole:
            after = taken[-1]["id"]
        more = len(found) == STEP_THREADS or len(taken) < len(found) or not whole
        await conn.execute(
            "update archive_run set after_thread = case when $2 then $3::uuid end,"
            " through = case when $2 then through else greatest(through, goal) end where shop_id = $1",
            shop, more, after,
        )  # fmt: skip
        return Step(len(rows), len(taken), more)


async def _walk(conn: Connection, shop: UUID, now_ms: int) -> tuple[date, UUID] | None:
    """(the day this walk goes for, the thread it stands at); None: nothing is due."""
    row = await conn.fetchrow(
        f"""insert into archive_run (shop_id, goal) select s.shop_id, {_GOAL_NOW} from shop s
             where s.shop_id = $1 and s.kept_days is not null
            on conflict (shop_id) do update set goal =
              case when archive_run.after_thread is null then excluded.goal else archive_run.goal end
            returning goal, through, after_thread""",
        shop,
        now_ms,
    )
    if row is None or (row["after_thread"] is None and row["through"] is not None and row["through"] >= row["goal"]):
        return None
    return row["goal"], row["after_thread"] or UUID(int=0)


def _share(found: Sequence[Any]) -> tuple[list[Any], bool]:
    """As many of the threads as a step takes; False: the only one has more lines than a step takes."""
    lines, taken = 0, list[Any]()
    for row in found:
        if taken and lines + row["n"] > STEP_LINES:
            break
        lines += row["n"]
        taken.append(row)
    return taken, not taken or taken[-1]["n"] < STEP_LINES


# Threads whose oldest line is old enough, and how many such lines they have. What is not closed stays whole; what the
# figures have not read yet waits for the next day's walk.
_OLD = """
select t.id, cut.until, counted.n from thread t
  join shop s on s.shop_id = t.shop_id
  join fold_cursor f on f.shop_id = t.shop_id and f.thread_id = t.id
   and f.public_seq = t.public_seq and f.internal_seq = t.internal_seq
  cross join lateral (select least($2::date::timestamp at time zone s.tz, (
    select min(c.opened_at) from conversation c where c.shop_id = t.shop_id and c.thread_id = t.id
       and c.state <> 'closed')) as until) cut
  cross join lateral (select count(*)::int as n from (select 1 from entry e where e.shop_id = t.shop_id
    and e.thread_id = t.id and e.at < cut.until limit $5) old) counted
 where t.shop_id = $1 and t.id > $3 and counted.n > 0
   and exists (select 1 from (values (0::smallint), (1::smallint)) lane (number)
     cross join lateral (select e.at from entry e where e.shop_id = t.shop_id and e.thread_id = t.id
       and e.lane = lane.number order by e.seq limit 1) oldest where oldest.at < cut.until)
 order by t.id limit $4"""

_TAKE = """
with gone as (
  delete from entry e using (
    select w.thread, old.lane, old.seq from unnest($2::uuid[], $3::timestamptz[]) w(thread, until)
      cross join lateral (select x.lane, x.seq from entry x where x.shop_id = $1 and x.thread_id = w.thread
        and x.at < w.until order by x.at, x.lane, x.seq limit $4) old) o
   where e.shop_id = $1 and e.thread_id = o.thread and e.lane = o.lane and e.seq = o.seq
  returning e.thread_id, e.lane, e.seq, e.at, e.sender_kind, e.sender_id, e.client_msg_id, e.conversation_id, e.kind,
            e.body, e.recalled_at),
pushed as (
  update push_delivery d set archived_seq = g.seq, archived_reply = exists (
      select 1 from entry w where w.shop_id = d.shop_id and w.thread_id = g.thread_id and w.lane = 0
         and w.seq > g.seq and w.sender_kind = 'shopper' and w.at < d.at + interval '1 day')
    from gone g join thread t on t.shop_id = $1 and t.id = g.thread_id
   where d.shop_id = $1 and g.sender_kind = 'push' and d.shopper_id = t.shopper_id and d.rule_id = g.sender_id
     and d.msg_id = g.client_msg_id),
unsaid as (
  update bot_turn b set said = '' from unnest($2::uuid[], $3::timestamptz[]) w(thread, until)
   where b.shop_id = $1 and b.thread_id = w.thread and b.at < w.until and b.said <> ''),
unlisted as (
  update thread t set last_public = null from unnest($2::uuid[], $3::timestamptz[]) w(thread, until)
   where t.shop_id = $1 and t.id = w.thread and t.last_at < w.until)
select thread_id, lane, seq, at, sender_kind, sender_id, client_msg_id, conversation_id, kind, body::text as body,
  recalled_at from gone order by thread_id, at, lane, seq"""


async def _file(conn: Connection, archive: Archive, shop: UUID, day: date, rows: Sequence[Any]) -> None:
    part: int = await conn.fetchval(
        "select coalesce(max(part), 0) + 1 from archive_file where shop_id = $1 and day = $2", shop, day
    )
    written = await asyncio.to_thread(
        lambda: archive.write(shop, Named(day, part), [files.row_of(row) for row in rows])
    )
    await conn.execute(
        "insert into archive_file (shop_id, day, part, entries, bytes, digest) values ($1, $2, $3, $4, $5, $6)",
        shop, day, part, len(rows), written.bytes, written.digest,
    )  # fmt: skip
    counts: dict[UUID, list[int]] = {}
    for row in rows:
        counts.setdefault(row["thread_id"], [0, 0])[row["lane"]] += 1
    await conn.executemany(
        "insert into archive_thread (shop_id, thread_id, day, part, public_n, internal_n)"
        " values ($1, $2, $3, $4, $5, $6)",
        [(shop, thread, day, part, *n) for thread, n in counts.items()],
    )


async def blank(conn: Connection, archive: Archive, shop: UUID, threads: Sequence[UUID], now_ms: int) -> None:
    """Take the words of these threads out of their archived lines, in the caller's transaction.

    A file is replaced before the transaction commits; where it does not, doing it again changes nothing.
    """
    await lock(conn, shop)
    gone = {str(thread) for thread in threads}
    for named, _, _ in await files.files_of(conn, shop, threads):
        # Whatever its digest: a try before this one may have replaced the file and not come to its commit.
        rows = await asyncio.to_thread(archive.read, shop, named)
        rows = [files.blanked(row, now_ms * 1_000) if row["thread_id"] in gone else row for row in rows]
        written = await asyncio.to_thread(archive.write, shop, named, rows)
        await conn.execute(
            "update archive_file set bytes = $4, digest = $5 where shop_id = $1 and day = $2 and part = $3",
            shop, named.day, named.part, written.bytes, written.digest,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filed:
    """A file of the archive. ``wrong``: missing, changed, or "" where it is as it was written."""

    day: date
    part: int
    entries: int
    bytes: int
    wrong: str = ""


async def filed(conn: Connection, archive: Archive, shop: UUID) -> list[Filed]:
    """Every file of a shop's archive, oldest first, each compared with its sum."""
    rows = await conn.fetch(
        "select day, part, entries, bytes, digest from archive_file where shop_id = $1 order by day, part", shop
    )
    return [
        Filed(
            row["day"], row["part"], row["entries"], row["bytes"],
            await asyncio.to_thread(archive.damage, shop, Named(row["day"], row["part"]), row["digest"]),
        )
        for row in rows
    ]  # fmt: skip
