"""REST of golden questions: kept, and the bot examined with them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from menus import golden, record_golden
from menus import record_postgres as record
from menus.brain import Brain, Brains
from menus.examine import Change, Examination, broken_by, examine, gave, shown
from menus.faq_files import Phrasing
from menus.golden import Expects, Guard, Judged
from menus.model import Closed, Draft, everything
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection


class WrittenGolden(Closed):
    """``ref``: the id of the question or of the menu item that is right."""

    said: Phrasing
    expects: Expects
    ref: str = Field(default="", max_length=64)


class Examine(Closed):
    """With a ``draft``: as the bot would do under that menu; nothing is kept then."""

    draft: Draft | None = None


class GuardWritten(Closed):
    guard: Guard


def add(routes: APIRouter, deps: Deps, brains: Brains) -> None:
    """Adds the routes of golden questions to those of the menus."""
    merchant = deps.require(Role.MERCHANT)

    @routes.get("/{shop}/golden")
    async def all_golden(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The golden questions with their last verdict, and the menu items that one may expect."""
        async with deps.scope(actor, shop) as conn:
            found = await record_golden.all_golden(conn, shop)
            guard = await record_golden.guard(conn, shop)
            ids = await record.keys(conn, shop)
            menu = await record.published(conn, shop)
        items = [] if menu is None else [item for _, item in everything(menu) if item.action.kind != "submenu"]
        return {
            "golden": [
                {
                    "id": g.id,
                    "said": g.said,
                    "expects": g.expects,
                    "ref": str(ids.get(g.ref, "")) if g.expects == "entry" else g.ref,
                    "verdict": g.before,
                }
                for g in found
            ],
            "items": [{"id": item.id, "label": item.label} for item in items],
            "guard": guard,
        }

    @routes.post("/{shop}/golden", status_code=201)
    async def add_golden(shop: UUID, asked: WrittenGolden, actor: Actor = Depends(merchant)) -> dict[str, str]:
        """The same words again change what is expected. Raises ``golden.full``, ``ref.not_found``."""
        async with deps.scope(actor, shop) as conn:
            if await record_golden.count(conn, shop) >= limits.GOLDEN_MAX:
                raise Refusal("golden.full", f"at most {limits.GOLDEN_MAX}", status=409)
            ref: str | None = asked.ref
            if asked.expects == "entry":
                # kept by its key: a question that is deleted and comes back, from a file say, is the same one
                ref = next((key for key, id in (await record.keys(conn, shop)).items() if str(id) == asked.ref), None)
            elif asked.expects == "item":
                menu = await record.published(conn, shop)
                ref = asked.ref if menu is not None and menu.find(asked.ref) is not None else None
            elif asked.ref:
                ref = None
            if ref is None:
                raise not_found("ref")
            id_ = await record_golden.keep(conn, shop, new_id(), asked.said, asked.expects, ref)
        return {"id": str(id_)}

    @routes.delete("/{shop}/golden/{golden}", status_code=204)
    async def drop_golden(shop: UUID, golden: UUID, actor: Actor = Depends(merchant)) -> None:
        async with deps.scope(actor, shop) as conn:
            if not await record_golden.drop(conn, shop, golden):
                raise not_found("golden")

    @routes.put("/{shop}/golden/guard")
    async def keep_guard(shop: UUID, asked: GuardWritten, actor: Actor = Depends(merchant)) -> dict[str, str]:
        """Whether a menu that breaks golden questions is published with a warning, or not at all."""
        async with deps.scope(actor, shop) as conn:
            await record_golden.keep_guard(conn, shop, asked.guard)
            await deps.audit(conn, actor, shop, "golden.guard", "", {"guard": asked.guard})
        return {"guard": asked.guard}

    @routes.post("/{shop}/golden/run")
    async def run(shop: UUID, asked: Examine, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Asks the bot every golden question, each as the first words of a conversation."""
        async with deps.scope(actor, shop) as conn:
            found = await record_golden.all_golden(conn, shop)
            guard = await record_golden.guard(conn, shop)
        done = await examine(brains, await brains.of(shop), found, asked.draft)
        if asked.draft is None:
            async with deps.scope(actor, shop) as conn:
                await record_golden.keep_verdicts(conn, shop, done.judged)
        whole = golden.outcome(done.judged)
        return {
            "total": whole.total,
            "right": whole.right,
            "offered": whole.offered,
            "wrong": whole.wrong,
            "answered": whole.answered,
            "precision": None if whole.precision is None else round(whole.precision, 3),
            "guard": guard,
            "judged": [
                _shown(done.brain, one) | {"wrong_in": done.wrong_in.get(one.golden.id, ())} for one in done.judged
            ],
            "changes": [_change(done, one) for one in done.changes],
            "evaluation": shown(done),
        }


async def refuse_broken(brains: Brains, conn: Connection, shop: UUID, draft: Draft) -> None:
    """Raises ``menu.golden_broken`` (409, ``field``: what the first one says) where the shop wants a menu stopped that
    breaks golden questions, and this draft does."""
    if await record_golden.guard(conn, shop) != "block":
        return
    broken = await broken_by(conn, brains, shop, draft)
    if broken:
        raise Refusal("menu.golden_broken", f"{len(broken)}", field=broken[0], status=409)


def _shown(brain: Brain, one: Judged) -> dict[str, Any]:
    return {
        "id": one.golden.id,
        "said": one.golden.said,
        "verdict": one.verdict,
        "broke": one.broke,
        "how": one.decision.how,
        "gave": gave(brain, one.decision),
    }


def _change(done: Examination, one: Change) -> dict[str, Any]:
    return {
        "id": one.golden.id,
        "said": one.golden.said,
        "was": {"how": one.was.decision.how, "gave": gave(done.live, one.was.decision), "verdict": one.was.verdict},
        "now": {"how": one.now.decision.how, "gave": gave(done.brain, one.now.decision), "verdict": one.now.verdict},
        "broke": one.broke,
        "variant": one.variant,
    }
