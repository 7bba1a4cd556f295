"""The protocol by chance: people of two shops on two hubs, who come, go, resume, repeat, mix up and mistake frames.

The model knows only what was promised: what is acknowledged is stored once, under that number, with those words;
threads number their lines 1, 2, 3 …; each line of a thread reaches each open connection of its people once and in
order; nothing reaches anybody else; what is refused leaves no trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import make_shop
from tests.hub.conftest import PATIENCE_S, House, Line
from tests.hub.test_refusals import BAD_FRAMES
from wangxin.storage import postgres

pytestmark = pytest.mark.timeout(240)
EXAMPLES, STEPS = 20, 25
REFUSED = {"rate.exceeded", "hello.pending"}
"""Codes that may answer a lawful message: it is not stored."""
WORDS = ["在吗", "👩‍👩‍👧 退货", "\u202e反着\u2066", "a" * 300, "1\u2028\u20282", "﷽", "   x"]


@dataclass(eq=False)
class Who:
    """A person; ``threads`` are all that are his."""

    name: str
    token: str
    id: UUID
    shop: UUID
    threads: list[UUID]
    epoch: int | None = None
    last: dict[tuple[str, str], int] = field(default_factory=dict)
    """(thread, lane) -> the last number he holds without a gap."""


@dataclass(eq=False)
class Message:
    who: Who
    thread: UUID
    msg: UUID
    words: str
    acked: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Open:
    """One connection, and what came over it so far."""

    who: Who
    line: Line
    began: dict[tuple[str, str], int]
    read: int = 0
    bad: int = 0
    waits: dict[str, Message] = field(default_factory=dict)
    shown: dict[tuple[str, str], list[int]] = field(default_factory=dict)


class Talk(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    house: ClassVar[House]
    lines = Bundle("lines")
    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Who] = []
        self.open: list[Open] = []
        self.said: list[Message] = []
        self.order: list[tuple[Open, Message]] = []
        self.do(self._gather())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(2 * PATIENCE_S):
                return await work

        return self.loop.run_until_complete(bounded())

    async def _gather(self) -> None:
        """Two shops; in each two shoppers, and an agent who serves the first of them."""
        house = self.house
        for _ in range(2):
            shop = await make_shop(house.pool, f"s{uuid4().hex[:10]}")
            here = []
            for n in range(2):
                token = house.member(shop, f"m{n}")
                line = await house.enter(token)
                welcome = await line.until("welcome")
                thread, id_ = UUID(welcome["threads"][0]["thread"]), UUID(welcome["you"]["id"])
                await line.socket.close()
                here.append(Who(f"shopper{n} of {shop.slug}", token, id_, shop.id, [thread]))
            agent = await house.agent(shop, login=uuid4().hex[:12])
            epoch = await house.assign(shop.id, here[0].threads[0], agent.id, hint=False)
            self.people += [*here, Who(f"agent of {shop.slug}", agent.token, agent.id, shop.id, here[0].threads, epoch)]

    # --- coming and going ---------------------------------------------------------------------------------------

    @rule(target=lines, n=st.integers(0, 5), hub=st.integers(0, 1), resumes=st.booleans())
    def comes(self, n: int, hub: int, resumes: bool) -> Any:
        who = self.people[n]
        if sum(one.who is who for one in self.open) >= 3:
            return multiple()
        points = [
            {"thread": thread, "lane": lane, "after": last} for (thread, lane), last in who.last.items() if resumes
        ]
        line = self.do(self.house.enter(who.token, hub, resume=points))
        began: dict[tuple[str, str], int] = {(str(p["thread"]), str(p["lane"])): int(str(p["after"])) for p in points}
        for view in next(f for f in line.frames if f["type"] == "welcome")["threads"]:
            for lane in ("public", "internal"):
                began.setdefault((view["thread"], lane), view.get(f"{lane}_seq", 0))
        one = Open(who, line, began)
        self.open.append(one)
        return one

    @rule(one=consumes(lines))
    def goes(self, one: Open) -> None:
        """In the middle of a word: what was not answered may or may not be stored."""
        self._harvest(one)
        one.line.socket.transport.abort()
        self.do(one.line.closed())
        self.open.remove(one)

    @rule(one=consumes(lines), how=st.sampled_from([b"\x00", "\udcff", "twice"]))
    def ends_badly(self, one: Open, how: Any) -> None:
        """Bytes, or a second hello: the line ends with its code, and no other one with it."""
        if how == "twice":
            self.do(one.line.send({"type": "hello", "token": one.who.token}))
            assert self.do(one.line.closed()) == 4502
        else:
            self.do(one.line.send(b"\x00\xff"))
            assert self.do(one.line.closed()) == 1003
        self._harvest(one)
        self.open.remove(one)

    # --- talking ------------------------------------------------------------------------------------------------

    def _send(self, one: Open, message: Message, **more: Any) -> None:
        epoch = {} if one.who.epoch is None else {"epoch": one.who.epoch}
        self.order.append((one, message))
        one.waits[str(message.msg)] = message
        frame = {
            "type": "message.send", "thread": str(message.thread), "client_msg_id": str(message.msg),
            "body": {"kind": "text", "text": message.words}, **epoch, **more,
        }  # fmt: skip
        self.do(one.line.send(frame))

    @rule(target=messages, one=lines, words=st.sampled_from(WORDS), many=st.integers(1, 4))
    def says(self, one: Open, words: str, many: int) -> Any:
        """Several in a row, without waiting for an answer."""
        sent = []
        for n in range(many):
            message = Message(one.who, one.who.threads[0], uuid4(), f"{words} {n}")
            self.said.append(message)
            self._send(one, message)
            sent.append(message)
        return multiple(*sent)

    @rule(one=lines, message=messages)
    def repeats(self, one: Open, message: Message) -> None:
        """The same id and words again, over whatever line of his: the same number."""
        if message.who is one.who:
            self._send(one, message)

    @rule(one=lines, message=messages)
    def reuses(self, one: Open, message: Message) -> None:
        """The same id with other words: refused, if the first ones are stored."""
        self._settle(one)
        if message.who is not one.who or not message.acked:
            return
        other = Message(one.who, message.thread, message.msg, "别的话")
        self._send(one, other)
        self._settle(one)
        assert other.acked == set()
        assert set(other.refused) <= {"message.id_reused"} | REFUSED

    @rule(one=lines, n=st.integers(0, 5), message=messages)
    def trespasses(self, one: Open, n: int, message: Message) -> None:
        """Another's thread: as if it did not exist, with a new id or with one that is another's."""
        thread = self.people[n].threads[0]
        if thread in one.who.threads:
            return
        self._settle(one)
        for msg in (uuid4(), message.msg):
            trial = Message(one.who, thread, msg, "偷看")
            self._send(one, trial)
            self._settle(one)
            assert trial.acked == set()
            assert set(trial.refused) <= {"thread.not_found"} | REFUSED
        for frame in ({"type": "history", "after": 0}, {"type": "receipt.read", "up_to_seq": 1}, {"type": "typing"}):
            got = self.do(one.line.ask({**frame, "thread": str(thread)}))
            assert got["code"] in {"thread.not_found"} | REFUSED, got

    @rule(one=lines)
    def an_old_epoch(self, one: Open) -> None:
        if one.who.epoch is not None:
            stale = Message(one.who, one.who.threads[0], uuid4(), "过期")
            self._send(one, stale, epoch=one.who.epoch - 1)
            self._settle(one)
            assert stale.acked == set()
            assert set(stale.refused) <= {"message.stale_epoch"} | REFUSED

    @rule(one=lines, bad=st.sampled_from(BAD_FRAMES))
    def mistakes(self, one: Open, bad: tuple[str, Any, str]) -> None:
        if one.bad >= 15 or (one.who.epoch is not None and bad[0] == "an agent's frame"):
            return
        one.bad += 1
        self._settle(one)
        begin = len(one.line.frames)
        self.do(one.line.send(bad[1]))
        error = self.do(one.line.until("error", after=begin))
        assert error["code"] in {bad[2]} | REFUSED, (bad, error)

    @rule(one=lines)
    def reads_again(self, one: Open) -> None:
        """History is what is stored, without gaps."""
        thread = one.who.threads[0]
        got = self.do(one.line.ask({"type": "history", "thread": str(thread), "after": 0}))
        if got["type"] != "error":
            seqs = [entry["seq"] for entry in got["entries"]]
            assert seqs == list(range(1, len(seqs) + 1))
            assert {entry["thread"] for entry in got["entries"]} <= {str(thread)}

    # --- what must hold -----------------------------------------------------------------------------------------

    def _settle(self, one: Open) -> None:
        """Until every message of this line is answered."""

        async def answered() -> None:
            while one.waits and one.line.code is None:
                self._harvest(one)
                await asyncio.sleep(0.002)

        self.do(answered())
        assert not one.waits, "an open line answers everything"

    def _harvest(self, one: Open) -> None:
        for frame in one.line.frames[one.read :]:
            one.read += 1
            kind = frame["type"]
            if kind == "ack":
                message = one.waits.pop(frame["client_msg_id"])
                assert frame["thread"] == str(message.thread)
                message.acked.add(frame["seq"])
                self._saw(one, frame["thread"], frame["lane"], frame["seq"])
            elif kind == "error" and frame.get("client_msg_id") in one.waits:
                one.waits.pop(frame["client_msg_id"]).refused.append(frame["code"])
            elif kind == "message.new":
                entry = frame["entry"]
                self._saw(one, entry["thread"], entry["lane"], entry["seq"], new=True)
            elif kind == "snapshot":
                raise AssertionError("nobody is ever so far behind here")

    def _saw(self, one: Open, thread: str, lane: str, seq: int, *, new: bool = False) -> None:
        assert UUID(thread) in one.who.threads, f"{one.who.name} was shown a line of somebody else"
        assert lane == "public" or one.who.epoch is not None, "an internal line reached a shopper"
        if new:  # an acknowledgement comes first, then the line itself, to its sender too
            shown = one.shown.setdefault((thread, lane), [])
            assert not shown or seq > shown[-1], "a line was shown twice, or out of order"
            shown.append(seq)

    @invariant()
    def nothing_is_shown_to_the_wrong_one(self) -> None:
        for one in self.open:
            self._harvest(one)

    def teardown(self) -> None:
        try:
            for one in self.open:
                self._settle(one)
            self.do(self._judge())
        finally:
            for one in self.open:
                self.do(one.line.socket.close())

    async def _judge(self) -> None:
        threads = sorted({thread for who in self.people for thread in who.threads})
        rows = await self.house.pool.fetch(
            "select thread_id, lane, seq, sender_id, client_msg_id, body->>'text' as words from entry"
            " where thread_id = any($1) order by lane, seq",
            threads,
        )
        stored: dict[tuple[UUID, UUID, UUID], list[tuple[int, str]]] = {}
        newest: dict[tuple[str, str], int] = {}
        for row in rows:
            lane = ("public", "internal")[row["lane"]]
            at = (str(row["thread_id"]), lane)
            assert row["seq"] == newest.get(at, 0) + 1, "numbers are without gaps"
            newest[at] = row["seq"]
            if row["words"] is not None and row["client_msg_id"] is not None:
                key = (row["thread_id"], row["sender_id"], row["client_msg_id"])
                stored.setdefault(key, []).append((row["seq"], row["words"]))
        for message in self.said:
            there = stored.pop((message.thread, message.who.id, message.msg), [])
            assert len(there) <= 1, "stored once"
            if message.acked:
                assert there == [(*message.acked, message.words)], "under the number that was told, with these words"
            elif message.refused and not any(m is message and one not in self.open for one, m in self.order):
                assert there == [], "what was refused leaves no trace"
        assert stored == {}, "nothing is stored that nobody said"
        for one in self.open:  # of one line, in the order in which they were first sent
            first: dict[UUID, int] = {}
            for line, message in self.order:
                if line is one and message.acked and all(m is not message for o, m in self.order if o is not one):
                    first.setdefault(message.msg, *message.acked)
            assert list(first.values()) == sorted(first.values())
        for one in self.open:
            for thread in map(str, one.who.threads):
                for lane in ("public", "internal") if one.who.epoch is not None else ("public",):
                    await self._reached(one, (thread, lane), newest.get((thread, lane), 0))

    async def _reached(self, one: Open, at: tuple[str, str], newest: int) -> None:
        """Everything above where this connection began is there, in order, once."""
        wanted = set(range(one.began.get(at, 0) + 1, newest + 1))
        while not wanted <= set(one.shown.get(at, [])):
            self._harvest(one)
            await asyncio.sleep(0.002)
        assert set(one.shown.get(at, [])) <= wanted, "what he held already is not shown again"


@pytest.fixture
def house(database_url: str, valkey_url: str) -> Iterator[None]:
    """Two hubs on a loop that the machine drives step by step."""
    loop = asyncio.new_event_loop()

    async def begin(stack: AsyncExitStack) -> House:
        pool = await postgres.open_pool(database_url, least=1, most=8, name="test")
        made = House(pool, database_url, valkey_url, stack)
        await made.open_hub("a")
        await made.open_hub("b")
        return made

    stack = AsyncExitStack()
    made = loop.run_until_complete(begin(stack))
    Talk.loop, Talk.house = loop, made
    yield
    loop.run_until_complete(stack.aclose())
    made.pool.terminate()
    loop.close()


def test_whatever_people_do_what_is_acknowledged_is_stored_once_in_order_and_stays_in_its_shop(house: None) -> None:
    run_state_machine_as_test(
        Talk,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
        ),
    )  # fmt: skip
