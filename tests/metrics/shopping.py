"""Conversations and orders written into a real record, for tests of the figures."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.conftest import Chat
from wangxin.clock import new_id
from wangxin.model.conversation import State
from wangxin.storage import conversations, entries
from wangxin.storage.entries import SYSTEM, Line, body_json


class Counter:
    """Speaks for all parties of one thread through the same functions that the product uses."""

    def __init__(self, pool: Any, chat: Chat) -> None:
        self.pool = pool
        self.chat = chat

    async def line(self, kind_of: Any, sender: UUID, kind: str, body: dict[str, Any], **more: Any) -> int:
        line = Line(self.chat.shop, self.chat.thread, kind_of, sender, new_id(), kind, body_json(body), **more)
        async with self.pool.acquire() as conn, conn.transaction():
            (done,), _ = await entries.append(conn, [line])
        assert done.status == "new"
        assert done.seq is not None
        return done.seq

    async def asks(self, text: str = "在吗", kind: str = "text") -> int:
        return await self.line("shopper", self.chat.shopper, kind, {"text": text}, opens=new_id())

    async def bot(self, text: str = "您好") -> int:
        return await self.line("bot", new_id(), "bot_answer", {"text": text})

    async def replies(self, agent: UUID, text: str = "在的") -> int:
        return await self.line("agent", agent, "text", {"text": text})

    async def wants_a_person(self) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await conversations.request_handoff(
                conn, self.chat.shop, self.chat.thread, topic="", new_conversation=new_id(), now_ms=0
            )

    async def moves(self, to: State, event: str, *, agent: UUID | None = None, pool: UUID | None = None,
                    reason: str = "", body: dict[str, Any] | None = None) -> None:  # fmt: skip
        async with self.pool.acquire() as conn, conn.transaction():
            standing = await conversations.lock_thread(conn, self.chat.shop, self.chat.thread)
            await conversations.move(
                conn, standing, to, event, agent=agent, pool=pool, reason=reason,
                body={**(body or {}), **({"reason": reason} if reason else {})},
            )  # fmt: skip
            if agent is not None:
                routing = {"decision": "assigned", "agent": str(agent), "pool": str(pool)}
                await entries.append(
                    conn,
                    [Line(self.chat.shop, self.chat.thread, "system", SYSTEM, new_id(), "routing", body_json(routing),
                          lane="internal")],
                )  # fmt: skip

    async def assigned(self, agent: UUID, pool: UUID) -> None:
        await self.moves(State.ASSIGNED, "conversation.assigned", agent=agent, pool=pool)

    async def closed(self, reason: str = "agent") -> None:
        await self.moves(State.CLOSED, "conversation.closed", reason=reason)

    async def orders(self, id_: str, fen: int, *, paid: bool = True, back_s: int = 0) -> None:
        await self.pool.execute(
            """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, created_at, paid_at)
               values ($1, $2, $3, $4, $5, clock_timestamp() - $6 * interval '1 second',
                       case when $7 then clock_timestamp() - $6 * interval '1 second' end)""",
            self.chat.shop, id_, self.chat.shopper, "paid" if paid else "unpaid", fen, back_s, paid,
        )  # fmt: skip

    async def rates(self, stars: int, conversation: UUID | None = None) -> UUID:
        """The thread's newest conversation, or the one that is named; which it was."""
        if conversation is None:
            conversation = await self.pool.fetchval(
                "select conversation_id from thread where shop_id = $1 and id = $2", self.chat.shop, self.chat.thread
            )
        assert conversation is not None
        body = {"conversation": str(conversation), "stars": stars, "reasons": [], "text": ""}
        await self.line("shopper", self.chat.shopper, "rating", body)
        return conversation
