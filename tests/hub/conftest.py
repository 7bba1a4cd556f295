"""Hubs in this process, on the test's own database and Valkey, and people on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import Shop, make_shop
from wangxin import auth
from wangxin.chat.door import ShopDoor
from wangxin.chat.handlers import handlers
from wangxin.clock import new_id, now_ms
from wangxin.edge import Gate
from wangxin.hub import server
from wangxin.hub.hub import Hub
from wangxin.model.actor import Actor
from wangxin.model.conversation import State
from wangxin.protocol.frames import Frame
from wangxin.protocol.reply import Handler
from wangxin.storage import accounts, conversations, privacy
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect as valkey_connect

KEY = "k" * 43
PATIENCE_S = 20.0


class Line:
    """One websocket of a person. Frames are kept; ``until`` waits for the one that fits."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self._heard = asyncio.Condition()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for raw in self.socket:
                self.frames.append(orjson.loads(raw))
                async with self._heard:
                    self._heard.notify_all()
        except ConnectionClosed:
            pass
        finally:
            self.code = self.socket.close_code
            async with self._heard:
                self._heard.notify_all()

    async def send(self, frame: dict[str, Any] | str | bytes) -> None:
        await self.socket.send(frame if isinstance(frame, str | bytes) else orjson.dumps(frame, default=str).decode())

    async def until(self, fits: Callable[[dict[str, Any]], bool] | str, *, after: int = 0) -> dict[str, Any]:
        """The first frame from ``after`` on that fits (a string: its type)."""
        fit = (lambda frame: frame["type"] == fits) if isinstance(fits, str) else fits

        def found() -> dict[str, Any] | None:
            return next((frame for frame in self.frames[after:] if fit(frame)), None)

        async with asyncio.timeout(PATIENCE_S), self._heard:
            await self._heard.wait_for(lambda: found() is not None or self.code is not None)
        got = found()
        assert got is not None, f"closed with {self.code} before it came; got {self.frames[-5:]}"
        return got

    async def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Send a frame and wait for the answer that carries its ref (a message's ack carries its client_msg_id)."""
        ref = uuid4().hex[:12]
        begin = len(self.frames)
        await self.send({**frame, "ref": ref})
        msg = str(frame["client_msg_id"]) if "client_msg_id" in frame else None
        return await self.until(
            lambda got: got.get("ref") == ref or (got["type"] == "ack" and got["client_msg_id"] == msg), after=begin
        )

    async def say(self, thread: UUID, words: str, *, msg: UUID | None = None, **more: Any) -> dict[str, Any]:
        """Send a text; returns its ack, or its error."""
        msg = msg or uuid4()
        begin = len(self.frames)
        await self.send(
            {
                "type": "message.send", "thread": str(thread), "client_msg_id": str(msg),
                "body": {"kind": "text", "text": words}, **more,
            }
        )  # fmt: skip
        return await self.until(
            lambda got: got["type"] in ("ack", "error") and got.get("client_msg_id") == str(msg), after=begin
        )

    async def closed(self) -> int:
        async with asyncio.timeout(PATIENCE_S), self._heard:
            await self._heard.wait_for(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    def seqs(self, thread: UUID, lane: str = "public") -> list[int]:
        return [
            frame["entry"]["seq"]
            for frame in self.frames
            if frame["type"] == "message.new"
            and frame["entry"]["thread"] == str(thread)
            and frame["entry"]["lane"] == lane
        ]

    def words(self, thread: UUID) -> list[str]:
        return [
            frame["entry"]["body"]["text"]
            for frame in self.frames
            if frame["type"] == "message.new"
            and frame["entry"]["thread"] == str(thread)
            and frame["entry"]["body"]
            and frame["entry"]["body"]["kind"] == "text"
        ]

    async def line(self, thread: UUID, seq: int, lane: str = "public") -> dict[str, Any]:
        """The line of that number, once it is here."""
        frame = await self.until(
            lambda got: (
                got["type"] == "message.new"
                and got["entry"]["thread"] == str(thread)
                and got["entry"]["lane"] == lane
                and got["entry"]["seq"] == seq
            )
        )
        entry: dict[str, Any] = frame["entry"]
        return entry


@dataclass
class Agent:
    id: UUID
    token: str
    session: UUID
    name: str


@dataclass
class House:
    """Everything a hub test needs: shops, people, hubs."""

    pool: asyncpg.Pool
    database_url: str
    valkey_url: str
    stack: AsyncExitStack
    hubs: list[Hub] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    connected: list[UUID] = field(default_factory=list)
    disconnected: list[UUID] = field(default_factory=list)
    handlers: dict[type[Frame], Handler] = field(default_factory=dict)
    fields: Any = None
    lost: dict[UUID, frozenset[UUID]] = field(default_factory=dict)
    """Shops that a provider's account may serve no longer."""

    @property
    def gate(self) -> Gate:
        return Gate(self.pool, KEY, served=self._served)

    async def _served(self, accounts: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
        rows = await self.pool.fetch("select shop_id from shop")
        shops = frozenset(row["shop_id"] for row in rows)
        return {account: shops - self.lost.get(account, frozenset()) for account in accounts}

    async def open_hub(self, node: str = "a", **more: Any) -> Hub:
        async def connect_store() -> asyncpg.Connection:
            return await asyncpg.connect(self.database_url, timeout=5, server_settings={"timezone": "UTC"})

        async def came(actor: Actor) -> None:
            self.connected.append(actor.id)

        async def went(actor: Actor, silent_ms: int) -> None:
            assert silent_ms >= 0
            self.disconnected.append(actor.id)

        hub = Hub(
            node=node,
            pool=self.pool,
            connect_store=connect_store,
            valkey_url=self.valkey_url,
            door=ShopDoor(self.gate, fields=self.fields),
            handlers={**handlers(self.pool), **self.handlers},
            on_connected=came,
            on_disconnected=went,
            **more,
        )
        servers = await server.serve(hub, port=0)
        self.stack.push_async_callback(server.close, hub, servers)
        self.hubs.append(hub)
        self.ports.append(server.port_of(servers[0]))
        async with asyncio.timeout(PATIENCE_S):
            while not hub.links.up:
                await asyncio.sleep(0.01)
        return hub

    async def dial(self, hub: int = 0, **more: Any) -> Line:
        """A line that has not said hello."""
        socket = await self.stack.enter_async_context(
            connect(f"ws://127.0.0.1:{self.ports[hub]}/ws", compression=None, **more)
        )
        return Line(socket)

    async def enter(self, token: str, hub: int = 0, *, resume: Any = (), headers: Any = None, **hello: Any) -> Line:
        """A line that is live."""
        line = await self.dial(hub, additional_headers=headers)
        await line.send({"type": "hello", "token": token, "resume": list(resume), **hello})
        await line.until("live")
        return line

    def member(self, shop: Shop, external_id: str = "m1", name: str = "林晓") -> str:
        return auth.sign_member(str(shop.id), external_id, name, "", shop.secret, now_ms())

    async def shopper(
        self, shop: Shop, hub: int = 0, *, external_id: str = "m1", name: str = "林晓", **more: Any
    ) -> tuple[Line, UUID]:
        """(live line, thread) of a member."""
        line = await self.enter(self.member(shop, external_id, name), hub, **more)
        welcome = await line.until("welcome")
        return line, UUID(welcome["threads"][0]["thread"])

    async def agent(self, *shops: Shop, login: str = "xiaoyu", **more: Any) -> Agent:
        account = await accounts.keep_account(
            self.pool, new_id(), login=login, password_hash="-", role=more.pop("role", "agent"), name=f"客服{login}",
            shops=[shop.id for shop in shops], **more,
        )  # fmt: skip
        session = new_id()
        await accounts.open_session(self.pool, session, account, uuid4().hex, address="", device="")
        return Agent(account, auth.sign_account(account, session, KEY, now_ms()), session, f"客服{login}")

    async def assign(self, shop: UUID, thread: UUID, agent: UUID, *, hint: bool = True) -> int:
        """What the dispatcher does; returns the epoch."""
        async with self.pool.acquire() as conn, conn.transaction():
            await conversations.request_handoff(
                conn, shop, thread, topic="", new_conversation=new_id(), now_ms=now_ms()
            )
            standing = await conversations.lock_thread(conn, shop, thread)
            event = "conversation.assigned" if standing.agent is None else "conversation.transferred"
            await conversations.move(conn, standing, State.ASSIGNED, event, agent=agent)
            epoch = (await conversations.lock_thread(conn, shop, thread)).epoch
        if hint:
            await self.hint([(shop, thread)], [agent])
        return epoch

    async def hint(self, threads: list[tuple[UUID, UUID]], agents: list[UUID]) -> None:
        valkey = valkey_connect(self.valkey_url)
        await Hints(valkey).grown(threads, agents=agents)
        await valkey.aclose()

    async def forget(self, shop: Shop, external_id: str, *, hint: bool = True) -> None:
        """The shop shuts the door to a member."""
        async with self.pool.acquire() as conn, conn.transaction():
            whom = await privacy.find_shopper(conn, shop.id, external_id)
            assert whom is not None
            gone = await privacy.ask_erasing(conn, shop.id, whom)
        if hint:
            valkey = valkey_connect(self.valkey_url)
            await Hints(valkey).gone(gone)
            await valkey.aclose()


@pytest.fixture
async def house(pool: asyncpg.Pool, database_url: str, valkey_url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(pool, database_url, valkey_url, stack)


@pytest.fixture
async def other_shop(pool: asyncpg.Pool) -> Shop:
    return await make_shop(pool, "linglu", "灵鹿家居")
