"""What a study reads of a shop: requests as they came, and how long conversations took."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from uuid import UUID

from dispatcher.admin_read import Row
from dispatcher.preview import RecordedDay
from wangxin.storage.postgres import Connection

DAYS = 30
ENOUGH = 30
"""So many conversations must have been finished before their mean length counts."""
_TODAY = "date_trunc('day', clock_timestamp(), s.tz)"


async def recorded(conn: Connection, shop: UUID) -> tuple[RecordedDay, ...]:
    """Requests for a person on the shop's past days, the newest day first; days without any are left out."""
    rows = await conn.fetch(
        f"""select (extract(epoch from date_trunc('day', c.handoff_at, s.tz)) * 1000)::bigint as midnight_ms,
                   array_agg((extract(epoch from c.handoff_at) * 1000)::bigint order by c.handoff_at) as times
              from conversation c join shop s on s.shop_id = c.shop_id
             where c.shop_id = $1 and c.handoff_at < {_TODAY} and c.handoff_at >= {_TODAY} - $2 * interval '1 day'
             group by 1 order by 1 desc""",
        shop,
        DAYS,
    )
    return tuple(RecordedDay(midnight_ms=row["midnight_ms"], times=tuple(row["times"])) for row in rows)


async def seen(conn: Connection, shop: UUID) -> Row:
    row = await conn.fetchrow(
        f"""select count(*) filter (where a.release_reason in ('closed', 'parked')) as finished,
                   avg(extract(epoch from a.released_at - a.assigned_at))
                     filter (where a.release_reason in ('closed', 'parked')) as handle_s
              from assignment a join shop s on s.shop_id = a.shop_id
             where a.shop_id = $1 and a.assigned_at >= {_TODAY} - $2 * interval '1 day'""",
        shop,
        DAYS,
    )
    days = await recorded(conn, shop)
    assert row is not None, "an aggregate has a row"
    enough = row["finished"] >= ENOUGH
    return {
        "handle_s": max(5, min(7_200, round(row["handle_s"]))) if enough else None,
        "days": len(days),
        "requests": sum(len(day.times) for day in days),
    }


def start(pools: Sequence[Row], seats: Sequence[Row], seen: Row) -> Row:
    """Each pool with its agents and their usual room."""
    found = []
    for pool in pools:
        mine = [seat["seats_max"] for seat in seats if pool["id"] in seat["pools"]]
        found.append(
            {
                "id": pool["id"], "name": pool["name"], "provider_name": pool["provider_name"], "kind": pool["kind"],
                "agents": len(mine), "seats_max": int(median(mine)) if mine else 5,
            }
        )  # fmt: skip
    return {"pools": found, **seen}
