"""Rules that events set off: our own facts as well as a shop's, and never a gift on which two reckonings differ."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from push import service, working
from tests.conftest import Shop
from tests.push.shops import World
from wangxin.clock import new_id
from wangxin.model.facts import AnyFact, ConversationClosed, MenuTapped, RatingGiven
from wangxin.storage import entries, outbox
from wangxin.storage.entries import Line, body_json


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id)


async def test_what_happened_here_sets_rules_off_as_a_shops_events_do(world: World) -> None:
    """A conversation closed, a rating by its stars, a tap on the menu, a card opened."""
    lin = await world.member("m1")
    thread, talk = new_id(), new_id()
    free: Any = {"quiet": None, "per_shopper": []}
    low = [{"field": "stars", "op": "le", "value": 2}]
    for event, text in (
        ({"type": "conversation.closed"}, "谢谢光临"), ({"type": "rating.given", "where": low}, "抱歉没让您满意"),
        ({"type": "menu.tapped", "where": [{"field": "item", "op": "eq", "value": "size"}]}, "尺码表在这里"),
        ({"type": "card.viewed"}, "喜欢就带走"),
    ):  # fmt: skip
        await world.rule(trigger={"k": "event", "event": event}, text=text, limits=free)
    shop, at_ms = world.shop, world.now_ms
    facts: list[AnyFact] = [
        ConversationClosed(shop=shop, thread=thread, conversation=talk, shopper=lin, reason="done", at_ms=at_ms),
        RatingGiven(shop=shop, thread=thread, conversation=talk, shopper=lin, stars=5, at_ms=at_ms),
        RatingGiven(shop=shop, thread=thread, conversation=new_id(), shopper=lin, stars=1, at_ms=at_ms),
        MenuTapped(shop=shop, thread=thread, shopper=lin, item="parcel", version=1, at_ms=at_ms),
        MenuTapped(shop=shop, thread=thread, shopper=lin, item="size", version=1, at_ms=at_ms),
    ]
    async with world.pool.acquire() as conn, conn.transaction():
        await outbox.write(conn, facts)
    await world.turn()
    said = sorted(json.loads(body)["text"] for _, body in await world.lines(lin))
    assert said == sorted(["谢谢光临", "抱歉没让您满意", "尺码表在这里"])
    # An agent's card in the thread that these lines are in.
    found = await world.pool.fetchrow("select id, public_seq from thread where shopper_id = $1", lin)
    card = body_json({"product": "p1", "title": "毛衣", "price_fen": 100})
    await entries.append(world.pool, [Line(shop, found["id"], "agent", new_id(), new_id(), "product", card)])
    async with world.pool.acquire() as conn, conn.transaction():
        for _ in range(2):
            await service.tapped(conn, shop, lin, found["id"], found["public_seq"] + 1, world.now_ms)
    await world.turn()
    assert [json.loads(body).get("text") for _, body in await world.lines(lin)].count("喜欢就带走") == 1


async def test_nobody_gets_a_benefit_on_which_the_two_compilers_differ(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vip, plain = await world.member("m1", tags=["vip"]), await world.member("m2")
    rule = await world.rule(
        trigger={"k": "event", "event": {"type": "member.birthday"}}, benefit={"gift": {"k": "points", "amount": 5}},
        root={"k": "tags", "op": "any", "values": ["vip"]}, limits={"quiet": None},
    )  # fmt: skip
    monkeypatch.setattr(working, "to_test", lambda node, moment: lambda profile: True)  # one of them is broken
    for ref in ("m1", "m2"):
        await world.event("member.birthday", ref)
    await world.turn()
    assert await world.ledger(rule) == {vip: ("sent", ""), plain: ("not_matching", "audience.disputed")}
    assert await world.pool.fetchval("select sum(points) from profile") == 5
