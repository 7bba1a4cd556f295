"""What appending promises: gap-free numbers, once only, one order, and nothing under a stale assignment."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import ROOT, Chat, make_chat
from wangxin.clock import new_id, now_ms
from wangxin.model.conversation import State
from wangxin.model.refusals import Refusal
from wangxin.storage import conversations, entries, outbox
from wangxin.storage.entries import Line, body_json


def words(chat: Chat, text: str, *, msg: UUID | None = None, **more: Any) -> Line:
    return Line(
        chat.shop, chat.thread, "shopper", chat.shopper, msg or uuid4(), "text", body_json({"text": text}),
        opens=new_id(), **more,
    )  # fmt: skip


async def assign(pool: asyncpg.Pool, chat: Chat, agent: UUID) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await conversations.request_handoff(
            conn, chat.shop, chat.thread, topic="", new_conversation=new_id(), now_ms=now_ms()
        )
        standing = await conversations.lock_thread(conn, chat.shop, chat.thread)
        await conversations.move(conn, standing, State.ASSIGNED, "conversation.assigned", agent=agent)


async def test_a_first_word_opens_a_conversation_whose_event_comes_before_it(pool: asyncpg.Pool, chat: Chat) -> None:
    answers, stored = await entries.append(pool, [words(chat, "你好"), words(chat, "在吗")])
    assert [entry.seq for entry in stored] == [1, 2, 3]
    assert [entry.kind for entry in stored] == ["event", "text", "text"]
    assert [answer.seq for answer in answers] == [2, 3]
    assert {entry.conversation for entry in stored} == {answers[0].conversation}
    row = await pool.fetchrow("select * from conversation")
    assert (row["state"], row["opened_seq"], row["id"]) == ("bot", 1, answers[0].conversation)
    _, later = await entries.append(pool, [words(chat, "还在")])
    assert [entry.conversation for entry in later] == [row["id"]], "later words are of the one that is open"


async def test_the_same_message_sent_twice_is_stored_once_under_its_first_seq(pool: asyncpg.Pool, chat: Chat) -> None:
    line = words(chat, "同一句")
    first, _ = await entries.append(pool, [line])
    again, stored = await entries.append(pool, [line])
    assert (again[0].status, again[0].seq, stored) == ("old", first[0].seq, [])


async def test_twins_within_one_batch_are_stored_once(pool: asyncpg.Pool, chat: Chat) -> None:
    line = words(chat, "双击")
    answers, stored = await entries.append(pool, [line, words(chat, "别的"), line])
    assert [answer.status for answer in answers] == ["new", "new", "old"]
    assert answers[0].seq == answers[2].seq
    assert len(stored) == 3


async def test_a_used_id_with_other_words_is_named_and_nothing_changes(pool: asyncpg.Pool, chat: Chat) -> None:
    msg = uuid4()
    await entries.append(pool, [words(chat, "原话", msg=msg)])
    answers, stored = await entries.append(pool, [words(chat, "改了", msg=msg)])
    assert (answers[0].status, answers[0].seq, stored) == ("reused", 2, [])


async def test_a_batch_for_many_threads_numbers_each_without_gaps(pool: asyncpg.Pool, shop: Any) -> None:
    chats = [await make_chat(pool, shop.id, f"顾客{n}") for n in range(5)]
    await asyncio.gather(
        *(entries.append(pool, [words(chat, f"{n}") for chat in chats for _ in range(7)]) for n in range(6))
    )
    for chat in chats:
        found = await entries.read_after(pool, chat.shop, chat.thread, "public", 0, 1000)
        assert [entry.seq for entry in found] == list(range(1, 44))
        assert [entry.at_ms for entry in found] == sorted(entry.at_ms for entry in found)


async def test_agents_notes_are_numbered_in_a_lane_of_their_own(pool: asyncpg.Pool, chat: Chat) -> None:
    agent = uuid4()
    note = Line(chat.shop, chat.thread, "agent", agent, uuid4(), "note", body_json({"text": "老顾客"}), lane="internal")
    await entries.append(pool, [words(chat, "你好"), note])
    internal = await entries.read_after(pool, chat.shop, chat.thread, "internal", 0, 10)
    public = await entries.read_after(pool, chat.shop, chat.thread, "public", 0, 10)
    assert [entry.seq for entry in internal] == [1]
    assert [entry.seq for entry in public] == [1, 2]


async def test_words_under_a_stale_assignment_are_refused(pool: asyncpg.Pool, chat: Chat) -> None:
    first, second = uuid4(), uuid4()
    await assign(pool, chat, first)
    reply = Line(chat.shop, chat.thread, "agent", first, uuid4(), "text", body_json({"text": "您好"}), epoch=1)
    answers, _ = await entries.append(pool, [reply])
    assert answers[0].status == "new"
    async with pool.acquire() as conn, conn.transaction():
        standing = await conversations.lock_thread(conn, chat.shop, chat.thread)
        await conversations.move(conn, standing, State.ASSIGNED, "conversation.transferred", agent=second)
    late = Line(chat.shop, chat.thread, "agent", first, uuid4(), "text", body_json({"text": "还在"}), epoch=1)
    answers, stored = await entries.append(pool, [late])
    assert (answers[0].status, answers[0].seq, stored) == ("stale", None, [])


async def test_an_unknown_thread_is_answered_and_harms_no_other_line(pool: asyncpg.Pool, chat: Chat) -> None:
    nowhere = Chat(chat.shop, chat.shopper, uuid4())
    answers, _ = await entries.append(pool, [words(nowhere, "?"), words(chat, "好")])
    assert [answer.status for answer in answers] == ["no_thread", "new"]


async def test_a_thread_of_another_shop_does_not_exist(pool: asyncpg.Pool, chat: Chat) -> None:
    other = Chat(uuid4(), chat.shopper, chat.thread)
    answers, stored = await entries.append(pool, [words(other, "?")])
    assert (answers[0].status, stored) == ("no_thread", [])


async def test_what_a_shopper_writes_to_the_bot_reaches_the_bot_once(pool: asyncpg.Pool, chat: Chat) -> None:
    line = words(chat, "怎么退货")
    await entries.append(pool, [line])
    await entries.append(pool, [line])
    async with pool.acquire() as conn, conn.transaction():
        facts = await outbox.claim(conn, "bot", 10)
        assert [fact.fact for _, fact in facts] == ["shopper_spoke"]
        await outbox.done(conn, [id_ for id_, _ in facts])


async def test_the_clock_of_unanswered_words_starts_at_the_first_and_stops_at_a_persons_reply(
    pool: asyncpg.Pool, chat: Chat
) -> None:
    agent = uuid4()
    answers, _ = await entries.append(pool, [words(chat, "一")])
    await entries.append(pool, [words(chat, "二")])
    since = await pool.fetchval("select (extract(epoch from awaiting_since) * 1000)::bigint from thread")
    assert since == answers[0].at_ms
    await assign(pool, chat, agent)
    await entries.append(
        pool, [Line(chat.shop, chat.thread, "bot", UUID(int=0), uuid4(), "text", body_json({"text": "自动"}))]
    )
    assert await pool.fetchval("select awaiting_since is not null from thread")
    await entries.append(
        pool, [Line(chat.shop, chat.thread, "agent", agent, uuid4(), "text", body_json({"text": "您好"}), epoch=1)]
    )
    assert await pool.fetchval("select awaiting_since from thread") is None


async def test_asking_for_a_person_twice_queues_once(pool: asyncpg.Pool, chat: Chat) -> None:
    for _ in range(2):
        async with pool.acquire() as conn, conn.transaction():
            await conversations.request_handoff(
                conn, chat.shop, chat.thread, topic="售后", new_conversation=new_id(), now_ms=now_ms()
            )
    events = [entry for entry in await entries.read_after(pool, chat.shop, chat.thread, "public", 0, 10)]
    assert [entry.body for entry in events if "handoff" in entry.body] != []
    assert await pool.fetchval("select count(*) from outbox where consumer = 'dispatcher'") == 1


async def test_a_move_that_may_not_follow_is_refused(pool: asyncpg.Pool, chat: Chat) -> None:
    await entries.append(pool, [words(chat, "你好")])
    async with pool.acquire() as conn, conn.transaction():
        standing = await conversations.lock_thread(conn, chat.shop, chat.thread)
        with pytest.raises(Refusal, match=r"conversation\.wrong_state"):
            await conversations.move(conn, standing, State.ASSIGNED, "conversation.assigned", agent=uuid4())


async def test_words_after_the_end_open_a_new_conversation_that_names_the_old_one(
    pool: asyncpg.Pool, chat: Chat
) -> None:
    first, _ = await entries.append(pool, [words(chat, "你好")])
    async with pool.acquire() as conn, conn.transaction():
        standing = await conversations.lock_thread(conn, chat.shop, chat.thread)
        await conversations.move(conn, standing, State.CLOSED, "conversation.closed", reason="done")
    second, _ = await entries.append(pool, [words(chat, "又来了")])
    assert second[0].conversation != first[0].conversation
    row = await pool.fetchrow("select * from conversation where id = $1", second[0].conversation)
    assert row["reopened_from"] == first[0].conversation


async def test_a_message_scans_no_table_and_rewrites_no_index_of_its_thread(pool: asyncpg.Pool, chat: Chat) -> None:
    async with pool.acquire() as conn:
        await entries.append(conn, [words(chat, "你好")])  # the plan is made while the tables are as good as empty
        await conn.execute(
            """with others as (
                 insert into shopper (shop_id, id, name)
                 select $1, gen_random_uuid(), '邻居' from generate_series(1, 2000) returning shop_id, id
               ) insert into thread (shop_id, id, shopper_id) select shop_id, gen_random_uuid(), id from others""",
            chat.shop,
        )
        for n in range(30):
            await entries.append(conn, [words(chat, f"第{n}句") for _ in range(10)])
        await conn.execute("select pg_stat_force_next_flush()")
        await conn.execute("select 1")
        seen = {
            row["relname"]: row
            for row in await conn.fetch(
                "select relname, seq_tup_read, idx_tup_fetch, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
            )
        }
    assert seen["entry"]["seq_tup_read"] == seen["thread"]["seq_tup_read"] == 0
    assert seen["entry"]["idx_tup_fetch"] == 0, "nothing was there yet under these ids"
    assert seen["thread"]["idx_tup_fetch"] <= 20 * 31 + 2_000, "nobody else's threads were looked at"
    assert seen["thread"]["n_tup_hot_upd"] >= 0.8 * seen["thread"]["n_tup_upd"] > 0


def test_only_three_functions_in_the_product_insert_into_entry() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("wangxin", "dispatcher", "menus", "push", "metrics")
        for path in Path(ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql") and re.search(r"insert\s+into\s+entry\b", path.read_text(), re.IGNORECASE)
    ]
    # the first three define append_entries, of which the last one counts; the others are for chunks of a push and for
    # what a batch of the dispatcher's decisions moves
    names = ("0001_record", "0010_append_plan", "0013_thread_by_id", "0041_append_pushed", "0090_append_moved")
    assert sorted(found) == [f"wangxin/storage/migrations/{name}.sql" for name in names]
    for name in found:
        assert Path(ROOT / name).read_text().lower().count("insert into entry ") == 1
