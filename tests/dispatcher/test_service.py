"""The dispatcher on real stores: it decides once, commits before it tells, and hands over when it dies."""

from __future__ import annotations

import asyncio
from uuid import UUID

import orjson
import pytest

from dispatcher import record_write
from dispatcher.people import open_offers
from dispatcher.service import Dispatcher
from tests.dispatcher.conftest import House
from wangxin.model.refusals import Refusal
from wangxin.protocol import frames as fr
from wangxin.protocol.bodies import BODY
from wangxin.storage.hints import HINT


async def test_a_full_own_team_overflows_at_once(house: House) -> None:
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chats = [await house.chat(f"顾客{n}") for n in range(3)]
        for chat in chats:
            await house.ask(chat)
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        assert [await house.holder(chat) for chat in chats] == ["own1", "own1", "yun1"]
        row = await house.pool.fetchrow(
            "select * from assignment where conversation_id = $1", (await house.thread(chats[2]))["conversation_id"]
        )
        assert (row["reason"], row["contract_version"], row["provider_id"]) == (
            "overflow:no_free_slot",
            1,
            house.providers["云杉客服"],
        )
        assert row["explanation"]["pools"][0]["verdict"] == "no_free_slot"


async def test_everything_told_is_a_line_of_the_thread_and_a_valid_body(house: House) -> None:
    async with house.dispatcher():
        await house.ready("own1")
        chat = await house.chat()
        await house.say(chat, None, "你好")
        await house.ask(chat)
        await house.until(lambda: house.state(chat), "assigned")
        actor = await house.actor("own1")
        await house.frame(actor, fr.ConversationClose(thread=chat.thread, epoch=1))
        await house.until(lambda: house.state(chat), "closed")
        public, internal = await house.lines(chat), await house.lines(chat, "internal")
        for line in (*public, *internal):
            BODY.validate_python({"kind": line.kind, **orjson.loads(line.body)}, strict=False)
        events = [orjson.loads(line.body)["event"] for line in public if line.kind == "event"]
        assert events == [
            "conversation.opened",
            "handoff.requested",
            "conversation.assigned",
            "conversation.closed",
        ]
        assert [line.seq for line in public] == list(range(1, len(public) + 1))
        assert [orjson.loads(line.body)["decision"] for line in internal] == ["assigned"]
        assert await house.pool.fetchval("select count(*) from outbox where consumer = 'push'") == 1
        assert await house.pool.fetchval("select count(*) from outbox where consumer = 'dispatcher'") == 0
        released = await house.pool.fetchval("select release_reason from assignment")
        assert released == "closed"


async def test_a_shopper_who_waits_is_told_his_place_and_may_leave(house: House) -> None:
    async with house.dispatcher(), house.valkey.pubsub() as hints:
        await hints.subscribe(HINT)
        await house.ready("own1")
        chats = [await house.chat(f"顾客{n}") for n in range(4)]
        for chat in chats:
            await house.ask(chat)
        await house.until(lambda: house.state(chats[1]), "assigned")
        seen: dict[str, int] = {}

        async def places() -> dict[str, int]:
            while (message := await hints.get_message(ignore_subscribe_messages=True, timeout=0.05)) is not None:
                frame = orjson.loads(message["data"]).get("frame", {})
                if frame.get("type") == "queue.position":
                    seen[frame["thread"]] = frame["position"]
            return seen

        await house.until(places, {str(chats[2].thread): 1, str(chats[3].thread): 2})
        await house.frame(house.shopper(chats[2]), fr.QueueLeave(thread=chats[2].thread, leave_message=True))
        await house.until(lambda: house.state(chats[2]), "message_box")
        await house.until(places, {str(chats[2].thread): 1, str(chats[3].thread): 1})


async def test_an_agent_whose_line_breaks_loses_his_conversations_after_the_grace_only(house: House) -> None:
    await house.policy(grace_ms=1_500)
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        await house.intake.agent_gone(house.agents["own1"], "n1")
        await house.intake.agent_here(house.agents["own1"], "n2")
        other = await house.chat("别人")
        await house.ask(other)
        await house.until(lambda: house.holder(other), "own1")
        assert (await house.thread(chat))["epoch"] == 1
        await house.intake.agent_gone(house.agents["own1"], "n2")
        await house.until(lambda: house.holder(chat), "yun1")
        assert await house.seat_state("own1") == "offline"
        assert await house.say(chat, "own1", "迟到", epoch=1) == "stale"
        assert await house.say(chat, "yun1", "您好", epoch=3) == "new"
        await house.intake.agent_here(house.agents["own1"], "n2")
        await house.until(lambda: house.seat_state("own1"), "ready")


async def test_attendance_ends_when_an_agent_or_his_hub_was_last_heard_not_when_it_was_noticed(house: House) -> None:
    """One loses his line after 20 silent seconds; the hub of the other is killed."""
    await house.policy(grace_ms=300)
    lost = """select a.attended_until, a.released_at, t.to_at, o.from_at, t.state from assignment a
        join seat_time t on t.agent_id = a.agent_id and t.state in ('ready', 'busy') and t.from_at < a.assigned_at
        join seat_time o on o.agent_id = a.agent_id and o.reason = 'disconnected' and o.from_at = t.to_at
        where a.agent_id = $1 order by a.epoch limit 1"""
    async with house.dispatcher():
        for name in ("own1", "yun1"):
            await house.ready(name)
            chat = await house.chat(name)
            await house.ask(chat)
            await house.until(lambda chat=chat: house.holder(chat), name)
            agent = house.agents[name]
            await house.pool.execute("update assignment set assigned_at = assigned_at - interval '1 min'")
            await house.pool.execute(
                "update seat_time set from_at = from_at - interval '2 min' where agent_id = $1", agent
            )
            if name == "own1":
                await house.intake.agent_gone(agent, "n1", 20_000)
                heard = await house.pool.fetchval("select heard_at from seat where agent_id = $1", agent)
            else:
                await house.intake.node_here("n2", [agent])
                await house.intake.agent_gone(agent, "n1")
                heard = await house.pool.fetchval(
                    "update hub_node set seen_at = seen_at - interval '30 s' where node = 'n2' returning seen_at"
                )
            await house.until(lambda chat=chat: house.holder(chat), None)
            row = await house.pool.fetchrow(lost, agent)
            assert row["attended_until"] == row["to_at"] == row["from_at"] == heard, name
            assert (row["released_at"] - heard).total_seconds() > 19


async def test_a_silent_agent_loses_the_conversation_and_the_shopper_keeps_his_place(house: House) -> None:
    await house.pool.execute(
        "update routing_policy set policy = policy || '{\"first_reply_ms\": 1200}'::jsonb where shop_id = $1",
        house.shop,
    )
    async with house.dispatcher():
        await house.ready("own1")
        chat = await house.chat()
        await house.say(chat, None, "有人吗")
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        await house.ready("yun1")
        await house.until(lambda: house.holder(chat), "yun1")
        reasons = await house.pool.fetch("select release_reason from assignment order by epoch")
        assert [row[0] for row in reasons] == ["silent", None]


async def test_when_nobody_is_there_the_message_box_takes_the_words(house: House) -> None:
    await house.policy(nobody_ms=300)
    async with house.dispatcher():
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.state(chat), "message_box")
        await house.ready("yun1")
        await house.until(lambda: house.holder(chat), "yun1")
        assert await house.pool.fetchval("select reason from assignment") == "message_box"


async def test_a_transfer_is_offered_and_a_refusal_leaves_it_with_the_giver(house: House) -> None:
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        conversation = (await house.thread(chat))["conversation_id"]
        giver, taker = await house.actor("own1"), await house.actor("yun1")
        ask = fr.TransferRequest(thread=chat.thread, epoch=1, to_agent=house.agents["yun1"], note="要退货")

        async def offered() -> list[tuple[str, str]]:
            """What the taker sees who opens his console now."""
            open_ = await open_offers(house.pool, taker.id, taker.shops)  # type: ignore[arg-type]
            return [(offer["conversation"], offer["note"]) for offer in open_]

        await house.frame(giver, ask)
        await house.until(offered, [(str(conversation), "要退货")])
        await house.frame(taker, fr.TransferReject(conversation=conversation))
        await house.until(offered, [])
        await house.frame(giver, ask)
        await house.until(offered, [(str(conversation), "要退货")])
        await house.frame(taker, fr.TransferAccept(conversation=conversation))
        await house.until(lambda: house.holder(chat), "yun1")
        assert await offered() == []
        assert (await house.thread(chat))["epoch"] == 2
        with pytest.raises(Refusal, match="yours under"):
            await house.frame(giver, fr.ConversationClose(thread=chat.thread, epoch=1))
        notes = [line for line in await house.lines(chat, "internal") if line.kind == "note"]
        assert len(notes) == 2


async def test_a_parked_shopper_who_writes_again_meets_the_same_agent(house: House) -> None:
    await house.policy(park_ms=300)
    async with house.dispatcher():
        await house.ready("own1")
        chat = await house.chat()
        await house.say(chat, None, "有货吗")
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        assert await house.say(chat, "own1", "有的", epoch=1) == "new"
        await house.until(lambda: house.state(chat), "parked")
        await house.say(chat, None, "那我要一件")
        await house.until(lambda: house.state(chat), "assigned")
        assert await house.holder(chat) == "own1"


async def test_two_dispatchers_decide_each_conversation_once_and_the_standby_takes_over(house: House) -> None:
    async with house.dispatcher("two") as second:
        first = asyncio.create_task(_hold(house))
        await house.until(lambda: _flag(second.leading), True)
        await house.ready("own1", "yun1", "yun2", "hai1")
        chats = [await house.chat(f"顾客{n}") for n in range(8)]
        await asyncio.gather(*(house.ask(chat) for chat in chats))
        for chat in chats:
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert await house.pool.fetchval("select count(*) from assignment") == 8
        assert (
            await house.pool.fetchval("select max(n) from (select count(*) n from assignment group by conversation_id)")
            == 1
        )


async def _hold(house: House) -> None:
    async with house.dispatcher("one"):
        await asyncio.Event().wait()


async def _flag(event: asyncio.Event) -> bool:
    return event.is_set()


async def test_a_leader_that_slept_through_its_lease_can_commit_nothing(house: House) -> None:
    async with house.dispatcher("sleeper") as sleeper:
        await house.until(lambda: _flag(sleeper.leading), True)
        epoch = await house.pool.fetchval("update dispatch_lease set epoch = epoch + 1, holder = 'x' returning epoch")
        async with house.pool.acquire() as conn, conn.transaction():
            with pytest.raises(record_write.Superseded):
                await record_write.hold_lease(conn, "main", epoch - 1, 3_000, 3_000)
        chat = await house.chat()
        await house.ask(chat)
        # Its lease is another's until that one's time is over; then it leads again, under a new epoch.
        await house.ready("yun1")
        await house.until(lambda: house.holder(chat), "yun1")
        assert await house.pool.fetchval("select epoch from dispatch_lease") > epoch


async def test_a_restarted_dispatcher_finds_everything_where_it_was(house: House) -> None:
    async with house.dispatcher():
        await house.ready("own1")
        chats = [await house.chat(f"顾客{n}") for n in range(4)]
        for chat in chats:
            await house.ask(chat)
        await house.until(lambda: house.state(chats[1]), "assigned")
    late = await house.chat("晚到")
    await house.ask(late)
    async with house.dispatcher("next"):
        await house.ready("yun1")
        for chat in (*chats, late):
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        assert [await house.holder(chat) for chat in chats] == ["own1", "own1", "yun1", "yun1"]
        order = await house.pool.fetch(
            "select thread_id from assignment where agent_id = $1 order by assigned_at", house.agents["yun1"]
        )
        assert [row[0] for row in order] == [chats[2].thread, chats[3].thread, late.thread]


async def test_a_transfer_to_a_pool_waits_for_it_under_the_next_dispatcher_too(house: House) -> None:
    await house.policy(transfer_wait_ms=600_000)
    pool = await house.pool.fetchval("select id from pool where name like '云杉%'")
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        await house.frame(await house.actor("yun1"), fr.AgentStateSet(state="busy"))
        await house.until(lambda: house.seat_state("yun1"), "busy")
        await house.ready("hai1")
        await house.frame(await house.actor("own1"), fr.TransferRequest(thread=chat.thread, epoch=1, to_pool=pool))
        await house.until(lambda: house.state(chat), "waiting")
    async with house.dispatcher("next") as following:
        await following.leading.wait()
        assert await house.holder(chat) is None, "somebody of another pool is free"
        await house.ready("yun1")
        await house.until(lambda: house.holder(chat), "yun1")


async def test_a_shopper_is_given_to_who_speaks_the_language_of_his_window(house: House) -> None:
    await house.pool.execute("update seat set languages = '{zh-CN}' where agent_id = $1", house.agents["yun1"])
    await house.pool.execute("update seat set languages = '{en-GB}' where agent_id = $1", house.agents["yun2"])
    async with house.dispatcher():
        await house.ready("yun1", "yun2")
        for language, agent in (("en-US", "yun2"), ("zh-TW", "yun1"), ("en", "yun2")):
            chat = await house.chat(language)
            await house.pool.execute("update shopper set lang = $2 where id = $1", chat.shopper, language)
            await house.ask(chat)
            await house.until(lambda chat=chat: house.holder(chat), agent)


async def test_hubs_that_fall_silent_take_their_lines_with_them(house: House) -> None:
    async with house.dispatcher():
        await house.ready("own1")
        await house.intake.node_here("n1", [house.agents["own1"]])
        await house.pool.execute("update hub_node set seen_at = seen_at - interval '1 minute'")

        async def connected() -> bool:
            return bool(
                await house.pool.fetchval("select connected from seat where agent_id = $1", house.agents["own1"])
            )

        await house.until(connected, False)


async def test_what_belongs_to_another_shop_does_not_exist(house: House) -> None:
    chat = await house.chat()
    stranger = await house.actor("own1")
    alien = stranger.__class__(stranger.role, stranger.id, frozenset({UUID(int=7)}), "x")
    for frame in (
        fr.Claim(thread=chat.thread),
        fr.ConversationClose(thread=chat.thread, epoch=0),
        fr.TransferRequest(thread=chat.thread, epoch=0),
        fr.TransferAccept(conversation=UUID(int=5)),
        fr.OfferAccept(conversation=UUID(int=5), epoch=1),
    ):
        with pytest.raises(Refusal, match="not_found"):
            await house.frame(alien, frame)


async def test_a_dispatcher_that_is_told_to_end_ends_whatever_it_is_doing(house: House) -> None:
    for moment in range(120):
        task = asyncio.create_task(Dispatcher(house.pool, house.valkey, holder="one").run())
        # in steps of a quarter millisecond through leading, loading and listening
        await asyncio.sleep(moment / 4_000)
        task.cancel()
        _, running = await asyncio.wait([task], timeout=10)
        assert not running, f"cancelled after {moment / 4} ms, it went on"
