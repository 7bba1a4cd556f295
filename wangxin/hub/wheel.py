"""One timer for all connections: each is visited when it is due, nothing ticks for a line that is busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Due(Protocol):
    def on_due(self, second: int) -> int | None:
        """Look at yourself; return the second of the next visit, or None for none."""


class Wheel:
    """Seconds since the wheel started, and who is to be visited in each. Precise to a second: all it is for."""

    def __init__(self) -> None:
        self.second = 0
        self._slots: dict[int, list[Due]] = {}
        self._task: asyncio.Task[None] | None = None
        self.each_second: list[Callable[[int], None]] = []

    def at(self, second: int, who: Due) -> None:
        self._slots.setdefault(max(second, self.second + 1), []).append(who)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def advance(self) -> None:
        """One second passes."""
        self.second += 1
        for who in self._slots.pop(self.second, ()):
            due = who.on_due(self.second)
            if due is not None:
                self.at(due, who)
        for call in self.each_second:
            call(self.second)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(max(0.0, began + self.second + 1 - loop.time()))
            self.advance()
