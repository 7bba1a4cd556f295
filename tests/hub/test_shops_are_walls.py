"""Nothing of one shop reaches another: every frame there is, made from its model, aimed at somebody else's thread."""

from __future__ import annotations

import asyncio
from typing import Any, get_args, get_origin
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic.fields import FieldInfo

from dispatcher.intake import Intake
from tests.conftest import Shop
from tests.hub.conftest import House, Line
from wangxin.model.refusals import Refusal
from wangxin.protocol import frames
from wangxin.protocol.bodies import Text
from wangxin.protocol.codec import decode
from wangxin.protocol.frames import (
    AGENT_FRAMES,
    MERCHANT_FRAMES,
    SHOPPER_FRAMES,
    Claim,
    Frame,
    Hello,
    MonitorTakeover,
    OfferAccept,
    OfferReject,
    Ping,
    TransferAccept,
    TransferReject,
)
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect

HARMLESS = {"agent.state", "ping"}
"""Frames that name nobody's thread."""
COLLEAGUES: tuple[type[Frame], ...] = tuple(
    set(AGENT_FRAMES) - {OfferAccept, OfferReject, TransferAccept, TransferReject, Claim, MonitorTakeover}
)
"""What a colleague of the same shop may not do to a thread that is not his. (The others only ask the dispatcher.)"""


def frame_at(kind: type[Frame], thread: UUID, conversation: UUID, foreign: dict[str, Any]) -> dict[str, Any]:
    """A lawful frame whose every id is another shop's."""
    values: dict[str, Any] = {"type": kind.model_fields["type"].default}
    for name, field in kind.model_fields.items():
        if name in ("type", "ref", "lane"):
            continue
        if name in foreign:
            values[name] = foreign[name]
        elif name == "thread":
            values[name] = str(thread)
        elif name == "conversation":
            values[name] = str(conversation)
        elif field.is_required():
            values[name] = _value(name, field)
    return values


def _value(name: str, field: FieldInfo) -> Any:
    if name == "client_msg_id":
        return str(uuid4())
    if name == "body":
        return Text(text="越界").model_dump(exclude_none=True)
    if name == "values":
        return {"name": "x"}
    if name in ("state",):
        return get_args(field.annotation)[0]
    if field.annotation is int or get_origin(field.annotation) is int:
        return 1
    return "x"


@pytest.fixture
async def full_house(house: House) -> House:
    """With everything that answers frames in the real process."""
    valkey = connect(house.valkey_url)
    hints = Hints(valkey)
    house.stack.push_async_callback(valkey.aclose)
    house.handlers = Intake(house.pool, hints).handlers()
    await house.open_hub("a")
    return house


WATCHED = ("thread", "entry", "conversation", "receipt", "outbox", "audit", "shopper")


async def record_of(pool: asyncpg.Pool, shop: UUID) -> dict[str, list[str]]:
    """Every row of a shop in the tables that frames can touch."""
    found = {}
    for table in WATCHED:
        rows = await pool.fetch(f"select t::text from {table} t where shop_id = $1 order by 1", shop)
        found[table] = [row[0] for row in rows]
    return found


def test_the_generator_makes_lawful_frames_of_every_kind() -> None:
    for kind in {*SHOPPER_FRAMES, *AGENT_FRAMES, *MERCHANT_FRAMES} - {Hello}:
        frame = frame_at(kind, uuid4(), uuid4(), {})
        try:
            assert type(decode(str(frame).replace("'", '"').replace("True", "true").encode())) is kind
        except Refusal as why:
            raise AssertionError(f"{frame}: {why}") from why


def test_no_frame_that_a_person_can_send_is_left_out() -> None:
    sent = {kind for kind in vars(frames).values() if isinstance(kind, type) and issubclass(kind, Frame)} - {Frame}
    assert sent == {*SHOPPER_FRAMES, *AGENT_FRAMES, *MERCHANT_FRAMES, Hello}


async def test_no_frame_of_another_shop_does_or_shows_anything(full_house: House, shop: Shop, other_shop: Shop) -> None:
    house = full_house
    victim, thread = await house.shopper(shop)
    await victim.say(thread, "这是秘密")
    theirs = await house.agent(shop, login="theirs")
    agent_of_theirs = await house.enter(theirs.token)
    await house.assign(shop.id, thread, theirs.id)
    await agent_of_theirs.until("thread.update")
    conversation = await house.pool.fetchval("select conversation_id from thread where id = $1", thread)
    await victim.line(thread, await house.pool.fetchval("select public_seq from thread where id = $1", thread))
    await asyncio.sleep(0.5)  # what is still on its way to the victim arrives
    before = await record_of(house.pool, shop.id)
    heard = (len(victim.frames), len(agent_of_theirs.frames))

    strangers: list[tuple[Line, tuple[type[Frame], ...]]] = [
        ((await house.shopper(other_shop, external_id="m1"))[0], SHOPPER_FRAMES),
        (await house.enter((await house.agent(other_shop, login="ours")).token), AGENT_FRAMES),
        (await house.enter((await house.agent(other_shop, login="boss", supervises=True)).token), AGENT_FRAMES),
        (await house.enter((await house.agent(other_shop, login="owner", role="merchant")).token), MERCHANT_FRAMES),
        ((await house.shopper(shop, external_id="m2", name="同店别人"))[0], SHOPPER_FRAMES),
        (await house.enter((await house.agent(shop, login="colleague")).token), COLLEAGUES),
    ]
    before = await record_of(house.pool, shop.id)
    for line, kinds in strangers:
        for kind in kinds:
            frame = frame_at(kind, thread, conversation, {"to_agent": str(theirs.id)})
            answer = await line.ask(frame)
            if kind is Ping or frame["type"] in HARMLESS:
                continue
            assert answer["type"] == "error", (frame, answer)
            assert answer["code"] not in ("hub.failed",), (frame, answer)
            await asyncio.sleep(0.03)  # within the rate
        assert "秘密" not in str(line.frames)
    after = await record_of(house.pool, shop.id)
    assert after == before
    await asyncio.sleep(0.3)
    new = victim.frames[heard[0] :] + agent_of_theirs.frames[heard[1] :]
    assert [frame for frame in new if frame["type"] not in ("presence", "pong")] == []


async def test_resume_points_of_strangers_show_nothing(house: House, shop: Shop, other_shop: Shop) -> None:
    await house.open_hub()
    victim, thread = await house.shopper(shop)
    await victim.say(thread, "这是秘密")
    for foreign in (thread, uuid4()):
        line, _ = await house.shopper(other_shop, resume=[{"thread": str(foreign), "after": 0}])
        gone = await line.until("thread.gone")
        assert (gone["thread"], gone["reason"]) == (str(foreign), "not yours")
        assert line.seqs(thread) == []


async def test_an_outsourced_agent_sees_masked_what_the_contract_hides(house: House, shop: Shop) -> None:
    async def fields(provider: UUID, of: UUID) -> frozenset[str]:
        return opened

    opened: frozenset[str] = frozenset()
    house.fields = fields
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    own = await house.agent(shop, login="own")
    outside = await house.agent(login="outside", provider=uuid4())
    body = {
        "kind": "logistics", "order": "88001", "carrier": "顺丰", "parcel": "SF1234567890123", "steps": [],
    }  # fmt: skip
    seen = {}
    for person in (own, outside):
        line = await house.enter(person.token)
        epoch = await house.assign(shop.id, thread, person.id)
        await line.until("thread.update")
        answer = await line.ask(
            {"type": "message.send", "thread": thread, "client_msg_id": uuid4(), "epoch": epoch, "body": body}
        ) if person is own else None  # fmt: skip
        assert answer is None or answer["type"] == "ack"
        page = await line.ask({"type": "history", "thread": thread})
        seen[person.name] = next(e["body"]["parcel"] for e in page["entries"] if e["body"]["kind"] == "logistics")
    assert seen == {own.name: "SF1234567890123", outside.name: "SF1****0123"}
    opened = frozenset({"level", "parcel"})
    again = await house.enter(outside.token)
    page = await again.ask({"type": "history", "thread": thread})
    assert "SF1234567890123" in str(page)


async def test_notes_stay_among_agents_and_supervisors(house: House, shop: Shop, other_shop: Shop) -> None:
    await house.open_hub("a")
    await house.open_hub("b")
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    person = await house.agent(shop)
    boss = await house.agent(shop, login="boss", supervises=True)
    agent = await house.enter(person.token)
    epoch = await house.assign(shop.id, thread, person.id)
    await agent.until("thread.update")
    watcher = await house.enter(boss.token, hub=1)
    assert (await watcher.ask({"type": "monitor.join", "thread": thread, "mode": "whisper"}))["type"] == "ok"
    assert (await watcher.until("thread.update"))["view"]["mine"] is False
    note = {"type": "note.add", "thread": thread, "client_msg_id": uuid4(), "text": "给他发券"}
    assert (await watcher.ask(note))["type"] == "ok"
    line = await agent.line(thread, 1, lane="internal")
    assert line["body"] == {"kind": "note", "text": "给他发券"}
    silent = await watcher.say(thread, "我来说")
    assert silent["code"] == "monitor.not_speaking"
    await watcher.ask({"type": "monitor.join", "thread": thread, "mode": "barge"})
    ack = await watcher.say(thread, "我来说")
    spoken = await shopper.line(thread, ack["seq"])
    assert (spoken["sender"]["kind"], spoken["body"]["text"]) == ("agent", "我来说")
    await agent.say(thread, "好的", epoch=epoch)
    await watcher.line(thread, ack["seq"] + 1)
    assert (await watcher.ask({"type": "monitor.leave", "thread": thread}))["type"] == "ok"
    await watcher.until("thread.gone")
    refused = await agent.ask({"type": "monitor.join", "thread": thread})
    assert refused["code"] == "monitor.not_allowed"
    hidden = await shopper.ask({"type": "history", "thread": thread, "lane": "internal"})
    assert hidden["code"] == "thread.not_found"
    assert "给他发券" not in str(shopper.frames)


async def test_a_conversation_is_rated_once(house: House, shop: Shop) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    conversation = await house.pool.fetchval("select conversation_id from thread where id = $1", thread)
    rate = {"type": "rating.submit", "thread": thread, "conversation": conversation, "stars": 5}
    early = await shopper.ask({**rate, "client_msg_id": uuid4()})
    assert early["code"] == "rating.no_agent"
    person = await house.agent(shop)
    await house.assign(shop.id, thread, person.id)
    msg = uuid4()
    for _ in range(2):
        assert (await shopper.ask({**rate, "client_msg_id": msg}))["type"] == "ok"
    twice = await shopper.ask({**rate, "client_msg_id": uuid4(), "stars": 1})
    assert twice["code"] == "rating.given"
    assert await house.pool.fetchval("select count(*) from entry where kind = 'rating'") == 1
    assert await house.pool.fetchval("select count(*) from outbox where fact->>'fact' = 'rating_given'") == 1
