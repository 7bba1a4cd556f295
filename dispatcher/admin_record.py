"""Writes of administration: providers, pools, seats, contracts, policies. Each tells the dispatcher to read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dispatcher.administration import NewPool, ProviderView
from dispatcher.contracts import HOURS, POLICY, Terms
from dispatcher.model import Policy
from wangxin.model.facts import RoutingChanged
from wangxin.storage import outbox
from wangxin.storage.postgres import Connection

NOBODY = UUID(int=0)


async def routing_changed(conn: Connection, shop: UUID = NOBODY) -> None:
    await outbox.write(conn, [RoutingChanged(shop=shop)])


async def add_provider(
    conn: Connection, id_: UUID, name: str, *, stars_tenths: int = 40, shop: UUID | None = None
) -> None:
    """``shop``: the only one that knows it; None: it offers itself to all."""
    await conn.execute(
        "insert into provider (provider_id, name, stars_tenths, shop_id) values ($1, $2, $3, $4)",
        id_, name, stars_tenths, shop,
    )  # fmt: skip


async def add_pool(
    conn: Connection, owner: UUID, id_: UUID, name: str, *, outsourced: bool, kind: str = "seats"
) -> None:
    await conn.execute(
        "insert into pool (owner_id, id, kind, provider_id, name) values ($1, $2, $3, $4, $5)",
        owner, id_, ("outsourced" if outsourced else "in_house") if kind == "seats" else kind,
        owner if outsourced else None, name,
    )  # fmt: skip


async def put_pool(conn: Connection, owner: UUID, pool: UUID, asked: NewPool) -> None:
    """Everything of the owner's pool ``pool`` as it is asked."""
    await conn.execute(
        """update pool set name = $3, state = $4, hours = $5, skills = $6, languages = $7, waiting_max = $8,
                           share_weight = $9, seats_default = $10 where owner_id = $1 and id = $2""",
        owner, pool, asked.name, asked.state,
        None if asked.hours is None else HOURS.dump_python(asked.hours, mode="json"),
        list(asked.skills), list(asked.languages), asked.waiting_max, asked.share_weight, asked.seats_default,
    )  # fmt: skip


async def owner_of_pool(conn: Connection, shop: UUID, pool: UUID) -> UUID | None:
    """The owner of a pool that the shop may change: itself, or a provider that it wrote down. None: there is none."""
    found: UUID | None = await conn.fetchval(
        """select p.owner_id from pool p left join provider v on v.provider_id = p.provider_id
            where p.id = $2 and (p.owner_id = $1 or v.shop_id = $1)""",
        shop, pool,
    )  # fmt: skip
    return found


async def put_standing(conn: Connection, shop: UUID, provider: UUID, asked: ProviderView, by: UUID) -> None:
    await conn.execute(
        """insert into provider_standing (shop_id, provider_id, state, contacts, note, changed_by)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (shop_id, provider_id) do update set state = excluded.state, contacts = excluded.contacts,
             note = excluded.note, changed_by = excluded.changed_by, changed_at = clock_timestamp()""",
        shop, provider, asked.state, [contact.model_dump() for contact in asked.contacts], asked.note, by,
    )  # fmt: skip


async def knows_provider(conn: Connection, shop: UUID, provider: UUID) -> bool:
    """Whether the shop may deal with the provider: one that offers itself to all, or that it wrote down itself."""
    found = await conn.fetchval(
        "select true from provider where provider_id = $2 and (shop_id is null or shop_id = $1)", shop, provider
    )
    return bool(found)


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
    skills: Mapping[str, int] | None = None,
    daily_max: int | None = None,
    languages: Sequence[str] = (),
    protected: bool = False,
    ramp: bool | None = None,
) -> None:
    """Make or change an agent's seat and the pools he works in, favourite first. State and lines are left alone, and so
    are ``protected`` and the soft start (``ramp``) where nothing is said of them."""
    await conn.execute(
        """insert into seat (owner_id, agent_id, provider_id, name, seats_max, ability_per_mille, skills, skill_levels,
                             daily_max, languages, protected, ramp_from)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, case when $12 then current_date end)
           on conflict (owner_id, agent_id) do update set name = excluded.name, seats_max = excluded.seats_max,
             ability_per_mille = excluded.ability_per_mille, skills = excluded.skills,
             skill_levels = excluded.skill_levels, daily_max = excluded.daily_max, languages = excluded.languages,
             protected = excluded.protected, retired_at = null,
             ramp_from = case when $12 is null then seat.ramp_from
                              when $12 then coalesce(seat.ramp_from, current_date) end""",
        owner, agent, owner if outsourced else None, name, seats_max, ability_per_mille, list(skills or ()),
        dict(skills or {}), daily_max, list(languages), protected, ramp,
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
    shops: Sequence[UUID] = (),
    ask: bool = False,
) -> int:
    """The next version of a contract (1: a new one), for ``shops`` (none named: for those of the version before, or
    ``shop`` alone). For a shop that it leaves out it is the end. ``ask``: its provider must accept it. Earlier versions
    stay as they are."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", str(id_))
    before = await contract_shops(conn, id_)
    members = list(dict.fromkeys(shops or before or (shop,)))
    version: int = 1 + await conn.fetchval("select coalesce(max(version), 0) from contract where id = $1", id_)
    starts, ends = _at(starts_ms), None if ends_ms is None else _at(ends_ms)
    for one in (*members, *(left for left in before if left not in members)):
        until = ends if one in members else _at(starts_ms + 1)
        await conn.execute(
            """insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, ends_at, terms, created_by,
                                     shop_ids) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
            one, id_, version, provider, list(pools), starts, until, terms.model_dump(mode="json"), by, members,
        )  # fmt: skip
        if ask:
            await conn.execute(
                "insert into contract_answer (shop_id, contract_id, version, provider_id) values ($1, $2, $3, $4)",
                one, id_, version, provider,
            )  # fmt: skip
    return version


async def contract_shops(conn: Connection, contract: UUID) -> list[UUID]:
    """The shops that a contract holds for, or will once its provider accepts it."""
    rows = await conn.fetch(
        """select distinct c.shop_id from contract c
             left join contract_answer a on a.shop_id = c.shop_id and a.contract_id = c.id and a.version = c.version
            where c.id = $1 and coalesce(a.state, 'accepted') <> 'refused'
              and (c.shop_ids = '{}' or c.shop_id = any(c.shop_ids))
              and not exists (select from agreed_contract g join contract n using (shop_id, id, version)
                               where g.shop_id = c.shop_id and g.id = c.id and g.version > c.version
                                 and n.shop_ids <> '{}' and not n.shop_id = any(n.shop_ids))
            order by c.shop_id""",
        contract,
    )
    return [row["shop_id"] for row in rows]


async def switch_contract(conn: Connection, shop: UUID, id_: UUID, *, paused: bool, by: UUID) -> None:
    await conn.execute(
        """insert into contract_switch (shop_id, contract_id, paused, by) values ($1, $2, $3, $4)
           on conflict (shop_id, contract_id) do update set paused = excluded.paused, by = excluded.by,
             reason = '', at = clock_timestamp()""",
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
