"""Reads and writes of rosters and project groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from dispatcher.admin_read import Row
from dispatcher.contracts import Terms
from dispatcher.model import Group
from dispatcher.roster import WEEK, Need, Span
from dispatcher.training.model import required
from dispatcher.training.record import certificates
from wangxin.storage.postgres import Connection


async def days(
    conn: Connection, provider: UUID, first: date, last: date
) -> tuple[dict[tuple[UUID, date], tuple[Span, ...]], dict[tuple[UUID, date], tuple[Span, ...]]]:
    """(drafts, published) of the days from ``first`` to ``last``."""
    rows = await conn.fetch(
        "select agent_id, day, draft, published from roster_day where provider_id = $1 and day between $2 and $3",
        provider, first, last,
    )  # fmt: skip
    return (
        {(row["agent_id"], row["day"]): tuple(map(tuple, row["draft"])) for row in rows},
        {(row["agent_id"], row["day"]): tuple(map(tuple, row["published"])) for row in rows},
    )


async def put_days(conn: Connection, provider: UUID, found: Mapping[tuple[UUID, date], Sequence[Span]]) -> None:
    await conn.executemany(
        """insert into roster_day (provider_id, agent_id, day, draft) values ($1, $2, $3, $4)
           on conflict (provider_id, agent_id, day) do update set draft = excluded.draft""",
        [(provider, agent, day, [list(span) for span in spans]) for (agent, day), spans in found.items()],
    )


async def publish(conn: Connection, provider: UUID, monday: date) -> int:
    """What was written for the week holds; returns how many days of people changed by it."""
    rows = await conn.fetch(
        """update roster_day set published = draft where provider_id = $1 and day between $2 and $3
            and published <> draft returning 1""",
        provider, monday, monday + timedelta(days=WEEK - 1),
    )  # fmt: skip
    return len(rows)


async def mine(conn: Connection, agent: UUID, first: date, last: date) -> list[Row]:
    """The published days of an agent on which he works."""
    rows = await conn.fetch(
        """select day, published as spans from roster_day where agent_id = $1 and day between $2 and $3
            and published <> '[]' order by day""",
        agent, first, last,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def needs(conn: Connection, provider: UUID, now_ms: int) -> list[Need]:
    """The contracts in force or to come that are owed seats, and who may fill them: of its pools, certified and in the
    project group where the contract asks for that."""
    rows = await conn.fetch(
        """select c.id, c.version, c.provider_id, c.shop_id, s.name, c.terms, g.agents as grouped,
                  array(select distinct a.agent_id from pool_agent a join seat t on t.agent_id = a.agent_id
                         where a.pool_id = any(c.pool_ids) and t.retired_at is null) as agents
             from (select distinct on (shop_id, id) * from agreed_contract where provider_id = $1
                    order by shop_id, id, starts_at <= clock_timestamp() desc, version desc) c
             join shop s on s.shop_id = c.shop_id
             left join project_group g on g.shop_id = c.shop_id and g.provider_id = $1
            where (c.ends_at is null or c.ends_at > clock_timestamp()) order by s.name, c.id""",
        provider,
    )
    papers = {(one.contract, one.agent) for one in await certificates(conn, rows) if one.until_ms > now_ms}
    found = []
    for row in rows:
        terms = Terms.model_validate(row["terms"])
        agents = frozenset(row["agents"])
        if required(terms.training):
            agents = frozenset(agent for agent in agents if (str(row["id"]), str(agent)) in papers)
        if terms.dedicated:
            agents &= frozenset(row["grouped"] or ())
        if terms.seats_committed:
            found.append(Need(row["id"], row["name"], terms.seats_committed, agents, terms.hours))
    return found


# --- project groups ---------------------------------------------------------------------------------------------------


async def groups(conn: Connection, provider: UUID, shops: Sequence[UUID]) -> dict[UUID, Row]:
    rows = await conn.fetch(
        "select shop_id, name, agents from project_group where provider_id = $1 and shop_id = any($2)",
        provider, list(shops),
    )  # fmt: skip
    return {row["shop_id"]: {"name": row["name"], "agents": row["agents"]} for row in rows}


async def put_group(conn: Connection, provider: UUID, shop: UUID, name: str, agents: Sequence[UUID]) -> None:
    await conn.execute(
        """insert into project_group (shop_id, provider_id, name, agents) values ($1, $2, $3, $4)
           on conflict (shop_id, provider_id) do update set name = excluded.name, agents = excluded.agents""",
        shop, provider, name, list(agents),
    )  # fmt: skip


async def all_groups(conn: Connection, contracts: Sequence[Any]) -> tuple[Group, ...]:
    """The groups that contracts lead to (rows with shop_id, provider_id and terms), for the router."""
    asking = [row for row in contracts if row["terms"].get("dedicated")]
    if not asking:
        return ()
    rows = await conn.fetch(
        "select shop_id, provider_id, agents from project_group where shop_id = any($1)",
        list({row["shop_id"] for row in asking}),
    )
    return tuple(Group(str(row["shop_id"]), str(row["provider_id"]), tuple(map(str, row["agents"]))) for row in rows)
