"""One rating counts for each shopper and business day, the last one, wherever ratings are counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from metrics import drill_postgres as drill
from metrics import proofs_postgres
from metrics import report_postgres as read
from metrics import rollups_postgres as rollups
from metrics.model import DAY
from metrics.quality import record as quality
from metrics.ratings import TALLIES, Rating, counted
from metrics.service import Figures
from metrics.settlement import LineKind
from metrics.terms import Band, Promise
from tests.conftest import Shop
from tests.metrics.conftest import TEAMS, serve
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN, who
from tests.metrics.test_rollups import back_in_time, same_either_way
from tests.metrics.test_statements import agreed, all_issued, issue, past_shop
from wangxin.clock import new_id, now_ms

__all__ = ["past_shop"]
MONDAY, TUESDAY = date(2026, 11, 9), date(2026, 11, 10)


def test_the_last_rating_of_a_shopper_and_day_counts_whatever_order_they_are_read_in() -> None:
    ratings = [
        Rating(who(1), who(50), MONDAY, 1, 1_000),
        Rating(who(2), who(50), MONDAY, 5, 3_000),
        Rating(who(3), who(50), MONDAY, 2, 2_000),
        Rating(who(4), who(50), TUESDAY, 4, 1_500),
        Rating(who(5), who(51), MONDAY, 3, 1_000),
        Rating(who(6), who(51), MONDAY, 4, 1_000),  # in the same moment: the later conversation's
    ]
    for seed in range(5):
        Random(seed).shuffle(ratings)
        assert {one.conversation for one in counted(ratings)} == {who(2), who(4), who(6)}


async def test_the_sql_counts_what_the_rule_counts_even_where_a_guest_turned_out_to_be_a_member(
    pool: asyncpg.Pool, shop: Shop
) -> None:
    chance = Random(7)
    people = [new_id() for _ in range(4)]
    merged = {people[1]: people[0]}
    for one in people:
        await pool.execute(
            "insert into shopper (shop_id, id, name, merged_into) values ($1, $2, '某', $3)", shop.id, one,
            merged.get(one),
        )  # fmt: skip
    told = []
    for _ in range(60):
        shopper, day = chance.choice(people), chance.choice((MONDAY, TUESDAY))
        one = Rating(new_id(), merged.get(shopper, shopper), day, chance.randrange(6), chance.randrange(20))
        told += [one] if one.stars else []
        await pool.execute(
            """insert into tally (shop_id, conversation_id, thread_id, shopper_id, day, hour, opened_at, outbound,
                 shopper_messages, human_messages, bot_messages, close_reason, left_message, transfers, score,
                 abandoned, rated_at)
               values ($1, $2, $2, $3, $4, 9, now(), false, 1, 1, 0, '', false, 0, $5, 'no', ms_at($6))""",
            shop.id, one.conversation, shopper, day, one.stars, one.at_ms,
        )  # fmt: skip
    rows = await pool.fetch(f"select conversation_id from {TALLIES} r where rating > 0", shop.id, MONDAY, TUESDAY)
    assert {row["conversation_id"] for row in rows} == {one.conversation for one in counted(told)}
    assert len(rows) == 6


async def twice_served(pool: asyncpg.Pool, shop: Shop) -> tuple[Counter, UUID, UUID]:
    """One shopper and two conversations in one day: the night pool's, then the own team's."""
    counter = await serve(pool, shop, BEN, NIGHT)
    night = await pool.fetchval("select conversation_id from thread where id = $1", counter.chat.thread)
    await counter.closed()
    await counter.asks("还在吗")
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    await counter.replies(ANNA)
    own = await pool.fetchval("select conversation_id from thread where id = $1", counter.chat.thread)
    assert own != night
    return counter, night, own


async def test_a_shoppers_day_is_rated_once_in_report_drill_down_evidence_and_samples(
    pool: asyncpg.Pool, shop: Shop
) -> None:
    counter, night, own = await twice_served(pool, shop)
    figures = Figures(pool)
    await counter.rates(5, own)
    await figures.catch_up()
    await counter.rates(1, night)  # late, when the next conversation has long begun: still of the one it names
    await counter.closed()
    await figures.catch_up()
    assert (await figures.verify(shop.id)).differences == 0
    assert dict(await pool.fetch("select conversation_id, score from tally")) == {night: 1, own: 5}
    day: date = await pool.fetchval("select day from tally limit 1")
    asked = read.Asked(shop.id, day, day)

    async def now() -> tuple[Any, ...]:
        async with pool.acquire() as conn:
            sums = (await read.sums(conn, asked, "all", TEAMS))[None]
            by_pool = await read.sums(conn, asked, "pool", TEAMS)
            shown = await drill.conversations(conn, asked, TEAMS, which="rated")
            low = await drill.conversations(conn, asked, TEAMS, which="low_rated")
            found = await proofs_postgres.cases(conn, shop.id, [OWN, NIGHT], (day, day), (0, now_ms()), ["csat"])
            samples = await quality.draw_week(conn, shop.id, day, Random(1))
            assert samples == 2
            strata = dict(await conn.fetch("delete from quality_sample returning conversation_id, stratum"))
        of_pool = {key: one.ratings for key, one in by_pool.items() if one.ratings}
        return (sums.ratings, sums.stars, sums.satisfied, of_pool, [row["conversation_id"] for row in shown],
                [row["conversation_id"] for row in low], found["csat"], strata[own])  # fmt: skip

    assert await now() == (1, 1, 0, {str(NIGHT): 1}, [night], [night], (f"{night}: 1/5",), "random")
    await same_either_way(pool, asked)


async def test_a_rating_after_its_day_was_sealed_makes_the_days_next_version(pool: asyncpg.Pool, shop: Shop) -> None:
    counter, night, own = await twice_served(pool, shop)
    figures = Figures(pool)
    await counter.rates(5, night)
    await figures.catch_up()
    await back_in_time(pool, shop.id, 2)
    await figures.seal(again_s=0)
    day: date = await pool.fetchval("select day from tally limit 1")
    asked = read.Asked(shop.id, day, day)
    async with pool.acquire() as conn:
        assert await rollups.sealed_days(conn, shop.id, day, day) == [day]
        assert (await read.sums(conn, asked, "all", TEAMS))[None].stars == 5
    # The fold would write the day of now: moved with it, as if the rating had come the day after.
    await pool.execute("update tally set score = 2, rated_at = clock_timestamp() where conversation_id = $1", own)
    async with pool.acquire() as conn:
        assert await rollups.sealed_days(conn, shop.id, day, day) == []
    assert await figures.seal(again_s=0) == 1
    async with pool.acquire() as conn:
        sums = (await read.sums(conn, asked, "all", TEAMS))[None]
    assert (sums.ratings, sums.stars, sums.satisfied) == (1, 2, 0)
    assert await pool.fetchval("select max(version) from day_seal where day = $1", day) == 2


async def test_a_rating_after_the_cycle_was_issued_is_a_correction_in_the_next_one(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    days_ago = int(8 + (now_ms() // DAY) % 7)
    await back_in_time(pool, past_shop.id, days_ago - 1)
    (one,) = await agreed(pool, past_shop.id, days_ago, cycle="week")
    day: date = await pool.fetchval("select min(day) from tally")
    terms = replace(one.versions[0].terms, promises=(Promise("csat", True, 450, 1, (Band(10, 100),)),))
    begins = [replace(one, versions=(replace(one.versions[0], terms=terms),))]
    nights = [row[0] for row in await pool.fetch("select conversation_id from tally where pool_id = $1", NIGHT)]
    rate = "update tally set score = $2, rated_at = clock_timestamp() where conversation_id = $1"
    await pool.execute(rate, nights[0], 5)
    await issue(pool, past_shop.id, begins, later_ms=(7 - day.weekday()) * DAY - days_ago * DAY + 601_000)
    assert not [line for issued in await all_issued(pool) for line in issued.lines if line.kind is LineKind.SERVICE]
    await pool.execute(rate, nights[1], 1)
    await issue(pool, past_shop.id, begins)
    await issue(pool, past_shop.id, begins)
    (line,) = [line for issued in await all_issued(pool) for line in issued.lines if line.of_kind is LineKind.SERVICE]
    assert (line.kind, line.amount_fen) == (LineKind.CORRECTION, -68), "10 % of the cycle's 675 fen, once"
    assert line.evidence[0] == "csat = 600 / 2"
    assert set(line.evidence[2:]) == {f"{nights[0]}: 5/5", f"{nights[1]}: 1/5"}
