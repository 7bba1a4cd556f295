"""Tells waiting shoppers where they stand. Positions live in the core; Valkey carries them and keeps a copy a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson

from dispatcher.core import Core
from wangxin.storage.hints import HINT, telling
from wangxin.storage.valkey import VALKEY_DOWN

SHOWN_MAX = 200
"""Further back in a line, a shopper is told every few seconds instead of at each change."""
KEPT_S = 60
TOLD_AT_ONCE = 25
"""In one message to Valkey. Decisions go on between two of them."""
AGAIN_MS = 5_000


def _key(thread: UUID) -> str:
    return f"{{wx}}:queue:{thread}"


async def where(valkey: Any, thread: UUID) -> dict[str, Any] | None:
    """The last ``queue.position`` of a thread, for somebody who comes back; None: not known."""
    try:
        kept = await valkey.get(_key(thread))
    except VALKEY_DOWN:
        return None
    return orjson.loads(kept) if kept else None


class Positions:
    def __init__(self, valkey: Any) -> None:
        self._valkey = valkey
        self._threads: dict[str, UUID] = {}
        self._said: dict[str, tuple[int, int, bool, bool]] = {}
        self._said_ms: dict[str, int] = {}

    def thread(self, conversation: str, thread: UUID) -> None:
        self._threads[conversation] = thread

    def unknown(self, conversations: Iterable[str]) -> list[str]:
        return [id_ for id_ in conversations if id_ not in self._threads]

    def changed(self, core: Core, shops: Iterable[str], now_ms: int) -> list[tuple[str, UUID, dict[str, Any]]]:
        """(shop, thread, frame) of everyone whose place has changed, or who has not heard for a while."""
        found: list[tuple[str, UUID, dict[str, Any]]] = []
        floor = core.floor
        for shop in sorted(shops):
            for index, c in enumerate(floor.in_order(shop)):
                position = index + 1
                thread = self._threads.get(c.id)
                quiet_ms = now_ms - self._said_ms.get(c.id, 0)
                shown = (position, c.stage, c.callback, c.helped is not None)
                same = self._said.get(c.id) == shown
                if thread is None or (quiet_ms < AGAIN_MS and (position > SHOWN_MAX or same)):
                    continue
                median, p90 = floor.predict(c, index)
                self._said[c.id], self._said_ms[c.id] = shown, now_ms
                known = p90 < 86_400_000
                frame = {
                    "type": "queue.position", "thread": str(thread), "position": position,
                    "wait_ms": median if known else None, "wait_p90_ms": p90 if known else None,
                    "callback": c.callback, "helped": c.helped is not None,
                }  # fmt: skip
                found.append((shop, thread, frame))
        for id_ in [id_ for id_ in self._threads if id_ not in floor.conversations]:
            self._threads.pop(id_, None)
            self._said.pop(id_, None)
            self._said_ms.pop(id_, None)
        return found

    async def tell(self, found: Sequence[tuple[str, UUID, dict[str, Any]]]) -> None:
        for start in range(0, len(found), TOLD_AT_ONCE):
            several = self._valkey.pipeline(transaction=False)
            for shop, thread, frame in found[start : start + TOLD_AT_ONCE]:
                several.publish(HINT, telling(frame, threads=[(UUID(shop), thread)], roles=("shopper",)))
                several.set(_key(thread), orjson.dumps(frame), ex=KEPT_S)
            try:
                await several.execute()
            except VALKEY_DOWN:
                return
