"""Lines only agents see, written by the agent who holds the thread or by a supervisor of its shop."""

from __future__ import annotations

from uuid import UUID

from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol.bodies import Note, stored_body
from wangxin.protocol.frames import NoteAdd
from wangxin.protocol.reply import Reply
from wangxin.storage import entries
from wangxin.storage.entries import Line
from wangxin.storage.postgres import Pool


class Notes:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, actor: Actor, frame: NoteAdd) -> Reply:
        """Raises ``thread.not_found`` or ``message.id_reused``."""
        shop: UUID | None = await self._pool.fetchval(
            "select shop_id from thread where id = $1 and shop_id = any($2) and (agent_id = $3 or $4)",
            frame.thread,
            list(actor.shops),
            actor.id,
            actor.supervisor,
        )
        if shop is None:
            raise not_found("thread")
        line = Line(
            shop, frame.thread, "agent", actor.id, frame.client_msg_id, "note", stored_body(Note(text=frame.text)),
            lane="internal",
        )  # fmt: skip
        (answer,), _ = await entries.append(self._pool, [line])
        if answer.status == "reused":
            raise Refusal("message.id_reused", "this client_msg_id was used for other words", status=409)
        return Reply(grown=((shop, frame.thread),))
