"""A shop's own pace over all its rules: how many people a second its chunks may take."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from wangxin.model import limits
from wangxin.storage.postgres import Connection


def ahead_s(rate_per_s: int) -> float:
    """How far a paced shop may be ahead of its pace when a chunk begins: workers look once a second, so chunks that
    take less than a second of it go together. ``PACED`` says the same in SQL."""
    return max(0.0, 1.0 - limits.PUSH_CHUNK / rate_per_s)


PACED = """exists (select from push_policy p where p.shop_id = c.shop_id and p.rate_per_s is not null
  and p.paced_until > $1::timestamptz + greatest(0, 1 - $2::float8 / p.rate_per_s) * interval '1 second')"""
"""Whether the shop of a chunk ``c`` is ahead of its pace at ``$1``; ``$2`` is the size of a chunk."""


async def pace(conn: Connection, shop: UUID, people: int, rate_per_s: int, now_ms: int) -> int | None:
    """Take the shop's turn for so many people at its pace; else the moment (ms) of the next turn. The turn is held
    until the transaction ends, so that chunks of a paced shop follow one another."""
    taken = await conn.fetchval(
        """update push_policy set paced_until = greatest(paced_until, $2) + make_interval(secs => $3)
            where shop_id = $1 and coalesce(paced_until, '-infinity') <= $2::timestamptz + make_interval(secs => $4)
           returning true""",
        shop, datetime.fromtimestamp(now_ms / 1000, UTC), people / rate_per_s, ahead_s(rate_per_s),
    )  # fmt: skip
    if taken:
        return None
    later: int = await conn.fetchval(
        "select (extract(epoch from paced_until) * 1000)::bigint from push_policy where shop_id = $1", shop
    )
    return later - int(ahead_s(rate_per_s) * 1_000)


async def size_of(conn: Connection, shop: UUID, run: UUID, no: int) -> int:
    """How many people a chunk has."""
    n: int = await conn.fetchval(
        "select count(*) from push_recipient where shop_id = $1 and run_id = $2 and chunk_no = $3", shop, run, no
    )
    return n
