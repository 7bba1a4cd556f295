"""Shoppers and agents who talk while something breaks, and the judgement afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import Shop, make_shop
from wangxin import auth
from wangxin.checker import Stored, Verdict, check
from wangxin.clock import new_id, now_ms
from wangxin.model.conversation import State
from wangxin.replay.person import Person, Refused
from wangxin.storage import accounts, conversations, hosts, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.entries import LANES
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect

KEY = "f" * 43
PATIENCE_S = 40.0


class Roaming(Person):
    """Tries the other hub when one does not answer."""

    def __init__(self, name: str, role: Any, urls: list[str], token: Any) -> None:
        self.urls = urls
        self.tried = 0
        super().__init__(name, role, urls[0], token)

    @property
    def url(self) -> str:
        self.tried += 1
        return self.urls[(self.tried - 1) // 2 % len(self.urls)]

    @url.setter
    def url(self, _: str) -> None:
        return


@dataclass
class Hubs:
    """Hub processes, by node name."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def socket(self, node: str) -> Path:
        return self.folder / f"hub-{node}.sock"

    async def start(self, node: str) -> None:
        environment = {
            **os.environ,
            "WANGXIN_POSTGRES_URL": self.postgres.url,
            "WANGXIN_VALKEY_URL": self.valkey.url,
            "WANGXIN_SECRET": KEY,
        }
        log = open(self.folder / f"hub-{node}.log", "ab")  # noqa: SIM115
        self.socket(node).unlink(missing_ok=True)
        self.running[node] = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.hub_process", node, str(self.socket(node))],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            while not self.socket(node).exists():
                assert self.running[node].poll() is None, (self.folder / f"hub-{node}.log").read_text()[-2000:]
                await asyncio.sleep(0.02)

    def kill(self, node: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.running.pop(node)
        process.send_signal(how)
        process.wait(20)

    def close(self) -> None:
        for node in list(self.running):
            self.kill(node)


class Crowd:
    """``pairs`` threads between shoppers and a few agents, spread over both hubs. Who does not ``roam`` waits for his
    own hub when it does not answer."""

    def __init__(
        self,
        hubs: Hubs,
        stack: AsyncExitStack,
        *,
        pairs: int = 8,
        agents: int = 2,
        pause_s: float = 0.12,
        roam: bool = True,
    ) -> None:
        self.hubs = hubs
        self.stack = stack
        self.pairs = pairs
        self.agent_count = agents
        self.pause_s = pause_s
        self.roam = roam
        self.shoppers: list[tuple[Person, UUID]] = []
        self.agents: list[Person] = []
        self.serves: dict[UUID, Person] = {}
        self.talking: list[asyncio.Task[None]] = []
        self.over = asyncio.Event()
        self.acks = 0

    async def connect(self) -> asyncpg.Connection:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    conn = await hosts.connect(self.hubs.postgres.url, timeout=5)
                    await postgres._prepare(conn)
                    return conn
                except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
                    await asyncio.sleep(0.1)

    def _urls(self, first: int) -> list[str]:
        nodes = ["a", "b"] if first % 2 == 0 else ["b", "a"]
        return [f"unix:{self.hubs.socket(node)}" for node in (nodes if self.roam else nodes[:1])]

    async def gather(self) -> None:
        """Everybody comes in, and every thread gets its agent."""
        conn = await self.connect()
        shop = await make_shop(conn, f"s{uuid4().hex[:10]}")
        ids = []
        for n in range(self.agent_count):
            account = await accounts.keep_account(
                conn, new_id(), login=f"a{uuid4().hex[:10]}", password_hash="-", role="agent", name=f"客服{n}",
                shops=[shop.id],
            )  # fmt: skip
            session = new_id()
            await accounts.open_session(conn, session, account, uuid4().hex, address="", device="")
            ids.append(account)
            self.agents.append(await self._come(f"agent{n}", "agent", self._urls(n), self._account(account, session)))
        for n in range(self.pairs):
            token = self._member(shop, f"m{n}")
            person = await self._come(f"shopper{n}", "shopper", self._urls(n), token)
            thread = next(iter(person.views))
            self.shoppers.append((person, thread))
            # every second thread is served from the other node
            agent = n // 2 % self.agent_count
            await self._assign(conn, shop.id, thread, ids[agent])
            self.serves[thread] = self.agents[agent]
        await conn.close()
        for _, thread in self.shoppers:
            agent_of = self.serves[thread]
            await agent_of.until(lambda a=agent_of, t=thread: t in a.views, patience_s=PATIENCE_S)  # type: ignore[misc]

    async def _come(self, name: str, role: Any, urls: list[str], token: Any) -> Person:
        return await self.stack.enter_async_context(Roaming(name, role, urls, token))

    @staticmethod
    def _member(shop: Shop, external_id: str) -> Any:
        async def token() -> str:
            return auth.sign_member(str(shop.id), external_id, external_id, "", shop.secret, now_ms())

        return token

    @staticmethod
    def _account(account: UUID, session: UUID) -> Any:
        async def token() -> str:
            return auth.sign_account(account, session, KEY, now_ms())

        return token

    async def _assign(self, conn: asyncpg.Connection, shop: UUID, thread: UUID, agent: UUID) -> None:
        async with conn.transaction():
            await conversations.request_handoff(
                conn, shop, thread, topic="", new_conversation=new_id(), now_ms=now_ms()
            )
            standing = await conversations.lock_thread(conn, shop, thread)
            await conversations.move(conn, standing, State.ASSIGNED, "conversation.assigned", agent=agent)
        valkey = connect(self.hubs.valkey.url)
        await Hints(valkey).grown([(shop, thread)], agents=[agent])
        await valkey.aclose()

    # --- talking ----------------------------------------------------------------------------------------------

    def talk(self) -> None:
        for person, thread in self.shoppers:
            self.talking.append(asyncio.create_task(self._speak(person, thread, None)))
            agent = self.serves[thread]
            self.talking.append(asyncio.create_task(self._speak(agent, thread, agent)))

    async def _speak(self, person: Person, thread: UUID, agent: Person | None) -> None:
        n = 0
        while not self.over.is_set():
            n += 1
            epoch = agent.views[thread]["epoch"] if agent is not None else None
            try:
                await person.say(thread, f"{person.party.name} 第{n}句 {thread}", epoch=epoch, patience_s=PATIENCE_S)
                self.acks += 1
            except Refused as refused:
                if str(refused) not in ("rate.exceeded", "hub.busy", "hello.pending"):
                    raise
                await asyncio.sleep(1.0)
            await asyncio.sleep(self.pause_s)

    async def more(self, acks: int) -> None:
        """Until so many more messages were acknowledged."""
        wanted = self.acks + acks
        async with asyncio.timeout(PATIENCE_S):
            while self.acks < wanted:
                broken = [task.exception() for task in self.talking if task.done() and not task.cancelled()]
                assert not [why for why in broken if why is not None], broken
                await asyncio.sleep(0.02)

    async def heard_all(self) -> None:
        """Until everybody holds the newest line of each of his threads."""
        conn = await self.connect()
        rows = await conn.fetch("select id, public_seq from thread where id = any($1)", [t for _, t in self.shoppers])
        await conn.close()
        newest = {row["id"]: row["public_seq"] for row in rows}
        for person, thread in self.shoppers:
            for one in (person, self.serves[thread]):
                await one.until(
                    lambda p=one, t=thread: p.last(t) >= newest[t], patience_s=PATIENCE_S  # type: ignore[misc]
                )  # fmt: skip

    async def judged(self) -> Verdict:
        """Stop talking, let everything arrive, and judge."""
        self.over.set()
        await asyncio.gather(*self.talking)
        await self.heard_all()
        conn = await self.connect()
        rows = await conn.fetch(
            "select thread_id, lane, seq, client_msg_id, body->>'text' as words, kind from entry"
            " where thread_id = any($1)",
            [thread for _, thread in self.shoppers],
        )
        await conn.close()
        record = [
            Stored(row["thread_id"], LANES[row["lane"]], row["seq"], row["client_msg_id"], row["words"]) for row in rows
        ]
        return check([person.party for person in (*self.agents, *(p for p, _ in self.shoppers))], record)
