"""Takes files of pools and contracts: every row of a file, or none. Used by the pages and by the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from dispatcher import admin_record as write
from dispatcher import agents_record
from dispatcher.administration import NewPool
from dispatcher.agents_record import Owner
from dispatcher.imports import Known, read_contracts, read_pools
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model.actor import Actor
from wangxin.model.sheets import Fault
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Desk:
    """Who takes a file for whom: a shop's merchant, or the leader of a provider (then ``shop`` is None)."""

    actor: Actor
    owner: Owner

    @property
    def shop(self) -> UUID | None:
        return None if self.owner.outsourced else self.owner.id


async def _known(conn: Connection, shop: UUID) -> dict[str, Known]:
    """Providers the shop may deal with, by name; its own take the place of others of the same name."""
    rows = await conn.fetch(
        """select v.provider_id, v.name, v.shop_id is not null as written,
                  coalesce(jsonb_object_agg(p.name, p.id) filter (where p.id is not null), '{}') as pools
             from provider v left join pool p on p.owner_id = v.provider_id
            where v.state <> 'suspended' and (v.shop_id is null or v.shop_id = $1)
            group by v.provider_id order by v.shop_id is not null, v.created_at desc""",
        shop,
    )
    return {
        row["name"]: Known(row["provider_id"], {name: UUID(id_) for name, id_ in row["pools"].items()}, row["written"])
        for row in rows
    }


async def _zone(conn: Connection, shop: UUID | None) -> str:
    found: str | None = await conn.fetchval("select tz from shop where shop_id = $1", shop)
    return found or "Asia/Shanghai"


def _answer(rows: int, new: int, faults: Sequence[Fault]) -> dict[str, Any]:
    told = [asdict(fault) for fault in sorted(faults, key=lambda fault: fault.row)]
    return {"rows": rows, "new": new, "applied": False, "faults": told, "made": []}


async def import_pools(conn: Connection, desk: Desk, text: str, *, apply: bool) -> dict[str, Any]:
    """Pools by name: known ones are changed, others made. In the caller's transaction; the dispatcher is told.

    Raises ``sheet.no_columns``, ``sheet.broken``, ``sheet.too_many``.
    """
    known = {} if desk.shop is None else await _known(conn, desk.shop)
    rows, faults = read_pools(text, known, await _zone(conn, desk.shop))
    there: dict[tuple[UUID | None, str], UUID] = {
        (None, pool["name"]): pool["id"] for pool in await agents_record.pools(conn, desk.owner)
    }
    there |= {(one.id, name): id_ for one in known.values() if one.written for name, id_ in one.pools.items()}
    answer = _answer(len(rows), sum((pool.provider, pool.name) not in there for _, pool in rows), faults)
    if faults or not apply or not rows:
        return answer
    for _, pool in rows:
        owner = desk.owner if pool.provider is None else Owner(pool.provider, outsourced=True)
        await _put(conn, owner, there.get((pool.provider, pool.name)), pool)
    await Deps.audit(conn, desk.actor, desk.owner.id, "pools.imported", "", {"names": [pool.name for _, pool in rows]})
    await write.routing_changed(conn)
    return {**answer, "applied": True}


async def _put(conn: Connection, owner: Owner, id_: UUID | None, pool: NewPool) -> None:
    if id_ is None:
        id_ = new_id()
        await write.add_pool(conn, owner.id, id_, pool.name, outsourced=owner.outsourced)
    await write.put_pool(conn, owner.id, id_, pool)


async def import_contracts(
    conn: Connection, shop: UUID, actor: Actor, text: str, now_ms: int, *, apply: bool
) -> dict[str, Any]:
    """Contracts by name: a new version where the shop has one of this name with the provider, else a new contract.
    Each waits for its provider's answer. In the caller's transaction; the dispatcher is told.

    Raises ``sheet.no_columns``, ``sheet.broken``, ``sheet.too_many``.
    """
    mine = await conn.fetch("select shop_id, name from shop where shop_id = any($1)", list(actor.shops))
    shops = {row["name"]: row["shop_id"] for row in mine}
    rows, faults = read_contracts(text, await _known(conn, shop), await _zone(conn, shop), now_ms, shops)
    named = await conn.fetch(
        "select distinct on (id) id, provider_id, terms->>'name' as name from contract where shop_id = $1"
        " order by id, version desc",
        shop,
    )
    there = {(row["provider_id"], row["name"]): row["id"] for row in named}
    answer = _answer(len(rows), sum((one.provider, one.terms.name) not in there for _, one in rows), faults)
    if faults or not apply or not rows:
        return answer
    for _, one in rows:
        id_ = there.get((one.provider, one.terms.name)) or new_id()
        await write.add_contract_version(
            conn, shop=shop, id_=id_, provider=one.provider, pools=one.pools, starts_ms=one.starts_ms,
            ends_ms=one.ends_ms, terms=one.terms, by=actor.id, shops=one.shops, ask=True,
        )  # fmt: skip
    await Deps.audit(conn, actor, shop, "contracts.imported", "", {"names": [one.terms.name for _, one in rows]})
    await write.routing_changed(conn, shop)
    return {**answer, "applied": True}
