"""Supervisors look over shoulders: watch, whisper (notes), speak (barge), take over. Within their own shops only."""

from __future__ import annotations

from uuid import UUID

from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol.frames import MonitorJoin, MonitorLeave
from wangxin.protocol.reply import Reply
from wangxin.storage import accounts, entries
from wangxin.storage.entries import SYSTEM, Line, body_json
from wangxin.storage.postgres import Pool


class Monitor:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def _shop(self, actor: Actor, thread: UUID) -> UUID:
        """The thread's shop, if this supervisor may see it: the shop's own people, and a provider's for its own work.

        Raises ``monitor.not_allowed`` or ``thread.not_found``.
        """
        if not actor.supervisor:
            raise Refusal("monitor.not_allowed", "this is for supervisors", status=403)
        row = await self._pool.fetchrow(
            "select shop_id, agent_id from thread where id = $1 and shop_id = any($2)", thread, list(actor.shops)
        )
        if row is None:
            raise not_found("thread")
        if actor.provider is not None:
            agent = await accounts.read_account(self._pool, row["agent_id"]) if row["agent_id"] else None
            if agent is None or agent.provider != actor.provider:
                raise not_found("thread")
        shop: UUID = row["shop_id"]
        return shop

    async def join(self, actor: Actor, frame: MonitorJoin) -> Reply:
        """Follow a thread. Who speaks is announced to everyone; who only watches or whispers is not."""
        shop = await self._shop(actor, frame.thread)
        grown: tuple[tuple[UUID, UUID], ...] = ()
        if frame.mode == "barge":
            await self._announce(actor, shop, frame.thread, "supervisor.joined")
            grown = ((shop, frame.thread),)
        return Reply(attach=((shop, frame.thread, frame.mode),), grown=grown)

    async def leave(self, actor: Actor, frame: MonitorLeave) -> Reply:
        await self._shop(actor, frame.thread)
        return Reply(detach=(frame.thread,))

    async def _announce(self, actor: Actor, shop: UUID, thread: UUID, event: str) -> None:
        line = Line(
            shop, thread, "system", SYSTEM, None, "event", body_json({"event": event, "agent_name": actor.name})
        )  # fmt: skip
        await entries.append(self._pool, [line])
