"""Pictures, checked and re-encoded outside this process."""

from __future__ import annotations

from dataclasses import dataclass

from wangxin.model import limits
from wangxin.web.cage import Bounds, caged

_BOUNDS = Bounds(
    limits.IMAGE_CHILD_BYTES_MAX, limits.IMAGE_CHILD_MS_MAX, "media.broken", "media.too_large",
    "the picture cannot be read",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    mime: str
    width: int
    height: int
    content: bytes
    thumb: bytes
    """A small JPEG."""


async def reencode(content: bytes) -> Picture:
    """The picture without its remarks. Raises ``media.wrong_type``, ``media.too_large``, ``media.broken``."""
    about, rest = await caged("wangxin.web.picture_child", content, _BOUNDS)
    kept, thumb = about["kept"], about["thumb"]
    assert len(rest) == kept + thumb, "the child writes what it announces"
    return Picture(about["mime"], about["width"], about["height"], rest[:kept], rest[kept:])
