"""Throughput curves from the record of assignments, kept with the seats."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dispatcher.throughput import AtLevel, Worked, curves
from wangxin.storage.postgres import Pool

DAYS = 28
LEVELS = 20
"""More at once is nobody's usual work."""

_LEVELS = f"""
  with held as (
    select a.agent_id, a.assigned_at, coalesce(a.released_at, clock_timestamp()) as till, a.release_reason
      from seat s join assignment a on a.agent_id = s.agent_id
       and a.assigned_at > clock_timestamp() - interval '{DAYS} days'
     where s.retired_at is null),
  steps as (
    select agent_id, assigned_at as at, 1 as step, 0 as ended from held union all
    select agent_id, till, -1, coalesce(release_reason = 'closed', false)::int from held),
  walk as (
    select agent_id, step, ended, sum(step) over w as level, lead(at) over w - at as lasted from steps
    window w as (partition by agent_id order by at, step)),
  told as (
    select agent_id, level, extract(epoch from lasted) * 1000 as ms, 0 as ended from walk union all
    select agent_id, level + 1, 0, ended from walk where step < 0)
  select agent_id, level, coalesce(sum(ms), 0)::bigint as ms, sum(ended)::bigint as ended
    from told where level between 1 and {LEVELS} group by agent_id, level"""


async def learn(pool: Pool) -> None:
    """Compute every curve anew. The dispatcher reads them when it looks at the loads that fit."""
    rows = await pool.fetch(_LEVELS)
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


def _worked(seat: Any, levels: dict[int, AtLevel]) -> Worked:
    deepest = max(levels, default=0)
    return Worked(
        tuple(levels.get(level, AtLevel()) for level in range(1, deepest + 1)),
        tuple(map(str, seat["pools"])),
        seat["protected"],
    )
