"""What the dispatcher does for those who wait and for those who answer, on real stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from dispatcher import shift_record, throughput_record
from dispatcher.ability_record import Typed
from dispatcher.admin_record import routing_changed
from dispatcher.explain import explain
from dispatcher.record_load import load_routing
from tests.conftest import Chat
from tests.dispatcher.conftest import House
from tests.dispatcher.office import open_office
from wangxin.protocol import frames as fr


async def events(house: House, chat: Chat) -> list[str]:
    return [orjson.loads(line.body)["event"] for line in await house.lines(chat) if line.kind == "event"]


async def tiers(house: House, chat: Chat) -> Any:
    return await house.pool.fetchval(
        "select coalesce(array_agg(tier order by tier), '{}') from slow_turn where thread_id = $1", chat.thread
    )


async def test_a_turn_that_grew_old_is_passed_on_once_whoever_leads(house: House) -> None:
    chat = await house.chat()
    async with house.dispatcher():
        await house.ready("own1")
        await house.say(chat, None, "在吗")
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
    for change in (
        "update assignment set assigned_at = assigned_at - interval '3 min'",
        "update conversation set assigned_at = assigned_at - interval '3 min'",
        "update thread set awaiting_since = awaiting_since - interval '3 min'",
    ):
        await house.pool.execute(change)
    async with house.dispatcher("two"):
        await house.ready("yun1")
        await house.until(lambda: house.holder(chat), "yun1")
        assert await tiers(house, chat) == [1, 2, 3, 4]
        assert (await events(house, chat)).count("reply.late") == 1
        async with house.pool.acquire() as conn:
            rows = await explain(conn, house.shop, (await house.thread(chat))["conversation_id"])
        assert [[step["acts"] for step in row["guard"]] for row in rows] == [
            [["colour"], ["notice"], ["supervisor", "reoffer"], ["overflow", "note"]], [],
        ]  # fmt: skip
        released = "select release_reason from assignment where thread_id = $1 and epoch = 1"
        assert await house.pool.fetchval(released, chat.thread) == "silent"
    async with house.dispatcher("three"):
        other = await house.chat("乙")
        await house.ask(other)
        await house.until(lambda: house.state(other), "assigned")
        assert await tiers(house, chat) == [1, 2, 3, 4]
        assert (await events(house, chat)).count("reply.late") == 1


async def test_after_a_barge_and_a_takeover_the_guard_runs_for_who_holds_the_conversation(house: House) -> None:
    await house.policy(guard=[{"after_ms": 1_000, "acts": ["colour"]}, {"after_ms": 2_000, "acts": ["notice"]}])  # type: ignore[arg-type]

    async def told() -> list[tuple[int, str]]:
        rows = await house.pool.fetch(
            "select tier, agent_id from slow_turn where thread_id = $1 order by since_at, tier", chat.thread
        )
        by = {id_: login for login, id_ in house.agents.items()}
        return [(row["tier"], by[row["agent_id"]]) for row in rows]

    chat = await house.chat()
    async with house.dispatcher():
        await house.ready("yun1")
        await house.say(chat, None, "在吗")
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "yun1")
        await house.until(told, [(1, "yun1"), (2, "yun1")])
        await house.say(chat, "own1", "我是主管，马上看")  # a supervisor speaks, and it stays whose it was
        await house.say(chat, None, "好的")
        await house.until(told, [(1, "yun1"), (2, "yun1"), (1, "yun1")])
        await house.ready("own1")
        await house.frame(await house.actor("own1"), fr.MonitorTakeover(thread=chat.thread))
        await house.until(lambda: house.holder(chat), "own1")
        await house.until(lambda: _tail(told), [(2, "own1")])
        await house.say(chat, "own1", "我来处理", epoch=2)
        await house.say(chat, None, "还在吗")
        await house.until(lambda: _tail(told, 2), [(1, "own1"), (2, "own1")])


async def _tail(look: Callable[[], Awaitable[list[Any]]], count: int = 1) -> list[Any]:
    return (await look())[-count:]


async def test_who_is_called_back_keeps_his_place_whoever_leads(house: House) -> None:
    chat = await house.chat()
    async with house.dispatcher() as first:
        await house.until(lambda: _leads(first), True)
        await house.ask(chat)
        await house.frame(house.shopper(chat), fr.QueueCallback(thread=chat.thread))
        await house.until(lambda: _last(house, chat), "queue.callback")
    async with house.dispatcher("two") as second:
        await house.until(lambda: _leads(second), True)
        conversation = str((await house.thread(chat))["conversation_id"])
        assert second._core is not None
        assert second._core.floor.conversations[conversation].callback
        await house.frame(house.shopper(chat), fr.QueueCallback(thread=chat.thread, on=False))
        await house.until(lambda: _last(house, chat), "queue.stayed")
        assert not second._core.floor.conversations[conversation].callback
        await house.ready("own1")
        await house.until(lambda: house.state(chat), "assigned")


async def _leads(running: Any) -> bool:
    return bool(running.leading.is_set())


async def _last(house: House, chat: Chat) -> str:
    return (await events(house, chat))[-1]


async def test_the_load_that_fits_is_measured_and_kept(house: House) -> None:
    own, yun = house.agents["own1"], house.agents["yun1"]
    await house.pool.execute("update seat set ramp_from = current_date where agent_id = $1", yun)

    async def fitted() -> list[int]:
        rows = await house.pool.fetch("select agent_id, fitted_max from seat")
        by = {row["agent_id"]: row["fitted_max"] for row in rows}
        return [by[own], by[yun]]

    async with house.dispatcher():
        await house.until(fitted, [2, 2], 30)  # of 2 and of 5 agreed
        await house.ready("own1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.state(chat), "assigned")
        typed = Typed()
        typed.note(own, chat.thread, 400, 300_000, 420)
        typed.note(own, chat.thread, 400, 1_000, 420)  # nobody types so fast
        await typed.write(house.pool)
        row = await house.pool.fetchrow("select typed_chars, typed_ms from assignment where agent_id = $1", own)
        assert tuple(row) == (400, 300_000)
        await house.frame(await house.actor("own1"), fr.ConversationClose(thread=chat.thread, epoch=1))
        await house.until(lambda: house.state(chat), "closed")
        await house.pool.execute(
            "update assignment set assigned_at = released_at - interval '9 min' where agent_id = $1", own
        )
        async with house.pool.acquire() as conn, conn.transaction():
            await routing_changed(conn, house.shop)
        await house.hints.wake("dispatcher")
        await house.until(fitted, [1, 2])  # half of his time goes into typing one conversation
    # what he finishes an hour is learnt: 30 one after another, 10 minutes each; and 30 pairs of 15 minutes
    await house.pool.execute(
        """insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id, stage,
                                   reason, level, waited_ms, predicted_ms, explanation, assigned_at, released_at,
                                   release_reason)
           select a.shop_id, gen_random_uuid(), 1, a.thread_id, a.shopper_id, a.agent_id, a.pool_id, a.stage, a.reason,
                  0, 0, 0, '{}', n.at, n.at + n.lasts, 'closed' from assignment a, (
             select now() - interval '9 d' + i * interval '10 min' as at, interval '10 min' as lasts
               from generate_series(1, 30) i union all
             select now() - interval '5 d' + i * interval '15 min' + p * interval '1 s', interval '15 min'
               from generate_series(1, 30) i, generate_series(0, 1) p) n
            where a.agent_id = $1 and a.thread_id = $2""",
        own, chat.thread,
    )  # fmt: skip
    await throughput_record.learn(house.pool)
    row = await house.pool.fetchrow("select curve_per_hour, curve_ended from seat where agent_id = $1", own)
    assert row is not None
    assert tuple(row) == ([6_200, 7_850], [32, 59])
    assert await house.pool.fetchval("select curve_per_hour from seat where agent_id = $1", yun) == []
    # Days that are over are not read again; one that ended just now is the day's that is not.
    assert await house.pool.fetchval("select count(*) from curve_summed") == throughput_record.DAYS - 1
    await house.pool.execute("delete from assignment where assigned_at < now() - interval '3 d'")
    await throughput_record.learn(house.pool)
    again = await house.pool.fetchrow("select curve_per_hour, curve_ended from seat where agent_id = $1", own)
    assert again == row
    await writes_his_curve_down(house, own)


async def writes_his_curve_down(house: House, agent: UUID) -> None:
    """The owner's own figures count, until he takes them back; a protected agent keeps those of his pools."""

    async def curve() -> tuple[int, ...]:
        async with house.pool.acquire() as conn:
            return next(s.curve_per_hour for s in (await load_routing(conn)).seats if s.agent == str(agent))

    async with open_office(house) as office:
        (mine,) = [one for one in (await office.ask("GET", "agents"))["agents"] if one["agent"] == str(agent)]
        terms = {key: mine[key] for key in ("name", "pools", "seats_max", "skill_levels")}
        path = f"seats/{agent}"
        assert await office.ask("PUT", path, {**terms, "curve_set": [9_000, 8_000]}) == (422, "body.wrong")
        await office.ask("PUT", path, {**terms, "curve_set": [9_000, 15_000, 18_000]})
        assert await curve() == (9_000, 15_000, 18_000)
        await office.ask("PUT", path, terms)
        assert await curve() == (9_000, 15_000, 18_000), "nothing was said of it"
        (mine,) = [one for one in (await office.ask("GET", "agents"))["agents"] if one["agent"] == str(agent)]
        assert [(level["an_hour"], level["by_hand"]) for level in mine["curve"]] == [(6.2, 9), (7.85, 15), (None, 18)]
        await office.ask("PUT", path, {**terms, "protected": True})
        assert await curve() == (6_200, 7_850)
        await office.ask("PUT", path, {**terms, "curve_set": None})
        assert await curve() == (6_200, 7_850)


async def test_an_assignment_past_midnight_counts_in_both_days_as_long_as_it_lay_there(house: House) -> None:
    own, chat = house.agents["own1"], await house.chat()
    await house.pool.execute(
        """insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id, stage,
                                   reason, level, waited_ms, predicted_ms, explanation, assigned_at, released_at,
                                   release_reason)
           select $1, gen_random_uuid(), 1, $2, $3, $4, gen_random_uuid(), 0, 'ring', 0, 0, 0, '{}',
                  ((now() at time zone 'UTC')::date - 3)::timestamp at time zone 'UTC' + n.starts,
                  ((now() at time zone 'UTC')::date - 3)::timestamp at time zone 'UTC' + n.ends, 'closed'
             from (values (interval '-40 min', interval '20 min'), ('-10 min', '50 min')) n(starts, ends)""",
        house.shop, chat.thread, chat.shopper, own,
    )  # fmt: skip
    await throughput_record.learn(house.pool)
    rows = await house.pool.fetch(
        "select (now() at time zone 'UTC')::date - day, level, ms / 60000, ended from curve_day order by day, level"
    )
    assert [tuple(row) for row in rows] == [(4, 1, 30, 0), (4, 2, 10, 0), (3, 1, 30, 1), (3, 2, 20, 1)]


async def test_the_states_of_a_day_sum_to_the_shift_and_end_at_midnight(house: House) -> None:
    agent = house.agents["own1"]
    day = date(2026, 3, 2)
    await house.pool.executemany(
        "insert into seat_time (owner_id, agent_id, from_at, to_at, state) values ($1, $2, $3::text::timestamptz,"
        " $4::text::timestamptz, $5)",
        [
            (house.shop, agent, "2026-03-01 23:00+08", "2026-03-02 01:00+08", "ready"),
            (house.shop, agent, "2026-03-02 01:00+08", "2026-03-02 01:30+08", "training"),
            (house.shop, agent, "2026-03-02 01:30+08", "2026-03-02 02:00+08", "break"),
            (house.shop, agent, "2026-03-02 02:00+08", "2026-03-02 23:00+08", "offline"),
            (house.shop, agent, "2026-03-02 23:00+08", "2026-03-03 02:00+08", "ready"),
        ],
    )
    async with house.pool.acquire() as conn:
        (row,) = await shift_record.of_owner(conn, house.shop, day)
    hours = {state: ms / 3_600_000 for state, ms in row["times"].items() if ms}
    assert hours == {"ready": 2, "training": 0.5, "break": 0.5, "offline": 21}
    assert row["shift_ms"] == 3 * 3_600_000
