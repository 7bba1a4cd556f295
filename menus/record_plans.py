"""Menus that wait for their moment. SQL only, no decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from menus.model import Draft
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class DuePlan:
    """``state`` waiting: its beginning is due; live: its end is."""

    shop: UUID
    id: UUID
    state: Literal["waiting", "live"]
    draft: Draft
    note: str
    made_by: UUID
    version: int | None
    before: int | None
    lasts: bool


async def waiting_plans(conn: Connection, shop: UUID) -> int:
    count: int = await conn.fetchval(
        "select count(*) from menu_plan where shop_id = $1 and state in ('waiting', 'live')", shop
    )
    return count


async def add_plan(
    conn: Connection, shop: UUID, id_: UUID, at: datetime, until: datetime | None, draft: Draft, *, note: str, by: UUID
) -> None:
    await conn.execute(
        "insert into menu_plan (shop_id, id, at, until, document, note, made_by) values ($1, $2, $3, $4, $5, $6, $7)",
        shop, id_, at, until, draft.model_dump(mode="json"), note, by,
    )  # fmt: skip


async def plans(conn: Connection, shop: UUID, most: int) -> list[dict[str, Any]]:
    """Those to come first, then the newest of the past."""
    rows = await conn.fetch(
        """select id, (extract(epoch from at) * 1000)::bigint as at_ms, note, state, version, reason,
             (extract(epoch from until) * 1000)::bigint as until_ms from menu_plan where shop_id = $1
            order by state not in ('waiting', 'live'), case when state in ('waiting', 'live') then at end, at desc
            limit $2""",
        shop,
        most,
    )
    return [{**dict(row), "id": str(row["id"])} for row in rows]


async def cancel_plan(conn: Connection, shop: UUID, id_: UUID) -> bool:
    """Whether it was still waiting."""
    done: str = await conn.execute(
        "update menu_plan set state = 'cancelled' where shop_id = $1 and id = $2 and state = 'waiting'", shop, id_
    )
    return done.endswith(" 1")


async def due_plan(conn: Connection) -> DuePlan | None:
    """The plan of any shop that is due longest, locked until the transaction ends."""
    row = await conn.fetchrow(
        """select shop_id, id, state, document, note, made_by, version, before, until is not null as lasts
             from menu_plan
            where (state = 'waiting' and at <= clock_timestamp()) or (state = 'live' and until <= clock_timestamp())
            order by case when state = 'waiting' then at else until end, id limit 1 for update skip locked"""
    )
    if row is None:
        return None
    return DuePlan(
        row["shop_id"], row["id"], row["state"], Draft.model_validate(row["document"]), row["note"], row["made_by"],
        row["version"], row["before"], row["lasts"],
    )  # fmt: skip


async def begin_plan(
    conn: Connection, shop: UUID, id_: UUID, version: int, before: int, *, lasts: bool, reason: str
) -> None:
    """``lasts``: it has an end, at which what was live ``before`` is put back. ``reason``: what is wrong with it."""
    await conn.execute(
        "update menu_plan set state = $3, version = $4, before = $5, reason = $6 where shop_id = $1 and id = $2",
        shop, id_, "live" if lasts else "done", version, before, reason,
    )  # fmt: skip


async def end_plan(conn: Connection, shop: UUID, id_: UUID, state: Literal["done", "failed"], reason: str = "") -> None:
    await conn.execute(
        "update menu_plan set state = $3, reason = $4 where shop_id = $1 and id = $2", shop, id_, state, reason
    )
