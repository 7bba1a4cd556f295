"""Two dispatcher processes: the one that leads is killed or frozen, and the other goes on where it was."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Chat
from tests.dispatcher.conftest import House
from wangxin.protocol import frames as fr


class Pair:
    """Dispatcher processes by the name under which they hold the lease."""

    def __init__(self, house: House, folder: Path, stores: dict[str, str]) -> None:
        self.house, self.folder, self.stores = house, folder, stores
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, holder: str) -> None:
        with (self.folder / f"{holder}.log").open("ab") as log:
            self.running[holder] = subprocess.Popen(
                [sys.executable, "-m", "tests.dispatcher.dispatcher_process", holder],
                env={**os.environ, **self.stores}, stdout=log, stderr=log,
            )  # fmt: skip

    def said(self, holder: str) -> str:
        return (self.folder / f"{holder}.log").read_text()

    async def leads(self) -> str | None:
        holder: str | None = await self.house.pool.fetchval(
            "select holder from dispatch_lease where until_at > clock_timestamp()"
        )
        return holder

    async def epoch(self) -> int:
        return int(await self.house.pool.fetchval("select epoch from dispatch_lease"))

    async def both(self) -> None:
        """The first leads, the second is up and stands by."""
        self.start("first")
        await self.house.until(self.leads, "first", 60)
        self.start("second")
        await self.house.until(self._connected, True, 60)

    async def _connected(self) -> bool:
        assert self.running["second"].poll() is None, self.said("second")
        return bool(
            await self.house.pool.fetchval(
                "select exists (select 1 from pg_stat_activity where application_name like '%second%')"
            )
        )


@pytest.fixture
def pair(house: House, database_url: str, valkey_url: str, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(house, tmp_path, {"WANGXIN_POSTGRES_URL": database_url, "WANGXIN_VALKEY_URL": valkey_url})
    yield made
    for process in made.running.values():
        process.kill()  # works on a frozen one, too
        process.wait()


async def _each_once(house: House, chats: list[Chat]) -> None:
    for chat in chats:
        await house.until(lambda chat=chat: house.state(chat), "assigned", 60)
    rows = await house.pool.fetch("select count(*) from assignment group by conversation_id")
    assert [row[0] for row in rows] == [1] * len(chats)


async def test_a_killed_leaders_shoppers_are_assigned_once_by_the_standby(house: House, pair: Pair) -> None:
    await pair.both()
    await house.ready("own1")
    chats = [await house.chat(f"顾客{n}") for n in range(6)]
    for chat in chats[:4]:
        await house.ask(chat)
    await house.until(lambda: house.state(chats[1]), "assigned")
    before = await pair.epoch()
    os.kill(pair.running["first"].pid, signal.SIGKILL)
    for chat in chats[4:]:
        await house.ask(chat)
    await house.until(pair.leads, "second", 60)
    assert await pair.epoch() == before + 1
    await house.ready("yun1")
    await _each_once(house, chats)


async def test_offers_outlive_the_leader_that_made_them(house: House, pair: Pair) -> None:
    """Killed between offer and answer: what was answered meanwhile counts, and what nobody answers still runs out."""
    await house.policy(answer="offer", offer_ms=60_000, transfer_offer_ms=6_000)
    await pair.both()
    await house.ready("own1")
    given, kept, asked = [await house.chat(f"顾客{n}") for n in range(3)]
    own, yun = await house.actor("own1"), await house.actor("yun1")
    for chat in (given, kept):
        await house.ask(chat)
        await house.until(lambda: _offers(house), 1)
        conversation = (await house.thread(chat))["conversation_id"]
        await house.frame(own, fr.OfferAccept(conversation=conversation, epoch=1))
        await house.until(lambda chat=chat: house.holder(chat), "own1")
    await house.ready("yun1", "yun2")
    for chat, taker in ((given, "yun1"), (kept, "yun2")):
        await house.frame(
            own, fr.TransferRequest(thread=chat.thread, epoch=1, to_agent=house.agents[taker], note="要退货")
        )
    await house.ask(asked)
    await house.until(lambda: _offers(house), 3)
    os.kill(pair.running["first"].pid, signal.SIGKILL)
    offered = {row["conversation_id"]: row for row in await house.pool.fetch("select * from offer")}
    answered = offered[(await house.thread(asked))["conversation_id"]]
    taker = next(login for login, id_ in house.agents.items() if id_ == answered["agent_id"])
    await house.frame(yun, fr.TransferAccept(conversation=(await house.thread(given))["conversation_id"]))
    await house.frame(await house.actor(taker), fr.OfferAccept(conversation=answered["conversation_id"], epoch=1))
    await house.until(pair.leads, "second", 60)
    await house.until(lambda: house.holder(given), "yun1")
    await house.until(lambda: house.holder(asked), taker)
    await house.until(lambda: _offers(house), 0)  # the third ran out
    assert await house.holder(kept) == "own1"
    rows = await house.pool.fetch("select thread_id, array_agg(reason order by epoch) from assignment group by 1")
    reasons = dict(rows)
    assert reasons[given.thread][1:] == ["transfer"]
    assert (len(reasons[kept.thread]), len(reasons[asked.thread])) == (1, 1)


async def _offers(house: House) -> int:
    return int(await house.pool.fetchval("select count(*) from offer"))


async def test_a_frozen_leader_that_wakes_can_commit_nothing(house: House, pair: Pair) -> None:
    await pair.both()
    await house.ready("own1")
    chats = [await house.chat(f"顾客{n}") for n in range(6)]
    for chat in chats[:4]:
        await house.ask(chat)
    await house.until(lambda: house.state(chats[1]), "assigned")
    before = await pair.epoch()
    os.kill(pair.running["first"].pid, signal.SIGSTOP)
    for chat in chats[4:]:
        await house.ask(chat)
    await house.until(pair.leads, "second", 60)
    written = await _journal(house, before)
    asleep = len(pair.said("first"))
    os.kill(pair.running["first"].pid, signal.SIGCONT)
    await house.ready("yun1")
    await _each_once(house, chats)

    async def refused() -> bool:
        """By its old epoch; or the server had ended the connection it slept on."""
        said = pair.said("first")[asleep:]
        return f"epoch {before} of shard main is over; standing by" in said or "PostgreSQL is away" in said

    await house.until(refused, True, 60)
    assert await pair.leads() == "second"
    assert await _journal(house, before) == written


async def test_a_leader_frozen_within_a_transaction_holds_nobody_up(
    house: House, pair: Pair, database_url: str
) -> None:
    """The lease's row is locked by it: the standby waits for that lock until the server ends the idle transaction."""
    await pair.both()
    await house.ready("own1")
    chat = await house.chat()
    before = await pair.epoch()
    written = await _journal(house, before)

    async def leaders(what: str) -> bool:
        return bool(
            await house.pool.fetchval(
                f"select exists (select 1 from pg_stat_activity where application_name = 'first' and {what})"
            )
        )

    conn = await asyncpg.connect(database_url)
    async with conn.transaction():
        await conn.execute("lock table dispatch_journal in exclusive mode")
        await house.ask(chat)
        await house.until(lambda: leaders("wait_event_type = 'Lock'"), True)
        os.kill(pair.running["first"].pid, signal.SIGSTOP)
    await conn.close()
    await house.until(lambda: leaders("state = 'idle in transaction'"), True)
    await house.until(pair.leads, "second", 30)
    await _each_once(house, [chat])
    os.kill(pair.running["first"].pid, signal.SIGCONT)

    async def lost() -> bool:
        return "PostgreSQL is away" in pair.said("first")

    await house.until(lost, True, 60)
    assert await pair.leads() == "second"
    assert await _journal(house, before) == written


async def test_a_leader_frozen_in_the_middle_of_a_message_holds_nobody_up(house: House, pair: Pair) -> None:
    """Its connection is not idle then, but waits for the rest of the message for as long as it sleeps."""
    await house.pool.execute(
        "insert into dispatch_lease (shard, epoch, holder, until_at)"
        " values ('main', 7, 'frozen', clock_timestamp() + interval '3 s')"
    )
    command = [sys.executable, "-m", "tests.dispatcher.frozen_writer", "7"]
    frozen = subprocess.Popen(command, env={**os.environ, **pair.stores}, stdout=subprocess.PIPE)
    pair.running["frozen"] = frozen

    async def asleep() -> bool:
        return Path(f"/proc/{frozen.pid}/stat").read_text().rpartition(") ")[2][0] == "T"

    await house.until(asleep, True, 60)
    pair.start("second")
    await house.ready("own1")
    chat = await house.chat()
    await house.ask(chat)
    await _each_once(house, [chat])
    assert await pair.leads() == "second"
    os.kill(frozen.pid, signal.SIGCONT)
    assert frozen.stdout is not None
    assert await asyncio.to_thread(frozen.stdout.readline) == b"ended\n"


async def _journal(house: House, epoch: int) -> int:
    return int(await house.pool.fetchval("select count(*) from dispatch_journal where epoch = $1", epoch))
