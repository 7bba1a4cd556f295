"""The demo shop's rules are sound, one of them runs, and seeding twice changes nothing."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from push import demo
from push.counting import profile_fields, unread
from push.demo import DemoMember
from tests.conftest import Shop
from tests.push.shops import World
from wangxin.demo.people import members
from wangxin.demo.shop import _profile


async def test_a_seeded_member_gets_his_birthday_points(pool: asyncpg.Pool, shop: Shop) -> None:
    world = World(pool, shop.id)
    people = [DemoMember("m1001", "林晓", {"points": 1_280, "birthday": "11-24", "tags": ["高复购"]})]
    for _ in range(2):
        async with pool.acquire() as conn, conn.transaction():
            await demo.seed(conn, shop.id, UUID(int=9), people)
    rows = await pool.fetch("select status, count(*) as n from push_rule group by status order by status")
    assert [tuple(row) for row in rows] == [("draft", 4), ("running", 1)]
    await world.event("member.birthday", "m1001", "b1")
    await world.turn()
    shopper = await pool.fetchval("select id from shopper where external_id = 'm1001'")
    assert (await world.lines(shopper))[0] == (
        "text", '{"text": "林晓，生日快乐！送您 100 积分，愿您天天好心情。"}',
    )  # fmt: skip
    assert await pool.fetchval("select points from profile where shopper_id = $1", shopper) == 1_380


def test_the_demos_own_members_say_nothing_that_cannot_be_read() -> None:
    for person in members():
        profile = _profile(person)
        assert unread(profile.fields) == []
        assert "member_since" in profile_fields(profile.fields)
