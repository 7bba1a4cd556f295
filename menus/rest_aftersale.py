"""REST of after-sale cases: beside the agent's conversation, and as the merchant's list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, StringConstraints

from menus import aftersale
from menus import record_aftersale as record
from menus.aftersale import State
from menus.model import Closed, no_nul
from menus.record_aftersale import Case
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection

Fields = Callable[[UUID, UUID], Awaitable[frozenset[str] | None]]
"""(provider, shop) -> the fields the contract opens; None: it says nothing."""


class Step(Closed):
    """``note`` is shown to the shopper."""

    state: State
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(no_nul)] = ""


def router(deps: Deps, fields: Fields) -> APIRouter:
    """All routes lie under ``/aftersale``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/aftersale", tags=["after-sale"])
    merchant = deps.require(Role.MERCHANT)
    serving = deps.require(Role.AGENT, Role.MERCHANT)

    async def shown(actor: Actor, shop: UUID, cases: list[Case]) -> list[dict[str, Any]]:
        """The shopper's own words are as personal as his filled form: a provider sees them where its contract says."""
        opened = await fields(actor.provider, shop) if actor.provider is not None else None
        hides = actor.provider is not None and "forms" not in (opened or ())
        return [_shown(case) | ({"words": "", "hidden": True} if hides and case.words else {}) for case in cases]

    async def place(conn: Connection, actor: Actor, thread: UUID) -> tuple[UUID, UUID]:
        """(shop, shopper) of a thread this person may look at. Raises ``thread.not_found``."""
        row = await conn.fetchrow(
            "select t.shop_id, t.shopper_id, t.agent_id = $2 or exists (select 1 from conversation c"
            " where c.shop_id = t.shop_id and c.thread_id = t.id and c.agent_id = $2) as served"
            " from thread t where t.id = $1 and t.shop_id = any(wall_shops())",
            thread,
            actor.id,
        )
        if row is None or (actor.provider is not None and not row["served"]):
            raise not_found("thread")
        return row["shop_id"], row["shopper_id"]

    @routes.get("/threads/{thread}")
    async def of_thread(thread: UUID, actor: Actor = Depends(serving)) -> dict[str, Any]:
        """The cases of a conversation's shopper, the newest first, with what may follow each."""
        async with deps.scope(actor) as conn:
            shop, shopper = await place(conn, actor, thread)
            cases = await record.of_shopper(conn, shop, shopper)
        return {"cases": await shown(actor, shop, cases)}

    @routes.post("/threads/{thread}/cases/{case}")
    async def step(thread: UUID, case: UUID, asked: Step, actor: Actor = Depends(serving)) -> dict[str, Any]:
        """The next step of a case; the shopper reads it in the chat. Raises ``aftersale.step``, ``…not_found``."""
        async with deps.scope(actor) as conn:
            shop, shopper = await place(conn, actor, thread)
            found = await record.lock(conn, shop, case)
            if found.shopper != shopper:
                raise not_found("aftersale")
            aftersale.check_step(found.state, asked.state, shopper=False)
            changed = await record.change(conn, found, asked.state, asked.note, str(actor.role), actor.id)
            await deps.audit(conn, actor, shop, "aftersale.step", str(case), {"state": asked.state})
        await deps.hints.grown([(shop, changed.thread)])
        (one,) = await shown(actor, shop, [changed])
        return one

    @routes.get("/{shop}")
    async def of_shop(
        shop: UUID,
        state: Annotated[list[State], Query(max_length=6)] = ["open", "approved", "received"],  # noqa: B006
        before_ms: Annotated[int | None, Query(ge=0, le=limits.MOMENT_MS_MAX)] = None,
        limit: Annotated[int, Query(ge=1, le=limits.PAGE_MAX)] = 50,
        actor: Actor = Depends(merchant),
    ) -> dict[str, Any]:
        """Cases of the shop in these states, those that changed last first, and how many stand in each state."""
        async with deps.scope(actor, shop) as conn:
            rows = await record.of_shop(conn, shop, state, before_ms, limit + 1)
            counts = await record.counts(conn, shop)
        return {
            "cases": [_shown(case) | {"shopper_name": name} for case, name in rows[:limit]],
            "more": len(rows) > limit,
            "counts": {one: counts.get(one, 0) for one in aftersale.STATES},
        }

    @routes.get("/{shop}/cases/{case}/steps")
    async def steps(shop: UUID, case: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Everything that happened to a case, oldest first. Raises ``aftersale.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await record.lock(conn, shop, case)
            return {"steps": await record.steps(conn, shop, case)}

    return routes


def _shown(case: Case) -> dict[str, Any]:
    told = asdict(case)
    told.pop("shop")
    return told | {"next": aftersale.BY_THE_SHOP[case.state]}
