"""Every ended conversation of a person is looked at once by the rules; what they found is kept for who grades."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from metrics.quality.record import lines
from metrics.quality.rules import RULES, Forbidden, Line, hints
from wangxin.storage.postgres import Connection, Pool

ForbiddenOf = Callable[[Connection, UUID], Awaitable[Forbidden]]
"""What a shop does not want said; slow to ask, so off the event loop."""
AT_ONCE = 200
BACK_DAYS = 3
ROWS_SHOWN = 200


async def check(pool: Pool, forbidden_of: ForbiddenOf) -> int:
    """Looks at what ended and was not looked at; returns how many. Two at once do nothing twice."""
    async with pool.acquire() as conn:
        found = await conn.fetch(
            """select s.shop_id, t.conversation_id, t.thread_id, t.day, t.agent_id, t.pool_id
               from shop s cross join lateral (
                 select * from tally t where t.shop_id = s.shop_id and t.day >= current_date - $2::int
                   and t.agent_id is not null and t.closed_at is not null
                   and not exists (select from quality_check k where k.shop_id = t.shop_id
                     and k.conversation_id = t.conversation_id) limit $1) t limit $1""",
            AT_ONCE, BACK_DAYS,
        )  # fmt: skip
        words: dict[UUID, Forbidden] = {}
        for one in found:
            shop = one["shop_id"]
            if shop not in words:
                words[shop] = await forbidden_of(conn, shop)
            waits = await conn.fetch(
                """select wait_ms from turn where shop_id = $1 and conversation_id = $2 and thread_id = $3
                   and human_at is not null and excluded = '' and void_reason = ''""",
                shop, one["conversation_id"], one["thread_id"],
            )  # fmt: skip
            said = [_line(row) for row in await lines(conn, one) if not row["recalled"]]
            there = await asyncio.to_thread(hints, said, [row["wait_ms"] for row in waits], words[shop])
            await conn.execute(
                """insert into quality_check (shop_id, conversation_id, thread_id, day, agent_id, pool_id, hints)
                   values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing""",
                *(one[name] for name in ("shop_id", "conversation_id", "thread_id", "day", "agent_id", "pool_id")),
                [asdict(hint) for hint in there],
            )
    return len(found)


def _line(row: Any) -> Line:
    body = json.loads(row["body"])
    price = {"product": "price_fen", "order": "amount_fen"}.get(row["kind"])
    text = body.get("text", "") if row["kind"] == "text" else ""
    return Line(row["seq"], row["sender_kind"], str(text), body.get(price) if price else None)


async def found(conn: Connection, shop: UUID, first: date, last: date, rule: str | None) -> dict[str, Any]:
    """How many were looked at, how many of them show something, by rule, and the newest of these."""
    total = await conn.fetchrow(
        """select count(*) as checked, count(*) filter (where hints <> '[]') as found from quality_check
           where shop_id = $1 and day between $2 and $3""",
        shop, first, last,
    )  # fmt: skip
    counted = await conn.fetch(
        """select h->>'rule' as rule, count(distinct k.conversation_id) as n
           from quality_check k cross join lateral jsonb_array_elements(k.hints) h
           where k.shop_id = $1 and k.day between $2 and $3 and k.hints <> '[]' group by 1""",
        shop, first, last,
    )  # fmt: skip
    by_rule = {row["rule"]: row["n"] for row in counted}
    rows = await conn.fetch(
        """select conversation_id, day, agent_id, pool_id, hints from quality_check
           where shop_id = $1 and day between $2 and $3 and hints <> '[]'
             and ($4::text is null or hints @> jsonb_build_array(jsonb_build_object('rule', $4::text)))
           order by day desc, conversation_id desc limit $5""",
        shop, first, last, rule, ROWS_SHOWN,
    )  # fmt: skip
    assert total is not None, "an aggregate has a row"
    return {**dict(total), "by_rule": {name: by_rule.get(name, 0) for name in RULES}, "rows": _rows(rows)}


def _rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [{**dict(row), "day": row["day"].isoformat()} for row in rows]
