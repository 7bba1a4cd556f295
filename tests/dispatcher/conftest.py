"""A demo shop on real stores with a running dispatcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from dispatcher import demo
from dispatcher.intake import Intake
from dispatcher.people import agent_scope
from dispatcher.service import Dispatcher
from tests.conftest import Chat, make_chat, make_shop
from tests.dispatcher.office import Office, open_office
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.protocol import frames as fr
from wangxin.protocol.reply import Reply
from wangxin.storage import entries
from wangxin.storage.entries import Entry, Line, body_json
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect


@dataclass
class House:
    """The demo shop, its agents' accounts, and hands to act with."""

    pool: asyncpg.Pool
    valkey: Any
    shop: UUID
    merchant: UUID
    agents: dict[str, UUID]
    providers: dict[str, UUID]
    intake: Intake = field(init=False)
    hints: Hints = field(init=False)

    def __post_init__(self) -> None:
        self.hints = Hints(self.valkey)
        self.intake = Intake(self.pool, self.hints)

    async def actor(self, login: str) -> Actor:
        scope = await agent_scope(self.pool, self.agents[login])  # type: ignore[arg-type]
        assert scope is not None
        return Actor(Role.AGENT, scope.agent, scope.shops, scope.name, provider=scope.provider)

    def shopper(self, chat: Chat) -> Actor:
        return Actor(Role.SHOPPER, chat.shopper, frozenset({chat.shop}), "林晓")

    async def chat(self, name: str = "林晓") -> Chat:
        return await make_chat(self.pool, self.shop, name)

    async def frame(self, actor: Actor, frame: fr.Frame) -> Reply:
        reply: Reply = await self.intake.handlers()[type(frame)](actor, frame)
        for consumer in reply.wake:
            await self.hints.wake(consumer)
        return reply

    async def ready(self, *logins: str) -> None:
        for login in logins:
            await self.intake.agent_here(self.agents[login], "n1")
            await self.frame(await self.actor(login), fr.AgentStateSet(state="ready"))
        for login in logins:
            await self.until(lambda login=login: self.seat_state(login), "ready")

    async def seat_state(self, login: str) -> str:
        return str(await self.pool.fetchval("select state from seat where agent_id = $1", self.agents[login]))

    async def ask(self, chat: Chat, topic: str = "") -> None:
        await self.frame(self.shopper(chat), fr.HumanRequest(thread=chat.thread, topic=topic))

    async def thread(self, chat: Chat) -> Any:
        return await self.pool.fetchrow("select * from thread where id = $1", chat.thread)

    async def state(self, chat: Chat) -> str:
        return str((await self.thread(chat))["state"])

    async def holder(self, chat: Chat) -> str | None:
        agent = (await self.thread(chat))["agent_id"]
        return next((login for login, id_ in self.agents.items() if id_ == agent), None)

    async def lines(self, chat: Chat, lane: str = "public") -> list[Entry]:
        return await entries.read_after(self.pool, chat.shop, chat.thread, lane, 0, 1_000)  # type: ignore[arg-type]

    async def say(self, chat: Chat, login: str | None, text: str, epoch: int | None = None) -> str:
        sender = self.agents[login] if login else chat.shopper
        line = Line(
            chat.shop, chat.thread, "agent" if login else "shopper", sender, new_id(), "text",
            body_json({"text": text}), opens=None if login else new_id(), epoch=epoch,
        )  # fmt: skip
        answers, _ = await entries.append(self.pool, [line])
        return answers[0].status

    async def policy(self, **changed: int | str) -> None:
        """Change the shop's policy before a dispatcher reads it."""
        await self.pool.execute(
            "update routing_policy set policy = policy || $2::jsonb where shop_id = $1", self.shop, changed
        )

    async def until(self, look: Callable[[], Awaitable[Any]], wanted: Any, within_s: float = 30.0) -> None:
        """Wait for what must come, with a deadline for what never does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while (seen := await look()) != wanted:
            assert loop.time() < end, f"saw {seen!r}, wanted {wanted!r}"
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def dispatcher(self, holder: str = "one") -> AsyncIterator[Dispatcher]:
        running = Dispatcher(self.pool, self.valkey, holder=holder)
        task = asyncio.create_task(running.run())
        try:
            yield running
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def house(pool: asyncpg.Pool, valkey_url: str) -> AsyncIterator[House]:
    valkey = connect(valkey_url)
    yield await new_house(pool, valkey)
    await valkey.aclose()


async def new_house(pool: asyncpg.Pool, valkey: Any) -> House:
    shop = await make_shop(pool)
    merchant = new_id()
    accounts = {seat.login: new_id() for seat in demo.SEATS}
    async with pool.acquire() as conn, conn.transaction():
        seeded = await demo.seed(conn, shop.id, merchant, accounts)
    return House(pool, valkey, shop.id, merchant, seeded.agents, seeded.providers)


@pytest.fixture
async def office(house: House) -> AsyncIterator[Office]:
    """The house's merchant, over REST."""
    async with open_office(house) as opened:
        yield opened
