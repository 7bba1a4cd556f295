"""Who was not there is told to a channel of the shop's own, as calls of its webhook, and a run's results too."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from push import reporting
from tests.conftest import Shop
from tests.push.shops import World
from wangxin.clock import new_id
from wangxin.storage import webhooks
from wangxin.web.calling import Caller, new_secret

MINUTE = 60_000


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id)


async def calls(world: World, event: str) -> list[dict[str, Any]]:
    """The data of every call that was planned for the event."""
    while await Caller(world.pool).follow():
        pass
    rows = await world.pool.fetch("select body from webhook_call where event = $1 order by id", event)
    return [json.loads(row["body"])["data"] for row in rows]


async def test_who_was_not_there_is_told_to_the_shops_channel_once_and_what_came_of_it_is_kept(world: World) -> None:
    async with world.pool.acquire() as conn, conn.transaction():
        heard = ["push.unreached", "push.finished", "benefit.changed"]
        await webhooks.add(conn, world.shop, new_id(), "https://shop.example/hook", heard, new_secret(), new_id())
    there = await world.member("m1")
    await world.member("m2")
    await world.member("m3", refused=["marketing"])
    rule = await world.rule(text="新品到店，{{ name }}", limits={"quiet": None})
    await world.turn()
    await world.pool.execute(
        "insert into receipt (shop_id, thread_id, party, delivered_seq) select shop_id, id, shopper_id, public_seq"
        " from thread where shopper_id = $1",
        there,
    )
    assert await calls(world, "push.unreached") == []  # they have a minute
    (finished,) = await calls(world, "push.finished")
    assert (finished["people"], finished["states"]) == (3, {"no_consent": 1, "sent": 2})
    await world.turn(MINUTE + 1)
    await world.turn(MINUTE + 1)
    (told,) = await calls(world, "push.unreached")
    (person,) = told["people"]
    assert (person["shopper"], person["line"]) == ("m2", "新品到店，m2")
    await world.event("push.reached", "m2", delivery=person["delivery"], state="failed")
    await world.event("push.reached", "m2", delivery="no id")
    await world.turn()
    async with world.pool.acquire() as conn:
        assert (await reporting.report(conn, world.shop, rule.id)).reach == {"webhook": {"failed": 1}}


async def test_a_shop_without_a_channel_is_asked_nothing(world: World) -> None:
    await world.member("m1")
    await world.rule(limits={"quiet": None})
    await world.turn()
    await world.turn(MINUTE + 1)
    assert await world.pool.fetchval("select count(*) from push_reach") == 0
    assert await world.pool.fetchval("select count(*) from push_chunk where looked_at is null") == 0
    assert await world.pool.fetchval("select count(*) from outbox where consumer = 'webhooks'") == 0
