"""What hubs report of agents' lines: nobody who is there counts as gone, and nobody who is gone as there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from dispatcher.ability_record import Typed
from dispatcher.record_load import silent_nodes
from tests.dispatcher.conftest import House
from wangxin.app import Lines


async def connected(house: House, login: str) -> bool:
    return bool(await house.pool.fetchval("select connected from seat where agent_id = $1", house.agents[login]))


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[None]:
    conn = await asyncpg.connect(database_url)
    async with conn.transaction():
        await conn.execute(f"lock table {table} in exclusive mode")
        yield
    await conn.close()


async def blocked(house: House) -> int:
    return int(await house.pool.fetchval("select count(*) from pg_locks where not granted"))


@asynccontextmanager
async def kept(lines: Lines) -> AsyncIterator[None]:
    keeping = asyncio.create_task(lines.keep())
    yield
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_an_agent_who_comes_while_the_node_reports_itself_is_not_undone(house: House, database_url: str) -> None:
    lines = Lines(house.intake, "n1", house.pool, Typed())
    own = await house.actor("own1")

    async def quiet() -> bool:
        return bool(await house.pool.fetchval("select exists (select 1 from hub_node)")) and (
            house.pool.get_idle_size() == house.pool.get_size()
        )

    async with AsyncExitStack() as stack:
        async with locked(database_url, "hub_node"):
            await stack.enter_async_context(kept(lines))
            await house.until(lambda: blocked(house), 1)  # it reports that nobody is there
            coming = asyncio.create_task(lines.came(own))
            await asyncio.wait({coming}, timeout=0.2)
        await coming
        await house.until(quiet, True)
        assert await connected(house, "own1")
    await lines.left(own, 0)
    assert not await connected(house, "own1")


async def test_a_node_that_was_taken_for_dead_brings_its_agents_back(house: House) -> None:
    lines = Lines(house.intake, "n1", house.pool, Typed())
    own, yun = await house.actor("own1"), await house.actor("yun1")
    async with kept(lines):
        await lines.came(own)
        await lines.came(yun)
        await house.until(lambda: house.pool.fetchval("select count(*) from hub_node"), 1)
    await house.pool.execute("update hub_node set seen_at = seen_at - interval '1 minute'")
    assert set(await silent_nodes(house.pool, 10_000)) == {own.id, yun.id}  # type: ignore[arg-type]
    assert not await connected(house, "own1")
    async with kept(lines):
        await house.until(lambda: connected(house, "own1"), True)
        await house.until(lambda: connected(house, "yun1"), True)
