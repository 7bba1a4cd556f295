"""The figures kept up to date: one sweep folds what is new and attributes the orders concerned; and the proof of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from metrics import cards_postgres as cards
from metrics import orders_postgres as orders
from metrics import record_postgres as record
from metrics import rollups_postgres as rollups
from metrics import sealing_postgres as sealing
from metrics import statement_record
from metrics.agreements import AgreementsOf
from metrics.clocks import Calendar
from metrics.quality import record as quality
from metrics.rows import TABLES, Row, Table
from metrics.teams import TeamsOf
from wangxin import clock
from wangxin.storage.archive import Archive
from wangxin.storage.postgres import Connection, Pool

LATELY_S = 300  # a quick sweep looks at threads and orders that moved within this time; the slow one at all
THREADS_MAX = 200  # folded in one transaction
SEALED_MAX = 40  # days summed in one sweep
SEAL_AGAIN_S = 900  # a day that goes on moving is read live meanwhile
ELSEWHERE_S = 0.02  # between looks at threads that somebody else is folding
NO_ARCHIVE = Archive(Path("/nonexistent"))
"""For installations and tests in which nothing is archived."""
DIFFERENCES_MAX = 50  # listed; the rest is only counted


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did. ``more``: there was more to fold than one transaction takes; sweep again at once."""

    lines: int
    threads: int
    orders: int
    more: bool


class Figures:
    """Folds the record into turns. Any number may run: a thread is folded by whoever locks its cursor."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def sweep(self, *, slow: bool = False) -> Swept:
        """Fold what was appended since. ``slow`` looks at every thread and order; do so at start and now and then."""
        within_s = None if slow else LATELY_S
        async with self._pool.acquire() as conn:
            grown = await record.grown_threads(conn, THREADS_MAX, within_s=within_s)
            lines = credited = 0
            if grown:
                async with conn.transaction():
                    lines, concerned = await record.fold_threads(conn, grown)
                    # In the same transaction: new words may decide over orders that are there already.
                    credited += await self._credit(conn, await orders.members(conn, sorted(concerned)))
            async with conn.transaction():
                credited += await self._credit(conn, await orders.changed_orders(conn, within_s=within_s))
                credited += await orders.credit_nameless(conn, within_s=within_s)
        return Swept(lines, len(grown), credited, len(grown) == THREADS_MAX)

    async def keep_up(self, *, slow: bool = False) -> None:
        """Sweep until a sweep took all there was: in a busy second more threads grow than one transaction folds."""
        while (await self.sweep(slow=slow)).more:
            pass

    async def catch_up(self) -> Swept:
        """Sweep slowly until nothing is left, also by others; for commands and tests."""
        lines = threads = credited = 0
        while True:
            swept = await self.sweep(slow=True)
            lines, threads = lines + swept.lines, threads + swept.threads
            credited += swept.orders
            if not swept.threads:
                return Swept(lines, threads, credited, False)
            if not swept.lines:
                await asyncio.sleep(ELSEWHERE_S)

    async def seal(self, *, again_s: int = SEAL_AGAIN_S) -> int:
        """Sum the days that are over and not summed, or moved since; returns how many. Each day by itself."""
        async with self._pool.acquire() as conn:
            sealed = 0
            for shop, day in await sealing.due(conn, SEALED_MAX, again_s=again_s):
                try:
                    async with conn.transaction(isolation="repeatable_read"):
                        sealed += await sealing.seal(conn, shop, day)
                except asyncpg.SerializationError:
                    continue  # somebody else sealed it in this very moment
            return sealed

    async def settle(self, agreements_of: AgreementsOf) -> int:
        """Issue the statements of days that are over, and let what is due count as signed; returns how many."""
        n = 0
        async with self._pool.acquire() as conn:
            shops = await conn.fetch("select distinct shop_id from contract order by 1")
            for (shop,) in shops:
                async with conn.transaction():
                    calendar = (await record.calendars(conn, [shop]))[shop]
                    agreements = await agreements_of(conn, shop)
                    n += await statement_record.issue(conn, shop, agreements, calendar, clock.now_ms(), clock.new_id)
            return n + await statement_record.lapse(conn)

    async def grade(self, teams_of: TeamsOf, agreements_of: AgreementsOf, *, today: date) -> int:
        """Grade the providers for the month before ``today``'s, once; returns how many."""
        last = today.replace(day=1) - timedelta(days=1)
        month = last.replace(day=1)
        async with self._pool.acquire() as conn, conn.transaction():
            if not await cards.ungraded(conn, month):
                return 0
            months: dict[UUID, cards.Month] = {}
            for (shop,) in await conn.fetch("select shop_id from shop order by 1"):
                calendar = (await record.calendars(conn, [shop]))[shop]
                terms = await agreements_of(conn, shop)
                await cards.add_shop(conn, shop, month, last, await teams_of(conn, shop), terms, calendar, months)
            return await cards.write(conn, month, months)

    async def sample(self, today: Callable[[Calendar], date]) -> int:
        """Draw last week's conversations for quality checks in each shop that has a sheet; how many came."""
        n = 0
        async with self._pool.acquire() as conn:
            for (shop,) in await conn.fetch("select distinct shop_id from quality_sheet order by 1"):
                async with conn.transaction():
                    day = today((await record.calendars(conn, [shop]))[shop])
                    monday = day - timedelta(days=day.weekday() + 7)
                    n += await quality.draw_week(conn, shop, monday, Random(clock.new_secret()))
        return n

    async def _credit(self, conn: Connection, shoppers: set[tuple[UUID, UUID]]) -> int:
        by_shop: dict[UUID, list[UUID]] = {}
        for shop, shopper in sorted(shoppers):
            by_shop.setdefault(shop, []).append(shopper)
        times = await record.calendars(conn, by_shop) if by_shop else {}
        n = 0
        for shop, some in by_shop.items():
            n += await orders.credit_orders(conn, shop, some, times[shop])
        return n

    async def verify(
        self, shop: UUID, told: Callable[[int, int], None] | None = None, archive: Archive = NO_ARCHIVE
    ) -> Verdict:
        """Compute every row of a shop again from record and archive and compare. ``told(done, all)`` hears of the
        progress. Raises ArchiveDamaged."""
        verdict = Verdict()
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            calendar = (await record.calendars(conn, [shop]))[shop]
            total = await conn.fetchval("select count(*) from fold_cursor where shop_id = $1", shop)
            after = UUID(int=0)
            while threads := await record.threads_after(conn, shop, after, THREADS_MAX):
                after = threads[-1]
                again = await record.recompute(conn, shop, threads, calendar, archive)
                for table in TABLES:
                    verdict.compare(table, await record.stored(conn, table, shop, threads), again[table.name])
                verdict.threads += len(threads)
                if told is not None:
                    told(verdict.threads, total)
            await self._verify_orders(conn, shop, verdict)
        await self._verify_days(shop, verdict)
        return verdict

    async def _verify_days(self, shop: UUID, verdict: Verdict) -> None:
        """Each sealed day summed again from the rows that it was summed from."""
        async with self._pool.acquire() as conn:
            span = await conn.fetchrow("select min(day), max(day) from day_seal where shop_id = $1", shop)
            if span is None or span[0] is None:
                return
            for day in await rollups.sealed_days(conn, shop, span[0], span[1]):
                async with conn.transaction(isolation="repeatable_read"):
                    if not await rollups.sealed_days(conn, shop, day, day):
                        continue  # it moved meanwhile
                    stands, again = await sealing.stored(conn, shop, day), await sealing.summed(conn, shop, day)
                verdict.rows += len(again[0]) + len(again[1])
                if sealing.digest(*stands) != sealing.digest(*again):
                    verdict.note("day_rollup", (day,), "the sums of the day are not those of its rows")

    async def _verify_orders(self, conn: Connection, shop: UUID, verdict: Verdict) -> None:
        """Each order's parts add up to what was paid and exactly one counts it, by every rule."""
        wrong = await conn.fetch(
            """select c.order_id, c.rule from order_credit c
               join shop_order o on o.shop_id = c.shop_id and o.id = c.order_id
               where c.shop_id = $1 group by c.order_id, c.rule, o.amount_fen, o.deposit_fen, o.settled_at
               having sum(c.orders) <> 1
                 or sum(c.paid_fen) <> case when o.deposit_fen > 0 and o.settled_at is null then 0
                   else o.amount_fen end""",
            shop,
        )
        verdict.rows += await conn.fetchval("select count(*) from order_credit where shop_id = $1", shop)
        for row in wrong:
            verdict.note("order_credit", (row["order_id"], row["rule"]), "parts do not add up")


@dataclass(slots=True)
class Verdict:
    """Stored rows against recomputed ones."""

    threads: int = 0
    rows: int = 0
    differences: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def compare(self, table: Table, stored: list[Row], again: list[Row]) -> None:
        before = {table.key_of(row): row for row in stored}
        after = {table.key_of(row): row for row in again}
        self.rows += len(before.keys() | after.keys())
        for key in before.keys() | after.keys():
            one, other = before.get(key), after.get(key)
            if one is None or other is None:
                self.note(table.name, key, "only stored" if other is None else "only recomputed")
                continue
            for name in table.columns:
                if one[name] != other[name]:
                    self.note(table.name, key, f"{name}: stored {one[name]!r}, recomputed {other[name]!r}")

    def note(self, table: str, key: tuple[Any, ...], what: str) -> None:
        self.differences += 1
        if len(self.examples) < DIFFERENCES_MAX:
            self.examples.append({"table": table, "key": [str(part) for part in key], "what": what})
