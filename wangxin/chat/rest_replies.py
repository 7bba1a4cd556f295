"""REST of canned replies: one's own, a shop's, a pool's; who may use them and who writes them.

A shop's are written by its merchants and its own supervisors, a pool's by who leads the pool: of an outsourced one
that is its provider. Whoever sits in a pool has its replies in every shop it serves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from wangxin.chat import desk
from wangxin.chat import replies_record as record
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import forbidden, not_found
from wangxin.storage.postgres import Connection, Pool, shop_scope


class Place(Protocol):
    """A pool that somebody sits in or leads."""

    @property
    def id(self) -> UUID: ...
    @property
    def owner(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def shops(self) -> frozenset[UUID]: ...
    @property
    def leads(self) -> bool: ...


Pools = Callable[[Actor], Awaitable[Sequence[Place]]]


class Deps(Protocol):
    """What the web edge lends every router."""

    @property
    def pool(self) -> Pool: ...

    async def actor(self, request: Request) -> Actor: ...


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


class PoolReply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[a-z0-9]{1,12}$")
    title: Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_no_nul)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=1_000), AfterValidator(_no_nul)]
    topic: Annotated[str, StringConstraints(max_length=20), AfterValidator(_no_nul)] = ""


class Reply(PoolReply):
    whole_shop: bool = False
    media: UUID | None = Field(default=None, strict=False, description="a picture or video that goes with it")


def writes_for_all(actor: Actor) -> bool:
    """Whether what he writes may be a whole shop's: its merchants and its own supervisors."""
    return actor.role is Role.MERCHANT or (actor.provider is None and actor.supervisor)


async def usable(conn: Connection, actor: Actor, places: Sequence[Place]) -> list[dict[str, Any]]:
    """What he may send, most used first: his own, his shops', his pools'. ``shops``: where a reply is of use."""
    held = [] if actor.role is Role.PROVIDER else await record.replies(conn, actor.id)
    shops = {place.id: shops_of(actor, place) for place in places}
    return [
        *({**row, "pool": None, "shops": [row["shop"]]} for row in held),
        *({**row, "shop": None, "shops": shops[row["pool"]]} for row in await record.pool_replies(conn, list(shops))),
    ]


def shops_of(actor: Actor, place: Place) -> list[UUID]:
    """Those of a pool that he may know of: a provider's people hear of all that it serves."""
    return sorted(place.shops if actor.role is Role.PROVIDER else place.shops & actor.shops)


def router(deps: Deps, pools: Pools) -> APIRouter:
    routes = APIRouter()

    async def staff(request: Request) -> Actor:
        actor = await deps.actor(request)
        if actor.role not in (Role.AGENT, Role.MERCHANT, Role.PROVIDER):
            raise forbidden("role.wrong", "the desk is for agents")
        return actor

    async def chief(request: Request) -> Actor:
        actor = await deps.actor(request)
        if actor.role is not Role.PROVIDER:
            raise forbidden("role.wrong", "this is for a provider's own people")
        return actor

    @asynccontextmanager
    async def scope(actor: Actor) -> AsyncIterator[Connection]:
        """A provider's people see no shop: what they may is decided by the pools they lead."""
        if actor.role is Role.PROVIDER:
            async with deps.pool.acquire() as conn:
                yield conn
        else:
            async with shop_scope(deps.pool, actor.shops) as conn:
                yield conn

    async def place_of(actor: Actor, pool: UUID, *, leads: bool) -> Place:
        """Raises ``pool.not_found``, ``reply.not_yours``."""
        place = next((one for one in await pools(actor) if one.id == pool), None)
        if place is None:
            raise not_found("pool")
        if leads and not place.leads:
            raise forbidden("reply.not_yours", "only who leads the pool writes its replies")
        return place

    async def keep(actor: Actor, pool: UUID, id: UUID, kept: PoolReply) -> None:
        place = await place_of(actor, pool, leads=True)
        async with scope(actor) as conn:
            await record.keep_pool_reply(
                conn, owner=place.owner, pool=pool, id=id, code=kept.code, title=kept.title, body=kept.body,
                topic=kept.topic, initials=desk.initials(kept.title), by=actor.id,
            )  # fmt: skip

    async def drop(actor: Actor, pool: UUID, id: UUID) -> None:
        await place_of(actor, pool, leads=True)
        async with scope(actor) as conn:
            await record.drop_pool_reply(conn, pool, id)

    async def shown(actor: Actor) -> dict[str, Any]:
        places = await pools(actor)
        async with scope(actor) as conn:
            found = await usable(conn, actor, places)
        seen = [{"id": one.id, "name": one.name, "leads": one.leads, "shops": shops_of(actor, one)} for one in places]
        return {"replies": found, "pools": seen, "writes_for_all": writes_for_all(actor)}

    # --- the desk ----------------------------------------------------------------------------------------------------
    @routes.get("/desk/replies", tags=["desk"])
    async def replies(actor: Actor = Depends(staff)) -> dict[str, Any]:
        """What he may send, the pools he sits in or leads, and whether he writes for a whole shop."""
        return await shown(actor)

    @routes.put("/desk/shops/{shop}/replies/{id}", status_code=204, tags=["desk"])
    async def keep_reply(shop: UUID, id: UUID, kept: Reply, actor: Actor = Depends(staff)) -> None:
        """Add or change a canned reply under an id the page makes: one's own, or the whole shop's."""
        if shop not in actor.shops:
            raise not_found("shop")
        if kept.whole_shop and not writes_for_all(actor):
            raise forbidden("reply.not_yours", "only merchants and the shop's supervisors write replies for everyone")
        async with scope(actor) as conn:
            await record.keep_reply(
                conn, shop=shop, id=id, owner=None if kept.whole_shop else actor.id, code=kept.code, title=kept.title,
                body=kept.body, topic=kept.topic, initials=desk.initials(kept.title), media=kept.media, by=actor.id,
            )  # fmt: skip

    @routes.post("/desk/shops/{shop}/replies/{id}/used", status_code=204, tags=["desk"])
    async def used(shop: UUID, id: UUID, actor: Actor = Depends(staff)) -> None:
        if shop not in actor.shops:
            raise not_found("shop")
        async with scope(actor) as conn:
            await record.use_reply(conn, shop, id)

    @routes.delete("/desk/shops/{shop}/replies/{id}", status_code=204, tags=["desk"])
    async def drop_reply(shop: UUID, id: UUID, whole_shop: bool = False, actor: Actor = Depends(staff)) -> None:
        if whole_shop and not writes_for_all(actor):
            raise forbidden("reply.not_yours", "only merchants and the shop's supervisors write replies for everyone")
        async with scope(actor) as conn:
            await record.drop_reply(conn, shop, id, None if whole_shop else actor.id)

    @routes.put("/desk/pools/{pool}/replies/{id}", status_code=204, tags=["desk"])
    async def keep_own_pools(pool: UUID, id: UUID, kept: PoolReply, actor: Actor = Depends(staff)) -> None:
        """Of an own pool. Raises ``pool.not_found``, ``reply.not_yours``, ``reply.code_taken``."""
        await keep(actor, pool, id, kept)

    @routes.delete("/desk/pools/{pool}/replies/{id}", status_code=204, tags=["desk"])
    async def drop_own_pools(pool: UUID, id: UUID, actor: Actor = Depends(staff)) -> None:
        await drop(actor, pool, id)

    @routes.post("/desk/pools/{pool}/replies/{id}/used", status_code=204, tags=["desk"])
    async def used_of_pool(pool: UUID, id: UUID, actor: Actor = Depends(staff)) -> None:
        await place_of(actor, pool, leads=False)
        async with deps.pool.acquire() as conn:
            await record.use_pool_reply(conn, pool, id)

    # --- a provider's own people -------------------------------------------------------------------------------------
    @routes.get("/outsourcing/replies", tags=["outsourcing"])
    async def of_provider(actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Of all pools of the provider."""
        return await shown(actor)

    @routes.put("/outsourcing/pools/{outsourced_pool}/replies/{id}", status_code=204, tags=["outsourcing"])
    async def keep_providers(outsourced_pool: UUID, id: UUID, kept: PoolReply, actor: Actor = Depends(chief)) -> None:
        await keep(actor, outsourced_pool, id, kept)

    @routes.delete("/outsourcing/pools/{outsourced_pool}/replies/{id}", status_code=204, tags=["outsourcing"])
    async def drop_providers(outsourced_pool: UUID, id: UUID, actor: Actor = Depends(chief)) -> None:
        await drop(actor, outsourced_pool, id)

    return routes
