"""A line joins a thread while it grows: every number comes once, whoever reads the log for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
import orjson

from tests.conftest import Shop
from tests.hub.conftest import PATIENCE_S, House
from wangxin.hub.rooms import FRESH_S
from wangxin.model.conversation import State
from wangxin.storage import conversations, entries
from wangxin.storage.entries import Line
from wangxin.storage.threads import Party, ThreadRow


async def say_unheard(house: House, shop: Shop, thread: UUID, words: str) -> int:
    """A line in the record that no hub is told of; returns its number."""
    body = orjson.dumps({"text": words}).decode()
    (answer,), _ = await entries.append(house.pool, [Line(shop.id, thread, "bot", UUID(int=0), uuid4(), "text", body)])
    assert answer.seq is not None
    return answer.seq


async def blocked(house: House, count: int) -> None:
    """Until so many readings wait for a locked table."""
    async with asyncio.timeout(PATIENCE_S):
        while await house.pool.fetchval("select count(*) from pg_locks where not granted") < count:
            await asyncio.sleep(0.01)


async def test_a_thread_given_by_a_hint_comes_once_though_the_hub_lags_behind_in_it(
    house: House, shop: Shop, database_url: str
) -> None:
    """The shopper's feed has not read what the agent starts from: when it reads on, the agent hears nothing twice."""
    hub = await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    person = await house.agent(shop)
    agent = await house.enter(person.token)
    for _ in range(FRESH_S + 1):
        hub.wheel.advance()  # the feed is not compared every second any more
    epoch = await house.assign(shop.id, thread, person.id, hint=False)
    lock = await asyncpg.connect(database_url)
    held = lock.transaction()
    await held.start()
    await lock.execute("lock table receipt in access exclusive mode")
    await house.hint([], [person.id])
    await blocked(house, 1)  # the thread is being attached
    seq = await say_unheard(house, shop, thread, "机器人的话")
    await held.rollback()
    await lock.close()
    answer = await agent.until("thread.update")
    answer = await agent.say(thread, "在的", epoch=epoch)
    await shopper.line(thread, answer["seq"])
    await agent.line(thread, answer["seq"])
    assert agent.seqs(thread) == [seq, answer["seq"]]
    assert shopper.seqs(thread) == list(range(1, answer["seq"] + 1))


async def test_whoever_comes_back_to_a_hub_that_lags_behind_gets_only_what_he_missed(house: House, shop: Shop) -> None:
    """He heard more elsewhere than this hub has shown to anyone."""
    hub = await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    for _ in range(FRESH_S + 1):
        hub.wheel.advance()
    seq = [await say_unheard(house, shop, thread, f"第{n}句") for n in range(4)][2]
    back, _ = await house.shopper(shop, resume=[{"thread": str(thread), "after": seq}])
    ack = await back.say(thread, "回来了")
    for line in (back, shopper):
        await line.line(thread, ack["seq"])
    assert back.seqs(thread) == [seq + 1, ack["seq"]]
    assert shopper.seqs(thread) == list(range(1, ack["seq"] + 1))
    assert "snapshot" not in [frame["type"] for frame in back.frames]


async def test_whoever_comes_back_to_a_thread_whose_old_lines_are_archived_is_live_and_gets_what_is_there(
    house: House, shop: Shop
) -> None:
    await house.open_hub()
    before, thread = await house.shopper(shop)
    seq = (await before.say(thread, "很久以前"))["seq"]
    await before.socket.close()
    await house.pool.execute("delete from entry where thread_id = $1", thread)
    for after in (0, 1, seq):
        back, _ = await house.shopper(shop, resume=[{"thread": str(thread), "after": after}])
        page = await back.ask({"type": "history", "thread": str(thread), "lane": "public", "limit": 50})
        words = [entry["body"]["text"] for entry in page["entries"] if entry["body"]["kind"] == "text"]
        ack = await back.say(thread, f"又来了{after}")
        await back.line(thread, ack["seq"])
        assert "很久以前" not in words
        assert page["more"] is False
        await back.socket.close()
    assert ack["seq"] == seq + 3


async def test_a_thread_that_ends_while_its_agents_are_read_does_not_come_back(house: House, shop: Shop) -> None:
    """What was read before it was taken away must not give it to him again."""
    hub = await house.open_hub()
    shopper, thread = await house.shopper(shop)
    other, second = await house.shopper(shop, external_id="m2")
    for line, here in ((shopper, thread), (other, second)):
        await line.say(here, "在吗")
    person = await house.agent(shop)
    agent = await house.enter(person.token)
    await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    read, ended = asyncio.Event(), asyncio.Event()
    threads_of = hub.door.threads_of

    async def late(party: Party) -> Sequence[ThreadRow]:
        rows = await threads_of(party)
        read.set()
        await ended.wait()
        return rows

    hub.door.threads_of = late  # type: ignore[method-assign]
    await house.hint([], [person.id])
    await read.wait()
    async with house.pool.acquire() as conn, conn.transaction():
        standing = await conversations.lock_thread(conn, shop.id, thread)
        await conversations.move(conn, standing, State.CLOSED, "conversation.closed")
    await house.hint([(shop.id, thread)], [])
    await agent.until("thread.gone")
    ended.set()
    await house.assign(shop.id, second, person.id)
    await agent.until(lambda frame: frame["type"] == "thread.update" and frame["view"]["thread"] == str(second))
    gone = [frame["type"] for frame in agent.frames].index("thread.gone")
    given = [frame for frame in agent.frames[gone:] if frame["type"] == "thread.update"]
    assert {frame["view"]["thread"] for frame in given} == {str(second)}
    assert len(agent.seqs(thread)) == len(set(agent.seqs(thread)))
