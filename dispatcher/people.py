"""Who an agent is to the rest of the house: his shops, what his contract shows him, names of pools and providers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dispatcher.contracts import Terms
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Scope:
    """``shops``: those his pools serve now. ``fields``: what of a shopper each shop's contract opens to him (own team:
    absent, everything)."""

    agent: UUID
    name: str
    provider: UUID | None
    shops: frozenset[UUID]
    fields: dict[UUID, frozenset[str]]


# The newest agreed version that has started is the contract: when it ends, the one before does not come back.
_STARTED = "select distinct on (shop_id, id) * from agreed_contract"
_NEWEST = "order by shop_id, id, version desc"


async def agent_scope(conn: Connection, agent: UUID) -> Scope | None:
    """None: the account has no seat, or it is retired."""
    seat = await conn.fetchrow(
        "select owner_id, provider_id, name from seat where agent_id = $1 and retired_at is null", agent
    )
    if seat is None:
        return None
    if seat["provider_id"] is None:
        return Scope(agent, seat["name"], None, frozenset({seat["owner_id"]}), {})
    rows = await conn.fetch(
        f"""select distinct c.shop_id, c.id, c.terms
             from ({_STARTED} where provider_id = $2 and starts_at <= clock_timestamp() {_NEWEST}) c
             join pool_agent a on a.agent_id = $1 and a.pool_id = any(c.pool_ids)
             join provider v on v.provider_id = c.provider_id and v.state <> 'suspended'
            where c.ends_at is null or c.ends_at > clock_timestamp()""",
        agent,
        seat["provider_id"],
    )
    fields: dict[UUID, frozenset[str]] = {}
    for row in rows:
        shown = frozenset(Terms.model_validate(row["terms"]).visible_fields)
        fields[row["shop_id"]] = fields.get(row["shop_id"], shown) & shown
    return Scope(agent, seat["name"], seat["provider_id"], frozenset(fields), fields)


async def served_shops(conn: Connection, agents: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
    """The shops that each of these outsourced agents may serve at this moment, as :func:`agent_scope` says of one."""
    rows = await conn.fetch(
        f"""select s.agent_id, array_agg(distinct c.shop_id) as shops
             from seat s join provider v on v.provider_id = s.provider_id and v.state <> 'suspended'
             join ({_STARTED} where starts_at <= clock_timestamp() and provider_id in
                     (select provider_id from seat where agent_id = any($1)) {_NEWEST}) c
               on c.provider_id = s.provider_id
             join pool_agent a on a.agent_id = s.agent_id and a.pool_id = any(c.pool_ids)
            where s.agent_id = any($1) and s.retired_at is null
              and (c.ends_at is null or c.ends_at > clock_timestamp()) group by s.agent_id""",
        list(agents),
    )
    return {row["agent_id"]: frozenset(row["shops"]) for row in rows}


async def visible_fields(conn: Connection, provider: UUID, shop: UUID) -> frozenset[str] | None:
    """The fields of a shopper that each of the provider's contracts with the shop opens; None: there is none in
    force."""
    rows = await conn.fetch(
        f"""select terms from ({_STARTED} where shop_id = $1 and provider_id = $2 and starts_at <= clock_timestamp()
             {_NEWEST}) c where ends_at is null or ends_at > clock_timestamp()""",
        shop,
        provider,
    )
    shown = [frozenset(Terms.model_validate(row["terms"]).visible_fields) for row in rows]
    return frozenset.intersection(*shown) if shown else None


@dataclass(frozen=True, slots=True)
class PoolName:
    pool: UUID
    name: str
    provider: UUID | None
    provider_name: str


async def pool_names(conn: Connection, shop: UUID) -> list[PoolName]:
    """The pools that serve a shop or did: its own first."""
    rows = await conn.fetch(
        """select p.id, p.name, p.provider_id, coalesce(v.name, '') as provider_name
             from pool p left join provider v on v.provider_id = p.provider_id
            where (p.owner_id = $1 and p.kind = 'in_house')
               or exists (select 1 from contract c where c.shop_id = $1 and p.id = any(c.pool_ids))
            order by p.provider_id is not null, p.name, p.id""",
        shop,
    )
    return [PoolName(row["id"], row["name"], row["provider_id"], row["provider_name"]) for row in rows]


async def promised_ms(conn: Connection, provider: UUID, shops: Collection[UUID]) -> dict[UUID, int]:
    """How soon the provider's contracts in force promise an answer, in ms, by shop: the strictest. Shops to whom
    nothing is promised are absent."""
    rows = await conn.fetch(
        f"""select shop_id, terms from ({_STARTED} where provider_id = $1 and shop_id = any($2)
             and starts_at <= clock_timestamp() {_NEWEST}) c where ends_at is null or ends_at > clock_timestamp()""",
        provider,
        list(shops),
    )
    found: dict[UUID, int] = {}
    for row in rows:
        for target in Terms.model_validate(row["terms"]).targets:
            if target.metric.endswith("_ms") and target.value > 0:
                found[row["shop_id"]] = min(target.value, found.get(row["shop_id"], target.value))
    return found


async def open_offers(conn: Connection, agent: UUID, shops: Collection[UUID]) -> list[dict[str, Any]]:
    """The ``offer`` frames an agent may still answer, oldest first, of these shops."""
    rows = await conn.fetch(
        "select frame from offer where agent_id = $1 and shop_id = any($2) and expires_at > clock_timestamp()"
        " order by expires_at, conversation_id",
        agent,
        list(shops),
    )
    return [row["frame"] for row in rows]
