"""Twenty-five workers are killed during a run of 20,000 members: nothing doubled, lost, over a cap or granted twice."""

from __future__ import annotations

import asyncpg
import pytest

from tests.conftest import Shop
from tests.push.killing import disturbed_run
from wangxin.model import limits

CHUNK = 30
"""Small, so that the run is not over before the last worker is killed."""


@pytest.mark.timeout(330)
async def test_twenty_five_kills_neither_repeat_nor_lose_a_message(
    pool: asyncpg.Pool, shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUSH_CHUNK", CHUNK)
    await pool.execute(
        "insert into push_policy (shop_id, approve_above) values ($1, 100000)"
        " on conflict (shop_id) do update set approve_above = 100000",
        shop.id,
    )
    await disturbed_run(
        pool, shop, database_url, people_n=20_000, stock=7_500, kills_max=25, kills_min=25, together=True
    )
