"""Where a shop answers itself: address, secret, and the last check. SQL only, no decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from menus.shop.caller import Source
from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool


@dataclass(frozen=True, slots=True)
class Kept:
    """What the settings page shows. ``checked``: the lines of the last check."""

    url: str
    secret: str
    calls: tuple[str, ...]
    checked_ms: int | None
    checked: list[dict[str, Any]] | None


async def source(conn: Executor, shop: UUID) -> Source | None:
    """None where the shop has no secret yet: nothing is called then."""
    row = await conn.fetchrow(
        "select d.url, d.secret, d.calls, s.slug from shop_data d join shop s on s.shop_id = d.shop_id"
        " where d.shop_id = $1",
        shop,
    )
    return None if row is None else Source(shop, row["slug"], row["url"], row["secret"], frozenset(row["calls"]))


async def kept(conn: Executor, shop: UUID) -> Kept | None:
    row = await conn.fetchrow(
        "select url, secret, calls, (extract(epoch from checked_at) * 1000)::bigint as checked_ms, checked"
        " from shop_data where shop_id = $1",
        shop,
    )
    return (
        None if row is None else Kept(row["url"], row["secret"], tuple(row["calls"]), row["checked_ms"], row["checked"])
    )


async def keep(conn: Executor, shop: UUID, url: str, secret: str) -> None:
    """Another address or secret: what the old one could counts no longer."""
    await conn.execute(
        """insert into shop_data (shop_id, url, secret) values ($1, $2, $3)
           on conflict (shop_id) do update set url = excluded.url, secret = excluded.secret,
             calls = case when shop_data.url = excluded.url and shop_data.secret = excluded.secret then shop_data.calls
               else '{}' end,
             checked = case when shop_data.url = excluded.url and shop_data.secret = excluded.secret
               then shop_data.checked end,
             changed_at = clock_timestamp()""",
        shop, url, secret,
    )  # fmt: skip


async def keep_check(conn: Executor, shop: UUID, url: str, calls: list[str], lines: list[dict[str, Any]]) -> None:
    """The outcome of a check of ``url``; of another address by now, it is dropped."""
    await conn.execute(
        "update shop_data set calls = $3, checked = $4, checked_at = clock_timestamp()"
        " where shop_id = $1 and url = $2",
        shop, url, calls, lines,
    )  # fmt: skip


async def drop(conn: Executor, shop: UUID) -> None:
    await conn.execute("delete from shop_data where shop_id = $1", shop)


async def member_ref(conn: Executor, shop: UUID, shopper: UUID) -> str | None:
    """What the shop calls this shopper; None for a guest."""
    found: str | None = await conn.fetchval(
        "select external_id from shopper where shop_id = $1 and id = $2", shop, shopper
    )
    return found
