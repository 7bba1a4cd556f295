"""Schedules of reports and what was sent, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from metrics.record_postgres import calendars
from metrics.schedules.model import AGAIN_S, SCHEDULES_MAX, Schedule, next_ms, period
from wangxin import clock
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

LOG_MAX = 100
LEASE_S = 180
"""So long a report that is being sent is nobody else's."""


async def schedules(conn: Connection, shop: UUID) -> list[dict[str, Any]]:
    rows = await conn.fetch(
        "select id, name, every, hour, by, addresses, paused, at_ms(next_at) as next_ms from report_schedule"
        " where shop_id = $1 order by created_at, id",
        shop,
    )
    return [dict(row) for row in rows]


async def write(conn: Connection, shop: UUID, id_: UUID | None, new: Schedule, by: UUID) -> UUID:
    """A new one (None), or another form of one. Raises ``schedule.too_many``, ``schedule.not_found``."""
    calendar = (await calendars(conn, [shop]))[shop]
    at_ms = next_ms(new.every, new.hour, clock.now_ms(), calendar)
    values = (new.name, new.every, new.hour, new.by, list(new.addresses), new.paused, at_ms)
    if id_ is None:
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 54))", str(shop))
        if await conn.fetchval("select count(*) from report_schedule where shop_id = $1", shop) >= SCHEDULES_MAX:
            raise Refusal("schedule.too_many", f"at most {SCHEDULES_MAX} schedules", status=409)
        id_ = clock.new_id()
        await conn.execute(
            """insert into report_schedule (shop_id, id, name, every, hour, by, addresses, paused, next_at, created_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, ms_at($9), $10)""",
            shop, id_, *values, by,
        )  # fmt: skip
        return id_
    done = await conn.fetchval(
        """update report_schedule set name = $3, every = $4, hour = $5, by = $6, addresses = $7, paused = $8,
             next_at = ms_at($9) where shop_id = $1 and id = $2 returning id""",
        shop, id_, *values,
    )  # fmt: skip
    if done is None:
        raise not_found("schedule")
    return id_


async def remove(conn: Connection, shop: UUID, id_: UUID) -> None:
    """What it sent stays in the log. Raises ``schedule.not_found``."""
    if await conn.fetchval("delete from report_schedule where shop_id = $1 and id = $2 returning 1", shop, id_) is None:
        raise not_found("schedule")


async def log(conn: Connection, shop: UUID) -> list[dict[str, Any]]:
    """The newest first."""
    rows = await conn.fetch(
        """select id, schedule_id, name, by, addresses, first, last, state, tries, note, at_ms(made_at) as made_ms,
             at_ms(done_at) as done_ms from report_sending where shop_id = $1 order by id desc limit $2""",
        shop, LOG_MAX,
    )  # fmt: skip
    return [{**dict(row), "first": row["first"].isoformat(), "last": row["last"].isoformat()} for row in rows]


async def send_now(conn: Connection, shop: UUID, id_: UUID) -> None:
    """Its newest whole period, once more. Raises ``schedule.not_found``."""
    row = await conn.fetchrow(
        "select shop_id, id, name, every, by, addresses from report_schedule where shop_id = $1 and id = $2", shop, id_
    )
    if row is None:
        raise not_found("schedule")
    await _make(conn, row, (await calendars(conn, [shop]))[shop].day(clock.now_ms()))


async def _make(conn: Connection, row: Any, today: date) -> None:
    first, last = period(row["every"], today)
    await conn.execute(
        """insert into report_sending (shop_id, id, schedule_id, name, by, addresses, first, last)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        row["shop_id"], clock.new_id(), row["id"], row["name"], row["by"], row["addresses"], first, last,
    )  # fmt: skip


async def due(conn: Connection) -> int:
    """Schedules whose moment has come get their line; one that was missed for long sends once. How many."""
    rows = await conn.fetch(
        """select shop_id, id, name, every, hour, by, addresses from report_schedule
           where not paused and next_at <= clock_timestamp() order by next_at limit 50 for update skip locked"""
    )
    times = await calendars(conn, {row["shop_id"] for row in rows}) if rows else {}
    now_ms = clock.now_ms()
    for row in rows:
        calendar = times[row["shop_id"]]
        await _make(conn, row, calendar.day(now_ms))
        await conn.execute(
            "update report_schedule set next_at = ms_at($3) where shop_id = $1 and id = $2",
            row["shop_id"], row["id"], next_ms(row["every"], row["hour"], now_ms, calendar),
        )  # fmt: skip
    return len(rows)


@dataclass(frozen=True, slots=True)
class Sending:
    shop: UUID
    shop_name: str
    locale: str
    id: UUID
    name: str
    by: str
    addresses: Sequence[str]
    first: date
    last: date
    tries: int


async def claim(conn: Connection) -> Sending | None:
    """A report that is to be sent now, the caller's for :data:`LEASE_S`."""
    row = await conn.fetchrow(
        """with mine as (select shop_id, id from report_sending where state = 'waiting'
             and due_at <= clock_timestamp() order by due_at limit 1 for update skip locked)
           update report_sending r set tries = tries + 1, due_at = clock_timestamp() + make_interval(secs => $1)
           from mine m, shop s where r.shop_id = m.shop_id and r.id = m.id and s.shop_id = r.shop_id
           returning r.shop_id, s.name as shop_name, s.locale, r.id, r.name, r.by, r.addresses, r.first, r.last,
             r.tries""",
        LEASE_S,
    )
    return None if row is None else Sending(*row)


async def settle(conn: Connection, one: Sending, *, ok: bool, note: str) -> None:
    """Sent; or tried again later, or, after the last try, failed."""
    over = ok or one.tries > len(AGAIN_S)
    await conn.execute(
        """update report_sending set state = $3, note = $4, done_at = case when $5 then clock_timestamp() end,
             due_at = clock_timestamp() + make_interval(secs => $6) where shop_id = $1 and id = $2""",
        one.shop, one.id, "sent" if ok else "failed" if over else "waiting", note[:300], over,
        0 if over else AGAIN_S[one.tries - 1],
    )  # fmt: skip
