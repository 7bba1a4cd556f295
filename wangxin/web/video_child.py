"""Reads one video or voice, shut in. Run as ``python -m wangxin.web.video_child`` (``wangxin.web.cage``)."""

from __future__ import annotations

import sys
from typing import Any

from wangxin.model import limits
from wangxin.web import video
from wangxin.web.cage import Bounds, caged, main
from wangxin.web.video import Video

BOUNDS = Bounds(
    limits.VIDEO_CHILD_BYTES_MAX, limits.IMAGE_CHILD_MS_MAX, "media.broken", "media.too_large",
    "the file cannot be read",
)  # fmt: skip


def work(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    found = video.read(content)
    about = {
        "mime": found.mime, "duration_ms": found.duration_ms, "width": found.width, "height": found.height,
        "codecs": sorted(found.codecs),
    }  # fmt: skip
    return about, [found.content]


async def read(content: bytes) -> Video:
    """As ``video.read``, outside this process."""
    about, rest = await caged("wangxin.web.video_child", content, BOUNDS)
    return Video(about["mime"], about["duration_ms"], about["width"], about["height"], rest, frozenset(about["codecs"]))


if __name__ == "__main__":
    sys.exit(main(work, BOUNDS))
