"""The sweep on a real record: turns appear, orders are attributed, and recomputing finds no difference."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from metrics import orders_postgres
from metrics import record_postgres as record
from metrics.service import Figures
from tests.conftest import Chat, Shop, make_chat, make_shop
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN
from wangxin.model.conversation import State
from wangxin.storage import entries
from wangxin.storage.orders import keep_order


async def a_served_conversation(counter: Counter, agent: Any = ANNA, pool: Any = OWN) -> None:
    await counter.asks()
    await counter.bot()
    await counter.wants_a_person()
    await counter.assigned(agent, pool)
    await counter.replies(agent)


async def test_a_conversation_becomes_turns_a_touch_and_a_tally(pool: asyncpg.Pool, shop: Shop, chat: Chat) -> None:
    counter = Counter(pool, chat)
    await a_served_conversation(counter)
    await counter.closed()
    swept = await Figures(pool).catch_up()
    assert swept.lines > 0
    turns = await pool.fetch("select * from turn where shop_id = $1 order by first_seq", shop.id)
    assert [(turn["answered_by"], turn["opened_by"], turn["agent_id"], turn["pool_id"]) for turn in turns] == [
        ("bot", "words", None, None),
        ("human", "handoff", ANNA, OWN),
    ]
    assert turns[1]["wait_ms"] >= 0
    tally = await pool.fetchrow("select * from tally where shop_id = $1", shop.id)
    assert (tally["shopper_messages"], tally["human_messages"], tally["pool_id"]) == (1, 1, OWN)
    assert (tally["close_reason"], tally["abandoned"]) == ("agent", "no")
    assert await pool.fetchval("select count(*) from touch where shop_id = $1 and agent_id = $2", shop.id, ANNA) == 1


async def test_a_reply_the_bot_had_proposed_counts_as_a_persons_and_says_so(
    pool: asyncpg.Pool, shop: Shop, chat: Chat
) -> None:
    counter = Counter(pool, chat)
    await counter.asks()
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    await counter.line("agent", ANNA, "text", {"text": "全场包邮。", "assisted": True})
    await Figures(pool).catch_up()
    turn = await pool.fetchrow("select answered_by, wait_ms from turn where shop_id = $1", shop.id)
    assert turn["answered_by"] == "assisted"
    assert turn["wait_ms"] is not None


async def test_two_sweeps_that_meet_attribute_an_order_once(pool: asyncpg.Pool, shop: Shop, chat: Chat) -> None:
    counter = Counter(pool, chat)
    await a_served_conversation(counter)
    await counter.orders("o1", 100)
    async with pool.acquire() as conn:
        calendar = (await record.calendars(conn, [shop.id]))[shop.id]
        async with conn.transaction():
            await orders_postgres.credit_orders(conn, shop.id, [chat.shopper], calendar)
            other = asyncio.create_task(Figures(pool).sweep(slow=True))
            while not await pool.fetchval("select true from pg_stat_activity where wait_event_type = 'Lock' limit 1"):
                assert not other.done(), "the second sweep waits for the first"
        await other
    counted = "select sum(orders) from order_credit where shop_id = $1 and rule = 'last_touch'"
    assert await pool.fetchval(counted, shop.id) == 1


async def test_streaming_line_by_line_equals_recomputing(pool: asyncpg.Pool, shop: Shop, chat: Chat) -> None:
    figures, counter = Figures(pool), Counter(pool, chat)
    steps = [
        counter.asks(), counter.bot(), counter.asks(), counter.wants_a_person(), counter.asks(),
        counter.assigned(ANNA, OWN), counter.replies(ANNA), counter.asks(),
        counter.moves(State.WAITING, "conversation.reclaimed"), counter.assigned(BEN, NIGHT), counter.replies(BEN),
        counter.asks(), counter.moves(State.PARKED, "conversation.parked"), counter.closed("idle"), counter.asks(),
    ]  # fmt: skip
    for step in steps:
        await step
        await figures.sweep()
    verdict = await figures.verify(shop.id)
    assert verdict.examples == []
    assert verdict.rows >= 6
    reclaimed = await pool.fetchrow("select * from turn where shop_id = $1 and transfers = 1", shop.id)
    assert (reclaimed["agent_id"], reclaimed["pool_id"]) == (BEN, NIGHT)


async def test_verifying_finds_a_row_that_was_tampered_with(pool: asyncpg.Pool, shop: Shop, chat: Chat) -> None:
    await a_served_conversation(Counter(pool, chat))
    figures = Figures(pool)
    await figures.catch_up()
    await pool.execute("update turn set wait_ms = wait_ms - 1 where answered_by = 'human'")
    verdict = await figures.verify(shop.id)
    assert verdict.differences == 1
    assert "wait_ms" in verdict.examples[0]["what"]


async def test_a_recalled_reply_reopens_the_turn_on_the_record(pool: asyncpg.Pool, chat: Chat) -> None:
    counter = Counter(pool, chat)
    await counter.asks()
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    seq = await counter.replies(ANNA)
    async with pool.acquire() as conn, conn.transaction():
        await entries.mark_recalled(conn, chat.shop, chat.thread, seq)
    await counter.line("system", entries.SYSTEM, "event", {"event": "message.recalled", "seq": seq})
    await Figures(pool).catch_up()
    assert await pool.fetchval("select answered_at from turn where human_ordinal = 1") is None


async def test_two_sweepers_side_by_side_fold_every_line_once(pool: asyncpg.Pool, shop: Shop) -> None:
    chats = [await make_chat(pool, shop.id, f"{number}") for number in range(12)]
    for chat in chats:
        await a_served_conversation(Counter(pool, chat))
    one, other = Figures(pool), Figures(pool)
    await asyncio.gather(one.sweep(), other.sweep(), one.sweep(), other.sweep())
    await one.catch_up()
    assert await pool.fetchval("select sum(human_messages) from tally") == len(chats)
    assert (await one.verify(shop.id)).differences == 0


async def test_catching_up_waits_for_what_somebody_else_is_folding(pool: asyncpg.Pool, chat: Chat) -> None:
    counter = Counter(pool, chat)
    await a_served_conversation(counter)
    await Figures(pool).sweep()
    await counter.replies(ANNA)
    async with pool.acquire() as conn:
        other = conn.transaction()
        await other.start()
        await record.lock_cursors(conn, [(chat.shop, chat.thread)])
        catching_up = asyncio.create_task(Figures(pool).catch_up())
        ended, _ = await asyncio.wait({catching_up}, timeout=0.5)
        assert not ended, "lines are not folded yet"
        await other.commit()
        assert (await catching_up).lines > 0
    assert await pool.fetchval("select sum(human_messages) from tally") == 2


async def test_an_order_after_the_words_is_credited_to_the_agent_by_every_rule(
    pool: asyncpg.Pool, shop: Shop, chat: Chat
) -> None:
    counter, figures = Counter(pool, chat), Figures(pool)
    await a_served_conversation(counter, BEN, NIGHT)
    await figures.sweep()
    await counter.orders("A1", 9_900)
    await figures.sweep()
    credits = await pool.fetch("select * from order_credit where order_id = 'A1'")
    assert len(credits) == 6
    assert {(one["kind"], one["agent_id"], one["pool_id"], one["paid_fen"]) for one in credits} == {
        ("touched", BEN, NIGHT, 9_900)
    }
    assert (await figures.verify(shop.id)).differences == 0


async def test_an_order_that_came_before_the_fold_is_credited_when_the_words_are_folded(
    pool: asyncpg.Pool, chat: Chat
) -> None:
    counter, figures = Counter(pool, chat), Figures(pool)
    await a_served_conversation(counter)
    await counter.orders("A1", 9_900)
    await pool.execute("insert into order_credit select shop_id, id, 'last_touch', 0, 'silent', shopper_id, null, null,"
                       " null, 1, amount_fen, paid_at, current_date, changed_at from shop_order")  # fmt: skip
    await figures.sweep()
    assert await pool.fetchval("select kind from order_credit where rule = 'last_touch'") == "touched"


async def test_a_deposit_counts_the_order_on_its_day_and_the_balance_the_money_on_its_own(
    pool: asyncpg.Pool, shop: Shop, chat: Chat
) -> None:
    """As the shop's system reports it; the balance may be heard of first."""
    counter, figures = Counter(pool, chat), Figures(pool)
    await a_served_conversation(counter, BEN, NIGHT)
    now = datetime.now(UTC) + timedelta(seconds=1)
    deposit = {"order_id": "D1", "amount_fen": 9_900, "deposit_fen": 1_000}
    balance = {"order_id": "D1", "amount_fen": 9_900}

    async def credits() -> list[tuple[object, ...]]:
        await figures.catch_up()
        assert (await figures.verify(shop.id)).differences == 0
        rows = await pool.fetch(
            "select kind, orders, paid_fen, day - (select min(day) from tally) from order_credit"
            " where rule = 'last_touch' order by part"
        )
        return [tuple(row) for row in rows]

    async def reported(*events: tuple[dict[str, object], int]) -> None:
        async with pool.acquire() as conn:
            await keep_order(conn, shop.id, chat.shopper, "order.created", balance, now)
            for fields, days in events:
                await keep_order(conn, shop.id, chat.shopper, "order.paid", fields, now + timedelta(days=days))

    await reported((deposit, 0))
    assert await pool.fetchval("select state from shop_order") == "unpaid"
    assert await credits() == [("touched", 1, 0, 0)]
    await reported((balance, 5))
    after = [("touched", 1, 0, 0), ("touched", 0, 9_900, 5)]
    assert await credits() == after
    assert await pool.fetchval("select state from shop_order") == "paid"
    await pool.execute("delete from shop_order")
    await pool.execute("delete from order_credit")
    await reported((balance, 5), (deposit, 0))
    assert await credits() == after


async def test_a_silent_order_is_nobodys_and_an_unpaid_one_is_none(pool: asyncpg.Pool, chat: Chat) -> None:
    counter, figures = Counter(pool, chat), Figures(pool)
    await counter.orders("silent", 100)
    await counter.orders("unpaid", 100, paid=False)
    swept = await figures.sweep()
    assert swept.orders == 1
    assert await pool.fetch("select order_id, kind, agent_id from order_credit where rule = 'last_touch'") == [
        ("silent", "silent", None)
    ]
    assert (await figures.sweep()).orders == 0


async def test_the_slow_sweep_finds_a_thread_that_has_been_silent_for_long(pool: asyncpg.Pool, chat: Chat) -> None:
    await a_served_conversation(Counter(pool, chat))
    await pool.execute("update thread set last_at = last_at - interval '1 day'")
    figures = Figures(pool)
    assert (await figures.sweep()).lines == 0
    assert (await figures.sweep(slow=True)).lines > 0


async def test_nothing_of_one_shop_is_in_anothers_verdict(pool: asyncpg.Pool, shop: Shop, chat: Chat) -> None:
    other = await make_shop(pool, "other", "别家")
    await a_served_conversation(Counter(pool, await make_chat(pool, other.id)))
    figures = Figures(pool)
    await figures.catch_up()
    assert (await figures.verify(shop.id)).rows == 0
    assert (await figures.verify(other.id)).rows > 0


async def test_a_guests_words_count_for_the_member_he_turns_out_to_be(
    pool: asyncpg.Pool, shop: Shop, chat: Chat
) -> None:
    await a_served_conversation(Counter(pool, chat), BEN, NIGHT)
    member = await make_chat(pool, shop.id, "会员", external_id="m-1")
    await pool.execute("update shopper set merged_into = $1 where id = $2", member.shopper, chat.shopper)
    await Counter(pool, member).orders("A1", 100)
    figures = Figures(pool)
    await figures.catch_up()
    assert await pool.fetchval("select agent_id from order_credit where rule = 'last_touch'") == BEN
    assert (await figures.verify(shop.id)).differences == 0


async def test_an_order_without_a_shopper_is_silent_until_its_shopper_is_known(pool: asyncpg.Pool, chat: Chat) -> None:
    counter, figures = Counter(pool, chat), Figures(pool)
    await a_served_conversation(counter)
    await counter.orders("A1", 100)
    await pool.execute("update shop_order set shopper_id = null")
    assert (await figures.sweep()).orders == 1
    assert (await figures.sweep()).orders == 0
    assert await pool.fetchval("select distinct kind from order_credit") == "silent"
    await pool.execute("update shop_order set shopper_id = $1, changed_at = clock_timestamp()", chat.shopper)
    await figures.sweep()
    assert await pool.fetchval("select distinct kind from order_credit") == "touched"
