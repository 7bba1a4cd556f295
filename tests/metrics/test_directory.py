"""Providers are graded once a month over all their shops, and a shop finds those whose people fill its busiest hour."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import asyncpg
import pytest

from dispatcher import admin_record
from metrics import cards_postgres as cards
from metrics.intervals import Rate
from metrics.scorecards import WEIGHTS, Card, against_own, brands, dimensions, potential
from metrics.service import Figures
from tests.conftest import Shop
from tests.metrics.conftest import agreements_of, teams_of
from tests.metrics.talk import BEN, NIGHT, PROVIDER
from tests.metrics.test_rollups import back_in_time
from wangxin.clock import new_id


def test_a_conversion_as_good_as_the_own_peoples_is_the_middle() -> None:
    assert against_own(0.5, 0.5, 400) == Rate(200, 400)
    assert against_own(0.6, 0.5, 400) == Rate(400, 400)
    assert against_own(0.2, 0.5, 400) == Rate(0, 400)


def test_the_dimensions_are_between_nothing_and_a_hundred() -> None:
    market = dict.fromkeys(WEIGHTS, 0.5)
    best = {part: Rate(100_000, 100_000) for part in WEIGHTS}
    assert dimensions(Card({}, market)) == {"operating": 50.0, "reviews": 50.0}
    assert min(dimensions(Card(best, market)).values()) > 99
    assert (brands(0), brands(5), potential(0, 9), potential(100, 150), potential(100, 900)) == (
        0, 50.0, 50.0, 75.0, 100.0
    )  # fmt: skip


@pytest.fixture
async def graded_shop(pool: asyncpg.Pool, busy_shop: Shop) -> Shop:
    """The busy shop's day lies in the month before; its provider has two people, another one nobody."""
    async with pool.acquire() as conn, conn.transaction():
        await admin_record.add_provider(conn, PROVIDER, "客满满")
        await admin_record.add_provider(conn, UUID(int=77), "空空", stars_tenths=50)
        await admin_record.add_pool(conn, PROVIDER, NIGHT, "夜间组", outsourced=True)
        for agent in (BEN, new_id()):
            await admin_record.put_seat(conn, PROVIDER, agent, "小本", [NIGHT], outsourced=True)
    return busy_shop


async def test_a_month_is_graded_once_and_the_directory_shows_who_fits(pool: asyncpg.Pool, graded_shop: Shop) -> None:
    figures = Figures(pool)
    assert await figures.grade(teams_of, agreements_of, today=date(2020, 2, 5)) == 0, "nobody was served in that month"
    async with pool.acquire() as conn:
        found = await cards.directory(conn, graded_shop.id)
    assert found["need"] == {"seats": 1, "an_hour": 6, "hour": found["need"]["hour"]}
    assert [(one["name"], one["seats"], one["fits"], one["score"]) for one in found["providers"]] == [
        ("客满满", 2, True, None), ("空空", 0, False, None)
    ]  # fmt: skip
    await back_in_time(pool, graded_shop.id, 40)
    day: date = await pool.fetchval("select min(day) from tally")
    following = date(day.year + day.month // 12, day.month % 12 + 1, 3)
    assert await figures.grade(teams_of, agreements_of, today=following) == 1
    assert await figures.grade(teams_of, agreements_of, today=following) == 0
    row = await pool.fetchrow("select * from provider_star")
    assert (row["provider_id"], row["month"], row["conversations"], row["shops"]) == (
        PROVIDER, day.replace(day=1), 2, 1
    )  # fmt: skip
    assert row["parts"]["response"] == [2, 2]
    assert "conversion" not in row["parts"], "too few of the own people's cases to set it beside"
    assert row["parts"]["availability"] == [0, 0], "its contract commits no seats"
    assert 3 <= row["stars"] <= 6
    async with pool.acquire() as conn:
        (month,) = await cards.card(conn, PROVIDER)
        found = await cards.directory(conn, graded_shop.id)
    assert (month["month"], month["graded"], month["peers"]) == (f"{day:%Y-%m}", 1, month["dimensions"])
    assert found["peers"] == month["dimensions"]
    assert (
        await pool.fetchval("select stars_tenths from provider where provider_id = $1", PROVIDER) == row["stars"] * 10
    )
