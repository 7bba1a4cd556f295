"""Who is not there is told on his own device, where he asked for it (``push/calls.py``), else to a channel of the
shop's: a webhook that hears ``push.unreached`` carries the words on (an app's notifications, a text message) and may
say with the event ``push.reached`` what came of it."""

from __future__ import annotations

from uuid import UUID

from pydantic import JsonValue

from push.record import reach as record
from wangxin.model.facts import PushUnreached, Unreached
from wangxin.storage import outbox, webhooks
from wangxin.storage.postgres import Connection, Pool

AFTER_MS = 60_000
"""So long a message may take to reach a device before somebody counts as not there."""
PEOPLE_IN_CALL = 100
CHANNEL = "push.unreached"


async def look_at_some(pool: Pool, now_ms: int) -> bool:
    """One chunk that was done a while ago: whoever has not got his message is told to the shop's channel, once. False
    when there is none."""
    async with pool.acquire() as conn, conn.transaction():
        done = await record.claim_done(conn, now_ms - AFTER_MS)
        if done is None:
            return False
        heard = bool(await webhooks.listeners(conn, done.shop, CHANNEL))
        for people in record.batches(await record.ask(conn, done, heard=heard), PEOPLE_IN_CALL):
            told = tuple(
                Unreached(delivery=one["delivery"], shopper=one["shopper_id"], member=one["ref"], line=one["line"])
                for one in people
            )
            fact = PushUnreached(
                shop=done.shop, rule=done.rule, name=done.rule_name, run=done.run, people=told, at_ms=now_ms
            )
            await outbox.write(conn, [fact])
        return True


async def devices_gone(conn: Connection, one: record.Ringing, now_ms: int) -> None:
    """None of his devices is there any more: the shop's channel is told, where it has one."""
    if not await webhooks.listeners(conn, one.shop, CHANNEL):
        await record.rang(conn, one, "failed")
        return
    await record.hand_over(conn, one)
    told = Unreached(delivery=one.delivery, shopper=one.shopper, member=one.ref, line=one.line)
    await outbox.write(
        conn,
        [
            PushUnreached(
                shop=one.shop, rule=one.rule, name=one.rule_name, run=one.run, people=(told,), at_ms=now_ms
            )
        ],
    )  # fmt: skip


async def heard_back(conn: Connection, shop: UUID, event_type: str, data: dict[str, JsonValue]) -> None:
    """``push.reached`` {delivery, state: reached | failed}: what the channel made of it."""
    if event_type != "push.reached" or not isinstance(delivery := data.get("delivery"), str):
        return
    try:
        message = UUID(delivery)
    except ValueError:
        return
    await record.told(conn, shop, message, "failed" if data.get("state") == "failed" else "reached")
