"""Which definition profiles a shop reads, and their figures over some turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from metrics.clocks import Calendar
from metrics.profiles import PROFILES, Asked, evaluate
from metrics.rows import Row, turn_of
from wangxin.storage.postgres import Connection


async def chosen(conn: Connection, shop: UUID) -> list[str]:
    """The names in the order of the definitions page; all where the shop chose none."""
    names = await conn.fetchval("select settings -> 'profiles' from shop where shop_id = $1", shop)
    wanted = set(names or PROFILES)
    return [name for name in PROFILES if name in wanted]


async def choose(conn: Connection, shop: UUID, names: Sequence[str]) -> None:
    await conn.execute(
        "update shop set settings = settings || jsonb_build_object('profiles', $2::jsonb) where shop_id = $1",
        shop, sorted(set(names)),
    )  # fmt: skip


def known(names: Sequence[str]) -> list[dict[str, Any]]:
    """Every definition, and whether the shop reads it."""
    return [
        {"profile": one.name, "title": {"zh-CN": one.title_zh, "en": one.title_en}, "chosen": one.name in names}
        for one in PROFILES.values()
    ]


def evaluated(rows: Sequence[Row], names: Sequence[str], calendar: Calendar) -> list[dict[str, Any]]:
    turns = [Asked(row["shopper_id"], turn_of(row)) for row in rows]
    found = []
    for name in names:
        profile = PROFILES[name]
        result = evaluate(profile, turns, calendar)
        low, high = result.rate.interval
        found.append(
            {
                "profile": name,
                "title": {"zh-CN": profile.title_zh, "en": profile.title_en},
                "figure": str(profile.figure),
                "value": result.headline,
                "hits": result.rate.hits,
                "n": result.rate.n,
                "low": low,
                "high": high,
                "says": profile.says,
            }
        )
    return found
