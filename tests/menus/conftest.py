"""A shop with the demo's menu and questions, its bot, and a shopper who taps and writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from menus import demo, taps
from menus.service import Bot
from tests.conftest import Chat
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.protocol.frames import ChoiceSubmit, FormSubmit, Frame, MenuTap
from wangxin.protocol.reply import Handler, Reply
from wangxin.storage import entries
from wangxin.storage.entries import Line, body_json
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect


@dataclass
class Window:
    """A shopper's window: what he does, and what stands in his thread."""

    pool: asyncpg.Pool
    chat: Chat
    bot: Bot
    handlers: dict[type[Frame], Handler]
    actor: Actor = field(init=False)

    def __post_init__(self) -> None:
        self.actor = Actor(Role.SHOPPER, self.chat.shopper, frozenset({self.chat.shop}), "林晓")

    async def write(self, body: str | dict[str, Any], kind: str = "text") -> list[dict[str, Any]]:
        """Writes, lets the bot follow up, and returns what was added after the shopper's line."""
        words = {"text": body} if isinstance(body, str) else body
        line = Line(
            self.chat.shop, self.chat.thread, "shopper", self.chat.shopper, new_id(), kind, body_json(words),
            opens=new_id(),
        )  # fmt: skip
        (answer,), _ = await entries.append(self.pool, [line])
        await self.bot.follow()
        assert answer.seq is not None
        return [e for e in await self.lines() if e["seq"] > answer.seq]

    async def lines(self, lane: str = "public") -> list[dict[str, Any]]:
        found = await entries.read_after(self.pool, self.chat.shop, self.chat.thread, lane, 0, 200)  # type: ignore[arg-type]
        return [{"seq": e.seq, "kind": e.kind, "by": e.sender_kind, **json.loads(e.body)} for e in found]

    async def do(self, frame: Frame) -> Reply:
        return await self.handlers[type(frame)](self.actor, frame)

    async def tap(self, item: str, version: int = 1, msg: UUID | None = None) -> list[dict[str, Any]]:
        before = len(await self.lines())
        await self.do(MenuTap(thread=self.chat.thread, menu_version=version, item=item, client_msg_id=msg or new_id()))
        await self.bot.follow()
        return (await self.lines())[before:]

    async def choose(self, seq: int, choice: str) -> list[dict[str, Any]]:
        before = len(await self.lines())
        await self.do(ChoiceSubmit(thread=self.chat.thread, seq=seq, choice=choice, client_msg_id=new_id()))
        await self.bot.follow()
        return (await self.lines())[before:]

    async def fill(self, seq: int, values: dict[str, str]) -> list[dict[str, Any]]:
        before = len(await self.lines())
        await self.do(FormSubmit(thread=self.chat.thread, seq=seq, values=values, client_msg_id=new_id()))
        await self.bot.follow()
        return (await self.lines())[before:]

    async def state(self) -> str:
        state: str = await self.pool.fetchval("select state from thread where id = $1", self.chat.thread)
        return state

    async def facts(self, consumer: str) -> list[dict[str, Any]]:
        rows = await self.pool.fetch("select fact from outbox where consumer = $1 order by id", consumer)
        return [row["fact"] for row in rows]

    async def order(self, id_: str, state: str, **logistics: Any) -> None:
        await self.pool.execute(
            "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, logistics, created_at)"
            " values ($1, $2, $3, $4, 35900, $5, $6, now())",
            self.chat.shop, id_, self.chat.shopper, state,
            [{"product": "SY1001", "title": "轻薄立领羽绒服", "count": 1, "price_fen": 35_900}], logistics,
        )  # fmt: skip


@pytest.fixture
def hints(valkey_url: str) -> Hints:
    return Hints(connect(valkey_url))


@pytest.fixture
async def window(pool: asyncpg.Pool, chat: Chat, hints: Hints) -> AsyncIterator[Window]:
    async with pool.acquire() as conn, conn.transaction():
        await demo.seed(conn, chat.shop)
    bot = Bot(pool, hints)
    yield Window(pool, chat, bot, taps.handlers(pool))
    bot.brains.close()
