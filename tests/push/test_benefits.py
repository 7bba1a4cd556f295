"""A benefit from its granting to its end, on real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from push import benefits, service
from push.audience.compile import to_test
from push.audience.leaves import Moment
from push.audience.profile import Profile
from push.crowds import STAGES, CrowdDays, crowd_of
from push.life import Act
from push.record import rules
from tests.conftest import Shop
from tests.push.shops import NOON, World, body
from wangxin.clock import new_id
from wangxin.model.refusals import Refusal

DAY = 86_400_000
COUPON = {"gift": {"k": "coupon", "title": "老友券", "amount_cents": 2_000}, "claim": "tap", "valid_ms": DAY}


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id)


async def grants(world: World) -> list[Any]:
    return list(await world.pool.fetch("select * from benefit_grant where shop_id = $1 order by at", world.shop))


async def states(world: World) -> list[str]:
    return sorted(row["state"] for row in await grants(world))


async def refused(deed: Any) -> str:
    with pytest.raises(Refusal) as caught:
        await deed
    return caught.value.code


async def test_a_coupon_is_claimed_by_its_shopper_and_redeemed_with_an_order_once(world: World) -> None:
    lin, other = await world.member("m1", tags=["vip"]), await world.member("m2")
    await world.rule(benefit=COUPON, root={"k": "tags", "op": "any", "values": ["vip"]})
    await world.turn()
    (grant,) = await grants(world)
    async with world.pool.acquire() as conn:
        shop, id_ = world.shop, grant["id"]
        assert await refused(benefits.redeem(conn, shop, id_, "A1", 9_900, world.now_ms)) == "benefit.not_claimed"
        assert await refused(benefits.claim(conn, shop, other, id_, world.now_ms)) == "benefit.not_found"
        assert await refused(benefits.claim(conn, shop, lin, new_id(), world.now_ms)) == "benefit.not_found"
        for _ in range(2):
            assert (await benefits.claim(conn, shop, lin, id_, world.now_ms)).state == "claimed"
        for _ in range(2):
            assert (await benefits.redeem(conn, shop, id_, "A1", 9_900, world.now_ms)).state == "redeemed"
        assert await refused(benefits.redeem(conn, shop, id_, "A2", 100, world.now_ms)) == "benefit.redeemed"
    await world.turn(2 * DAY)
    assert await states(world) == ["redeemed"]


async def test_an_unused_coupon_expires_and_an_order_that_names_one_redeems_it(world: World) -> None:
    for ref in ("m1", "m2"):
        await world.member(ref)
    await world.rule(benefit=COUPON, limits={"quiet": None})
    await world.turn()
    by_ref = {
        row["external_id"]: row["id"]
        for row in await world.pool.fetch(
            "select s.external_id, g.id from benefit_grant g join shopper s on s.id = g.shopper_id"
        )
    }
    # Somebody else's is not taken for his.
    await world.event("order.paid", "m1", order_id="A1", amount_fen=9_900, benefits=[str(by_ref["m2"]), "no id"])
    await world.event("order.paid", "m1", order_id="A2", amount_fen=8_800, benefits=[str(by_ref["m1"])])
    await world.turn()
    assert await states(world) == ["granted", "redeemed"]
    await world.turn(DAY + 1)
    assert await states(world) == ["expired", "redeemed"]
    async with world.pool.acquire() as conn:
        assert (
            await refused(benefits.redeem(conn, world.shop, by_ref["m2"], "A3", None, world.now_ms))
            == "benefit.expired"
        )
    # The shop honoured it all the same: what happened is kept.
    await world.event("benefit.redeemed", "m2", order="A4", amount_fen=7_000, benefit=str(by_ref["m2"]))
    await world.turn()
    assert [(row["redeemed_for"], row["order_cents"]) for row in await grants(world)] in (
        [("A2", 8_800), ("A4", 7_000)],
        [("A4", 7_000), ("A2", 8_800)],
    )


async def test_withdrawing_takes_back_what_is_unread_and_gives_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benefits, "TAKEN_BACK_AT_ONCE", 2)  # three grants are two slices
    people = [await world.member(f"m{number}") for number in range(4)]
    rule = await world.rule(
        trigger={"k": "event", "event": {"type": "member.birthday"}}, text="送您 {{ benefit }}",
        benefit={"gift": {"k": "points", "amount": 100}}, limits={"quiet": None},
    )  # fmt: skip
    for number in range(3):
        await world.event("member.birthday", f"m{number}")
    await world.turn()
    reader = people[0]
    await world.pool.execute(
        "insert into receipt (shop_id, thread_id, party, read_seq) select shop_id, id, shopper_id, public_seq"
        " from thread where shop_id = $1 and shopper_id = $2",
        world.shop,
        reader,
    )
    async with world.pool.acquire() as conn, conn.transaction():
        await benefits.withdraw(conn, world.shop, rule.id, world.now_ms)
        assert await refused(benefits.withdraw(conn, world.shop, rule.id, world.now_ms)) == "benefit.not_found"
    await world.event("member.birthday", "m3")
    await world.turn()
    points = dict(
        await world.pool.fetch("select shopper_id, coalesce(points, 0) from profile where shop_id = $1", world.shop)
    )
    assert [points[person] for person in people] == [100, 0, 0, 0]
    gone = await world.pool.fetch(
        "select t.shopper_id, e.recalled_at is not null as gone from entry e join thread t on t.id = e.thread_id"
        " where e.sender_kind = 'push'"
    )
    assert {row["shopper_id"] for row in gone if row["gone"]} == {people[1], people[2]}
    lines = await world.pool.fetchval("select count(*) from entry where body->>'event' = 'message.recalled'")
    assert lines == 2
    assert (await world.ledger(rule))[people[3]] == ("no_stock", "benefit.withdrawn")
    assert await states(world) == ["granted", "withdrawn", "withdrawn"]
    last = await world.pool.fetchval("select last_public from thread where shopper_id = $1", people[1])
    assert last is None


async def test_a_budget_is_never_overdrawn_and_an_edited_rule_keeps_giving(world: World) -> None:
    for number in range(6):
        await world.member(f"m{number}")
    packet = {"gift": {"k": "red_packet", "min_cents": 100, "max_cents": 300}, "budget_cents": 700}
    rule = await world.rule(benefit=packet)
    await world.turn()
    spent = await world.pool.fetchval("select sum(amount) from benefit_grant")
    assert spent <= 700
    assert await world.pool.fetchval("select spent_cents from benefit_stock") == spent
    assert ("no_stock", "benefit.budget") in (await world.ledger(rule)).values()
    # A benefit without a bound has none after an edit either.
    free = await world.rule(benefit={"gift": {"k": "points", "amount": 5}}, start=False)
    async with world.pool.acquire() as conn, conn.transaction():
        await rules.save(
            conn, world.shop, free.id, body(text="改过", benefit={"gift": {"k": "points", "amount": 5}}), None
        )
        stock = await conn.fetchrow("select remaining from benefit_stock where rule_id = $1", free.id)
    assert stock["remaining"] is None


async def test_above_a_budget_a_second_person_signs_what_goes_out(world: World) -> None:
    for number in range(3):
        await world.member(f"m{number}")
    coupon = {"gift": {"k": "coupon", "title": "券", "amount_cents": 600_000}}
    rule = await world.rule(benefit=coupon, start=False)
    assert await refused(world.act(rule, Act.START)) == "rule.needs_approval"
    on_event = {"k": "event", "event": {"type": "x.y"}}
    fen = {"gift": {**coupon["gift"], "amount_cents": 1}}
    unbounded = await world.rule(trigger=on_event, benefit=fen, start=False)
    assert await refused(world.act(unbounded, Act.START)) == "rule.needs_approval"
    await world.rule(benefit={**coupon, "budget_cents": 1_000_000})  # within the bound: no second person
    await world.act(rule, Act.SUBMIT)
    assert await refused(world.act(rule, Act.APPROVE)) == "rule.own_approval"
    async with world.pool.acquire() as conn, conn.transaction():
        await service.act(conn, world.shop, rule.id, Act.APPROVE, UUID(int=8), world.now_ms)
    # Signed for three people: many more are another audience.
    for number in range(20):
        await world.member(f"n{number}")
    assert await refused(world.act(rule, Act.START)) == "rule.not_what_was_approved"
    await world.pool.execute("delete from profile where shopper_id in (select id from shopper where name like 'n%')")
    assert (await world.act(rule, Act.START)).status == "running"


def test_a_member_who_has_bought_is_in_one_stage_of_time_at_most() -> None:
    days, now = CrowdDays(), Moment.of(NOON, ZoneInfo("Asia/Shanghai"))
    tests = {stage: to_test(crowd_of(stage, days), now) for stage in STAGES}
    for ago in range(0, 400, 5):
        bought = now.as_of - timedelta(days=ago)
        person = Profile(UUID(int=1), orders_n=3, last_order_at=bought, member_since=bought)
        found = {stage for stage in ("active", "silent", "lapsing") if tests[stage](person)}
        assert found == ({"active"} if ago <= 30 else {"silent"} if ago <= 90 else {"lapsing"} if ago <= 180 else set())
    nobody = Profile(UUID(int=2))
    assert {stage for stage in STAGES if tests[stage](nobody)} == {"never_bought"}
