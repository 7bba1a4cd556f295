"""Whether the links of a menu lead anywhere: they are fetched once, when it is published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from menus.check import Problem
from menus.model import Draft, Link, everything
from wangxin import outbound
from wangxin.model import limits
from wangxin.outbound import Network, Unreachable

AT_ONCE = 5
_GONE = (404, 410)


async def broken(draft: Draft, allowed: Sequence[Network]) -> list[Problem]:
    """An error for each link whose page is gone, a warning for one that gave no answer or was not tried.

    Takes at most ``LINKS_CHECKED_MAX / AT_ONCE`` times ``LINK_CHECK_S``. Paths of our own pages are not fetched."""
    links = [(item.id, item.action.url) for _, item in everything(draft) if isinstance(item.action, Link)]
    outside = [(item, url) for item, url in links if url.startswith(("http://", "https://"))]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: str, url: str) -> list[Problem]:
        async with room:
            return await _look(item, url, allowed)

    tried = await asyncio.gather(*(one(item, url) for item, url in outside[: limits.LINKS_CHECKED_MAX]))
    left = [Problem(item, "link.not_tried", "warning") for item, _ in outside[limits.LINKS_CHECKED_MAX :]]
    return [problem for found in tried for problem in found] + left


async def _look(item: str, url: str, allowed: Sequence[Network]) -> list[Problem]:
    if url.startswith("http://") and not allowed:
        return [Problem(item, "link.plain", "warning")]
    try:
        answer = await outbound.call(
            "GET", url, {}, allowed=allowed, timeout_s=limits.LINK_CHECK_S, answer_bytes_max=65_536
        )
    except Unreachable as why:
        if why.code == "answer.too_large":
            return []  # there is a page, and a long one
        return [Problem(item, "link.no_answer", "warning", why.code)]
    if answer.status in _GONE:
        return [Problem(item, "link.gone", "error", str(answer.status))]
    return [Problem(item, "link.no_answer", "warning", str(answer.status))] if answer.status >= 400 else []
