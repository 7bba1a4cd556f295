"""Writes of administration: providers, pools, seats, contracts, policies. Each tells the dispatcher to read again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dispatcher.contracts import HOURS, POLICY, Terms
from dispatcher.hours import Hours
from dispatcher.model import Policy
from wangxin.model.facts import RoutingChanged
from wangxin.storage import outbox
from wangxin.storage.postgres import Connection

NOBODY = UUID(int=0)


async def routing_changed(conn: Connection, shop: UUID = NOBODY) -> None:
    await outbox.write(conn, [RoutingChanged(shop=shop)])


async def add_provider(conn: Connection, id_: UUID, name: str, *, stars_tenths: int = 40) -> None:
    await conn.execute(
        "insert into provider (provider_id, name, stars_tenths) values ($1, $2, $3)", id_, name, stars_tenths
    )


async def add_pool(
    conn: Connection, owner: UUID, id_: UUID, name: str, *, outsourced: bool, hours: Hours | None = None
) -> None:
    await conn.execute(
        "insert into pool (owner_id, id, kind, provider_id, name, hours) values ($1, $2, $3, $4, $5, $6)",
        owner, id_, "outsourced" if outsourced else "in_house", owner if outsourced else None, name,
        None if hours is None else HOURS.dump_python(hours, mode="json"),
    )  # fmt: skip


async def change_pool(conn: Connection, shop: UUID, pool: UUID, name: str, state: str, hours: Hours | None) -> bool:
    """Change a pool of the shop's own; False: there is none."""
    done = await conn.fetchval(
        "update pool set name = $3, state = $4, hours = $5 where owner_id = $1 and id = $2 and kind = 'in_house'"
        " returning true",
        shop, pool, name, state, None if hours is None else HOURS.dump_python(hours, mode="json"),
    )  # fmt: skip
    return bool(done)


async def own_agent(conn: Connection, shop: UUID, agent: UUID) -> bool:
    """Whether the account is one of the shop's own agents."""
    if await conn.fetchval("select true from seat where owner_id = $1 and agent_id = $2", shop, agent):
        return True
    found = await conn.fetchval(
        """select true from account a join account_shop s on s.account_id = a.id and s.shop_id = $1
            where a.id = $2 and a.role = 'agent' and a.provider_id is null and a.disabled_at is null""",
        shop,
        agent,
    )
    return bool(found)


async def provider_of(conn: Connection, shop: UUID, contract: UUID) -> UUID | None:
    """The provider of a contract; None: the shop has no such contract."""
    found: UUID | None = await conn.fetchval(
        "select provider_id from contract where shop_id = $1 and id = $2 limit 1", shop, contract
    )
    return found


async def put_seat(
    conn: Connection,
    owner: UUID,
    agent: UUID,
    name: str,
    pools: Sequence[UUID],
    *,
    outsourced: bool,
    seats_max: int = 5,
    ability_per_mille: int = 1_000,
    skills: Sequence[str] = (),
    daily_max: int | None = None,
) -> None:
    """Make or change an agent's seat and the pools he works in, favourite first. State and lines are left alone."""
    await conn.execute(
        """insert into seat (owner_id, agent_id, provider_id, name, seats_max, ability_per_mille, skills, daily_max)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (owner_id, agent_id) do update set name = excluded.name, seats_max = excluded.seats_max,
             ability_per_mille = excluded.ability_per_mille, skills = excluded.skills, daily_max = excluded.daily_max,
             retired_at = null""",
        owner, agent, owner if outsourced else None, name, seats_max, ability_per_mille, list(skills), daily_max,
    )  # fmt: skip
    await conn.execute(
        "delete from pool_agent where owner_id = $1 and agent_id = $2 and not pool_id = any($3)",
        owner, agent, list(pools),
    )  # fmt: skip
    await conn.executemany(
        "insert into pool_agent (owner_id, pool_id, agent_id, rank) values ($1, $2, $3, $4)"
        " on conflict (owner_id, pool_id, agent_id) do update set rank = excluded.rank",
        [(owner, pool, agent, rank + 1) for rank, pool in enumerate(pools)],
    )


async def add_contract_version(
    conn: Connection,
    *,
    shop: UUID,
    id_: UUID,
    provider: UUID,
    pools: Sequence[UUID],
    starts_ms: int,
    ends_ms: int | None,
    terms: Terms,
    by: UUID,
) -> int:
    """The next version of a contract (1: a new one). Earlier versions stay as they are."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", str(id_))
    version: int = await conn.fetchval(
        """insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, ends_at, terms, created_by)
           select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, $7, $8 from contract
            where shop_id = $1 and id = $2 returning version""",
        shop, id_, provider, list(pools), _at(starts_ms), None if ends_ms is None else _at(ends_ms),
        terms.model_dump(mode="json"), by,
    )  # fmt: skip
    return version


async def switch_contract(conn: Connection, shop: UUID, id_: UUID, *, paused: bool, by: UUID) -> None:
    await conn.execute(
        """insert into contract_switch (shop_id, contract_id, paused, by) values ($1, $2, $3, $4)
           on conflict (shop_id, contract_id) do update set paused = excluded.paused, by = excluded.by,
             at = clock_timestamp()""",
        shop, id_, paused, by,
    )  # fmt: skip


async def put_policy(conn: Connection, shop: UUID, policy: Policy, by: UUID) -> int:
    """A new version of the shop's routing policy."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 1))", str(shop))
    stored: dict[str, Any] = POLICY.dump_python(policy, mode="json")
    stored.pop("version")
    version: int = await conn.fetchval(
        """insert into routing_policy (shop_id, version, policy, created_by)
           select $1, coalesce(max(version), 0) + 1, $2, $3 from routing_policy where shop_id = $1 returning version""",
        shop, stored, by,
    )  # fmt: skip
    return version


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
