"""What a provider changed since a day, read from the record."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from metrics import report_postgres as read
from metrics.change import Beside, Changed, same_hours, since
from metrics.figures import Sums
from metrics.intervals import COMPARABLE_N_MIN
from metrics.record_postgres import calendars
from metrics.teams import OWN, Teams
from wangxin import clock
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import Connection


async def document(
    conn: Connection, shop: UUID, day: date, days: int, team: str | None, teams: Teams
) -> dict[str, Any]:
    """The whole shop before and after ``day``; where a ``team`` is named, how it stands beside the own people in the
    same hours since then. Today counts as far as it has come. Raises ``period.wrong``."""
    today = (await calendars(conn, [shop]))[shop].day(clock.now_ms())
    if day > today:
        raise Refusal("period.wrong", "that day has not come yet", field="since")
    last = min(today, day + timedelta(days=days - 1))
    before = read.Asked(shop, day - timedelta(days=days), day - timedelta(days=1))
    after = read.Asked(shop, day, last)
    changes = since(
        await _by_day(conn, before, teams), await _by_day(conn, after, teams),
        await _whole(conn, before, teams), await _whole(conn, after, teams),
    )  # fmt: skip
    beside: list[Beside] = []
    if team is not None:
        hours = [await read.sums(conn, read.Asked(shop, day, last, team=one), "hour", teams) for one in (team, OWN)]
        beside = same_hours(*hours)
    return {
        "since": day,
        "before": {"first": before.first, "last": before.last},
        "after": {"first": after.first, "last": after.last},
        "comparable_n": COMPARABLE_N_MIN,
        "changes": [_changed(one) for one in changes],
        "beside": [{**asdict(one), "enough": one.enough} for one in beside],
    }


def _changed(one: Changed) -> dict[str, Any]:
    return {**asdict(one), "enough": one.enough, "shown": one.shown}


async def _by_day(conn: Connection, asked: read.Asked, teams: Teams) -> list[Sums]:
    return list((await read.sums(conn, asked, "day", teams)).values())


async def _whole(conn: Connection, asked: read.Asked, teams: Teams) -> Sums:
    return (await read.sums(conn, asked, "all", teams)).get(None, Sums())
