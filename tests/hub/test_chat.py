"""Two people talk: committed before acknowledged, one order for all, and nothing is missed."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from tests.conftest import Shop
from tests.hub.conftest import KEY, House
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.model import limits
from wangxin.storage import entries, shoppers
from wangxin.storage.entries import Line


async def append(house: House, shop: Shop, thread: UUID, count: int) -> None:
    """Lines from another process, in one transaction."""
    lines = [Line(shop.id, thread, "bot", UUID(int=0), uuid4(), "text", f'{{"text":"{n}"}}') for n in range(count)]
    await entries.append(house.pool, lines)
    await house.hint([(shop.id, thread)], [])


async def test_words_are_acknowledged_and_reach_the_agent(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    ack = await shopper.say(thread, "你好，这件有货吗？")
    assert ack["seq"] == 2  # the event that opens the conversation is line 1
    stored = await house.pool.fetchval("select body->>'text' from entry where thread_id = $1 and seq = 2", thread)
    assert stored == "你好，这件有货吗？"

    person = await house.agent(shop)
    agent = await house.enter(person.token)
    epoch = await house.assign(shop.id, thread, person.id)
    update = await agent.until("thread.update")
    assert update["view"]["thread"] == str(thread)
    assert (update["view"]["mine"], update["view"]["epoch"]) == (True, epoch)
    answer = await agent.say(thread, "有的，亲", epoch=epoch)
    line = await shopper.line(thread, answer["seq"])
    assert line["body"] == {"kind": "text", "text": "有的，亲"}
    assert (line["sender"]["name"], "id" in line["sender"], line["sender"]["me"]) == (person.name, False, False)
    await shopper.say(thread, "好的")
    seen = await agent.line(thread, answer["seq"] + 1)
    assert (seen["sender"]["name"], seen["sender"]["me"]) == ("林晓", False)
    assert shopper.seqs(thread) == list(range(1, answer["seq"] + 2))


async def test_a_suggestion_sent_unchanged_is_marked_on_the_record_and_no_shopper_learns_of_it(
    house: House, shop: Shop
) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "包邮吗？", assisted=True)  # a shopper's own mark counts for nothing
    person = await house.agent(shop)
    agent = await house.enter(person.token)
    epoch = await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    ack = await agent.say(thread, "全场包邮。", epoch=epoch, assisted=True)
    assert (await agent.line(thread, ack["seq"]))["body"] == {"kind": "text", "text": "全场包邮。", "assisted": True}
    assert (await shopper.line(thread, ack["seq"]))["body"] == {"kind": "text", "text": "全场包邮。"}
    stored = await house.pool.fetch(
        "select seq from entry where thread_id = $1 and (body->>'assisted')::boolean", thread
    )
    assert [row["seq"] for row in stored] == [ack["seq"]]


async def test_the_sender_gets_his_own_line_once_more_as_a_line(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    msg = uuid4()
    ack = await shopper.say(thread, "一", msg=msg)
    own = await shopper.line(thread, ack["seq"])
    assert (own["sender"]["me"], own["client_msg_id"]) == (True, str(msg))


async def test_the_same_message_twice_is_one_line_with_one_number(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    msg = uuid4()
    first = await shopper.say(thread, "同一句", msg=msg)
    again = await shopper.say(thread, "同一句", msg=msg)
    assert first["seq"] == again["seq"]
    other = await shopper.say(thread, "改了词", msg=msg)
    assert (other["code"], other["seq"]) == ("message.id_reused", first["seq"])
    await shopper.say(thread, "完")
    await shopper.line(thread, 3)
    assert shopper.words(thread) == ["同一句", "完"]


async def test_several_devices_of_one_person_see_the_same(house: House, shop: Shop) -> None:
    await house.open_hub()
    phone, thread = await house.shopper(shop)
    laptop, same = await house.shopper(shop)
    assert thread == same
    ack = await phone.say(thread, "从手机")
    seen = await laptop.line(thread, ack["seq"])
    assert seen["sender"]["me"] is True


async def test_two_hubs_are_one_conversation(house: House, shop: Shop) -> None:
    await house.open_hub("a")
    await house.open_hub("b")
    shopper, thread = await house.shopper(shop, hub=0)
    person = await house.agent(shop)
    agent = await house.enter(person.token, hub=1)
    epoch = await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    for n in range(20):
        await shopper.say(thread, f"问{n}")
        await agent.say(thread, f"答{n}", epoch=epoch)
    newest = await house.pool.fetchval("select public_seq from thread where id = $1", thread)
    await shopper.line(thread, newest)
    await agent.line(thread, newest)
    spoken = [word for n in range(20) for word in (f"问{n}", f"答{n}")]
    assert shopper.words(thread) == spoken
    assert agent.words(thread) == spoken
    assert shopper.seqs(thread) == list(range(1, newest + 1))


async def test_a_resumed_line_gets_exactly_what_it_missed_events_included(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "一")
    await shopper.line(thread, 2)
    await shopper.socket.close()
    person = await house.agent(shop)
    epoch = await house.assign(shop.id, thread, person.id)
    agent = await house.enter(person.token)
    answer = await agent.say(thread, "在的", epoch=epoch)
    back, _ = await house.shopper(shop, resume=[{"thread": str(thread), "after": 2}])
    assert back.seqs(thread) == list(range(3, answer["seq"] + 1))
    kinds = [frame["type"] for frame in back.frames]
    assert kinds.index("welcome") < kinds.index("message.new") < kinds.index("live")
    events = [f["entry"]["body"].get("event") for f in back.frames if f["type"] == "message.new"]
    assert events[:2] == ["handoff.requested", "conversation.assigned"]


async def test_lines_written_while_somebody_catches_up_come_once_and_in_order(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "开始")
    await append(house, shop, thread, 450)
    late = await house.dial()
    await late.send({"type": "hello", "token": house.member(shop), "resume": [{"thread": str(thread), "after": 0}]})
    for n in range(10):
        await shopper.say(thread, f"同时{n}")
    await late.line(thread, 462)
    await shopper.line(thread, 462)
    assert late.seqs(thread) == list(range(1, 463))
    assert shopper.seqs(thread) == list(range(1, 463))


async def test_history_pages_both_ways(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    for n in range(9):
        await shopper.say(thread, f"{n}")
    newest = await shopper.ask({"type": "history", "thread": str(thread), "limit": 4})
    assert ([entry["seq"] for entry in newest["entries"]], newest["more"]) == ([7, 8, 9, 10], True)
    older = await shopper.ask({"type": "history", "thread": str(thread), "before": 7, "limit": 10})
    assert ([entry["seq"] for entry in older["entries"]], older["more"]) == ([1, 2, 3, 4, 5, 6], False)
    forward = await shopper.ask({"type": "history", "thread": str(thread), "after": 2, "limit": 3})
    assert ([entry["seq"] for entry in forward["entries"]], forward["more"]) == ([3, 4, 5], True)


async def test_words_under_an_old_epoch_are_refused(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    first, second = await house.agent(shop, login="first"), await house.agent(shop, login="second")
    agent = await house.enter(first.token)
    epoch = await house.assign(shop.id, thread, first.id)
    await agent.until("thread.update")
    missing = await agent.say(thread, "没有编号")
    assert missing["code"] == "message.epoch_missing"
    await house.assign(shop.id, thread, second.id, hint=False)  # nobody told the hub
    late = await agent.say(thread, "还在", epoch=epoch)
    assert late["code"] == "message.stale_epoch"


async def test_a_thread_taken_away_is_silent_at_once(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    first, second = await house.agent(shop, login="first"), await house.agent(shop, login="second")
    one, two = await house.enter(first.token), await house.enter(second.token)
    await house.assign(shop.id, thread, first.id)
    await one.until("thread.update")
    epoch = await house.assign(shop.id, thread, second.id)
    await two.until("thread.update")
    await one.until("thread.gone")
    ack = await two.say(thread, "换我来", epoch=epoch)
    await shopper.line(thread, ack["seq"])
    assert "换我来" not in one.words(thread)
    refused = await one.ask({"type": "history", "thread": str(thread)})
    assert refused["code"] == "thread.not_found"


async def test_recalled_words_are_gone_everywhere_and_kept_for_audit(house: House, shop: Shop) -> None:
    await house.open_hub("a")
    await house.open_hub("b")
    shopper, thread = await house.shopper(shop)
    tablet, _ = await house.shopper(shop, hub=1)
    ack = await shopper.say(thread, "发错了")
    assert (await shopper.ask({"type": "message.recall", "thread": str(thread), "seq": ack["seq"]}))["type"] == "ok"
    for line in (shopper, tablet):
        recalled = await line.until("message.recalled")
        assert recalled["seq"] == ack["seq"]
    page = await shopper.ask({"type": "history", "thread": str(thread)})
    shown = next(entry for entry in page["entries"] if entry["seq"] == ack["seq"])
    assert shown["body"] is None
    assert await house.pool.fetchval("select last_public from thread where id = $1", thread) is None
    assert await house.pool.fetchval("select body->>'text' from entry where recalled_at is not null") == "发错了"
    again, _ = await house.shopper(shop, resume=[{"thread": str(thread), "after": 0}])
    assert "发错了" not in again.words(thread)


async def test_recall_is_for_ones_own_words_within_two_minutes(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    ack = await shopper.say(thread, "很久以前")
    await house.pool.execute("update entry set at = at - interval '121 seconds' where seq = $1", ack["seq"])
    late = await shopper.ask({"type": "message.recall", "thread": str(thread), "seq": ack["seq"]})
    assert late["code"] == "recall.too_late"
    foreign = await shopper.ask({"type": "message.recall", "thread": str(thread), "seq": 1})
    assert foreign["code"] == "recall.not_yours"


async def test_receipts_typing_and_presence_cross_hubs(house: House, shop: Shop) -> None:
    await house.open_hub("a")
    await house.open_hub("b")
    shopper, thread = await house.shopper(shop)
    ack = await shopper.say(thread, "在吗")
    person = await house.agent(shop)
    agent = await house.enter(person.token, hub=1)
    await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    here = await shopper.until(lambda f: f["type"] == "presence" and f["state"] == "here")
    assert here["who"] == "agent"
    there = await agent.until("presence")
    assert (there["who"], there["state"]) == ("shopper", "here")
    await agent.send({"type": "typing", "thread": str(thread), "on": True})
    typing = await shopper.until("typing")
    assert (typing["by"], typing["on"]) == ("agent", True)
    await agent.send({"type": "receipt.read", "thread": str(thread), "up_to_seq": ack["seq"]})
    receipt = await shopper.until("receipt")
    assert (receipt["by"], receipt["delivered_seq"], receipt["read_seq"]) == ("agent", ack["seq"], ack["seq"])
    beyond = await agent.ask({"type": "receipt.read", "thread": str(thread), "up_to_seq": 999})
    assert beyond["code"] == "receipt.beyond_end"
    async with asyncio.timeout(20):
        while not await house.pool.fetchval("select read_seq from receipt where party = $1", person.id):
            await asyncio.sleep(0.05)
    again, _ = await house.shopper(shop)
    view = (await again.until("welcome"))["threads"][0]
    assert (view["their_read_seq"], view["agent_name"]) == (ack["seq"], person.name)
    await agent.socket.close()
    away = await shopper.until(lambda f: f["type"] == "presence" and f["state"] == "away")
    assert away["who"] == "agent"


async def test_whoever_was_away_too_long_gets_the_newest_page(
    house: House, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    for n in range(12):
        await shopper.say(thread, f"{n}")
    monkeypatch.setattr(limits, "RESUME_ENTRIES_MAX", 5)
    back, _ = await house.shopper(shop, resume=[{"thread": str(thread), "after": 1}])
    snapshot = await back.until("snapshot")
    assert [entry["seq"] for entry in snapshot["entries"]] == list(range(1, 14))
    assert back.seqs(thread) == []


async def test_seats_hear_of_an_agents_first_and_last_line(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    person = await house.agent(shop)
    one = await house.enter(person.token)
    two = await house.enter(person.token)
    await one.socket.close()
    async with asyncio.timeout(20):
        while len(hub.peers) > 1:
            await asyncio.sleep(0.02)
    assert (house.connected, house.disconnected) == ([person.id], [])
    await two.socket.close()
    async with asyncio.timeout(20):
        while house.disconnected != [person.id]:
            await asyncio.sleep(0.02)


async def test_a_guest_who_logs_in_keeps_what_he_said(house: House, shop: Shop) -> None:
    await house.open_hub()
    guest = new_id()
    await shoppers.make_guest(house.pool, shop.id, guest, "访客")
    visitor = auth.sign_visitor(shop.id, guest, KEY, now_ms())
    line = await house.enter(visitor)
    first = UUID((await line.until("welcome"))["threads"][0]["thread"])
    ack = await line.say(first, "先问一句")
    member = await house.enter(house.member(shop), guest_token=visitor)
    threads = [UUID(view["thread"]) for view in (await member.until("welcome"))["threads"]]
    assert threads[1:] == [first]
    page = await member.ask({"type": "history", "thread": str(first)})
    assert [entry["seq"] for entry in page["entries"]] == [1, 2]
    assert (await member.say(first, "接着问"))["seq"] == ack["seq"] + 1
    stranger = await house.dial()
    await stranger.send({"type": "hello", "token": visitor})
    assert (await stranger.until("error"))["code"] == "token.wrong"
