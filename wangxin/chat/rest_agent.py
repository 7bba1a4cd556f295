"""REST of the agent's desk: who waits, what has ended, the shopper panel.

The shop is the wall twice over: every query runs in ``shop_scope`` of the agent's shops, and a shopper's record is
shown for threads the agent serves or served (an outsourced agent) or for any thread of his shops (the own team).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from wangxin.chat import desk, desk_lines, desk_record
from wangxin.chat.rest_replies import Pools, usable
from wangxin.clock import new_id, now_ms
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage import accounts, entries
from wangxin.storage.entries import Lane
from wangxin.storage.postgres import Connection, Pool, shop_scope

Profile = Callable[[UUID, UUID], Awaitable[dict[str, Any]]]
"""(shop, shopper) -> what the membership knows: level, tags …; empty where nobody knows."""
Fields = Callable[[UUID, UUID], Awaitable[frozenset[str] | None]]
"""(provider, shop) -> the fields the contract opens; None: it says nothing."""
ReplyLimits = Callable[[UUID | None, frozenset[UUID]], Awaitable[dict[UUID, int]]]
"""(provider, None for the own team; shops) -> how soon a shopper must be answered, in ms, by shop."""
Seat = Callable[[UUID], Awaitable[dict[str, Any] | None]]
"""agent -> his seat as the dispatcher has it; None: he has none."""
Offers = Callable[[Actor], Awaitable[list[dict[str, Any]]]]
"""agent -> the ``offer`` frames he may still answer."""
Named = Callable[[UUID, UUID], Awaitable[None]]
"""(shop, agent): he is called otherwise there from now on."""
Orders = Callable[[UUID, UUID], Awaitable[tuple[list[dict[str, Any]] | None, bool]]]
"""(shop, shopper) -> (his orders as the shop's own server tells them, whether it is silent); None: it tells none."""
Near = Callable[[str, Sequence[str], int], list[int]]
"""(words, titles, most) -> places of the titles that come near to the words, the nearest first. Slow."""
Deeds = Callable[[UUID, UUID, str, str, str, UUID], Awaitable[tuple[bool, str] | None]]
"""(shop, shopper, order, deed, words, request) -> (whether the shop's own server did it, what it says of it); None: it
takes no such wishes. A request is done once. Raises ``shop.silent``."""
Tagging = Callable[[UUID, UUID, tuple[str, ...]], Awaitable[None]]


class Deps(Protocol):
    """What the web edge lends every router."""

    @property
    def pool(self) -> Pool: ...

    async def actor(self, request: Request) -> Actor: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What other features know, handed in by the composition root. None: nobody knows."""

    profile: Profile | None = None
    fields: Fields | None = None
    reply_limits: ReplyLimits | None = None
    set_tags: Tagging | None = None
    seat: Seat | None = None
    offers: Offers | None = None
    named: Named | None = None
    orders: Orders | None = None
    near: Near | None = None
    pools: Pools | None = None
    deeds: Deeds | None = None


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


_Text20 = Annotated[str, StringConstraints(max_length=20), AfterValidator(_no_nul)]
_Text200 = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_nul)]
_Text1000 = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_no_nul)]
_Title = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_no_nul)]
_Tag = Annotated[str, StringConstraints(min_length=1, max_length=20), AfterValidator(_no_nul)]


class Asked(BaseModel):
    """A closed request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Remark(Asked):
    text: _Text1000
    starred: bool = False


class Tags(Asked):
    tags: tuple[_Tag, ...] = Field(max_length=30)


class Persona(Asked):
    """What shoppers of one shop see; empty: the usual one."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60), AfterValidator(_no_nul)]


class Deed(Asked):
    """``words``: of a new address. ``request`` is made by the page, so that a repetition is none."""

    deed: Literal["remind", "cancel", "confirm", "address"]
    words: _Text1000 = ""
    request: UUID = Field(strict=False)


class Reveal(Asked):
    order: _Text200
    field: _Tag
    reason: _Text200 = Field(min_length=2)


ORDERS_SHOWN = 50
PRODUCTS_SHOWN = 60
PRODUCTS_COMPARED = 2_000
REPLIES_NEAR = 8
REPLY_MS_DEFAULT = 30_000
"""How soon a shopper must be answered where no contract says."""


def router(deps: Deps, sources: Sources | None = None) -> APIRouter:
    """All routes lie under ``/desk``; the composition root mounts them under ``/api/v1``."""
    known = sources or Sources()
    routes = APIRouter(prefix="/desk", tags=["desk"])

    async def agent(request: Request) -> Actor:
        actor = await deps.actor(request)
        if actor.role not in (Role.AGENT, Role.MERCHANT, Role.PROVIDER):
            raise forbidden("role.wrong", "the desk is for agents")
        return actor

    @asynccontextmanager
    async def scope(actor: Actor) -> AsyncIterator[Connection]:
        async with shop_scope(deps.pool, actor.shops) as conn:
            yield conn

    async def fields_of(actor: Actor, shop: UUID) -> frozenset[str]:
        contract = None
        if actor.provider is not None and known.fields is not None:
            contract = await known.fields(actor.provider, shop)
        return desk.fields_for(actor.provider is not None, contract)

    async def opened(actor: Actor, conn: Connection, thread: UUID) -> tuple[UUID, UUID]:
        """(shop, shopper) of a thread whose shopper this agent may look at. Raises ``thread.not_found``."""
        seat = await desk_record.seat_of(conn, thread, actor.id)
        if actor.provider is not None and not seat["served"]:
            raise not_found("thread")
        return seat["shop"], seat["shopper"]

    @routes.get("")
    async def desk_now(actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The agent's shops, how soon each wants answers, what is offered to him, and what he may do."""
        limits_ms: dict[UUID, int] = {}
        if known.reply_limits is not None:
            limits_ms = await known.reply_limits(actor.provider, actor.shops)
        async with scope(actor) as conn:
            shops = await desk_record.shops(conn)
            late = await desk_record.late(conn, actor.id)
            protected = await desk_record.is_protected(conn, actor.id)
        mine = await accounts.personas(deps.pool, [actor.id])
        for shop in shops:
            shop["persona"] = mine.get((shop["id"], actor.id), "")
            shop["reply_ms"] = limits_ms.get(shop["id"], REPLY_MS_DEFAULT)
        return {
            "shops": shops,
            "server_ms": now_ms(),
            "seat": None if known.seat is None else await known.seat(actor.id),
            "late": late,
            "protected": protected,
            "offers": [] if known.offers is None else await known.offers(actor),
            "outsourced": actor.provider is not None,
            "supervises": actor.supervisor,
            "tags_can_change": known.set_tags is not None,
        }

    @routes.get("/waiting")
    async def waiting(actor: Actor = Depends(agent)) -> dict[str, Any]:
        async with scope(actor) as conn:
            rows = await desk_record.waiting(conn, limits.PAGE_MAX)
        if actor.provider is not None:
            for row in rows:
                row["last_line"] = ""  # words come with the conversation, not before it
        return {"waiting": rows, "server_ms": now_ms()}

    @routes.get("/ended")
    async def ended(
        before_ms: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        q: Annotated[str, Query(max_length=60)] = "",
        limit: Annotated[int, Query(ge=1, le=limits.PAGE_MAX)] = 50,
        actor: Actor = Depends(agent),
    ) -> dict[str, Any]:
        words = q.replace("\x00", "").strip()
        async with scope(actor) as conn:
            return {"ended": await desk_record.ended(conn, actor.id, before_ms, words, limit)}

    @routes.get("/team")
    async def team(actor: Actor = Depends(agent)) -> dict[str, Any]:
        """Conversations of colleagues, for who may watch them: the shop's own supervisors."""
        if not actor.supervisor or actor.provider is not None:
            raise forbidden("monitor.not_allowed", "this is for the shop's own supervisors")
        async with scope(actor) as conn:
            return {"team": await desk_record.going_on(conn, limits.PAGE_MAX), "server_ms": now_ms()}

    @routes.get("/threads/{thread}/entries")
    async def lines(
        thread: UUID,
        lane: Lane = "public",
        before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=limits.HISTORY_PAGE_MAX)] = 50,
        actor: Actor = Depends(agent),
    ) -> dict[str, Any]:
        """The newest lines below ``before``, ascending. An outsourced agent reads those of conversations he served."""
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            found = await entries.read_before(conn, shop, thread, lane, before, limit + 1)
            if actor.provider is not None:
                served = await desk_record.served(conn, shop, thread, actor.id)
                found = [line for line in found if line.conversation in served]
            name = (await desk_record.profile(conn, shop, person))["name"]
        people = [line.sender for line in found if line.sender_kind == "agent"]
        names = {**await accounts.names(deps.pool, people, shop), person: name}
        fields = await fields_of(actor, shop)
        shown = [desk_lines.shown_line(line, actor, names, fields) for line in found[-limit:]]
        return {"entries": [line for line in shown if line is not None], "more": len(found) > limit}

    @routes.get("/threads/{thread}/shopper")
    async def shopper(thread: UUID, actor: Actor = Depends(agent)) -> dict[str, Any]:
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            row = await desk_record.profile(conn, shop, person)
        more = {} if known.profile is None else await known.profile(shop, person)
        return desk.shown_profile(row, more, await fields_of(actor, shop))

    async def all_orders(shop: UUID, person: UUID, stored: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
        """(his orders with what the shop's own server tells, whether it is silent); outside of any transaction."""
        told, silent = (None, False) if known.orders is None else await known.orders(shop, person)
        return (stored if told is None else desk.told_orders(stored, told, ORDERS_SHOWN)), silent

    @routes.get("/threads/{thread}/orders")
    async def orders(thread: UUID, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """``silent``: the shop's own server was asked and did not answer; the orders are those its events brought."""
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            fields = await fields_of(actor, shop)
            if "orders" not in fields:
                return {"orders": [], "hidden": True}
            stored = await desk_record.orders(conn, shop, person, ORDERS_SHOWN)
        rows, silent = await all_orders(shop, person, stored)
        return {"orders": [desk.shown_order(row, fields) for row in rows], "hidden": False, "silent": silent}

    @routes.post("/threads/{thread}/orders/{order}/deeds")
    async def deed(thread: UUID, order: str, asked: Deed, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """Have the shop's own server do something about an order; ``text`` is its answer, for the shopper.

        Raises ``order.no_deeds`` where it takes none, ``shop.silent``. Who asked for it is kept."""
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            if "orders" not in await fields_of(actor, shop):
                raise not_found("order")
        done = None
        if known.deeds is not None:
            done = await known.deeds(shop, person, order[:200], asked.deed, asked.words, asked.request)
        if done is None:
            raise Refusal("order.no_deeds", "the shop's own server does nothing about orders", status=409)
        async with scope(actor) as conn:
            noted = {"deed": asked.deed, "done": done[0], "thread": str(thread)}
            await desk_record.note(
                conn, shop, new_id(), actor.id, str(actor.role), "order.deed", f"order:{order[:200]}", noted
            )
        return {"done": done[0], "text": done[1]}

    @routes.post("/threads/{thread}/reveal")
    async def reveal(thread: UUID, asked: Reveal, actor: Actor = Depends(agent)) -> dict[str, str]:
        """Show one masked field of an order. Who looked and why is kept for good."""
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            if "orders" not in await fields_of(actor, shop) or asked.field not in desk.PRIVATE_LOGISTICS:
                raise not_found("field")
            stored = await desk_record.orders(conn, shop, person, ORDERS_SHOWN)
        rows, _ = await all_orders(shop, person, stored)
        order = next((row for row in rows if row["id"] == asked.order), None)
        if order is None:
            raise not_found("order")
        value = order["logistics"].get(asked.field)
        if not value:
            raise not_found("field")
        async with scope(actor) as conn:
            noted = {"field": asked.field, "order": asked.order, "reason": asked.reason, "thread": str(thread)}
            about = f"order:{asked.order}"
            await desk_record.note(conn, shop, new_id(), actor.id, str(actor.role), "field.revealed", about, noted)
        return {"field": asked.field, "value": str(value)}

    @routes.get("/threads/{thread}/products")
    async def products(
        thread: UUID, q: Annotated[str, Query(max_length=60)] = "", actor: Actor = Depends(agent)
    ) -> dict[str, list[dict[str, Any]]]:
        async with scope(actor) as conn:
            shop, _ = await opened(actor, conn, thread)
            words = q.replace("\x00", "").strip()
            found = await desk_record.products(conn, shop, words, PRODUCTS_SHOWN)
            if found or not words or known.near is None:
                return {"products": found}
            some = await desk_record.products(conn, shop, "", PRODUCTS_COMPARED)
        return {"products": await near_of(words, some, [row["title"] for row in some])}

    async def near_of(words: str, rows: list[dict[str, Any]], titles: list[str]) -> list[dict[str, Any]]:
        if known.near is None:
            return []
        return [rows[at] for at in await asyncio.to_thread(known.near, words, titles, PRODUCTS_SHOWN)]

    @routes.get("/threads/{thread}/replies")
    async def near_replies(
        thread: UUID, q: Annotated[str, Query(max_length=60)], actor: Actor = Depends(agent)
    ) -> dict[str, list[str]]:
        """Ids of canned replies whose title or text comes near to ``q``: misspelt, of the same sound, or by first
        letters of the pinyin. What fits letter by letter the page finds by itself."""
        words = q.replace("\x00", "").strip()
        async with scope(actor) as conn:
            shop, _ = await opened(actor, conn, thread)
            places = () if known.pools is None else await known.pools(actor)
            rows = [row for row in await usable(conn, actor, places) if shop in row["shops"]] if words else []
        by_title = await near_of(words, rows, [row["title"] for row in rows])
        by_text = [] if words.isascii() else await near_of(words, rows, [row["body"] for row in rows])
        return {"replies": list(dict.fromkeys(str(row["id"]) for row in (*by_title, *by_text)))[:REPLIES_NEAR]}

    @routes.put("/threads/{thread}/remark", status_code=204)
    async def remark(thread: UUID, kept: Remark, actor: Actor = Depends(agent)) -> None:
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
            if "remark" not in await fields_of(actor, shop):
                raise forbidden("field.hidden", "the contract does not open remarks")
            await desk_record.keep_remark(
                conn, shop, person, text=kept.text, starred=kept.starred, by=actor.id, name=actor.name
            )

    @routes.put("/threads/{thread}/tags", status_code=204)
    async def tags(thread: UUID, kept: Tags, actor: Actor = Depends(agent)) -> None:
        async with scope(actor) as conn:
            shop, person = await opened(actor, conn, thread)
        if known.set_tags is None or "tags" not in await fields_of(actor, shop):
            raise forbidden("field.hidden", "tags cannot be changed here")
        await known.set_tags(shop, person, kept.tags)

    @routes.put("/shops/{shop}/persona", status_code=204)
    async def keep_persona(shop: UUID, kept: Persona, actor: Actor = Depends(agent)) -> None:
        """What he is called in one of his shops. Lines from now on carry it, and so do those that are read back."""
        if shop not in actor.shops or actor.role is not Role.AGENT:
            raise not_found("shop")
        async with scope(actor) as conn:
            await desk_record.keep_persona(conn, shop, new_id(), actor.id, str(actor.role), kept.name)
        if known.named is not None:
            await known.named(shop, actor.id)

    return routes
