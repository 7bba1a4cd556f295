"""What the journal says of one conversation, decided once more in a process of its own: it computes for seconds.

``python -m dispatcher.again`` reads one request as JSON and writes one answer.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from dispatcher import journal_record
from dispatcher.explain import Row
from dispatcher.journal import Line, Redecider, canonical, to_row
from dispatcher.preview import Asked, child
from wangxin.model import limits
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

SHARD = "main"


class Recorded(Asked):
    """Lines of the journal from a start on, and the conversation that is asked about."""

    conversation: str
    lines: tuple[tuple[int, int, int, Row, list[Row]], ...]


async def recorded(conn: Connection, shop: UUID, conversation: UUID) -> Recorded:
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
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        start = await journal_record.beginning(conn, SHARD, row["first_ms"])
        if start is None or start.at_ms > row["first_ms"]:
            raise Refusal("replay.forgotten", "the journal of that time is forgotten", status=409)
        lines = []
        async for line in journal_record.read(conn, SHARD, start, row["last_ms"] + 5_000):
            lines.append((line.epoch, line.seq, line.at_ms, line.event, line.decisions))
            if len(lines) > limits.REPLAY_LINES_MAX:
                raise Refusal("replay.too_much", "so long a stretch is for the command replay-dispatch", status=409)
    return Recorded(conversation=str(conversation), lines=tuple(lines))


def again(asked: Recorded) -> dict[str, Any]:
    """How many lines and decisions were made once more, how many lines differ, and each decision about the conversation
    with whether it is the same, byte for byte."""
    redecider = Redecider()
    decisions = different = 0
    mine: list[dict[str, Any]] = []
    for row in asked.lines:
        line = Line(*row)
        done = redecider.again(line)
        made = [to_row(decision) for decision in done.made]
        decisions += len(made)
        different += not done.same
        was, now = (
            [one for one in rows if one.get("conversation") == asked.conversation] for rows in (line.decisions, made)
        )
        for n, one in enumerate(was):
            same = n < len(now) and canonical([one]) == canonical([now[n]])
            mine.append({"at_ms": line.at_ms, "type": one["type"], "reason": one.get("reason", ""), "same": same})
    return {"lines": len(asked.lines), "decisions": decisions, "different": different, "mine": mine}


async def decide_again(asked: Recorded) -> dict[str, Any]:
    """In a child. Raises ``preview.busy``, ``preview.too_slow``."""
    return await child("dispatcher.again", asked)


def main() -> None:
    asked = Recorded.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(TypeAdapter(dict[str, Any]).dump_json(again(asked)))


if __name__ == "__main__":
    main()
