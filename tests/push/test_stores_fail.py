"""Both stores break in the middle of a run that a real worker does through rq: every shopper gets it once."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import ROOT, make_shop
from tests.places import new_folder
from tests.push.shops import World
from wangxin.clock import new_id, now_ms
from wangxin.model import limits
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

pytestmark = pytest.mark.timeout(240)
PEOPLE, POINTS, A_SECOND = 1_500, 7, 300


async def test_valkey_is_wiped_and_postgresql_stopped_within_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUSH_CHUNK", 20)
    folder = new_folder("wxf-")
    store, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
    try:
        await store.start()
        await migrate(store.url)
        await valkey.start()
        pool = await postgres.open_pool(store.url, least=1, most=2, name="test")
        shop = await make_shop(pool)
        people = [(shop.id, new_id()) for _ in range(PEOPLE)]
        await pool.executemany("insert into shopper (shop_id, id, name) values ($1, $2, 'x')", people)
        await pool.executemany("insert into profile (shop_id, shopper_id) values ($1, $2)", people)
        world = World(pool, shop.id, now_ms())
        rule = await world.rule(
            benefit={"gift": {"k": "points", "amount": POINTS}},
            limits={"quiet": None, "per_shopper": [], "rate_per_s": A_SECOND},
        )
        await world.push.tick()  # frozen, in small chunks that last for seconds
        pool.terminate()

        async with _worker(folder, store, valkey):
            await _until(store, 100)
            valkey.stop(how="kill", wipe=True)
            before = await _decided(store)
            assert before < PEOPLE, "the run was over before it was disturbed"
            await _until(store, before + 100)  # it goes on without Valkey
            store.stop(how="immediate")
            await store.start()
            await valkey.start()
            middle = await _decided(store)
            assert middle < PEOPLE, "the run was over before it was disturbed"
            await _until(store, PEOPLE)
            while await _number(store, "select count(*) from push_run where state <> 'finished'"):
                await asyncio.sleep(0.1)

        texts = f"select thread_id from entry where sender_id = '{rule.id}' and kind = 'text' group by 1 having"
        assert await _number(store, "select count(*) from push_delivery where state = 'sent'") == PEOPLE
        assert await _number(store, f"select count(*) from ({texts} count(*) = 1) once") == PEOPLE
        assert await _number(store, f"select count(*) from ({texts} count(*) > 1) doubled") == 0
        assert await _number(store, "select count(*) from benefit_grant") == PEOPLE
        assert await _number(store, f"select count(*) from profile where points = {POINTS}") == PEOPLE
    finally:
        store.stop(how="immediate")
        valkey.stop(how="kill")
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _worker(folder: Path, store: EmbeddedPostgres, valkey: EmbeddedValkey) -> AsyncIterator[None]:
    environment = {
        **os.environ, "WANGXIN_DATA": str(folder), "WANGXIN_POSTGRES_URL": store.url,
        "WANGXIN_VALKEY_URL": valkey.url, "WANGXIN_SECRET": "k" * 48,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wangxin", "worker", cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
        assert process.returncode is None, "the worker outlives its stores"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _number(store: EmbeddedPostgres, sql: str) -> int:
    conn = await asyncpg.connect(store.url)
    try:
        return int(await conn.fetchval(sql))
    finally:
        await conn.close()


async def _decided(store: EmbeddedPostgres) -> int:
    return await _number(store, "select count(*) from push_delivery")


async def _until(store: EmbeddedPostgres, wanted: int) -> None:
    while await _decided(store) < wanted:
        await asyncio.sleep(0.02)
