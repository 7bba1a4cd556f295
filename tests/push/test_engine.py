"""The engine from occurrence to entry, on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from push import service
from push.life import Act
from push.model import RuleStatus
from tests.conftest import Shop
from tests.push.shops import NOON, World, body
from wangxin.clock import new_id
from wangxin.model.refusals import Refusal

HOUR = 3_600_000
BIRTHDAY = {"k": "event", "event": {"type": "member.birthday"}}
POINTS = {"gift": {"k": "points", "amount": 100}}


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id)


async def test_a_manual_rule_reaches_its_crowd_once_and_ends(world: World) -> None:
    lin = await world.member("m1", tags=["vip"])
    other = await world.member("m2")
    rule = await world.rule(root={"k": "tags", "op": "any", "values": ["vip"]})
    await world.turn()
    await world.turn()
    assert await world.lines(lin) == [("text", '{"text": "您好 m1"}')]
    assert await world.lines(other) == []
    assert await world.ledger(rule) == {lin: ("sent", "")}
    async with world.pool.acquire() as conn:
        assert (await service.rules.read(conn, world.shop, rule.id)).status is RuleStatus.ENDED


async def test_a_birthday_event_gives_points_once_however_often_it_comes(world: World) -> None:
    rule = await world.rule(trigger=BIRTHDAY, text="生日快乐，{{ benefit }}", benefit=POINTS)
    assert await world.event("member.birthday", "m1", "b-1")
    assert not await world.event("member.birthday", "m1", "b-1")
    await world.turn()
    # A redelivery past the first wall: the fact itself once more.
    async with world.pool.acquire() as conn, conn.transaction():
        await service.outbox.write(
            conn,
            [service.ShopEventReceived(shop=world.shop, source="/shop", event="b-1", event_type="x", at_ms=0)],
        )
    await world.turn()
    (shopper,) = await world.ledger(rule)
    assert await world.lines(shopper) == [("text", '{"text": "生日快乐，100 积分"}')]
    points = await world.pool.fetchval("select points from profile where shopper_id = $1", shopper)
    assert points == 100
    assert await world.pool.fetchval("select count(*) from benefit_grant") == 1
    assert await world.pool.fetchval("select count(*) from outbox where consumer = 'push'") == 0


async def test_a_weekly_rule_is_due_each_week_and_once_an_occurrence(world: World) -> None:
    lin = await world.member("m1")
    rule = await world.rule(trigger={"k": "recurring", "cron": "0 15 * * 2", "dtstart_local": "2026-11-01T00:00:00"})
    await world.turn()
    assert await world.lines(lin) == []
    for _ in range(3):
        await world.turn(3 * HOUR)
    for _ in range(7 * 8):
        await world.turn(3 * HOUR)
    assert len(await world.lines(lin)) == 2
    keys = await world.pool.fetch("select run_key from push_delivery where rule_id = $1 order by 1", rule.id)
    assert [row[0] for row in keys] == ["2026-11-24T15:00", "2026-12-01T15:00"]


async def test_after_downtime_the_misfire_policy_is_applied_and_kept(world: World) -> None:
    lin = await world.member("m1")
    rule = await world.rule(
        trigger={
            "k": "recurring", "cron": "0 15 * * *", "dtstart_local": "2026-11-01T00:00:00", "misfire_grace_ms": 60_000,
        }
    )  # fmt: skip
    await world.push.tick()
    await world.turn(3 * HOUR + 10 * 60_000)
    assert await world.lines(lin) == []
    row = await world.pool.fetchrow("select state, reason from push_due where rule_id = $1 order by due_at", rule.id)
    assert tuple(row) == ("skipped", "misfire")


async def test_pausing_takes_effect_with_the_next_chunk_and_starting_goes_on(world: World) -> None:
    for number in range(1_200):
        await world.member(f"m{number}")
    rule = await world.rule()
    await world.push.tick()
    assert await world.push.work(chunks_max=1) == 1
    await world.act(rule, Act.PAUSE)
    assert await world.push.work() == 0
    assert len(await world.ledger(rule)) == 500
    await world.act(rule, Act.START)
    await world.turn()
    assert {state for state, _ in (await world.ledger(rule)).values()} == {"sent"}
    assert await world.pool.fetchval("select count(*) from entry") == 1_200


async def test_a_shops_pace_holds_over_all_its_rules_and_the_more_urgent_goes_first(world: World) -> None:
    for number in range(4):
        await world.member(f"m{number}")
    async with world.pool.acquire() as conn:
        await service.rules.set_policy(conn, world.shop, 0, 10_000, rate_per_s=2)
    low = await world.rule(limits={"quiet": None, "per_shopper": []}, priority=10)
    high = await world.rule(limits={"quiet": None, "per_shopper": []}, priority=90)
    await world.turn()
    assert (len(await world.ledger(high)), len(await world.ledger(low))) == (4, 0)
    await world.turn(1_000)
    assert len(await world.ledger(low)) == 0  # four people at two a second: two seconds
    await world.turn(1_000)
    assert len(await world.ledger(low)) == 4


async def test_caps_hold_across_rules_and_the_reason_is_kept(world: World) -> None:
    lin = await world.member("m1")
    first, second = await world.rule(priority=90), await world.rule(priority=10)
    await world.turn()
    assert await world.ledger(first) == {lin: ("sent", "")}
    assert await world.ledger(second) == {lin: ("capped", "cap.day")}
    assert len(await world.lines(lin)) == 1


async def test_a_contact_is_kept_free_for_a_higher_rule_later_today(world: World) -> None:
    vip, plain = await world.member("m1", tags=["vip"]), await world.member("m2")
    await world.rule(
        trigger={"k": "once", "at_local": "2026-11-24T20:00:00"}, priority=90,
        root={"k": "tags", "op": "any", "values": ["vip"]},
    )  # fmt: skip
    await world.push.tick()
    low = await world.rule(priority=10)
    await world.turn()
    assert await world.ledger(low) == {vip: ("capped", "cap.reserved"), plain: ("sent", "")}


async def test_who_opens_his_first_chat_while_he_is_written_to_is_written_to_there_once(world: World) -> None:
    lin, other = await world.member("m1"), await world.member("m2")
    rule = await world.rule()
    thread = new_id()
    async with world.pool.acquire() as conn:
        mine = await conn.fetchval("select pg_backend_pid()")
        opening = conn.transaction()
        await opening.start()
        await conn.execute("insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)", world.shop, thread, lin)
        turn = asyncio.create_task(world.turn())
        while not await world.pool.fetchval(
            "select exists (select 1 from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))", mine
        ):
            await asyncio.sleep(0.01)
        await opening.commit()
        await turn
    assert await world.ledger(rule) == {lin: ("sent", ""), other: ("sent", "")}
    assert len(await world.lines(lin)) == len(await world.lines(other)) == 1
    assert await world.pool.fetchval("select id from thread where shopper_id = $1", lin) == thread


async def test_quiet_hours_of_the_recipients_zone_hold_a_message_until_morning(world: World) -> None:
    here = await world.member("m1")
    there = await world.member("m2", tz="America/New_York")  # 23:00 there
    rule = await world.rule()
    await world.turn()
    assert set(await world.ledger(rule)) == {here}
    await world.turn(10 * HOUR)
    assert await world.ledger(rule) == {here: ("sent", ""), there: ("sent", "")}


async def test_an_event_in_quiet_hours_is_held_and_asked_again(world: World) -> None:
    world.now_ms = NOON + 11 * HOUR  # 23:00
    rule = await world.rule(trigger=BIRTHDAY, root={"k": "flag", "field": "is_member"})
    await world.event("member.birthday", "m1")
    await world.event("member.birthday", "m2")
    await world.turn()
    assert await world.ledger(rule) == {}
    await world.pool.execute(
        "update profile set is_member = false where shopper_id = (select id from shopper where external_id = 'm2')"
    )
    await world.turn(9 * HOUR + 61_000)
    assert sorted((await world.ledger(rule)).values()) == [("not_matching", "audience.left"), ("sent", "")]


async def test_who_waits_for_an_agent_is_left_in_peace_until_the_talk_is_over(world: World) -> None:
    lin = await world.member("m1")
    rule = await world.rule(start=False)
    await world.pool.execute(
        "insert into thread (shop_id, id, shopper_id, state) values ($1, $2, $2, 'waiting')", world.shop, lin
    )
    await world.act(rule, Act.START)
    await world.turn()
    assert await world.ledger(rule) == {}
    await world.pool.execute("update thread set state = 'closed'")
    await world.turn(11 * 60_000)
    assert await world.ledger(rule) == {lin: ("sent", "")}


async def test_refusal_of_the_topic_or_of_personalisation_is_kept(world: World) -> None:
    refused = await world.member("m1", refused=["marketing"])
    plain = await world.member("m2", personalised=False)
    vip = {"k": "not", "of": {"k": "flag", "field": "blocked"}}
    narrow = await world.rule(root=vip)
    await world.turn()
    assert await world.ledger(narrow) == {
        refused: ("no_consent", "consent.refused"),
        plain: ("no_consent", "consent.not_personalised"),
    }
    wide = await world.rule()
    await world.turn()
    assert (await world.ledger(wide))[plain] == ("sent", "")


async def test_stock_is_never_overdrawn_and_who_came_too_late_is_told_apart(world: World) -> None:
    for number in range(30):
        await world.member(f"m{number}")
    rule = await world.rule(benefit={**POINTS, "stock": 10})
    await world.turn()
    states = [state for state, _ in (await world.ledger(rule)).values()]
    assert (states.count("sent"), states.count("no_stock")) == (10, 20)
    assert await world.pool.fetchval("select remaining from benefit_stock") == 0
    assert await world.pool.fetchval("select sum(points) from profile") == 1_000


async def test_a_message_that_cannot_be_made_stops_nobody_else(world: World) -> None:
    good, bad = await world.member("m1", points=5), await world.member("m2", points=0)
    rule = await world.rule(start=False)
    text = "{% assign n = 100 | divided_by: points %}{{ n }}"
    async with world.pool.acquire() as conn, conn.transaction():
        changed = body(text=text).model_copy()
        step = changed.steps[0]
        content = step.content.model_copy(update={"defaults": {"points": "1"}})
        changed = changed.model_copy(update={"steps": (step.model_copy(update={"content": content}),)})
        await service.save(conn, world.shop, rule.id, changed, None)
    await world.act(rule, Act.START)
    await world.turn()
    ledger = await world.ledger(rule)
    assert ledger[good] == ("sent", "")
    assert ledger[bad][0] == "render_error"


async def test_a_birthday_rule_speaks_once_a_year_even_if_the_date_is_changed(world: World) -> None:
    lin = await world.member("m1", birth_md=1125)
    leap = await world.member("m2", birth_md=229)
    rule = await world.rule(trigger={"k": "date", "at_local": "09:00:00"}, benefit=POINTS)
    for _ in range(16):
        await world.turn(3 * HOUR)
    assert len(await world.lines(lin)) == 1
    await world.pool.execute("update profile set birth_md = 1127 where shopper_id = $1", lin)
    for _ in range(16):
        await world.turn(3 * HOUR)
    assert len(await world.lines(lin)) == 1
    assert await world.lines(leap) == []
    assert await world.ledger(rule) == {lin: ("sent", "")}


async def test_a_delayed_message_is_called_off_by_its_event(world: World) -> None:
    rule = await world.rule(
        trigger={
            "k": "event", "event": {"type": "order.created"}, "delay_ms": HOUR,
            "cancel_on": [{"type": "order.paid"}],
        }
    )  # fmt: skip
    await world.event("order.created", "m1", order_id="o1", amount_fen=100)
    await world.event("order.created", "m2", order_id="o2", amount_fen=100)
    await world.turn()
    await world.event("order.paid", "m1", order_id="o1", amount_fen=100)
    await world.turn(10 * 60_000)
    await world.turn(HOUR)
    assert sorted((await world.ledger(rule)).values()) == [("cancelled", "event.order.paid"), ("sent", "")]
    states = await world.pool.fetch("select id, state from shop_order order by id")
    assert [tuple(row) for row in states] == [("o1", "paid"), ("o2", "unpaid")]
    assert await world.pool.fetchval("select orders_n from profile where orders_n is not null") == 1


async def test_holdouts_are_sticky_and_come_before_caps(world: World) -> None:
    for number in range(300):
        await world.member(f"m{number}")
    parts = {"experiment": {"salt": "x", "holdout_permille": 200}}
    first = await world.rule(**parts)
    await world.turn()
    second = await world.rule(**parts)
    await world.turn()
    held = [
        {who for who, (state, _) in (await world.ledger(r)).items() if state == "held_out"} for r in (first, second)
    ]
    assert held[0] == held[1]
    assert 30 < len(held[0]) < 90


async def test_a_second_step_follows_the_first(world: World) -> None:
    lin = await world.member("m1")
    one = body()
    two = one.steps[0].model_copy(update={"after_ms": 3 * 86_400_000})
    whole = one.model_copy(update={"steps": (one.steps[0], two)})
    async with world.pool.acquire() as conn, conn.transaction():
        rule = await service.save(conn, world.shop, None, whole, None)
    await world.act(rule, Act.START)
    await world.turn()
    assert len(await world.lines(lin)) == 1
    await world.turn(3 * 86_400_000 + 1_000)
    assert len(await world.lines(lin)) == 2


async def test_a_test_send_reaches_one_shopper_and_counts_nowhere(world: World) -> None:
    lin = await world.member("m1", refused=["*"])
    rule = await world.rule(start=False, benefit=POINTS)
    async with world.pool.acquire() as conn, conn.transaction():
        await service.test_send(conn, world.shop, rule.id, lin, world.now_ms)
    await world.turn()
    assert len(await world.lines(lin)) == 1
    assert await world.pool.fetchval("select count(*) from push_contact") == 0
    assert await world.pool.fetchval("select count(*) from benefit_grant") == 0


async def test_a_large_audience_needs_a_second_person(world: World) -> None:
    await world.pool.execute("insert into push_policy (shop_id, approve_above) values ($1, 1)", world.shop)
    await world.member("m1")
    await world.member("m2")
    rule = await world.rule(start=False)
    with pytest.raises(Refusal, match=r"rule\.needs_approval"):
        await world.act(rule, Act.START)
    await world.act(rule, Act.SUBMIT)
    with pytest.raises(Refusal, match=r"rule\.own_approval"):
        await world.act(rule, Act.APPROVE)
    async with world.pool.acquire() as conn, conn.transaction():
        await service.act(conn, world.shop, rule.id, Act.APPROVE, UUID(int=8), world.now_ms)
    assert (await world.act(rule, Act.START)).status is RuleStatus.RUNNING


async def test_a_once_rule_in_the_past_cannot_be_started(world: World) -> None:
    past = datetime(2026, 11, 1, 9).isoformat()
    with pytest.raises(Refusal, match=r"schedule\.past"):
        await world.rule(trigger={"k": "once", "at_local": past})
