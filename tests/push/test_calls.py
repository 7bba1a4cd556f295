"""A shopper's own device is told of what no window of his took: sealed, signed, once; forgotten when it is gone."""

from __future__ import annotations

import json
from dataclasses import replace

import asyncpg
import httpx
import pytest

import push.rest
from push import calls, reporting
from push.calls import ShopperCalls
from tests.conftest import Shop
from tests.push.phones import LOCAL, Phone, data, phone, word
from tests.push.shops import World
from wangxin import auth, outbound, webpush
from wangxin.clock import new_id, now_ms
from wangxin.config import Settings
from wangxin.edge import Deps
from wangxin.storage import webhooks
from wangxin.web.app import create_app
from wangxin.web.calling import Caller, new_secret

MINUTE = 60_000


def test_what_is_sealed_is_what_the_standard_seals() -> None:
    """The example of RFC 8291, appendix A."""
    own, salt = data("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), data("DGv6ra1nlYgDCS1FRnbzlw")
    to = webpush.device(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    chance = salt + (int.from_bytes(own, "big") - 1).to_bytes(32, "big")
    assert word(webpush.sealed(b"When I grow up, I want to be a watermelon", to, chance)) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id)


async def wants(deps: Deps, shop: Shop, ref: str, phone: Phone) -> None:
    """The member's window asks for calls to this device."""
    settings = Settings(**{**deps.settings.model_dump(), "outbound_networks": LOCAL})
    deps = replace(deps, settings=settings)
    web = httpx.ASGITransport(create_app(settings, deps, [push.rest.router(deps)]))
    bearer = {"Authorization": f"Bearer {auth.sign_member(shop.slug, ref, ref, '1', shop.secret, now_ms())}"}
    async with httpx.AsyncClient(transport=web, base_url="http://x.test/api/v1/shopper", headers=bearer) as client:
        for wrong, field in (
            ({"endpoint": "ftp://x"}, "endpoint"), ({"p256dh": word(b"\4" + bytes(64))}, "p256dh"),
            ({"p256dh": "x"}, "p256dh"), ({"auth": "AAAA"}, "p256dh"),
        ):  # fmt: skip
            refused = await client.put("/calls", json={**phone.asks(), **wrong})
            assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
                422,
                "device.wrong",
                field,
            )
        for _ in range(2):
            assert (await client.put("/calls", json=phone.asks())).status_code == 204
        key = (await client.get("/calls")).json()["key"]
        assert key == webpush.voice(settings.signing_key()).public
        for number in range(5):
            assert (await client.put("/calls", json=phone.asks(f"old{number}"))).status_code == 204
        assert await deps.pool.fetchval("select count(*) from shopper_device") == 5, "the oldest go"
        await client.put("/calls", json=phone.asks())
        for number in range(5):
            gone = await client.delete("/calls", params={"endpoint": phone.asks(f"old{number}")["endpoint"]})
            assert gone.status_code == 204
    assert await deps.pool.fetchval("select count(*) from shopper_device") == 1


async def reached(world: World, rule: object) -> dict[str, dict[str, int]]:
    async with world.pool.acquire() as conn:
        return (await reporting.report(conn, world.shop, rule.id)).reach  # type: ignore[attr-defined]


async def test_who_is_not_there_is_told_on_his_own_device_and_when_it_is_gone_by_the_shops_channel(
    world: World, deps: Deps, shop: Shop
) -> None:
    async with world.pool.acquire() as conn, conn.transaction():
        await webhooks.add(
            conn, shop.id, new_id(), "https://shop.example/hook", ["push.unreached"], new_secret(), new_id()
        )
    await world.member("m1")
    await world.member("m2")
    ring = ShopperCalls(deps.pool, "k" * 48, outbound.networks(LOCAL)).ring
    async with phone() as device:
        await wants(deps, shop, "m1", device)
        rule = await world.rule(text="新品到店，{{ name }}", limits={"quiet": None, "per_shopper": []})
        await world.turn()
        assert await ring() == 0, "they have a minute"
        await world.turn(MINUTE + 1)
        assert [await ring(), await ring()] == [1, 0]
        ((headers, said),) = device.heard
        name = await world.pool.fetchval("select name from shop")
        assert said == {"slug": shop.slug, "shop": name, "line": "新品到店，m1"}
        assert headers["topic"] == calls.topic(shop.slug)
        assert await reached(world, rule) == {"webpush": {"handed": 1}, "webhook": {"asked": 1}}
        assert await world.pool.fetchval("select string_agg(line, '') from push_reach") == ""
        # The shop's channel says nothing of what was no business of its.
        delivery = await world.pool.fetchval("select delivery from push_reach where channel = 'webpush'")
        await world.event("push.reached", "m1", delivery=str(delivery), state="failed")
        # A push service that is out of order is asked again, three times in all.
        device.status = 503
        second = await world.rule(limits={"quiet": None, "per_shopper": []})
        await world.turn()
        await world.turn(MINUTE + 1)
        for _ in range(3):
            assert await ring() == 1
            await world.pool.execute("update push_reach set due_at = clock_timestamp() where due_at is not null")
        assert await ring() == 0
        assert await reached(world, second) == {"webpush": {"failed": 1}, "webhook": {"asked": 1}}
        # A browser that has given the device up: it is forgotten, and the shop's own channel is told.
        device.status = 410
        third = await world.rule(text="最后一天", limits={"quiet": None, "per_shopper": []})
        await world.turn()
        await world.turn(MINUTE + 1)
        assert await ring() == 1
    assert await world.pool.fetchval("select count(*) from shopper_device") == 0
    assert await reached(world, third) == {"webhook": {"asked": 2}}
    while await Caller(world.pool).follow():
        pass
    told = await world.pool.fetch("select body from webhook_call where event = 'push.unreached' order by id")
    people = [person for row in told for person in json.loads(row["body"])["data"]["people"]]
    assert sorted(person["shopper"] for person in people) == ["m1", "m2", "m2", "m2"]
    assert await reached(world, rule) == {"webpush": {"handed": 1}, "webhook": {"asked": 1}}


async def test_an_agents_words_that_no_window_took_ring_once(world: World, deps: Deps, shop: Shop) -> None:
    member = await world.member("m1")
    ring = ShopperCalls(deps.pool, "k" * 48, outbound.networks(LOCAL)).ring
    async with phone() as device:
        await wants(deps, shop, "m1", device)
        await world.pool.execute(
            "insert into thread (shop_id, id, shopper_id, state, agent_id, public_seq, human_wrote_at, last_public)"
            " values ($1, $2, $3, 'assigned', $4, 4, clock_timestamp(), '您的包裹已发出')",
            shop.id, new_id(), member, new_id(),
        )  # fmt: skip
        assert await ring() == 0, "an open window takes them at once"
        await world.pool.execute("update thread set human_wrote_at = clock_timestamp() - interval '20 seconds'")
        assert [await ring(), await ring()] == [1, 0]
        assert [said["line"] for _, said in device.heard] == ["您的包裹已发出"]
        await world.pool.execute("update thread set public_seq = 5")
        await world.pool.execute(
            "insert into receipt (shop_id, thread_id, party, delivered_seq)"
            " select shop_id, id, shopper_id, 5 from thread"
        )
        assert await ring() == 0, "a window took it"
