"""Work that was given up: read, done again, dropped.

Of what failed only the kind of the error is told, never its words: they may hold what a shopper wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

Kind = Literal["fact", "video", "report"]
LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class FailedWork:
    """``what``: who should have followed which fact, a video's name, a report's. ``why``: the error's kind."""

    kind: Kind
    id: str
    what: str
    why: str
    tries: int
    at_ms: int


_KIND_OF_ERROR = "substring({} from '^[A-Za-z_][A-Za-z0-9_. ]*')"
_FAILED = f"""select 'fact' as kind, id::text as id, consumer || ' ' || (fact->>'fact') as what,
    {_KIND_OF_ERROR.format("failed")} as why, tries, at_ms(at) as at_ms
    from outbox where shop_id = $1 and failed is not null
  union all
  select 'video', id::text, name, failure, 1, at_ms(failed_at) from media where shop_id = $1 and failure is not null
  union all
  select 'report', id::text, name, {_KIND_OF_ERROR.format("note")}, tries, at_ms(coalesce(done_at, due_at))
    from report_sending where shop_id = $1 and state = 'failed' and dropped_at is null"""
# Each names the row again: what somebody else took up or dropped meanwhile is not found.
_AGAIN: dict[Kind, str] = {
    "fact": "update outbox set failed = null, tries = 0 where shop_id = $1 and id = $2::text::bigint"
    " and failed is not null returning consumer",
    "video": "update media set plays = 'waiting', progress = 0, taken_at = null, failure = null, failed_at = null"
    " where shop_id = $1 and id = $2::text::uuid and failure is not null returning kind",
    "report": "update report_sending set state = 'waiting', tries = 0, due_at = clock_timestamp()"
    " where shop_id = $1 and id = $2::text::uuid and state = 'failed' and dropped_at is null returning by",
}
_DROP: dict[Kind, str] = {
    "fact": "delete from outbox where shop_id = $1 and id = $2::text::bigint and failed is not null returning consumer",
    "video": "update media set failure = null, failed_at = null"
    " where shop_id = $1 and id = $2::text::uuid and failure is not null returning kind",
    "report": "update report_sending set dropped_at = clock_timestamp()"
    " where shop_id = $1 and id = $2::text::uuid and state = 'failed' and dropped_at is null returning by",
}
_THERE: dict[Kind, str] = {
    "fact": "select true from outbox where shop_id = $1 and id = $2::text::bigint",
    "video": "select true from media where shop_id = $1 and id = $2::text::uuid",
    "report": "select true from report_sending where shop_id = $1 and id = $2::text::uuid",
}


async def failed_work(conn: Connection, shop: UUID) -> list[FailedWork]:
    """The newest first, at most LISTED_MAX."""
    rows = await conn.fetch(f"select * from ({_FAILED}) as failed order by at_ms desc limit $2", shop, LISTED_MAX)
    return [FailedWork(**{**dict(row), "why": row["why"] or ""}) for row in rows]


async def failed_calls(conn: Connection, shop: UUID) -> int:
    """Calls of webhooks that were given up: each webhook's log has them, with all tries."""
    n: int = await conn.fetchval("select count(*) from webhook_call where shop_id = $1 and state = 'failed'", shop)
    return n


async def again(conn: Connection, shop: UUID, kind: Kind, id_: str) -> str:
    """It is due at once; returns whose work it is. Raises ``work.not_found``, ``work.settled``."""
    return await _one(conn, _AGAIN[kind], shop, kind, id_)


async def drop(conn: Connection, shop: UUID, kind: Kind, id_: str) -> None:
    """It is never done. Raises ``work.not_found``, ``work.settled``."""
    await _one(conn, _DROP[kind], shop, kind, id_)


async def _one(conn: Connection, query: str, shop: UUID, kind: Kind, id_: str) -> str:
    try:
        key = str(int(id_)) if kind == "fact" else str(UUID(id_))
    except ValueError:
        raise not_found("work") from None
    if kind == "fact" and int(key) >= 2**63:
        raise not_found("work")
    found: str | None = await conn.fetchval(query, shop, key)
    if found is None:
        if await conn.fetchval(_THERE[kind], shop, key):
            raise Refusal("work.settled", "somebody was quicker, or it is under way again", status=409)
        raise not_found("work")
    return found


def converter_wanted(program: str) -> None:
    """Raises ``video.no_converter``."""
    if not program:
        raise Refusal("video.no_converter", "no program converts videos here (WANGXIN_FFMPEG)", status=409)
