"""Many moves of conversations in one transaction: rows, threads, public events and internal reasons.

The same promises as ``wangxin.storage.conversations.move``, for a whole batch of decisions in a few statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.model.conversation import State, may_follow
from wangxin.storage import entries
from wangxin.storage.entries import SYSTEM, Entry, Line, body_json
from wangxin.storage.postgres import Connection


class Diverged(Exception):
    """The record is not as the core remembers it: read it again and decide anew. Nothing was committed."""


@dataclass(frozen=True, slots=True)
class Move:
    """``event`` and ``body`` are shown to everyone; ``why`` (a routing body) only to agents. ``epoch`` is what the
    core expects it to be afterwards; ``unanswered_since_ms``: only if no person has written since then."""

    shop: UUID
    thread: UUID
    conversation: UUID
    to: State
    event: str
    epoch: int | None = None
    agent: UUID | None = None
    pool: UUID | None = None
    reason: str = ""
    body: dict[str, Any] | None = None
    why: dict[str, Any] | None = None
    unanswered_since_ms: int | None = None


@dataclass(slots=True)
class _At:
    state: State
    conversation: UUID | None
    agent: UUID | None
    pool: UUID | None
    epoch: int
    human_ms: int | None


async def apply_moves(conn: Connection, moves: Sequence[Move]) -> list[Entry]:
    """Do ``moves`` in order, in the caller's transaction; returns the stored lines. Raises Diverged."""
    if not moves:
        return []
    at = await _lock(conn, sorted({(move.shop, move.thread) for move in moves}))
    left = list(moves)
    while left:
        wave: list[Move] = []
        busy: set[tuple[UUID, UUID]] = set()
        later: list[Move] = []
        for move in left:
            key = (move.shop, move.thread)
            (later if key in busy else wave).append(move)
            busy.add(key)
        await _write(conn, wave, at)
        left = later
    lines: list[Line] = []
    for move in moves:
        about = {"event": move.event, "conversation": str(move.conversation), **(move.body or {})}
        lines.append(Line(move.shop, move.thread, "system", SYSTEM, None, "event", body_json(about)))
        if move.why is not None:
            lines.append(
                Line(move.shop, move.thread, "system", SYSTEM, None, "routing", body_json(move.why), lane="internal")
            )
    _, stored = await entries.append(conn, lines)
    return stored


async def _lock(conn: Connection, wanted: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], _At]:
    rows = await conn.fetch(
        """select shop_id, id, state, conversation_id, agent_id, pool_id, epoch,
                  (extract(epoch from human_wrote_at) * 1000)::bigint as human_ms
             from thread where (shop_id, id) in (select * from unnest($1::uuid[], $2::uuid[]))
             order by shop_id, id for update""",
        [shop for shop, _ in wanted],
        [thread for _, thread in wanted],
    )
    return {
        (row["shop_id"], row["id"]): _At(
            State(row["state"]), row["conversation_id"], row["agent_id"], row["pool_id"], row["epoch"], row["human_ms"]
        )
        for row in rows
    }


async def _write(conn: Connection, wave: Sequence[Move], at: dict[tuple[UUID, UUID], _At]) -> None:
    for move in wave:
        now = at.get((move.shop, move.thread))
        if now is None or now.conversation != move.conversation or not may_follow(now.state, move.to):
            raise Diverged(f"{move.conversation} is {now and now.state}, wanted {move.to}")
        if move.unanswered_since_ms is not None and (now.human_ms or 0) > move.unanswered_since_ms:
            raise Diverged(f"{move.conversation} was answered at the last moment")
        keeps = move.to in (State.PARKED, State.WRAP_UP, State.CLOSED)
        now.epoch += 1 if move.to is State.ASSIGNED or (now.agent is not None and not keeps) else 0
        if move.epoch is not None and now.epoch != move.epoch:
            raise Diverged(f"{move.conversation} would have epoch {now.epoch}, the core says {move.epoch}")
        if not keeps:
            now.agent, now.pool = move.agent, move.pool
        now.state = move.to
    values = [
        [move.shop for move in wave],
        [move.thread for move in wave],
        [move.conversation for move in wave],
        [str(move.to) for move in wave],
        [at[move.shop, move.thread].agent for move in wave],
        [at[move.shop, move.thread].pool for move in wave],
        [at[move.shop, move.thread].epoch for move in wave],
        [move.reason for move in wave],
    ]
    rows = (
        "unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::int[], $8::text[])"
        " m(shop, thread, conversation, state, agent, pool, epoch, reason)"
    )
    await conn.execute(
        f"""with moved as (
            update conversation c set state = m.state, agent_id = m.agent, pool_id = m.pool, epoch = m.epoch,
              handoff_at = case when m.state in ('waiting', 'message_box') then coalesce(handoff_at, clock_timestamp())
                                else handoff_at end,
              assigned_at = case when m.state = 'assigned' then coalesce(assigned_at, clock_timestamp())
                                 else assigned_at end,
              closed_at = case when m.state = 'closed' then clock_timestamp() else closed_at end,
              closed_reason = case when m.state = 'closed' then m.reason else closed_reason end
            from {rows} where c.shop_id = m.shop and c.id = m.conversation)
            update thread t set state = m.state, epoch = m.epoch,
              agent_id = case when m.state = 'closed' then null else m.agent end,
              pool_id = case when m.state = 'closed' then null else m.pool end,
              awaiting_since = case when m.state = 'closed' then null else t.awaiting_since end
            from {rows} where t.shop_id = m.shop and t.id = m.thread""",
        *values,
    )
    for move in wave:
        if move.to is State.CLOSED:
            now = at[move.shop, move.thread]
            now.agent = now.pool = None
