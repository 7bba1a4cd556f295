"""How agents spent a day, read from the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from dispatcher.shift import STATES, account, shift_ms
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"
_DAY = "(date_trunc('day', $2::date::timestamp) at time zone 'Asia/Shanghai')"
_SPAN = f"greatest({{0}}, {_DAY}) as a, least(coalesce({{1}}, clock_timestamp()), {_DAY} + interval '1 day') as b"


async def days(conn: Connection, agents: Sequence[UUID], day: date) -> dict[UUID, dict[str, Any]]:
    """``times``: ms per state, ``shift_ms``: without offline; by agent, of those who were there on that day (by
    Asia/Shanghai). What goes on counts until now."""
    rows = await conn.fetch(
        f"""select agent_id, state, {_MS.format("a")} as begin_ms, {_MS.format("b")} as end_ms from (
              select agent_id, state, {_SPAN.format("from_at", "to_at")} from seat_time where agent_id = any($1)) x
             where b > a order by a""",
        list(agents), day,
    )  # fmt: skip
    spans = await conn.fetch(
        f"""select agent_id, wrap, {_MS.format("a")} as begin_ms, {_MS.format("b")} as end_ms from (
              select agent_id, false as wrap, {_SPAN.format("assigned_at", "coalesce(wrapped_at, released_at)")}
                from assignment where agent_id = any($1)
                 and assigned_at between {_DAY} - interval '1 day' and {_DAY} + interval '1 day'
              union all
              select agent_id, true, {_SPAN.format("wrapped_at", "released_at")} from assignment
               where agent_id = any($1) and wrapped_at is not null
                 and assigned_at between {_DAY} - interval '1 day' and {_DAY} + interval '1 day') x where b > a""",
        list(agents), day,
    )  # fmt: skip
    stretches: dict[UUID, list[tuple[int, int, str]]] = defaultdict(list)
    for row in rows:
        stretches[row["agent_id"]].append((row["begin_ms"], row["end_ms"], row["state"]))
    by: dict[tuple[UUID, bool], list[tuple[int, int]]] = defaultdict(list)
    for row in spans:
        by[row["agent_id"], row["wrap"]].append((row["begin_ms"], row["end_ms"]))
    found = {}
    for agent, mine in stretches.items():
        times = account(mine, by[agent, True], by[agent, False])
        if set(times) - {"offline"}:
            found[agent] = {"times": {state: times.get(state, 0) for state in STATES}, "shift_ms": shift_ms(times)}
    return found


async def of_owner(conn: Connection, owner: UUID, day: date) -> list[dict[str, Any]]:
    """The day of each agent of an owner, those who were there, by name."""
    rows = await conn.fetch(
        "select agent_id as agent, name from seat where owner_id = $1 order by name, agent_id", owner
    )
    found = await days(conn, [row["agent"] for row in rows], day)
    return [{**dict(row), **found[row["agent"]]} for row in rows if row["agent"] in found]
