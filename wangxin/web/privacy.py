"""What the shop keeps of one shopper, for merchants: handed out as a file, and erased when he asks for it."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from pydantic import BaseModel, StringConstraints
from starlette.background import BackgroundTask

from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import privacy
from wangxin.storage.archive import Archive, ArchiveDamaged
from wangxin.storage.objects import Objects
from wangxin.storage.postgres import Connection
from wangxin.web.login import Asked

log = logging.getLogger("wangxin.privacy")

BUNDLE_BYTES_MAX = 256 << 20
"""Uploads in one file made by the page; the command makes larger ones."""

Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Whom(Asked):
    """``shopper``: the shop's own number of him, or his id here."""

    shopper: Named


class Found(BaseModel):
    """``lines``: what he and the shop wrote. ``media``: his uploads."""

    id: UUID
    name: str
    ref: str | None
    lines: int
    orders: int
    media: int


class Erasing(BaseModel):
    """``within_s``: by then his words are gone."""

    id: UUID
    within_s: int


def router(deps: Deps, objects: Objects) -> APIRouter:
    """Only merchants. Everything is audited."""
    routes = APIRouter(prefix="/settings", tags=["settings"])
    merchant = Depends(deps.require(Role.MERCHANT))

    async def known(conn: Connection, shop: UUID, named: str) -> UUID:
        found = await privacy.find_shopper(conn, shop, named)
        if found is None:
            raise not_found("shopper")
        return found

    @routes.post("/{shop}/personal/find")
    async def find(shop: UUID, asked: Whom, actor: Actor = merchant) -> Found:
        """Who is meant, and how much is kept of him. Raises ``shopper.not_found``."""
        async with deps.scope(actor, shop) as conn:
            shopper = await known(conn, shop, asked.shopper)
            return Found(**dict(await privacy.summary(conn, shop, shopper)))

    @routes.post("/{shop}/personal/hand-out")
    async def hand_out(shop: UUID, asked: Whom, actor: Actor = merchant) -> FileResponse:
        """All that is kept of him, as a zip file.

        Raises ``shopper.not_found``, ``privacy.too_large``, ``archive.damaged``.
        """
        async with deps.scope(actor, shop) as conn:
            shopper = await known(conn, shop, asked.shopper)
            try:
                rows = await privacy.hand_out(conn, shop, shopper, Archive(objects.folder))
            except ArchiveDamaged as why:
                log.error("%s", why)
                raise Refusal(
                    "archive.damaged", "a file of the archive is missing; ask who runs wangxin", status=503
                ) from why
            if sum(media["bytes"] for media in rows["media"]) > BUNDLE_BYTES_MAX:
                raise Refusal(
                    "privacy.too_large", "too much for a page: use the command `wangxin shopper export`", status=413
                )
            await deps.audit(conn, actor, shop, "shopper.hand_out", str(shopper))
        folder = tempfile.TemporaryDirectory(prefix="wx-out-")
        target = Path(folder.name) / f"{shopper}.zip"
        await asyncio.to_thread(privacy.bundle, target, shop, rows, objects)
        return FileResponse(
            target, media_type="application/zip", filename=target.name, background=BackgroundTask(folder.cleanup)
        )

    @routes.post("/{shop}/personal/erase", status_code=202)
    async def erase(shop: UUID, asked: Whom, actor: Actor = merchant) -> Erasing:
        """Shut the door now, take the words out soon. Raises ``shopper.not_found``, ``privacy.in_service``."""
        async with deps.scope(actor, shop) as conn:
            shopper = await known(conn, shop, asked.shopper)
            people = await privacy.ask_erasing(conn, shop, shopper)
            await deps.audit(conn, actor, shop, "shopper.erase", str(shopper))
        await deps.hints.gone(people)
        return Erasing(id=shopper, within_s=privacy.DONE_S)

    return routes
