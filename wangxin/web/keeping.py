"""How long a shop keeps its conversations, for merchants: what a number of days concerns, before it is set."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.storage import retention
from wangxin.web.login import Asked

Days = Annotated[int, Field(ge=retention.DAYS_MIN, le=retention.DAYS_MAX)]


class Kept(BaseModel):
    """``days`` null: for ever. ``through``: lines of before this day are in the archive; ``entries``: how many."""

    days: int | None
    through: date | None
    files: int
    entries: int
    bytes: int


class DaysAsked(Asked):
    days: Days


class DaysKept(Asked):
    days: Days | None


class Concerned(BaseModel):
    """Conversations that ended before ``before`` and would go into the archive; ``more``: at least so many."""

    before: date
    conversations: int
    more: bool


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/settings", tags=["settings"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/{shop}/keeping")
    async def keeping(shop: UUID, actor: Actor = merchant) -> Kept:
        async with deps.scope(actor, shop) as conn:
            return Kept(**asdict(await retention.keeping(conn, shop)))

    @routes.post("/{shop}/keeping/concerned")
    async def concerned(shop: UUID, asked: DaysAsked, actor: Actor = merchant) -> Concerned:
        """What keeping for so many days would archive now. Changes nothing."""
        async with deps.scope(actor, shop) as conn:
            return Concerned(**asdict(await retention.concerned(conn, shop, asked.days, clock.now_ms())))

    @routes.put("/{shop}/keeping")
    async def keep(shop: UUID, asked: DaysKept, actor: Actor = merchant) -> Kept:
        """Conversations are kept for so many days from now on, null: for ever. What is archived stays archived."""
        async with deps.scope(actor, shop) as conn:
            await retention.keep(conn, shop, asked.days)
            await deps.audit(conn, actor, shop, "keeping.change", str(shop), {"days": asked.days})
            return Kept(**asdict(await retention.keeping(conn, shop)))

    return routes
