"""REST of contracts: immutable versions that a provider answers, and the switch that pauses one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from dispatcher import admin_read as read
from dispatcher import admin_record as write
from dispatcher.contracts import Terms, check_terms
from dispatcher.importing import import_contracts
from dispatcher.preview import Asked
from dispatcher.rest_agents import SheetFile
from dispatcher.rest_pools import writing_of
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection


class Version(Asked):
    """Terms that hold from ``starts_ms`` on; they never change afterwards."""

    pools: tuple[UUID, ...] = Field(min_length=1, max_length=20)
    starts_ms: int = Field(ge=0, le=2**53)
    ends_ms: int | None = Field(default=None, ge=0, le=2**53)
    shops: tuple[UUID, ...] = Field(
        default=(), max_length=50, description="empty: this shop, or those of the version before"
    )
    terms: Terms


class NewContract(Version):
    provider: UUID


class Switch(Asked):
    paused: bool


def add_contract_routes(routes: APIRouter, deps: Deps) -> None:
    merchant = deps.require(Role.MERCHANT)
    writing = writing_of(deps)

    @routes.get("/{shop}/contracts")
    async def contracts(shop: UUID, actor: Actor = Depends(merchant)) -> list[dict[str, Any]]:
        """Every contract with all its versions, who made each and who answered it, and when."""
        async with deps.scope(actor, shop) as conn:
            found = await read.contracts(conn, shop)
        versions = [version for contract in found for version in contract["versions"]]
        async with deps.pool.acquire() as conn:
            names = await read.names_of(conn, [v[k] for v in versions for k in ("created_by", "answered_by")])
        for version in versions:
            version["created_by"] = names.get(version["created_by"], "")
            version["answered_by"] = names.get(version["answered_by"], "")
        return found

    async def _members(conn: Connection, actor: Actor, shop: UUID, contract: UUID | None, asked: Version) -> None:
        """Who writes a version must be a merchant of every shop it holds for, and of those it leaves out."""
        before = [] if contract is None else await write.contract_shops(conn, contract)
        members = asked.shops or tuple(before) or (shop,)
        if not set(members) | set(before) <= set(actor.shops):
            raise Refusal("contract.shops", "it holds for a shop that is not yours", field="shops", status=403)

    async def _check(conn: Connection, shop: UUID, provider: UUID, asked: Version) -> None:
        if not await write.knows_provider(conn, shop, provider):
            raise not_found("provider")
        if asked.ends_ms is not None and asked.ends_ms <= asked.starts_ms:
            raise Refusal("contract.dates", "it must end after it starts", field="ends_ms")
        found = await conn.fetchval(
            "select count(*) from pool where provider_id = $1 and id = any($2)", provider, list(set(asked.pools))
        )
        if found != len(set(asked.pools)):
            raise Refusal("pool.not_found", "one of the pools is not this provider's", field="pools", status=404)
        check_terms(asked.terms)

    @routes.post("/{shop}/contracts", status_code=201)
    async def new_contract(shop: UUID, asked: NewContract, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        id_ = clock.new_id()
        async with writing(actor, shop) as conn:
            await _members(conn, actor, shop, None, asked)
            for one in asked.shops or (shop,):
                await _check(conn, one, asked.provider, asked)
            version = await write.add_contract_version(
                conn, shop=shop, id_=id_, provider=asked.provider, pools=asked.pools, starts_ms=asked.starts_ms,
                ends_ms=asked.ends_ms, terms=asked.terms, by=actor.id, shops=asked.shops, ask=True,
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "contract.made", str(id_), asked.model_dump(mode="json"))
            await write.routing_changed(conn)
        return {"id": id_, "version": version}

    @routes.post("/{shop}/contracts/{contract}/versions", status_code=201)
    async def new_version(
        shop: UUID, contract: UUID, asked: Version, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """New terms of a contract, which hold once the provider accepts them. Earlier versions stay, and past
        assignments keep theirs. A shop that ``shops`` leaves out has the contract no longer from then on. Raises
        ``contract.shops``."""
        async with writing(actor, shop) as conn:
            provider = await write.provider_of(conn, shop, contract)
            if provider is None:
                raise not_found("contract")
            await _members(conn, actor, shop, contract, asked)
            for one in asked.shops or (shop,):
                await _check(conn, one, provider, asked)
            version = await write.add_contract_version(
                conn, shop=shop, id_=contract, provider=provider, pools=asked.pools, starts_ms=asked.starts_ms,
                ends_ms=asked.ends_ms, terms=asked.terms, by=actor.id, shops=asked.shops, ask=True,
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "contract.changed", str(contract), asked.model_dump(mode="json"))
            await write.routing_changed(conn)
        return {"id": contract, "version": version}

    @routes.post("/{shop}/contracts/import")
    async def import_file(shop: UUID, asked: SheetFile, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Contracts from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        async with writing(actor, shop) as conn:
            return await import_contracts(conn, shop, actor, asked.csv, clock.now_ms(), apply=asked.apply)

    @routes.put("/{shop}/contracts/{contract}/switch", status_code=204)
    async def switch(shop: UUID, contract: UUID, asked: Switch, actor: Actor = Depends(merchant)) -> None:
        """Pause a contract, or take it up again: no new conversations go there meanwhile."""
        async with writing(actor, shop) as conn:
            if await write.provider_of(conn, shop, contract) is None:
                raise not_found("contract")
            await write.switch_contract(conn, shop, contract, paused=asked.paused, by=actor.id)
            await deps.audit(conn, actor, shop, "contract.switched", str(contract), {"paused": asked.paused})
            await write.routing_changed(conn, shop)
