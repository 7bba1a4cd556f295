"""Work of a shop that was given up, for its owner: named without anybody's words, done again or dropped, with audit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.facts import Consumer
from wangxin.storage import failed_work
from wangxin.storage.failed_work import Kind

Id = Annotated[str, Path(min_length=1, max_length=40)]


class WorkShown(BaseModel):
    """``what``: who should have followed which fact, or the name of a video or report. ``why``: the error's kind."""

    kind: Kind
    id: str
    what: str
    why: str
    tries: int
    at_ms: int


class FailedWork(BaseModel):
    """``calls``: of webhooks that were given up; each webhook's log has them."""

    work: tuple[WorkShown, ...]
    calls: int


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/settings", tags=["settings"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/{shop}/work")
    async def listed(shop: UUID, actor: Actor = merchant) -> FailedWork:
        async with deps.scope(actor, shop) as conn:
            found = await failed_work.failed_work(conn, shop)
            calls = await failed_work.failed_calls(conn, shop)
        return FailedWork(work=tuple(WorkShown(**asdict(one)) for one in found), calls=calls)

    @routes.post("/{shop}/work/{kind}/{work}/again", status_code=204)
    async def again(shop: UUID, kind: Kind, work: Id, actor: Actor = merchant) -> None:
        """It is due at once, with all its tries.

        Raises ``work.not_found``, ``work.settled``, ``video.no_converter``."""
        if kind == "video":
            failed_work.converter_wanted(deps.settings.ffmpeg)
        async with deps.scope(actor, shop) as conn:
            whose = await failed_work.again(conn, shop, kind, work)
            await deps.audit(conn, actor, shop, "work.again", work, {"kind": kind})
        if whose in get_args(Consumer):
            await deps.hints.wake(whose)

    @routes.delete("/{shop}/work/{kind}/{work}", status_code=204)
    async def drop(shop: UUID, kind: Kind, work: Id, actor: Actor = merchant) -> None:
        """It is never done. Raises ``work.not_found``, ``work.settled``."""
        async with deps.scope(actor, shop) as conn:
            await failed_work.drop(conn, shop, kind, work)
            await deps.audit(conn, actor, shop, "work.drop", work, {"kind": kind})

    return routes
