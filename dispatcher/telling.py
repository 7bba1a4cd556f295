"""What was committed is told beside the next decisions, in its order. Lost words cost a second, no more."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from dispatcher.record_write import Told
from wangxin.storage.hints import HINT, growing, telling, wake_channel
from wangxin.storage.valkey import VALKEY_DOWN

log = logging.getLogger("wangxin.dispatcher")

BEHIND_MAX = 50
"""So many transactions may be committed and not told yet; then decisions wait for Valkey."""


class Teller:
    """``say`` after each commit, while ``run`` goes."""

    def __init__(self, valkey: Any) -> None:
        self._valkey = valkey
        self._behind: asyncio.Queue[Told] = asyncio.Queue(BEHIND_MAX)

    async def say(self, told: Told) -> None:
        if told.grown or told.to_people or told.facts:
            await self._behind.put(told)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            told = await self._behind.get()
            try:
                await self._tell(told)
            finally:
                self._behind.task_done()

    async def rest(self) -> None:
        """Until all is told."""
        await self._behind.join()

    async def _tell(self, told: Told) -> None:
        several = self._valkey.pipeline(transaction=False)
        if told.grown:
            several.publish(HINT, growing(told.grown, agents=sorted(told.agents)))
        for person, frame in told.to_people:
            several.publish(HINT, telling(frame, people=[person], roles=("agent",)))
        if told.facts:
            several.publish(wake_channel("push"), b"{}")
        try:
            await several.execute()
        except VALKEY_DOWN:
            return
        except Exception:
            log.exception("what was decided could not be told")
