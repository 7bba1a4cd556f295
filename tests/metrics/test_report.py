"""Own team beside each pool, on a real record."""

from __future__ import annotations

from datetime import date
from io import StringIO
from typing import Any

import asyncpg
import pytest
from rich.console import Console

from metrics import report_postgres as read
from metrics.live import board
from metrics.report import render, shop_report
from metrics.service import Figures
from tests.conftest import Shop, make_chat
from tests.metrics.conftest import TEAMS, serve, teams_of
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN, PROVIDER
from wangxin.model.refusals import Refusal


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{row['kind']}:{row['name'] or row['provider'] or row['key']}": row["figures"] for row in report["rows"]}


async def test_own_team_and_each_pool_stand_beside_each_other(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    found = rows(await shop_report(pool, busy_shop.slug, teams_of=teams_of))
    own, night, whole = found["team:own"], found["pool:夜间组"], found["all:all"]
    assert (own["served"], night["served"], whole["served"]) == (3, 2, 5)
    assert (own["conversion"]["hits"], own["conversion"]["n"]) == (1, 3)
    assert (night["conversion"]["hits"], night["conversion"]["n"]) == (2, 2)
    assert (whole["conversion"]["hits"], whole["conversion"]["n"]) == (3, 5)
    assert (whole["conversion_all"]["hits"], whole["conversion_all"]["n"]) == (3, 6)
    assert whole["conversion"]["low"] < 0.6 < whole["conversion"]["high"]
    assert (own["paid_fen"], night["paid_fen"], whole["paid_fen"]) == (10_000, 25_000, 35_000)
    assert found["team:客满满"]["paid_fen"] == 25_000
    assert whole["overflow"]["hits"] == 2


async def test_response_times_count_each_answered_turn_once(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    whole = rows(await shop_report(pool, busy_shop.slug, teams_of=teams_of))["all:all"]
    assert (whole["first_response"]["n"], whole["response"]["n"]) == (5, 5)
    assert whole["first_response"]["p95"] is not None
    assert (whole["service_all"]["hits"], whole["service_all"]["n"]) == (5, 6)
    assert (whole["abandonment"]["hits"], whole["abandonment"]["n"]) == (1, 6)


async def test_all_that_was_paid_is_explained(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    report = await shop_report(pool, busy_shop.slug, teams_of=teams_of)
    paid = await pool.fetchval("select sum(amount_fen) from shop_order")
    assert sum(one["fen"] for one in report["revenue"].values()) == paid == 35_700
    assert report["revenue"]["silent"] == {"orders": 1, "fen": 700}
    assert report["conversion_windows"]["final"]["hits"] == 3


async def test_pools_and_groups_add_up_to_the_whole(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    today = date.fromisoformat((await shop_report(pool, busy_shop.slug))["first"])
    asked = read.Asked(busy_shop.id, today, today)
    async with pool.acquire() as conn:
        whole = (await read.sums(conn, asked, "all", TEAMS))[None]
        for by in ("team", "pool", "agent", "day", "hour"):
            parts = await read.sums(conn, asked, by, TEAMS)
            for name in ("turns", "conversations", "served", "lost", "asked_3min"):
                assert sum(getattr(one, name) for one in parts.values()) == getattr(whole, name), (by, name)
            if by != "hour":
                assert sum(one.paid_fen for one in parts.values()) == whole.paid_fen
            merged = sum(one.waits.n for one in parts.values())
            assert merged == whole.waits.n


async def test_one_pool_or_agent_can_be_asked_for_alone(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    today = date.fromisoformat((await shop_report(pool, busy_shop.slug))["first"])
    async with pool.acquire() as conn:
        for only in ({"pool": NIGHT}, {"agent": BEN}, {"team": str(PROVIDER)}):
            one = (await read.sums(conn, read.Asked(busy_shop.id, today, today, **only), "all", TEAMS))[None]
            assert (one.served, one.conversion.n, one.paid_fen) == (2, 2, 25_000), only


async def test_one_who_bought_lately_and_asks_about_it_is_no_enquiry(pool: asyncpg.Pool, shop: Shop) -> None:
    counter = Counter(pool, await make_chat(pool, shop.id))
    await counter.orders("old", 5_000, back_s=5 * 86_400)
    await counter.asks()
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    await counter.replies(ANNA)
    await Figures(pool).catch_up()
    whole = rows(await shop_report(pool, shop.slug))["all:all"]
    assert (whole["served"], whole["conversion"]["n"]) == (1, 0)
    await counter.orders("new", 900)
    await Figures(pool).catch_up()
    whole = rows(await shop_report(pool, shop.slug))["all:all"]
    assert (whole["conversion"]["hits"], whole["conversion"]["n"]) == (1, 1)


async def test_the_table_for_a_terminal_shows_the_same_figures(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    report = await shop_report(pool, busy_shop.slug, teams_of=teams_of)
    out = StringIO()
    Console(file=out, width=200).print(render(report))
    text = out.getvalue()
    for words in ("Own team", "客满满 · 夜间组", "All", "250.00", "n=5", "silent 1"):
        assert words in text
    narrow = StringIO()
    Console(file=narrow, width=80).print(render(report))
    assert all("…" not in line for line in narrow.getvalue().splitlines())


async def test_an_empty_shop_has_a_report_without_figures(pool: asyncpg.Pool, shop: Shop) -> None:
    report = await shop_report(pool, shop.slug)
    assert rows(report)["all:all"]["conversion"]["share"] is None
    out = StringIO()
    Console(file=out, width=80).print(render(report))
    assert "Nobody wrote in this period." in out.getvalue()
    with pytest.raises(Refusal, match=r"period\.wrong"):
        await shop_report(pool, shop.slug, first=date(2026, 11, 2), last=date(2026, 11, 1))
    with pytest.raises(Refusal, match=r"shop\.not_found"):
        await shop_report(pool, "nowhere")


async def test_the_board_shows_who_waits_and_how_full_each_pool_is(pool: asyncpg.Pool, busy_shop: Shop) -> None:
    waiting = await serve(pool, busy_shop, None, None)
    await pool.execute(
        "update thread set awaiting_since = now() - interval '20 seconds' where id = $1", waiting.chat.thread
    )
    async with pool.acquire() as conn:
        now = await board(conn, busy_shop.id, TEAMS)
    assert (now["waiting"], now["assigned"], now["at_risk"], now["late"]) == (1, 5, 1, 0)
    assert now["oldest_ms"] >= 0
    night = next(one for one in now["pools"] if one["pool"] == NIGHT)
    assert (night["load"], night["ready"], night["room"], night["own"]) == (2, 2, 10, False)
