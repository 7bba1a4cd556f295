"""REST of providers and pools: written down by a merchant, pools also by the provider whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends

from dispatcher import admin_record as write
from dispatcher import agents_record, providers_read
from dispatcher.administration import NewPool, NewProvider, PoolChange, ProviderView
from dispatcher.agents_record import Owner
from dispatcher.importing import Desk, import_pools
from dispatcher.rest_agents import SheetFile, first_passwords
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import accounts
from wangxin.storage.postgres import Connection

Writing = Callable[[Actor, UUID], AbstractAsyncContextManager[Connection]]


def writing_of(deps: Deps) -> Writing:
    """A transaction about one shop that may also tell the dispatcher (the outbox lies outside the shops' wall)."""

    @asynccontextmanager
    async def writing(actor: Actor, shop: UUID) -> AsyncIterator[Connection]:
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn, conn.transaction():
            yield conn
        await deps.hints.wake("dispatcher")

    return writing


def add_pool_routes(routes: APIRouter, deps: Deps) -> None:
    merchant = deps.require(Role.MERCHANT)
    writing = writing_of(deps)

    @routes.get("/{shop}/providers")
    async def providers(shop: UUID, actor: Actor = Depends(merchant)) -> list[dict[str, Any]]:
        """Providers that a contract can be made with, their pools, and what the shop keeps of each for itself."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn:
            return await providers_read.providers(conn, shop)

    @routes.post("/{shop}/providers", status_code=201)
    async def new_provider(shop: UUID, asked: NewProvider, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """A provider that only this shop knows; its leader's first password is in the answer, once. Raises
        ``provider.taken``, ``login.taken``."""
        ((password, hashed),) = await first_passwords(1)
        id_ = clock.new_id()
        async with writing(actor, shop) as conn:
            if await providers_read.named(conn, shop, asked.name):
                raise Refusal("provider.taken", "you know a provider of this name", field="name", status=409)
            if await accounts.find_login(conn, asked.login) is not None:
                raise Refusal("login.taken", "somebody has this login", field="login", status=409)
            await write.add_provider(conn, id_, asked.name, shop=shop)
            await accounts.keep_account(
                conn, clock.new_id(), login=asked.login, password_hash=hashed, role="provider", name=asked.name,
                provider=id_,
            )  # fmt: skip
            await write.put_standing(conn, shop, id_, asked, actor.id)
            await deps.audit(conn, actor, shop, "provider.made", str(id_), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)
        return {"id": id_, "login": asked.login, "password": password}

    @routes.put("/{shop}/providers/{provider}", status_code=204)
    async def change_provider(
        shop: UUID, provider: UUID, asked: ProviderView, actor: Actor = Depends(merchant)
    ) -> None:
        """Contacts and standing, as this shop sees them. Raises ``provider.not_found``."""
        async with writing(actor, shop) as conn:
            if not await write.knows_provider(conn, shop, provider):
                raise not_found("provider")
            await write.put_standing(conn, shop, provider, asked, actor.id)
            await deps.audit(conn, actor, shop, "provider.changed", str(provider), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)

    @routes.post("/{shop}/pools", status_code=201)
    async def new_pool(shop: UUID, asked: NewPool, actor: Actor = Depends(merchant)) -> dict[str, UUID]:
        """A pool of the shop's own, or of a provider that it wrote down. Raises ``provider.not_found``,
        ``pool.taken``."""
        async with writing(actor, shop) as conn:
            if asked.provider is not None and not await providers_read.written_by(conn, shop, asked.provider):
                raise not_found("provider")
            owner = Owner(shop if asked.provider is None else asked.provider, outsourced=asked.provider is not None)
            id_ = await add_pool(conn, deps, actor, shop, owner, asked)
            await write.routing_changed(conn, shop)
        return {"id": id_}

    @routes.post("/{shop}/pools/import")
    async def import_file(shop: UUID, asked: SheetFile, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Pools from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        async with writing(actor, shop) as conn:
            return await import_pools(conn, Desk(actor, Owner(shop, outsourced=False)), asked.csv, apply=asked.apply)

    @routes.put("/{shop}/pools/{pool}", status_code=204)
    async def change_pool(shop: UUID, pool: UUID, asked: PoolChange, actor: Actor = Depends(merchant)) -> None:
        """A pool of the shop's own, or of a provider that it wrote down. Raises ``pool.not_found``, ``pool.taken``."""
        async with writing(actor, shop) as conn:
            owner = await write.owner_of_pool(conn, shop, pool)
            if owner is None:
                raise not_found("pool")
            await put_pool(conn, deps, actor, shop, Owner(owner, outsourced=owner != shop), pool, asked)
            await write.routing_changed(conn, shop)


async def _free_name(conn: Connection, owner: Owner, name: str, pool: UUID | None = None) -> None:
    if any(row["name"] == name and row["id"] != pool for row in await agents_record.pools(conn, owner, every=True)):
        raise Refusal("pool.taken", "there is a pool of this name", field="name", status=409)


async def add_pool(conn: Connection, deps: Deps, actor: Actor, book: UUID, owner: Owner, asked: NewPool) -> UUID:
    """Made and written into the audit ``book``. Raises ``pool.taken``, ``pool.kind``."""
    await _free_name(conn, owner, asked.name)
    if asked.kind != "seats" and owner.outsourced:
        raise Refusal("pool.kind", "a provider has people, no bot and no message box", field="kind")
    id_ = clock.new_id()
    await write.add_pool(conn, owner.id, id_, asked.name, outsourced=owner.outsourced, kind=asked.kind)
    await write.put_pool(conn, owner.id, id_, asked)
    await deps.audit(conn, actor, book, "pool.created", str(id_), asked.model_dump(mode="json"))
    return id_


async def put_pool(
    conn: Connection, deps: Deps, actor: Actor, book: UUID, owner: Owner, pool: UUID, asked: PoolChange
) -> None:
    """Raises ``pool.taken``."""
    await _free_name(conn, owner, asked.name, pool)
    await write.put_pool(conn, owner.id, pool, asked)
    await deps.audit(conn, actor, book, "pool.changed", str(pool), asked.model_dump(mode="json"))
