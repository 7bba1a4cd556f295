"""REST of menus: the window's menu, the menu studio, answers beside an agent's conversation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from menus import (
    figures,
    navigate,
    publishing,
    record_figures,
    record_plans,
    record_variants,
    rest_bot,
    rest_golden,
    rest_variants,
    service,
)
from menus import record_postgres as record
from menus.brain import Brains
from menus.check import Problem, problems
from menus.conditions import Chosen, Facts, choose, look_again_ms
from menus.model import Closed, Draft, Item, Menu
from menus.record_postgres import FaqEntry
from menus.shopdata import StoredShopData
from menus.voice import look
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import not_found

PLANS_SHOWN = 30


class KeepDraft(Closed):
    draft: Draft
    revision: int = Field(ge=0)


class Publish(Closed):
    """``revision``: the draft's that was looked at; without one, whatever the draft is by now."""

    note: Annotated[str, StringConstraints(max_length=200)] = ""
    revision: int | None = Field(default=None, ge=0)


class GoBack(Closed):
    version: int = Field(ge=1)


class Plan(Closed):
    """``at_ms``: when the draft of ``revision`` goes live; ``until_ms``: when what was live before comes back."""

    at_ms: int = Field(gt=0, le=limits.MOMENT_MS_MAX)
    until_ms: int | None = Field(default=None, gt=0, le=limits.MOMENT_MS_MAX)
    note: Annotated[str, StringConstraints(max_length=200)] = ""
    revision: int = Field(ge=0)


class Banned(Closed):
    words: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)], ...] = Field(
        max_length=200
    )


class Preview(Closed):
    """``shopper``: as whom; without one, a guest."""

    draft: Draft
    item: str
    shopper: UUID | None = None


def _menu(menu: Menu) -> dict[str, Any]:
    return menu.model_dump(mode="json")


def _shown(item: Item) -> dict[str, Any]:
    """What a shopper's window needs of an item: not what it will answer."""
    children = {"children": [_shown(child) for child in item.items]} if item.items else {}
    return {"id": item.id, "label": item.label, "hint": item.hint, "icon": item.icon or "", **children}


def _window(menu: Menu, chosen: Chosen) -> dict[str, Any]:
    # the window always shows a way to a person of its own; a second one beside it would only take room
    shown = [_shown(item) for item in chosen.items if item.action.kind != "human"]
    return {"version": menu.version, "greeting": chosen.greeting, "items": shown}


def _problem(found: Problem) -> dict[str, str]:
    return {"item": found.item, "code": found.code, "level": found.level, "detail": found.detail}


def _offered(entry: FaqEntry) -> dict[str, str]:
    return {"id": str(entry.id), "title": entry.phrasings[0], "text": entry.answer, "topic": entry.topic}


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/menus``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/menus", tags=["menus"])
    brains = Brains(deps.pool)
    merchant = deps.require(Role.MERCHANT)
    agent = deps.require(Role.AGENT, Role.MERCHANT)
    data = StoredShopData()

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
            facts = Facts(now=datetime.now(UTC), guest=actor.guest)
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
            found = await data.orders(conn, shop, actor.id)
        return {"orders": [one.order.model_dump(mode="json", exclude={"quote"}) for one in found]}

    # --- the menu studio -----------------------------------------------------------------------------------------

    @routes.get("/{shop}/draft")
    async def draft(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            kept, revision, version = await publishing.draft_of(conn, shop)
            known = await publishing.known(conn, shop)
            found = problems(kept, known)
            topics = sorted({q.topic for q in await record.questions(conn, shop)} - {""})
        return {
            "draft": kept.model_dump(mode="json"),
            "revision": revision,
            "published": version,
            "problems": [_problem(p) for p in found],
            "topics": topics,
            "banned": known.banned,
            "limits": {
                "top": limits.MENU_TOP_ITEMS_MAX,
                "children": limits.MENU_CHILDREN_MAX,
                "label": limits.MENU_LABEL_CHARS_MAX,
                "depth": limits.MENU_DEPTH_MAX,
            },
        }

    @routes.put("/{shop}/draft")
    async def keep_draft(shop: UUID, asked: KeepDraft, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Keeps the draft, also while it still has errors; says which."""
        async with deps.scope(actor, shop) as conn:
            revision = await publishing.keep(conn, shop, asked.draft, asked.revision)
            found = problems(asked.draft, await publishing.known(conn, shop))
        return {"revision": revision, "problems": [_problem(p) for p in found]}

    @routes.put("/{shop}/banned")
    async def keep_banned(shop: UUID, asked: Banned, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Words that no menu of the shop may contain."""
        words = list(dict.fromkeys(asked.words))
        async with deps.scope(actor, shop) as conn:
            await record.keep_banned(conn, shop, words)
            await deps.audit(conn, actor, shop, "menu.banned", "", {"words": len(words)})
        return {"banned": words}

    @routes.post("/{shop}/check")
    async def check(shop: UUID, asked: Draft, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            found = problems(asked, await publishing.known(conn, shop))
        return {"problems": [_problem(p) for p in found]}

    @routes.post("/{shop}/publish")
    async def publish(shop: UUID, asked: Publish, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The draft becomes the next version; open windows hear of it at once. Raises ``menu.golden_broken`` where the
        shop wants no menu that breaks golden questions."""
        async with deps.scope(actor, shop) as conn:
            draft, looked_at, _ = await publishing.draft_of(conn, shop)
            await rest_golden.refuse_broken(brains, conn, shop, draft)
            revision = looked_at if asked.revision is None else asked.revision
            menu = await publishing.publish(conn, shop, actor, note=asked.note, revision=revision)
            await deps.audit(conn, actor, shop, "menu.publish", str(menu.version), {"note": asked.note})
        await service.tell_menu(deps.hints, shop, menu.version)
        return {"version": menu.version}

    @routes.get("/{shop}/figures")
    async def menu_figures(
        shop: UUID, days: Annotated[int, Query(ge=1, le=90)] = 7, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """What each item brought: taps, and of them solved (no person within 24 hours), handed over, ordered."""
        async with deps.scope(actor, shop) as conn:
            menu = await record.published(conn, shop)
            shown = await record_figures.shown(conn, shop, days)
            rows = figures.report(menu, await record_figures.counts(conn, shop, days), shown)
        return {
            "days": days,
            "shown": shown,
            "items": [
                {
                    "id": row.id,
                    "label": row.label,
                    "kind": row.kind,
                    "level": row.level,
                    "variant": row.variant,
                    "never": row.never,
                    "taps": row.count.taps,
                    "people": row.count.people,
                    "solved": row.solved,
                    "handed_over": row.count.handed_over,
                    "ordered": row.count.ordered,
                }
                for row in rows
            ],
        }

    @routes.get("/{shop}/plans")
    async def plans(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What waits for its moment, then what has been."""
        async with deps.scope(actor, shop) as conn:
            return {"plans": await record_plans.plans(conn, shop, PLANS_SHOWN)}

    @routes.post("/{shop}/plans", status_code=201)
    async def add_plan(shop: UUID, asked: Plan, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The draft as it is now goes live at the moment; later changes of the draft do not change it."""
        async with deps.scope(actor, shop) as conn:
            draft, _, _ = await publishing.draft_of(conn, shop)
            await rest_golden.refuse_broken(brains, conn, shop, draft)
            id_ = await publishing.plan(
                conn, shop, actor, at_ms=asked.at_ms, until_ms=asked.until_ms, note=asked.note,
                revision=asked.revision, now_ms=now_ms(),
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "menu.plan", str(id_), {"at_ms": asked.at_ms})
        return {"id": str(id_)}

    @routes.delete("/{shop}/plans/{plan}", status_code=204)
    async def cancel_plan(shop: UUID, plan: UUID, actor: Actor = Depends(merchant)) -> None:
        async with deps.scope(actor, shop) as conn:
            if not await record_plans.cancel_plan(conn, shop, plan):
                raise not_found("plan")
            await deps.audit(conn, actor, shop, "menu.plan_cancel", str(plan))

    @routes.get("/{shop}/versions")
    async def versions(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            rows = await record.versions(conn, shop, limits.PAGE_MAX)
            desk = await record.desk(conn, shop)
        return {
            "published": desk.published,
            "versions": [
                {"version": r.version, "note": r.note, "made_at_ms": r.made_at_ms, "items": r.items} for r in rows
            ],
        }

    @routes.get("/{shop}/versions/{version}")
    async def one_version(shop: UUID, version: int, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            menu = await record.menu(conn, shop, version)
        if menu is None:
            raise not_found("version")
        return _menu(menu)

    @routes.post("/{shop}/rollback")
    async def rollback(shop: UUID, asked: GoBack, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            menu = await publishing.go_back(conn, shop, actor, asked.version)
            await deps.audit(conn, actor, shop, "menu.rollback", str(menu.version), {"to": asked.version})
        await service.tell_menu(deps.hints, shop, menu.version)
        return {"version": menu.version}

    @routes.post("/{shop}/preview")
    async def preview(shop: UUID, asked: Preview, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What an item of a draft would answer to this shopper, or to a guest."""
        menu = Menu.of(1, asked.draft)
        item = menu.find(asked.item)
        if item is None:
            raise not_found("item")
        async with deps.scope(actor, shop) as conn:
            seen = await look(conn, data, shop, asked.shopper or actor.id, item, guest=asked.shopper is None)
        outcome = navigate.answer(menu, item, seen)
        return {"says": [body.model_dump(mode="json") for body in outcome.says], "human": outcome.human}

    rest_variants.add(routes, deps)
    rest_bot.add(routes, deps, brains)
    rest_golden.add(routes, deps, brains)
    return routes
