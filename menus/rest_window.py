"""REST beside a conversation: the shopper window's menu, and answers of the shop for agents."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from menus import record_postgres as record
from menus import record_shopdata, record_variants
from menus.brain import Brains
from menus.conditions import Chosen, Facts, choose, look_again_ms
from menus.model import Item, Menu
from menus.record_postgres import FaqEntry
from menus.shop.caller import Caller, ShopSilent
from menus.shop.remote import RemoteShopData
from menus.shopdata import StoredShopData
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import not_found


def _shown(item: Item) -> dict[str, Any]:
    """What a shopper's window needs of an item: not what it will answer."""
    children = {"children": [_shown(child) for child in item.items]} if item.items else {}
    return {"id": item.id, "label": item.label, "hint": item.hint, "icon": item.icon or "", **children}


def _window(menu: Menu, chosen: Chosen) -> dict[str, Any]:
    # the window always shows a way to a person of its own; a second one beside it would only take room
    shown = [_shown(item) for item in chosen.items if item.action.kind != "human"]
    return {"version": menu.version, "greeting": chosen.greeting, "items": shown}


def _offered(entry: FaqEntry) -> dict[str, Any]:
    return {
        "id": str(entry.id), "title": entry.phrasings[0], "text": entry.answer, "topic": entry.topic,
        "media": entry.media and {
            "media": entry.media.id, "kind": entry.media.kind, "width": entry.media.width,
            "height": entry.media.height, "duration_ms": entry.media.duration_ms,
        },
    }  # fmt: skip


def add(routes: APIRouter, deps: Deps, brains: Brains, caller: Caller) -> None:
    """Adds the routes of windows and desks to those of the menus."""
    agent = deps.require(Role.AGENT, Role.MERCHANT)

    # --- for agents: answers beside the conversation -------------------------------------------------------------

    async def shop_of(actor: Actor, thread: UUID) -> tuple[UUID, str]:
        """(shop, the shopper's last words) of a thread this agent may answer. Raises ``thread.not_found``."""
        async with deps.scope(actor) as conn:
            row = await conn.fetchrow(
                "select t.shop_id, t.agent_id = $2 or exists (select 1 from conversation c where c.shop_id = t.shop_id"
                " and c.thread_id = t.id and c.agent_id = $2) as served from thread t where t.id = $1",
                thread,
                actor.id,
            )
            if row is None or (actor.provider is not None and not row["served"]):
                raise not_found("thread")
            return row["shop_id"], await record.last_words(conn, thread)

    @routes.get("/suggestions")
    async def suggestions(thread: UUID, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """Up to three answers of the shop to what the shopper said last."""
        shop, words = await shop_of(actor, thread)
        near = await brains.nearest(await brains.of(shop), words, 3) if words else []
        return {"suggestions": [_offered(entry) for entry, _ in near], "words": words}

    @routes.get("/knowledge")
    async def knowledge(
        thread: UUID, q: Annotated[str, Query(max_length=200)] = "", actor: Actor = Depends(agent)
    ) -> dict[str, Any]:
        """What the shop's bot knows about ``q``; all of it, the most asked first, where there is none."""
        shop, _ = await shop_of(actor, thread)
        brain = await brains.of(shop)
        if not q.strip():
            return {"suggestions": [_offered(entry) for entry in list(brain.entries.values())[: limits.PAGE_MAX]]}
        return {"suggestions": [_offered(entry) for entry, _ in await brains.nearest(brain, q, 20)]}

    # --- for the shopper window ----------------------------------------------------------------------------------

    @routes.get("/{shop}")
    @routes.get("/{shop}/published", include_in_schema=False)
    async def published(
        shop: UUID,
        channel: Annotated[str, Query(max_length=40)] = "page",
        language: Annotated[str, Query(max_length=20)] = "",
        actor: Actor = Depends(deps.actor),
    ) -> dict[str, Any]:
        """The menu that fits this shopper now; version 0 and no items where nothing is published yet.

        ``look_again_ms``: after so long another menu may fit; absent where that cannot happen by itself.
        """
        async with deps.scope(actor, shop) as conn:
            menu = await record.published(conn, shop)
            if menu is None:
                return {"version": 0, "greeting": "", "items": []}
            if actor.role is not Role.SHOPPER:
                return _window(menu, Chosen("", menu.greeting, menu.items))
            facts = Facts(now=datetime.fromtimestamp(now_ms() / 1_000, UTC), guest=actor.guest)
            if menu.variants:
                facts = await record_variants.facts_of(
                    conn, shop, actor.id, guest=actor.guest, channel=channel, language=language, now_ms=now_ms()
                )
            chosen = choose(menu, facts, shop, actor.id)
            await record_variants.saw(conn, shop, actor.id, menu.version, chosen)
        again = look_again_ms(menu, facts.now)
        return _window(menu, chosen) | ({} if again is None else {"look_again_ms": again})

    @routes.get("/{shop}/complete")
    async def complete(
        shop: UUID, q: Annotated[str, Query(max_length=200)], actor: Actor = Depends(deps.actor)
    ) -> dict[str, Any]:
        """Up to five questions near to what is being typed."""
        deps.belongs(actor, shop)
        near = await brains.nearest(await brains.of(shop), q, 5) if len(q.strip()) >= 2 else []
        return {"questions": [{"id": str(entry.id), "text": entry.phrasings[0]} for entry, _ in near]}

    @routes.get("/{shop}/orders")
    async def orders(shop: UUID, actor: Actor = Depends(deps.require(Role.SHOPPER))) -> dict[str, Any]:
        """The shopper's own newest orders as the cards he may send; a guest has none."""
        async with deps.scope(actor, shop) as conn:
            source = await record_shopdata.source(conn, shop)
            ref = await record_shopdata.member_ref(conn, shop, actor.id)
            found = await StoredShopData().orders(conn, shop, actor.id)
        if source is not None and source.url and "orders" in source.calls:
            # A silent server leaves what its events brought.
            with contextlib.suppress(ShopSilent):
                found = await RemoteShopData(caller, source, ref).orders(deps.pool, shop, actor.id)
        return {"orders": [one.order.model_dump(mode="json", exclude={"quote"}) for one in found]}
