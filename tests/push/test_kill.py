"""Workers are killed at random moments of a run: no message doubled or lost, no cap or stock passed."""

from __future__ import annotations

import asyncpg
import pytest

from tests.conftest import Shop
from tests.push.killing import disturbed_run
from wangxin.model import limits


@pytest.mark.timeout(240)
async def test_killed_workers_neither_repeat_nor_lose_a_message(
    pool: asyncpg.Pool, shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUSH_CHUNK", 50)
    await disturbed_run(pool, shop, database_url, people_n=4_000, stock=1_500, kills_max=10, kills_min=3)
