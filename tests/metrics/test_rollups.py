"""Days that are over are read from their sums, and the figures are the same to the last case, whatever moves later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics import orders_postgres, packed
from metrics import record_postgres as record
from metrics import report_postgres as read
from metrics import rollups_postgres as rollups
from metrics.clocks import Calendar
from metrics.figures import Sums, figures_json
from metrics.histogram import Histogram, bucket
from metrics.model import DAY, HOUR, Line
from metrics.report import document
from metrics.rows import TABLES, Thread, rows_of
from metrics.service import Figures
from metrics.state import ThreadState
from metrics.turns import fold
from tests.conftest import Shop, make_shop
from tests.metrics.conftest import TEAMS, serve
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN, PROVIDER
from tests.metrics.test_fold_is_the_same_however_it_is_cut import history
from wangxin.clock import new_id, now_ms
from wangxin.model.conversation import State

BYS: tuple[read.By, ...] = ("all", "team", "pool", "agent", "topic", "day", "hour")


async def figures_of(
    conn: Any, asked: read.Asked, by: read.By, *, from_rollups: bool
) -> dict[str | None, dict[str, Any]]:
    found = await read.sums(conn, asked, by, TEAMS, from_rollups=from_rollups)
    nothing = figures_json(Sums())
    return {key: shown for key, one in found.items() if (shown := figures_json(one)) != nothing}


ONLY: tuple[dict[str, Any], ...] = (
    {}, {"rule": "first_24h", "service_ms": 7_000}, {"pool": NIGHT}, {"agent": BEN}, {"team": "own"},
    {"team": str(PROVIDER)},
)  # fmt: skip


async def same_either_way(pool: asyncpg.Pool, asked: read.Asked, only: Sequence[dict[str, Any]] = ONLY) -> None:
    async with pool.acquire() as conn:
        for by in BYS:
            for narrow in only:
                one = replace(asked, **narrow)
                live = await figures_of(conn, one, by, from_rollups=False)
                assert await figures_of(conn, one, by, from_rollups=True) == live, (by, narrow)
        live = await document(conn, asked, TEAMS, from_rollups=False)
        assert await document(conn, asked, TEAMS) == live


@dataclass
class Told:
    """A thread of a made-up shop: what was said, and how much of it is folded."""

    whose: Thread
    lines: list[Line]
    state: ThreadState
    done: int = 0


class Past:
    """A shop whose last days are made up by a seed."""

    def __init__(self, pool: asyncpg.Pool, shop: UUID, seed: int) -> None:
        self.pool, self.shop, self.chance = pool, shop, Random(seed)
        self.begins_ms = now_ms() - 6 * DAY
        self.threads: list[Told] = []
        self.orders = 0

    async def moves_house(self) -> None:
        """Three days ago, the shop was still in another zone."""
        await self.pool.execute(
            "update shop_clock set tz = 'America/New_York', until_at = ms_at($2) where shop_id = $1",
            self.shop, self.begins_ms + 3 * DAY,
        )  # fmt: skip
        await self.pool.execute(
            "insert into shop_clock (shop_id, from_at, tz) values ($1, ms_at($2), 'Asia/Shanghai')",
            self.shop, self.begins_ms + 3 * DAY,
        )  # fmt: skip

    async def calendar(self) -> Calendar:
        async with self.pool.acquire() as conn:
            return (await record.calendars(conn, [self.shop]))[self.shop]

    async def talks(self, threads: int) -> None:
        for _ in range(threads):
            whose = Thread(self.shop, new_id(), new_id())
            begun_ms = self.begins_ms + self.chance.randrange(5 * DAY)
            chats: dict[UUID | None, UUID] = {}
            lines = []
            for line in history([self.chance.randrange(12 * 11 * 1024) for _ in range(40)]):
                at_ms = begun_ms + (line.at_ms - 1_700_000_000_000)
                if at_ms < now_ms() - HOUR:
                    lines.append(replace(line, at_ms=at_ms, conversation=chats.setdefault(line.conversation, new_id())))
            self.threads.append(Told(whose, lines, ThreadState()))
            await self.pool.execute(
                "insert into shopper (shop_id, id, name) values ($1, $2, '某')", self.shop, whose.shopper
            )
            await self.pool.executemany(
                """insert into conversation (shop_id, id, thread_id, shopper_id, state, topic, opened_at, opened_seq)
                   values ($1, $2, $3, $4, 'closed', $5, now(), 1)""",
                [
                    (self.shop, chat, whose.thread, whose.shopper, self.chance.choice(["", "pre_sales", "after_sales"]))
                    for chat in chats.values()
                ],
            )

    async def folds(self, share: float) -> None:
        """Each thread's next lines, up to a share of all, in two pieces."""
        calendar = await self.calendar()
        async with self.pool.acquire() as conn, conn.transaction():
            for told in self.threads:
                upto = int(len(told.lines) * share)
                for end in ((told.done + upto) // 2, upto):
                    told.state, changes = fold(told.state, told.lines[told.done : end])
                    told.done = max(told.done, end)
                    rows = rows_of(told.whose, changes, calendar)
                    for table in TABLES:
                        await record.write(conn, table, rows[table.name])
                    await record.write_ratings(conn, self.shop, changes.late_ratings)

    async def buys(self, orders: int) -> None:
        for _ in range(orders):
            self.orders += 1
            made_ms = self.begins_ms - 2 * DAY + self.chance.randrange(8 * DAY - HOUR)
            await self.pool.execute(
                """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, created_at, paid_at)
                   values ($1, $2, $3, 'paid', $4, ms_at($5), ms_at($5 + $6))""",
                self.shop, f"o{self.orders}", self.chance.choice(self.threads).whose.shopper,
                self.chance.randrange(50_000), made_ms, self.chance.randrange(HOUR),
            )  # fmt: skip
        calendar = await self.calendar()
        async with self.pool.acquire() as conn, conn.transaction():
            people = await orders_postgres.members(conn, [(self.shop, one.whose.shopper) for one in self.threads])
            await orders_postgres.credit_orders(conn, self.shop, [id_ for _, id_ in people], calendar)

    async def asked(self) -> read.Asked:
        calendar = await self.calendar()
        return read.Asked(self.shop, calendar.day(self.begins_ms - 3 * DAY), calendar.day(now_ms()))

    async def seals(self) -> None:
        figures = Figures(self.pool)
        while await figures.seal(again_s=0):
            pass

    async def sealed(self) -> set[date]:
        asked = await self.asked()
        async with self.pool.acquire() as conn:
            return set(await rollups.sealed_days(conn, self.shop, asked.first, asked.last))


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_streamed_recomputed_and_summed_figures_are_the_same_whatever_comes_late(
    pool: asyncpg.Pool, seed: int
) -> None:
    shop = (await make_shop(pool, f"past-{new_id().hex[:12]}")).id
    past = Past(pool, shop, seed)
    await past.moves_house()
    await past.talks(8)
    await past.folds(0.6)
    await past.buys(6)
    await past.seals()
    assert len(await past.sealed()) >= 5
    await same_either_way(pool, await past.asked(), ONLY[:1])
    # Late: the rest of what was said, more orders, a guest who is somebody else, a turn taken out.
    await past.folds(1.0)
    await past.buys(4)
    guest, member = past.threads[0].whose.shopper, past.threads[1].whose.shopper
    await pool.execute("update shopper set merged_into = $2 where id = $1", guest, member)
    await pool.execute("update turn set void_reason = 'test' where shop_id = $1 and thread_id = $2",
                       shop, past.threads[2].whose.thread)  # fmt: skip
    await pool.execute("update conversation set topic = 'pre_sales' where shop_id = $1 and thread_id = $2",
                       shop, past.threads[3].whose.thread)  # fmt: skip
    await past.buys(0)
    await same_either_way(pool, await past.asked(), ONLY[2:5])
    await past.seals()
    await same_either_way(pool, await past.asked())
    assert (await Figures(pool).verify(shop)).differences == 0
    calendar = await past.calendar()
    async with pool.acquire() as conn:
        for told in past.threads:
            again = rows_of(told.whose, fold(ThreadState(), told.lines)[1], calendar)
            for table in TABLES:
                stands = {table.key_of(row): row for row in await record.stored(conn, table, shop, [told.whose.thread])}
                for row in again[table.name]:
                    assert {name: stands[table.key_of(row)][name] for name in table.columns} == row


async def back_in_time(pool: asyncpg.Pool, shop: UUID, days: int) -> None:
    for query in (
        "update tally set day = day - $2::int, opened_at = opened_at - $2 * interval '1 day' where shop_id = $1",
        "update turn set day = day - $2::int, opened_at = opened_at - $2 * interval '1 day' where shop_id = $1",
        "update order_credit set day = day - $2::int where shop_id = $1",
    ):
        await pool.execute(query, shop, days)


async def test_a_sealed_day_that_moves_is_read_live_and_sealed_as_its_next_version(
    pool: asyncpg.Pool, busy_shop: Shop
) -> None:
    await back_in_time(pool, busy_shop.id, 2)
    figures = Figures(pool)
    assert await figures.seal(again_s=0) == 2
    assert await figures.seal(again_s=0) == 0
    asked = read.Asked(busy_shop.id, *await pool.fetchrow("select min(day), min(day) from tally"))
    async with pool.acquire() as conn:
        assert await rollups.sealed_days(conn, busy_shop.id, asked.first, asked.last) == [asked.first]
        before = await document(conn, asked, TEAMS)
        await conn.execute("update turn set void_reason = 'spam' where wait_ms is null")
        assert await rollups.sealed_days(conn, busy_shop.id, asked.first, asked.last) == []
        after = await document(conn, asked, TEAMS)
    assert (before["rows"][-1]["figures"]["turns"], after["rows"][-1]["figures"]["turns"]) == (6, 5)
    assert await figures.seal() == 0, "a day that goes on moving is not summed at every sweep"
    assert await figures.seal(again_s=0) == 1
    assert await pool.fetch("select version from day_seal where day = $1 order by 1", asked.first) == [(1,), (2,)]
    async with pool.acquire() as conn:
        assert await document(conn, asked, TEAMS) == after


async def test_a_sum_that_is_not_of_its_rows_is_a_difference(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    await back_in_time(pool, busy_shop.id, 1)
    figures = Figures(pool)
    await figures.seal(again_s=0)
    await pool.execute("alter table turn disable trigger user")
    await pool.execute("update turn set void_reason = 'secretly' where wait_ms is null")
    verdict = await figures.verify(busy_shop.id)
    assert [one["table"] for one in verdict.examples if one["table"] == "day_rollup"] == ["day_rollup"]


async def test_words_of_a_shopper_do_not_unseal_the_days_of_his_orders(pool: asyncpg.Pool, shop: Shop) -> None:
    counter = await serve(pool, shop, ANNA, OWN, 900)
    figures = Figures(pool)
    await figures.catch_up()
    before = await pool.fetch("select xmin::text, order_id, rule from order_credit order by 2, 3")
    await counter.asks("还有一件事")
    await figures.catch_up()
    assert await pool.fetch("select xmin::text, order_id, rule from order_credit order by 2, 3") == before


async def test_the_past_stays_where_it_was_when_a_shop_changes_its_zone(pool: asyncpg.Pool, shop: Shop) -> None:
    counter = await serve(pool, shop, ANNA, OWN)
    await counter.moves(State.CLOSED, "conversation.closed", reason="agent")
    figures = Figures(pool)
    await figures.catch_up()
    await pool.execute("update shop set tz = 'Pacific/Kiritimati' where shop_id = $1", shop.id)
    assert (await figures.verify(shop.id)).differences == 0
    later = Counter(pool, counter.chat)
    await later.asks()
    await figures.catch_up()
    assert (await figures.verify(shop.id)).differences == 0
    assert await pool.fetchval("select count(distinct hour) from tally") == 2


def test_packed_counts_add_up_as_histograms_do() -> None:
    some, others = [0, 1, 40, 40, 9_000], [3, 40, 86_400_000]
    counts = packed.add_counts([packed.pack_counts(Histogram.of(one).counts) for one in (some, others, [])])
    assert counts == Histogram.of([*some, *others]).counts
    assert packed.add_counts([]) == {}
    assert bucket(0) == packed.LOWEST


def test_a_person_of_several_days_counts_once_with_all_that_is_known_of_him() -> None:
    days = [packed.pack_people({1: 1, 2: 3}), packed.pack_people({1: 2 | 8, 4: 1})]
    counted = packed.Crowd(5).count(days, 2, [8, 16])
    assert (counted.asked, counted.served, counted.bought, counted.served_bought) == (3, 2, [1, 0], [1, 0])


def test_days_between_sealed_ones_are_read_live() -> None:
    one, two, three, four = (date(2026, 11, day) for day in (1, 2, 3, 4))
    assert read.gaps(one, four, [two]) == [(one, one), (three, four)]
    assert read.gaps(one, four, [one, two, three, four]) == []
    assert read.gaps(one, two, []) == [(one, two)]
