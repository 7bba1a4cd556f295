"""Answers of unusual moments: too much of something, a line that is never taken, a node that fell silent."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from dispatcher.intake import Intake
from tests.conftest import Shop
from tests.hub.conftest import PATIENCE_S, House
from wangxin.hub import links
from wangxin.hub.commit import Committer, Pending
from wangxin.model.refusals import Refusal
from wangxin.storage.entries import Appended, Entry
from wangxin.storage.entries import Line as StoredLine
from wangxin.storage.valkey import connect as valkey_connect


async def test_too_many_of_something_and_too_big_a_body_are_named(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    crowd = await house.dial()
    resume = [{"thread": str(uuid4()), "after": 0} for _ in range(1_001)]
    await crowd.send({"type": "hello", "token": house.member(shop), "resume": resume})
    assert (await crowd.until("error"))["code"] == "frame.too_many_items"
    both = await shopper.ask({"type": "history", "thread": thread, "after": 1, "before": 2})
    assert both["code"] == "history.two_ends"
    person = await house.agent(shop)
    agent = await house.enter(person.token)
    epoch = await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    fields = [
        {"id": f"f{n}", "label": "x", "type": "select", "options": ["y" * 190 + str(o) for o in range(20)]}
        for n in range(10)
    ]
    body = {"kind": "form", "form": "f", "title": "t", "fields": fields}
    big = await agent.ask(
        {"type": "message.send", "thread": thread, "client_msg_id": uuid4(), "epoch": epoch, "body": body}
    )
    assert big["code"] == "message.too_large", big
    unknown = await agent.ask({"type": "agent.state", "state": "ready"})
    assert unknown["code"] == "frame.not_offered", "no dispatcher is wired up here"
    assert (await agent.say(thread, "还在", epoch=epoch))["type"] == "ack"


async def test_a_line_that_is_never_taken_does_not_take_the_others_with_it(house: House, shop: Shop) -> None:
    await house.open_hub()
    _, thread = await house.shopper(shop)
    done: list[tuple[Pending, Appended]] = []
    refused: list[tuple[Pending, Refusal]] = []

    async def connect_store() -> asyncpg.Connection:
        return await asyncpg.connect(house.database_url, server_settings={"timezone": "UTC"})

    def stored(batch: Any, answers: Any, entries: list[Entry]) -> None:
        done.extend(zip(batch, answers, strict=True))

    committer = Committer(connect_store, stored, lambda pending, why: refused.append((pending, why)))
    bodies = ['{"text":' if n == 4 else f'{{"text":"{n}"}}' for n in range(7)]
    lines = [StoredLine(shop.id, thread, "bot", UUID(int=0), uuid4(), "text", body) for body in bodies]
    for line in lines:
        committer.submit(Pending(line, None, line.client_msg_id or uuid4(), ""))
    committer.start()
    async with asyncio.timeout(PATIENCE_S):
        while len(done) + len(refused) < len(lines):
            await asyncio.sleep(0.01)
    await committer.stop()
    assert [pending.line for pending, _ in refused] == [lines[4]]
    assert refused[0][1].code == "message.refused"
    assert [answer.seq for _, answer in done] == [1, 2, 3, 4, 5, 6]


async def test_presence_on_a_node_that_fell_silent_runs_out_with_its_lease(house: House, shop: Shop) -> None:
    gone = await house.open_hub("a")
    await house.open_hub("b")
    shopper, thread = await house.shopper(shop, hub=0)
    await shopper.say(thread, "在吗")
    person = await house.agent(shop)
    agent = await house.enter(person.token, hub=1)
    await house.assign(shop.id, thread, person.id)
    await agent.until(lambda frame: frame["type"] == "presence" and frame["state"] == "here")
    assert gone.links._task is not None
    gone.links._task.cancel()  # no beat any more, and no goodbye
    valkey = valkey_connect(house.valkey_url)
    await valkey.zadd(links.NODES, {"a": 0})
    away = await agent.until(lambda frame: frame["type"] == "presence" and frame["state"] == "away")
    assert away["who"] == "shopper"
    async with asyncio.timeout(PATIENCE_S):
        while await valkey.exists(links._threads("a")):
            await asyncio.sleep(0.01)
    await valkey.aclose()


async def test_an_agent_recalls_his_own_words_and_nobody_elses(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    asked = await shopper.say(thread, "在吗")
    first, second = await house.agent(shop, login="first"), await house.agent(shop, login="second")
    one, two = await house.enter(first.token), await house.enter(second.token)
    epoch = await house.assign(shop.id, thread, first.id)
    await one.until("thread.update")
    said, kept = await one.say(thread, "错话", epoch=epoch), await one.say(thread, "好话", epoch=epoch)
    assert (await one.ask({"type": "message.recall", "thread": thread, "seq": said["seq"]}))["type"] == "ok"
    assert (await one.ask({"type": "message.recall", "thread": thread, "seq": said["seq"]}))["type"] == "ok"
    assert (await shopper.until("message.recalled"))["seq"] == said["seq"]
    theirs = await one.ask({"type": "message.recall", "thread": thread, "seq": asked["seq"]})
    assert theirs["code"] == "recall.not_yours"
    await house.assign(shop.id, thread, second.id)
    await two.until("thread.update")
    await one.until("thread.gone")
    foreign = await two.ask({"type": "message.recall", "thread": thread, "seq": kept["seq"]})
    assert foreign["code"] == "recall.not_yours"
    late = await one.ask({"type": "message.recall", "thread": thread, "seq": kept["seq"]})
    assert late["code"] == "thread.not_found"
    events = await house.pool.fetchval("select count(*) from entry where body->>'event' = 'message.recalled'")
    assert events == 1


async def test_wishes_about_others_conversations_and_late_stars_are_refused_by_name(house: House, shop: Shop) -> None:
    house.handlers = Intake(house.pool).handlers()
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    person = await house.agent(shop)
    agent = await house.enter(person.token)
    outside = await house.enter((await house.agent(login="outside", provider=uuid4(), supervises=True)).token)
    epoch = await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    both = {"type": "transfer.request", "thread": thread, "epoch": epoch, "to_agent": uuid4(), "to_pool": uuid4()}
    assert (await agent.ask(both))["code"] == "transfer.target"
    taken = await outside.ask({"type": "monitor.takeover", "thread": thread})
    assert taken["code"] == "thread.not_yours"
    conversation = await house.pool.fetchval("select conversation_id from thread where id = $1", thread)
    await house.pool.execute(
        "update conversation set closed_at = clock_timestamp() - interval '25 hours' where id = $1", conversation
    )
    stars = {"type": "rating.submit", "thread": thread, "conversation": conversation, "stars": 5}
    late = await shopper.ask({**stars, "client_msg_id": uuid4()})
    assert (late["code"], late["retry"]) == ("rating.too_late", "never")


ROOT = Path(__file__).parents[2]
ON_THE_WIRE = (
    "wangxin/hub/*.py", "wangxin/protocol/*.py", "wangxin/auth.py", "wangxin/edge.py",
    "wangxin/chat/door.py", "wangxin/chat/monitor.py", "wangxin/chat/notes.py", "wangxin/chat/rating.py",
    "wangxin/storage/conversations.py", "menus/taps.py",
    "dispatcher/intake.py", "dispatcher/handover.py", "dispatcher/lifecycle.py",
)  # fmt: skip
"""Where frames are refused."""


def test_every_code_that_a_frame_can_be_refused_with_has_a_test() -> None:
    sources = "".join(file.read_text() for pattern in ON_THE_WIRE for file in sorted(ROOT.glob(pattern)))
    codes = set(re.findall(r'(?:Refusal|Refuse|forbidden)\([^)"]*"([a-z]+\.[a-z_]+)"', sources))
    codes |= {f"{noun}.not_found" for noun in re.findall(r'not_found\("([a-z]+)"\)', sources)}
    here = {"rating.too_late", "offer.gone"}  # the names that are looked for are no test of themselves
    assert codes >= here
    tests = "".join(file.read_text() for file in sorted((ROOT / "tests").rglob("test_*.py"))).replace("\\.", ".")
    assert {code for code in codes if tests.count(code) <= (code in here)} == set()
