"""REST of menus: the window's menu, the menu studio, answers beside an agent's conversation."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from menus import (
    answering,
    components,
    figures,
    links,
    publishing,
    record_figures,
    record_plans,
    record_shopdata,
    rest_bot,
    rest_golden,
    rest_variants,
    rest_window,
    service,
)
from menus import record_postgres as record
from menus.brain import Brains
from menus.check import Problem, problems
from menus.model import Closed, Draft, Menu
from menus.ready import all_ready
from menus.seen import Outcome
from menus.shop.caller import Caller, ShopSilent
from menus.shop.remote import RemoteShopData
from menus.shopdata import StoredShopData
from wangxin import outbound
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


class Depth(Closed):
    depth: Literal[2, 3]


class Preview(Closed):
    """``shopper``: as whom; without one, a guest."""

    draft: Draft
    item: str
    shopper: UUID | None = None


def _menu(menu: Menu) -> dict[str, Any]:
    return menu.model_dump(mode="json")


def _preview(outcome: Outcome) -> dict[str, Any]:
    return {"says": [body.model_dump(mode="json") for body in outcome.says], "human": outcome.human}


def _problem(found: Problem) -> dict[str, str]:
    return {"item": found.item, "code": found.code, "level": found.level, "detail": found.detail}


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/menus``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/menus", tags=["menus"])
    brains = Brains(deps.pool)
    merchant = deps.require(Role.MERCHANT)
    settings = deps.settings
    caller = Caller(outbound.networks(settings.outbound_networks), settings.demo_shop)

    # routes with a fixed first word come before those of a shop
    rest_window.add(routes, deps, brains, caller)

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
                "depth": known.depth_max,
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

    @routes.get("/{shop}/ready")
    async def ready_menus(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Menus to begin with, one a trade; the page puts one into the draft."""
        deps.belongs(actor, shop)
        return {
            "menus": [{"trade": trade, "draft": draft.model_dump(mode="json")} for trade, draft in all_ready().items()]
        }

    @routes.put("/{shop}/depth")
    async def keep_depth(shop: UUID, asked: Depth, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """How many levels menus may have from now on; what is published stays as it is."""
        async with deps.scope(actor, shop) as conn:
            await record.keep_depth(conn, shop, asked.depth)
            await deps.audit(conn, actor, shop, "menu.depth", "", {"depth": asked.depth})
        return {"depth": asked.depth}

    @routes.post("/{shop}/check")
    async def check(shop: UUID, asked: Draft, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What is wrong with a menu, and the menu as it was read, with everything that a file left out."""
        async with deps.scope(actor, shop) as conn:
            found = problems(asked, await publishing.known(conn, shop))
        return {"problems": [_problem(p) for p in found], "draft": asked.model_dump(mode="json")}

    @routes.post("/{shop}/links")
    async def check_links(shop: UUID, asked: Draft, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Fetches the links of a draft: what is gone stops publishing, what does not answer is pointed out."""
        deps.belongs(actor, shop)
        return {"problems": [_problem(p) for p in await links.broken(asked, caller.allowed)]}

    async def refuse_gone(actor: Actor, shop: UUID) -> None:
        """Raises ``menu.has_errors``. Outside any transaction: others' servers take their time."""
        async with deps.scope(actor, shop) as conn:
            draft, _, _ = await publishing.draft_of(conn, shop)
        gone = [p for p in await links.broken(draft, caller.allowed) if p.level == "error"]
        if gone:
            raise publishing.NotPublishable(gone)

    @routes.post("/{shop}/publish")
    async def publish(shop: UUID, asked: Publish, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The draft becomes the next version; open windows hear of it at once. Raises ``menu.golden_broken`` where the
        shop wants no menu that breaks golden questions."""
        await refuse_gone(actor, shop)
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
        await refuse_gone(actor, shop)
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
            source = await record_shopdata.source(conn, shop)
            ref = await record_shopdata.member_ref(conn, shop, asked.shopper) if asked.shopper else None
            if not answering.item_goes_out(source, item):
                outcome = await answering.of_item(
                    conn, StoredShopData(), menu, item, shop, asked.shopper or actor.id, guest=asked.shopper is None,
                    request=None,
                )  # fmt: skip
                return _preview(outcome)
        # Outside the transaction: the shop's own server may take its time. Nothing is wished for in a preview.
        assert source is not None, "without a source nothing goes out"
        try:
            outcome = await answering.of_item(
                deps.pool, RemoteShopData(caller, source, ref), menu, item, shop, asked.shopper or actor.id,
                guest=asked.shopper is None, request=None,
            )  # fmt: skip
        except ShopSilent:
            outcome = components.silent()
        return _preview(outcome)

    rest_variants.add(routes, deps)
    rest_bot.add(routes, deps, brains)
    rest_golden.add(routes, deps, brains)
    return routes
