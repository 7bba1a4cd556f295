"""The live board: who waits, for how long, who will wait too long, and how full each pool is. Read from the record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from metrics.figures import SERVICE_MS
from metrics.teams import OWN, Teams
from wangxin.storage.postgres import Connection

RISK_MS = 30_000


async def board(conn: Connection, shop: UUID, teams: Teams, *, limit_ms: int = SERVICE_MS) -> dict[str, Any]:
    """As of now by the database's clock. ``at_risk``: still in time, but not in 30 s unless somebody answers."""
    row = await conn.fetchrow(
        """select at_ms(clock_timestamp()) as at_ms,
             count(*) filter (where t.state = 'waiting') as waiting,
             count(*) filter (where t.state = 'assigned') as assigned,
             count(*) filter (where t.state = 'parked') as parked,
             count(*) filter (where t.state = 'bot') as bot,
             count(*) filter (where t.state = 'message_box') as message_box,
             max(at_ms(clock_timestamp()) - at_ms(c.handoff_at)) filter (where t.state = 'waiting') as oldest_ms,
             max(at_ms(clock_timestamp()) - at_ms(t.awaiting_since))
               filter (where t.state in ('waiting', 'assigned')) as longest_ms,
             count(*) filter (where t.state in ('waiting', 'assigned')
               and t.awaiting_since <= clock_timestamp() - $2 * interval '1 millisecond') as late,
             count(*) filter (where t.state in ('waiting', 'assigned')
               and t.awaiting_since > clock_timestamp() - $2 * interval '1 millisecond'
               and t.awaiting_since <= clock_timestamp() - ($2 - $3) * interval '1 millisecond') as at_risk
           from conversation c join thread t on t.shop_id = c.shop_id and t.conversation_id = c.id
           where c.shop_id = $1 and c.state <> 'closed'""",
        shop,
        limit_ms,
        RISK_MS,
    )
    assert row is not None
    loads = {
        found["pool_id"]: found
        for found in await conn.fetch(
            """select c.pool_id, count(*) as load, count(distinct c.agent_id) as agents,
                 count(*) filter (where t.awaiting_since is not null) as unanswered
               from conversation c join thread t on t.shop_id = c.shop_id and t.conversation_id = c.id
               where c.shop_id = $1 and c.state = 'assigned' group by 1""",
            shop,
        )
    }
    pools = []
    for id_ in [*teams.pools, *(pool for pool in loads if pool not in teams.pools)]:
        known, load = teams.pools.get(id_), loads.get(id_)
        pools.append(
            {
                "pool": id_,
                "name": known.name if known else "",
                "team": teams.team_of(id_),
                "provider": known.provider_name if known else "",
                "own": teams.team_of(id_) == OWN,
                "load": load["load"] if load else 0,
                "unanswered": load["unanswered"] if load else 0,
                "ready": known.ready if known else (load["agents"] if load else 0),
                "room": known.room if known else 0,
            }
        )
    return {**dict(row), "limit_ms": limit_ms, "pools": pools}
