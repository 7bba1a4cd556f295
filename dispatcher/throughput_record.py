"""Throughput curves from the record of assignments, kept with the seats."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from dispatcher.throughput import AtLevel, Worked, curves
from wangxin.storage.postgres import Connection, Pool

DAYS = 28
LEVELS = 20
"""More at once is nobody's usual work."""
LONGEST_DAYS = 2
"""So long before a day an assignment may have begun and still count in it."""

_LEVELS = f"""
  with span as (
    select $1::date::timestamp at time zone 'UTC' as begins,
           least(($1::date + 1)::timestamp at time zone 'UTC', clock_timestamp()) as ends),
  held as (
    select s.agent_id, greatest(a.assigned_at, d.begins) as at, least(coalesce(a.released_at, d.ends), d.ends) as till,
           a.release_reason = 'closed' and a.released_at < d.ends as ended
      from span d cross join seat s join assignment a on a.agent_id = s.agent_id
       and a.assigned_at >= d.begins - interval '{LONGEST_DAYS} days' and a.assigned_at < d.ends
       and coalesce(a.released_at, 'infinity') >= d.begins),
  steps as (
    select agent_id, at, 1 as step, 0 as ended from held union all
    select agent_id, till, -1, coalesce(ended, false)::int from held),
  walk as (
    select agent_id, step, ended, sum(step) over w as level, lead(at) over w - at as lasted from steps
    window w as (partition by agent_id order by at, step)),
  told as (
    select agent_id, level, extract(epoch from lasted) * 1000 as ms, 0 as ended from walk union all
    select agent_id, level + 1, 0, ended from walk where step < 0)
  select agent_id, level, coalesce(sum(ms), 0)::bigint as ms, sum(ended)::bigint as ended
    from told where level between 1 and {LEVELS} group by agent_id, level"""
_KEEP = f"""
  with done as (insert into curve_summed (day) values ($1) on conflict do nothing returning day)
  insert into curve_day (day, agent_id, level, ms, ended)
  select d.day, l.agent_id, l.level, l.ms, l.ended from ({_LEVELS}) l cross join done d"""
_TOLD = f"""
  select agent_id, level, sum(ms)::bigint as ms, sum(ended)::bigint as ended
    from (select agent_id, level, ms, ended from curve_day where day > $1::date - {DAYS} union all
          select agent_id, level, ms, ended from ({_LEVELS}) today) days group by agent_id, level"""


async def learn(pool: Pool) -> None:
    """Compute every curve anew. The dispatcher reads them when it looks at the loads that fit."""
    async with pool.acquire() as conn:
        today = await _sum_days(conn)
        rows = await conn.fetch(_TOLD, today)
    seats = await pool.fetch(
        """select s.agent_id, s.protected, array(select a.pool_id from pool_agent a where a.owner_id = s.owner_id
                  and a.agent_id = s.agent_id order by a.pool_id) as pools
             from seat s where s.retired_at is null order by s.agent_id"""
    )
    found: dict[UUID, dict[int, AtLevel]] = {}
    for row in rows:
        found.setdefault(row["agent_id"], {})[int(row["level"])] = AtLevel(row["ms"], row["ended"])
    worked = {str(seat["agent_id"]): _worked(seat, found.get(seat["agent_id"], {})) for seat in seats}
    await pool.executemany(
        """update seat set curve_per_hour = $2, curve_ended = $3, curve_minutes = $4
            where agent_id = $1 and (curve_per_hour, curve_ended, curve_minutes) is distinct from ($2, $3, $4)""",
        [
            (UUID(agent), list(curve), [level.ended for level in worked[agent].levels],
             [level.ms // 60_000 for level in worked[agent].levels])
            for agent, curve in curves(worked).items()
        ],
    )  # fmt: skip


async def _sum_days(conn: Connection) -> date:
    """Sum the days that are over and were not summed yet, each in a transaction of its own; returns today."""
    today: date = await conn.fetchval("select (clock_timestamp() at time zone 'UTC')::date")
    known = {row["day"] for row in await conn.fetch("select day from curve_summed")}
    for ago in range(DAYS - 1, 0, -1):
        if (day := today - timedelta(days=ago)) not in known:
            await conn.execute(_KEEP, day)
    if any(day <= today - timedelta(days=DAYS) for day in known):
        await conn.execute("delete from curve_day where day <= $1::date - $2::int", today, DAYS)
        await conn.execute("delete from curve_summed where day <= $1::date - $2::int", today, DAYS)
    return today


def _worked(seat: Any, levels: dict[int, AtLevel]) -> Worked:
    deepest = max(levels, default=0)
    return Worked(
        tuple(levels.get(level, AtLevel()) for level in range(1, deepest + 1)),
        tuple(map(str, seat["pools"])),
        seat["protected"],
    )
