"""A stretch of the journal decided once more, for a page: in a process of its own, as it computes for seconds.

``python -m dispatcher.again`` reads what is asked as a line of JSON, then the journal's lines, and writes one answer.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson
from pydantic import TypeAdapter

from dispatcher import journal_record
from dispatcher.explain import Row
from dispatcher.journal import Line, Redecider, TakenOver, canonical, to_row
from dispatcher.journal_record import Beginning
from dispatcher.model import Policy
from dispatcher.preview import Asked, child
from dispatcher.replaying import otherwise
from dispatcher.rethink import Stretch
from wangxin.model import limits
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

SHARD = "main"
CHANGED_SHOWN = 200
"""So many requests that fare otherwise are told one by one, the earliest first."""
_AFTER_MS = 5_000
_AFTER_OTHERWISE_MS = 180_000
"""Under another policy he may wait longer than he did."""


class Question(Asked):
    """About the shop's requests from ``from_ms`` on, or about one conversation alone. ``policy``: what would
    another one have done?"""

    shop: str
    conversation: str = ""
    policy: Policy | None = None
    from_ms: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Of the journal: from a start of the core on."""

    start: Beginning
    until_ms: int


async def around(conn: Connection, shop: UUID, conversation: UUID, *, otherwise: bool) -> Part:
    """From the last start before its first assignment to the end of its last one. Raises ``conversation.not_found``,
    ``replay.forgotten`` (the journal keeps some days), ``replay.too_much`` (the command has no such bound)."""
    row = await conn.fetchrow(
        """select (extract(epoch from min(assigned_at)) * 1000)::bigint as first_ms,
                  (extract(epoch from max(coalesce(released_at, clock_timestamp()))) * 1000)::bigint as last_ms
             from assignment where shop_id = $1 and conversation_id = $2""",
        shop,
        conversation,
    )
    if row is None or row["first_ms"] is None:
        raise not_found("conversation")
    start = await journal_record.beginning(conn, SHARD, row["first_ms"])
    if start is None or start.at_ms > row["first_ms"]:
        raise Refusal("replay.forgotten", "the journal of that time is forgotten", status=409)
    return await _bounded(conn, start, row["last_ms"] + (_AFTER_OTHERWISE_MS if otherwise else _AFTER_MS))


async def of_day(conn: Connection, day: date, tz: str) -> tuple[Part, int]:
    """What is on record of a day, and the moment from which on it is. Raises ``replay.forgotten``,
    ``replay.too_much``."""
    from_ms, until_ms = day_ms(day, tz)
    start = await journal_record.beginning(conn, SHARD, from_ms)
    if start is None or start.at_ms >= until_ms:
        raise Refusal("replay.forgotten", "the journal of that time is forgotten", status=409)
    return await _bounded(conn, start, until_ms), max(from_ms, start.at_ms)


def day_ms(day: date, tz: str) -> tuple[int, int]:
    """When the local day begins, and when it is over."""
    begins, ends = (
        int(datetime(one.year, one.month, one.day, tzinfo=ZoneInfo(tz)).timestamp() * 1_000)
        for one in (day, day + timedelta(days=1))
    )
    return begins, ends


async def _bounded(conn: Connection, start: Beginning, until_ms: int) -> Part:
    most = limits.REPLAY_LINES_MAX
    if await journal_record.count(conn, SHARD, start, until_ms, most + 1) > most:
        raise Refusal("replay.too_much", "so long a stretch is for the command replay-dispatch", status=409)
    return Part(start, until_ms)


async def decide_again(pool: asyncpg.Pool, part: Part, asked: Question) -> dict[str, Any]:
    """In a child. Raises ``preview.busy``, ``preview.too_slow``."""

    async def lines() -> AsyncGenerator[bytes, None]:
        async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            async for line in journal_record.read_text(conn, SHARD, part.start, part.until_ms):
                yield line

    async with contextlib.aclosing(lines()) as told:
        return await child("dispatcher.again", asked, told)


def again(asked: Question, rows: Iterable[tuple[int, int, int, Row, list[Row]]]) -> dict[str, Any]:
    """How many lines and decisions were made once more, and how many lines differ; each decision about the conversation
    with whether it is the same, byte for byte; and what another policy would have changed."""
    redecider, stretch = Redecider(), None
    count = decisions = different = 0
    mine: list[dict[str, Any]] = []
    for row in rows:
        line = Line(*row)
        done = redecider.again(line)
        made = [to_row(decision) for decision in done.made]
        count += 1
        decisions += len(made)
        different += canonical(line.decisions) != canonical(made)
        if asked.conversation:
            mine += _compared(asked.conversation, line, made)
        if asked.policy is not None:
            if stretch is None:
                assert isinstance(done.event, TakenOver), "the first line is a start"
                stretch = Stretch(done.event, line.at_ms)
            stretch.take(line.at_ms, done.event, done.made)
    answer: dict[str, Any] = {"lines": count, "decisions": decisions, "different": different, "mine": mine}
    if asked.policy is not None:
        assert stretch is not None, "there are lines"
        answer["otherwise"] = _otherwise(asked, asked.policy, stretch)
    return answer


def _compared(conversation: str, line: Line, made: list[Row]) -> Iterable[dict[str, Any]]:
    was, now = ([one for one in rows if one.get("conversation") == conversation] for rows in (line.decisions, made))
    for n, one in enumerate(was):
        same = n < len(now) and canonical([one]) == canonical([now[n]])
        yield {"at_ms": line.at_ms, "type": one["type"], "reason": one.get("reason", ""), "same": same}


def _otherwise(asked: Question, policy: Policy, stretch: Stretch) -> dict[str, Any]:
    """Of the whole, or of the one conversation: what became of it under both policies, and who was considered."""
    found = otherwise(stretch, asked.shop, policy, asked.from_ms)
    if asked.conversation:
        return {
            name: {"became": thought.outcomes.get(asked.conversation), "given": thought.first.get(asked.conversation)}
            for name, thought in zip(("now", "then"), found.thoughts, strict=True)
        }
    shown = sorted(found.changed, key=lambda one: one.now.at_ms)[:CHANGED_SHOWN]
    return {
        "requests": found.requests, "now": found.now, "then": found.then, "changed": len(found.changed),
        "shown": shown,
    }  # fmt: skip


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(10)  # shoppers come first
    asked = Question.model_validate_json(sys.stdin.buffer.readline())
    answer = again(asked, map(orjson.loads, sys.stdin.buffer))
    sys.stdout.buffer.write(TypeAdapter(dict[str, Any]).dump_json(answer))


if __name__ == "__main__":
    main()
