"""The very turns, ratings and checks that a promised figure of a contract is made of, one a line of text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from metrics.figures import SERVICE_MS
from metrics.ratings import TALLIES
from metrics.sealing_postgres import COUNTED_TURN, SETTLED_TURN
from wangxin.storage.postgres import Connection

_TURNS: dict[str, Callable[[Any], bool]] = {
    "frt_mean_ms": lambda row: row["first"] and row["wait_ms"] is not None,
    "frt_p95_ms": lambda row: row["first"] and row["wait_ms"] is not None,
    "art_mean_ms": lambda row: row["wait_ms"] is not None,
    "within_30s": lambda row: row["first"] and (row["wait_ms"] is not None or row["lost_late"]),
    "reply_rate_3min": lambda row: row["daytime"],
}
"""Which of a cycle's turns count for a figure."""


async def cases(
    conn: Connection, shop: UUID, pools: Sequence[UUID], days: tuple[date, date], within_ms: tuple[int, int],
    figures: Collection[str],
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """By figure: each case with what it brought, so that both sides can count again. A turn is named by conversation
    and the number of its first line. ``within_ms``: when a check was first graded."""
    found: dict[str, tuple[str, ...]] = {}
    wanted = [name for name in _TURNS if name in figures]
    if wanted:
        rows = await conn.fetch(
            f"""select r.conversation_id, r.first_seq, r.wait_ms, r.human_ordinal = 1 as first,
                  r.hour between 8 and 22 as daytime, not r.left_message and r.wait_ms is null
                    and at_ms(r.ended_at) - at_ms(r.human_at) > {SERVICE_MS} as lost_late
                from turn r where r.shop_id = $1 and r.day between $2 and $3 and r.pool_id = any($4)
                  and {COUNTED_TURN} and {SETTLED_TURN} order by 1, 2""",
            shop, *days, pools,
        )  # fmt: skip
        for name in wanted:
            found[name] = tuple(_turn(row) for row in rows if _TURNS[name](row))
    if "csat" in figures:
        rows = await conn.fetch(
            f"""select r.conversation_id, r.rating from {TALLIES} r where r.rating > 0 and r.pool_id = any($4)
                order by 1""",
            shop, *days, pools,
        )  # fmt: skip
        found["csat"] = tuple(f"{row['conversation_id']}: {row['rating']}/5" for row in rows)
    if "qa_pass" in figures:
        rows = await conn.fetch(
            """select conversation_id, passed from quality_sample where shop_id = $1 and stratum = 'random'
               and passed is not null and graded_at >= ms_at($2) and graded_at < ms_at($3) and pool_id = any($4)
               order by 1""",
            shop, *within_ms, pools,
        )  # fmt: skip
        found["qa_pass"] = tuple(f"{row['conversation_id']}: {'passed' if row['passed'] else 'failed'}" for row in rows)
    return found


def _turn(row: Any) -> str:
    wait = "unanswered" if row["wait_ms"] is None else f"{row['wait_ms']} ms"
    return f"{row['conversation_id']}#{row['first_seq']}: {wait}"
