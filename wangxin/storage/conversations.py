"""Moves of a conversation, as one transaction's worth of statements: the row, the thread's copy, the event line.

Who decides a move is the caller's business (the bot, the dispatcher, a handler); that it is a legal one is checked
here, under the thread's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.model.conversation import State, may_follow
from wangxin.model.facts import HandoffRequested
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import entries, outbox
from wangxin.storage.entries import SYSTEM, Entry, Line, body_json
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a thread stands, read under its lock."""

    shop: UUID
    thread: UUID
    shopper: UUID
    conversation: UUID | None
    state: State
    agent: UUID | None
    pool: UUID | None
    epoch: int
    public_seq: int


async def lock_thread(conn: Connection, shop: UUID, thread: UUID) -> Standing:
    """Lock one thread until the transaction ends. Raises ``thread.not_found``."""
    row = await conn.fetchrow(
        "select shopper_id, conversation_id, state, agent_id, pool_id, epoch, public_seq from thread"
        " where shop_id = $1 and id = $2 for update",
        shop,
        thread,
    )
    if row is None:
        raise not_found("thread")
    return Standing(
        shop,
        thread,
        row["shopper_id"],
        row["conversation_id"],
        State(row["state"]),
        row["agent_id"],
        row["pool_id"],
        row["epoch"],
        row["public_seq"],
    )


async def move(
    conn: Connection,
    standing: Standing,
    to: State,
    event: str,
    *,
    body: dict[str, Any] | None = None,
    agent: UUID | None = None,
    pool: UUID | None = None,
    reason: str = "",
    once: UUID | None = None,
) -> list[Entry]:
    """Move the thread's current conversation to ``to`` and append the public event ``event``.

    Under ``assigned`` the epoch grows by one whenever the agent changes; ``agent`` and ``pool`` are kept for parked and
    wrap-up and cleared for waiting, bot and message box. ``body`` is shown to everyone: nothing in it may be
    internal. ``once`` makes the event line idempotent. Returns the stored lines.
    """
    if standing.conversation is None or not may_follow(standing.state, to):
        raise Refusal(
            "conversation.wrong_state", f"a conversation that is {standing.state} cannot become {to}", status=409
        )
    keeps_agent = to in (State.PARKED, State.WRAP_UP, State.CLOSED)
    if keeps_agent:
        agent, pool = standing.agent, standing.pool
    epoch = standing.epoch + (1 if to is State.ASSIGNED or (standing.agent is not None and not keeps_agent) else 0)
    await conn.execute(
        """update conversation set state = $3, agent_id = $4, pool_id = $5, epoch = $6,
             handoff_at = case when $3 in ('waiting', 'message_box') then coalesce(handoff_at, clock_timestamp())
                               else handoff_at end,
             assigned_at = case when $3 = 'assigned' then coalesce(assigned_at, clock_timestamp()) else assigned_at end,
             closed_at = case when $3 = 'closed' then clock_timestamp() else closed_at end,
             closed_reason = case when $3 = 'closed' then $7 else closed_reason end
           where shop_id = $1 and id = $2""",
        standing.shop, standing.conversation, str(to), agent, pool, epoch, reason,
    )  # fmt: skip
    await conn.execute(
        """update thread set state = $3, agent_id = $4, pool_id = $5, epoch = $6,
             awaiting_since = case when $3 = 'closed' then null else awaiting_since end
           where shop_id = $1 and id = $2""",
        standing.shop, standing.thread, str(to), None if to is State.CLOSED else agent,
        None if to is State.CLOSED else pool, epoch,
    )  # fmt: skip
    line = Line(
        standing.shop, standing.thread, "system", SYSTEM, once, "event",
        body_json({"event": event, "conversation": str(standing.conversation), **(body or {})}),
    )  # fmt: skip
    _, stored = await entries.append(conn, [line])
    return stored


async def request_handoff(
    conn: Connection, shop: UUID, thread: UUID, *, topic: str, new_conversation: UUID, now_ms: int
) -> list[Entry]:
    """The shopper asks for a person: the conversation (opened, if there is none) waits, and the dispatcher hears of it.

    Asking twice changes nothing. Returns the stored lines.
    """
    standing = await lock_thread(conn, shop, thread)
    stored: list[Entry] = []
    if standing.state in (State.WAITING, State.ASSIGNED, State.PARKED, State.WRAP_UP):
        return stored
    if standing.state is State.CLOSED:
        stored += await open_conversation(conn, standing, new_conversation)
        standing = await lock_thread(conn, shop, thread)
    stored += await move(conn, standing, State.WAITING, "handoff.requested", body={"topic": topic} if topic else None)
    conversation = standing.conversation
    assert conversation is not None
    if topic:
        await conn.execute(
            "update conversation set topic = $3 where shop_id = $1 and id = $2", shop, conversation, topic
        )
    await outbox.write(
        conn,
        [
            HandoffRequested(
                shop=shop, thread=thread, conversation=conversation, shopper=standing.shopper, topic=topic, at_ms=now_ms
            )
        ],
    )
    return stored


async def open_conversation(
    conn: Connection, standing: Standing, new_conversation: UUID, *, outbound_rule: UUID | None = None
) -> list[Entry]:
    """Open a conversation in a closed thread without a shopper's words (a tapped menu, a wish for a person)."""
    assert standing.state is State.CLOSED, "only a closed thread opens a conversation"
    await conn.execute(
        """insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, reopened_from,
             outbound_rule)
           values ($1, $2, $3, $4, 'bot', clock_timestamp(), $5, $6, $7)""",
        standing.shop, new_conversation, standing.thread, standing.shopper, standing.public_seq + 1,
        standing.conversation, outbound_rule,
    )  # fmt: skip
    await conn.execute(
        "update thread set conversation_id = $3, state = 'bot', agent_id = null, pool_id = null, awaiting_since = null"
        " where shop_id = $1 and id = $2",
        standing.shop,
        standing.thread,
        new_conversation,
    )
    line = Line(
        standing.shop, standing.thread, "system", SYSTEM, None, "event",
        body_json({"event": "conversation.opened", "conversation": str(new_conversation)}),
    )  # fmt: skip
    _, stored = await entries.append(conn, [line])
    return stored


async def ensure_thread(conn: Connection, shop: UUID, shopper: UUID, new_thread: UUID) -> UUID:
    """The one thread of this shopper and shop, made if it is not there yet."""
    found: UUID | None = await conn.fetchval(
        "insert into thread (shop_id, id, shopper_id) values ($1, $2, $3) on conflict (shop_id, shopper_id) do nothing"
        " returning id",
        shop,
        new_thread,
        shopper,
    )
    if found is None:
        found = await conn.fetchval("select id from thread where shop_id = $1 and shopper_id = $2", shop, shopper)
    assert found is not None
    return found
