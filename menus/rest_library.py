"""REST of the shop's library: pictures and short videos, each with the places it is used in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, StringConstraints

from menus import record_library as record
from menus.model import Closed, no_nul
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

Uses = Callable[[Connection, UUID], Awaitable[list[tuple[UUID, dict[str, Any]]]]]
"""(media, {where, label}) of other features of a shop."""


class Shelve(Closed):
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(no_nul)]


def router(deps: Deps, elsewhere: Uses) -> APIRouter:
    """All routes lie under ``/library``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/library", tags=["library"])
    merchant = deps.require(Role.MERCHANT)

    async def uses(conn: Connection, shop: UUID) -> dict[UUID, list[dict[str, Any]]]:
        found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        here = [
            *await record.uses_in_menus(conn, shop), *await record.uses_in_questions(conn, shop),
            *await record.uses_in_replies(conn, shop),
        ]  # fmt: skip
        for media, use in [*here, *await elsewhere(conn, shop)]:
            found[media].append(use)
        return found

    @routes.get("/{shop}")
    async def library(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What the library holds, the newest first, and where each is used; links come from ``/media/links``."""
        async with deps.scope(actor, shop) as conn:
            shelf = await record.shelf(conn, shop)
            used = await uses(conn, shop)
        return {
            "media": [
                {
                    "id": one.id, "title": one.title, "kind": one.kind, "added_ms": one.added_ms,
                    "uses": used.get(one.id, []),
                }
                for one in shelf
            ]
        }  # fmt: skip

    @routes.put("/{shop}/{media}")
    async def shelve(shop: UUID, media: UUID, asked: Shelve, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Puts one's own upload into the library, or names what is there anew.

        Raises ``library.full`` (409), ``media.not_found``."""
        async with deps.scope(actor, shop) as conn:
            if await record.count(conn, shop) >= limits.LIBRARY_MAX:
                raise Refusal("library.full", f"at most {limits.LIBRARY_MAX}", status=409)
            if not await record.add(conn, shop, media, asked.title, actor.id):
                raise not_found("media")
            await deps.audit(conn, actor, shop, "library.add", str(media), {"title": asked.title})
        return {"id": media, "title": asked.title}

    @routes.delete("/{shop}/{media}", status_code=204)
    async def drop(shop: UUID, media: UUID, actor: Actor = Depends(merchant)) -> None:
        """Takes it out of the library; what was sent stays. Raises ``media.in_use`` (409), ``media.not_found``."""
        async with deps.scope(actor, shop) as conn:
            used = (await uses(conn, shop)).get(media)
            if used:
                raise Refusal("media.in_use", str(used[0]["label"]), status=409)
            if not await record.drop(conn, shop, media):
                raise not_found("media")
            await deps.audit(conn, actor, shop, "library.drop", str(media))

    return routes
