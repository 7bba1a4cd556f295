"""A shop's pace: high rates are reached, low ones do not stall, and throttle and pause hold from the next chunk on."""

from __future__ import annotations

import asyncpg
import pytest

from push import service
from push.life import Act
from tests.conftest import Shop
from tests.push.shops import World
from wangxin.clock import new_id
from wangxin.model import limits

CHUNK = 50
SECOND = 1_000
FREE = {"quiet": None, "per_shopper": []}


@pytest.fixture
async def world(pool: asyncpg.Pool, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(limits, "PUSH_CHUNK", CHUNK)
    return World(pool, shop.id)


async def members(world: World, n: int) -> None:
    people = [new_id() for _ in range(n)]
    await world.pool.executemany(
        "insert into shopper (shop_id, id, name) values ($1, $2, 'x')", [(world.shop, person) for person in people]
    )
    await world.pool.executemany(
        "insert into profile (shop_id, shopper_id) values ($1, $2) on conflict do nothing",
        [(world.shop, person) for person in people],
    )


async def sent_each_second(world: World, seconds: int) -> list[int]:
    """How many had a message by the end of each second."""
    found = []
    for second in range(seconds):
        await world.turn(SECOND if second else 0)
        found.append(await world.pool.fetchval("select count(*) from push_delivery"))
    return found


async def paced(world: World, rate_per_s: int) -> None:
    async with world.pool.acquire() as conn:
        await service.rules.set_policy(conn, world.shop, 0, 10_000, rate_per_s=rate_per_s)


async def test_a_rate_of_several_chunks_a_second_is_reached_and_kept_over_all_rules(world: World) -> None:
    await members(world, 300)
    await paced(world, 200)
    await world.rule(limits=FREE)
    await world.rule(limits=FREE)
    sent = await sent_each_second(world, 7)
    steps = [after - before for before, after in zip([0, *sent], sent, strict=False)]
    assert max(steps) <= 200 + CHUNK, sent
    assert sent[4] == 600, sent


async def test_a_low_rate_goes_in_small_steps_and_does_not_stall(world: World) -> None:
    await members(world, 30)
    await paced(world, 2)
    await world.rule(limits=FREE)
    assert await sent_each_second(world, 11) == [10] * 5 + [20] * 5 + [30]


async def test_throttle_and_pause_hold_from_the_next_chunk_on(world: World) -> None:
    await members(world, 300)
    rule = await world.rule(limits=FREE)
    await world.push.tick()
    assert await world.push.work(chunks_max=1) == 1
    await paced(world, CHUNK)
    await world.push.work()
    sent = "select count(*) from push_delivery"
    assert await world.pool.fetchval(sent) == 2 * CHUNK
    assert await world.push.work() == 0, "nobody is asked again and again"
    await world.turn(SECOND)
    assert await world.pool.fetchval(sent) == 3 * CHUNK
    await world.act(rule, Act.PAUSE)
    await world.turn(5 * SECOND)
    assert await world.pool.fetchval(sent) == 3 * CHUNK
    await world.act(rule, Act.START)
    for _ in range(4):
        await world.turn(SECOND)
    assert await world.pool.fetchval(sent) == 300
    assert await world.pool.fetchval("select count(*) from entry") == 300
