"""Many moves of conversations in one transaction: rows, threads, public events and internal reasons.

The same promises as ``wangxin.storage.conversations.move``, for a whole batch of decisions in a few statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.model.conversation import State, may_follow
from wangxin.storage.entries import body_json
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
class At:
    """Where a thread stands under its lock, and what the batch makes of it."""

    state: State
    conversation: UUID | None
    agent: UUID | None
    pool: UUID | None
    epoch: int
    human_ms: int | None
    waited: bool = False
    given: bool = False
    closed: str | None = None
    public: int = 0
    internal: int = 0

    def move(self, move: Move) -> None:
        """Raises Diverged where the move is none that the record allows."""
        if self.conversation != move.conversation or not may_follow(self.state, move.to):
            raise Diverged(f"{move.conversation} is {self.state}, wanted {move.to}")
        if move.unanswered_since_ms is not None and (self.human_ms or 0) > move.unanswered_since_ms:
            raise Diverged(f"{move.conversation} was answered at the last moment")
        keeps = move.to in (State.PARKED, State.WRAP_UP, State.CLOSED)
        self.epoch += 1 if move.to is State.ASSIGNED or (self.agent is not None and not keeps) else 0
        if move.epoch is not None and self.epoch != move.epoch:
            raise Diverged(f"{move.conversation} would have epoch {self.epoch}, the core says {move.epoch}")
        if not keeps:
            self.agent, self.pool = move.agent, move.pool
        self.state = move.to
        self.waited |= move.to in (State.WAITING, State.MESSAGE_BOX)
        self.given |= move.to is State.ASSIGNED
        if move.to is State.CLOSED:
            self.closed = move.reason


_APPEND = "select append_moved($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"


async def apply_moves(conn: Connection, moves: Sequence[Move], at: Mapping[UUID, At]) -> None:
    """Do ``moves`` in order, in the caller's transaction, who holds the locks of their threads (``at``: where these
    stand, by thread). Raises Diverged."""
    if not moves:
        return
    order: dict[UUID, tuple[int, Move, At]] = {}
    lines: list[tuple[int, int, int, str, str]] = []
    for move in moves:
        now = at[move.thread]
        now.move(move)
        if move.thread not in order:
            order[move.thread] = (len(order) + 1, move, now)
        of = order[move.thread][0]
        now.public += 1
        about = {"event": move.event, "conversation": str(move.conversation), **(move.body or {})}
        lines.append((of, 0, now.public, "event", body_json(about)))
        if move.why is not None:
            now.internal += 1
            lines.append((of, 1, now.internal, "routing", body_json(move.why)))
    rows = [
        (
            move.shop, move.thread, move.conversation, str(now.state), now.agent, now.pool, now.epoch, now.waited,
            now.given, now.closed, now.public, now.internal,
        )
        for _, move, now in order.values()
    ]  # fmt: skip
    await conn.execute(_APPEND, *map(list, zip(*rows, strict=True)), *map(list, zip(*lines, strict=True)))
