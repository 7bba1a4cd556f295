"""Group commit: what arrives while a flush is out goes out with the next one. One batch in flight.

An idle hub commits at once; a busy one batches by itself. A batch that met a transient accident is tried again until
it is known to be stored: lines carry ids, so trying again changes nothing that is there already.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from wangxin.clock import now_ns
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.storage import entries
from wangxin.storage.entries import Appended, Entry, Line
from wangxin.storage.postgres import TRANSIENT

log = logging.getLogger("wangxin.hub")

BUSY = Refusal("hub.busy", "too many messages are waiting to be stored", retry=1_000, status=503)
SHOP_BUSY = Refusal("shop.busy", "too many messages of this shop are waiting to be stored", retry=1_000, status=503)
RETRY_S = 0.2


@dataclass(slots=True)
class Pending:
    """A line on its way, and who asked."""

    line: Line
    peer: Any
    client_msg_id: UUID
    ref: str
    taken_ns: int = 0  # when its frame came, where traces are made


Done = Callable[[Sequence[Pending], Sequence[Appended], Sequence[Entry]], None]
Refused = Callable[[Pending, Refusal], None]


class Committer:
    """``done`` hears of each committed batch, in order, before the next one is sent; ``refused`` of a line that
    PostgreSQL will never take."""

    def __init__(
        self, connect: Callable[[], Any], done: Done, refused: Refused, *, batch_max: int = limits.APPEND_BATCH_MAX
    ) -> None:
        self._connect = connect
        self._done = done
        self._refused = refused
        self._batch_max = batch_max
        self._waiting: list[Pending] = []
        self._crowd: Counter[UUID] | None = None
        """How many of those each shop has, from the first line that may be too much until the next batch."""
        self._wake = asyncio.Event()
        self._conn: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self.in_flight = 0
        self.began_ns = 0  # when the batch in flight was sent
        self.batches = 0
        self.lines = 0
        self.away = False
        """Whether the store did not answer the last try."""

    @property
    def waiting(self) -> int:
        return len(self._waiting) + self.in_flight

    def submit(self, pending: Pending) -> None:
        """Raises ``hub.busy`` when too much is waiting, ``shop.busy`` when too much of one shop is."""
        if len(self._waiting) >= limits.SHOP_WAITING_MAX:
            self._share(pending.line.shop)
        self._waiting.append(pending)
        if len(self._waiting) == 1:
            self._wake.set()

    def _share(self, shop: UUID) -> None:
        """One shop's flood leaves room for the others. Counted only while there is one."""
        if len(self._waiting) >= limits.APPEND_WAITING_MAX:
            raise BUSY
        if self._crowd is None:
            self._crowd = Counter(one.line.shop for one in self._waiting)
        if self._crowd[shop] >= limits.SHOP_WAITING_MAX:
            raise SHOP_BUSY
        self._crowd[shop] += 1

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Wait (shortly) for what was taken, then end."""
        for _ in range(100):
            if not self.waiting or self.away:
                break
            await asyncio.sleep(0.02)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._conn is not None:
            self._conn.terminate()

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = self._waiting[: self._batch_max]
            del self._waiting[: self._batch_max]
            self._crowd = None
            self.in_flight = len(batch)
            await self._store(batch)
            self.in_flight = 0

    async def _store(self, batch: list[Pending]) -> None:
        """Until it is known what became of every line."""
        while True:
            try:
                conn = self._conn
                if conn is None or conn.is_closed():
                    conn = self._conn = await self._connect()
                self.began_ns = now_ns()
                answers, stored = await entries.append(conn, [pending.line for pending in batch])
            except TRANSIENT as why:
                if not self.away:
                    log.warning("PostgreSQL is away (%s); %d lines wait", type(why).__name__, self.waiting)
                self.away = True
                await self._drop()
                await asyncio.sleep(RETRY_S)
                continue
            except asyncpg.PostgresError as why:
                await self._drop()
                if len(batch) == 1:
                    log.error("a line was refused by PostgreSQL: %s", why)
                    self._refused(batch[0], Refusal("message.refused", "this message cannot be stored"))
                    return
                # One bad line must not take the others with it: halve until it stands alone.
                middle = len(batch) // 2
                await self._store(batch[:middle])
                await self._store(batch[middle:])
                return
            if self.away:
                log.warning("PostgreSQL is back")
                self.away = False
            self.batches += 1
            self.lines += len(batch)
            self._done(batch, answers, stored)
            return

    async def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()
