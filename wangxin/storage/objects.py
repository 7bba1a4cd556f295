"""Uploads on disk, behind the few verbs that an object store in the network would need too."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from wangxin.model.refusals import Refusal

Variant = Literal["original", "thumb", "play"]
"""``thumb`` is a small picture: of an image, or a video's poster; a voice has none. ``play``: a video as it was
converted."""


@dataclass(frozen=True, slots=True)
class Objects:
    """``<folder>/<shop>/<last two digits of the id>/<id>.<variant>``. A name never comes from outside."""

    folder: Path

    def path(self, shop: UUID, media: UUID, variant: Variant) -> Path:
        return self.folder / shop.hex / media.hex[-2:] / f"{media.hex}.{variant}"

    async def put(self, shop: UUID, media: UUID, variant: Variant, content: bytes) -> None:
        """Stored whole or not at all, and on disk before this returns. Raises ``storage.full``."""
        await asyncio.to_thread(self._put, self.path(shop, media, variant), content)

    @staticmethod
    def _put(path: Path, content: bytes) -> None:
        half = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(half, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(half, path)
        except OSError as why:
            half.unlink(missing_ok=True)
            if why.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Refusal("storage.full", "no room for uploads now", retry=60_000, status=507) from why
            raise

    async def find(self, shop: UUID, media: UUID, variant: Variant) -> Path | None:
        path = self.path(shop, media, variant)
        return path if await asyncio.to_thread(path.is_file) else None

    async def drop(self, shop: UUID, media: UUID) -> None:
        for variant in ("original", "thumb", "play"):
            await asyncio.to_thread(self.path(shop, media, variant).unlink, True)
