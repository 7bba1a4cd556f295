"""REST of golden questions: kept, and the bot examined with them."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from menus import golden, record_golden, service
from menus import record_postgres as record
from menus.brain import Brain, Brains, topics_of
from menus.dialogue import Decision, Thresholds
from menus.faq_files import Phrasing
from menus.golden import Expects, Judged
from menus.model import Closed, Draft, Menu, everything
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found

GONE = "gone"
"""Stands for a question that is deleted or switched off: no answer is that one."""


class WrittenGolden(Closed):
    """``ref``: the id of the question or of the menu item that is right."""

    said: Phrasing
    expects: Expects
    ref: str = Field(default="", max_length=64)


class Examine(Closed):
    """With a ``draft``: as the bot would do under that menu; nothing is kept then."""

    draft: Draft | None = None


def add(routes: APIRouter, deps: Deps, brains: Brains) -> None:
    """Adds the routes of golden questions to those of the menus."""
    merchant = deps.require(Role.MERCHANT)

    @routes.get("/{shop}/golden")
    async def all_golden(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The golden questions with their last verdict, and the menu items that one may expect."""
        async with deps.scope(actor, shop) as conn:
            found = await record_golden.all_golden(conn, shop)
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

    @routes.post("/{shop}/golden/run")
    async def run(shop: UUID, asked: Examine, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Asks the bot every golden question, each as the first words of a conversation."""
        async with deps.scope(actor, shop) as conn:
            found = await record_golden.all_golden(conn, shop)
        brain = await brains.of(shop)
        if asked.draft is not None:
            menu = Menu.of(1, asked.draft)
            brain = dataclasses.replace(brain, menu=menu, items_of_topics=topics_of(menu))
        ids = {entry.key: id for id, entry in brain.entries.items()}
        judged = [
            golden.judge(
                dataclasses.replace(one, ref=ids.get(one.ref, GONE)) if one.expects == "entry" else one,
                await service.think(brains, brain, one.said, [], Thresholds()),
            )
            for one in found
        ]  # fmt: skip
        if asked.draft is None:
            async with deps.scope(actor, shop) as conn:
                await record_golden.keep_verdicts(conn, shop, judged)
        whole = golden.outcome(judged)
        return {
            "total": whole.total,
            "right": whole.right,
            "offered": whole.offered,
            "wrong": whole.wrong,
            "answered": whole.answered,
            "precision": None if whole.precision is None else round(whole.precision, 3),
            "judged": [_shown(brain, one) for one in judged],
        }


def _shown(brain: Brain, one: Judged) -> dict[str, Any]:
    return {
        "id": one.golden.id,
        "said": one.golden.said,
        "verdict": one.verdict,
        "broke": one.broke,
        "how": one.decision.how,
        "gave": _gave(brain, one.decision),
    }


def _gave(brain: Brain, decision: Decision) -> str:
    """The question or item the bot gave, or those it offered."""
    item = brain.menu.find(decision.item) if brain.menu and decision.item else None
    if item is not None:
        return item.label
    if decision.entry in brain.entries:
        return brain.entries[decision.entry].phrasings[0]
    return " / ".join(choice.label for choice in service.chips(brain, decision))
