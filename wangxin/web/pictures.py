"""Pictures, checked and re-encoded outside this process."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import orjson

from wangxin.model import limits
from wangxin.model.refusals import Refusal

_at_once = asyncio.Semaphore(limits.UPLOADS_AT_ONCE)
_WORDS = {
    "media.wrong_type": "a JPEG, PNG, WebP or GIF picture, or an MP4 or WebM video",
    "media.too_large": "the picture has too many pixels",
    "media.broken": "the picture cannot be read",
}


@dataclass(frozen=True, slots=True)
class Picture:
    mime: str
    width: int
    height: int
    content: bytes
    thumb: bytes
    """A small JPEG."""


def _refused(code: str, status: int) -> Refusal:
    return Refusal(code, _WORDS[code], status=status)


async def reencode(content: bytes) -> Picture:
    """The picture without its remarks. Raises ``media.wrong_type``, ``media.too_large``, ``media.broken``."""
    async with _at_once:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wangxin.web.picture_child",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=2**20,
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(child.communicate(content), limits.IMAGE_CHILD_MS_MAX / 1_000)
        except TimeoutError:
            raise _refused("media.broken", 422) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    head, _, rest = out.partition(b"\n")
    if child.returncode != 0 or not head:
        raise _refused("media.broken", 422)
    about = orjson.loads(head)
    if "code" in about:
        raise _refused(about["code"], about["status"])
    kept, thumb = about["kept"], about["thumb"]
    assert len(rest) == kept + thumb, "the child writes what it announces"
    return Picture(about["mime"], about["width"], about["height"], rest[:kept], rest[kept:])
