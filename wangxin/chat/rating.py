"""A shopper rates the conversation he had: once, within a day after its end, or while it lasts."""

from __future__ import annotations

from wangxin import clock
from wangxin.model.actor import Actor
from wangxin.model.facts import RatingGiven
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol.bodies import Rating, stored_body
from wangxin.protocol.frames import RatingSubmit
from wangxin.protocol.reply import Reply
from wangxin.storage import conversations, entries, outbox
from wangxin.storage.entries import Line
from wangxin.storage.postgres import Pool

RATE_WITHIN_MS = 24 * 3_600_000


class Ratings:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def submit(self, actor: Actor, frame: RatingSubmit) -> Reply:
        """Raises ``conversation.not_found``, ``rating.no_agent``, ``rating.too_late`` or ``rating.given``."""
        (shop,) = actor.shops
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await conversations.lock_thread(conn, shop, frame.thread)
            row = await conn.fetchrow(
                """select agent_id, (extract(epoch from clock_timestamp() - closed_at) * 1000)::bigint as ago_ms
                     from conversation where shop_id = $1 and id = $2 and thread_id = $3""",
                shop,
                frame.conversation,
                frame.thread,
            )
            if row is None:
                raise not_found("conversation")
            if row["agent_id"] is None:
                raise Refusal("rating.no_agent", "no person served this conversation", status=409)
            if row["ago_ms"] is not None and row["ago_ms"] > RATE_WITHIN_MS:
                raise Refusal("rating.too_late", "a conversation can be rated for a day", status=409)
            before = await conn.fetchrow(
                "select client_msg_id from entry where shop_id = $1 and thread_id = $2 and kind = 'rating'"
                " and conversation_id is not null and body->>'conversation' = $3",
                shop,
                frame.thread,
                str(frame.conversation),
            )
            if before is not None and before["client_msg_id"] != frame.client_msg_id:
                raise Refusal("rating.given", "this conversation has its rating", status=409)
            body = Rating(conversation=frame.conversation, stars=frame.stars, reasons=frame.reasons, text=frame.text)
            line = Line(
                shop, frame.thread, "shopper", actor.id, frame.client_msg_id, "rating", stored_body(body)
            )  # fmt: skip
            (answer,), stored = await entries.append(conn, [line])
            if answer.status == "reused":
                raise Refusal("message.id_reused", "this client_msg_id was used for other words", status=409)
            if stored:
                await outbox.write(
                    conn,
                    [
                        RatingGiven(
                            shop=shop, thread=frame.thread, conversation=frame.conversation,
                            shopper=standing.shopper, stars=frame.stars, at_ms=clock.now_ms(),
                        )
                    ],
                )  # fmt: skip
        return Reply(grown=((shop, frame.thread),), wake=("push",))
