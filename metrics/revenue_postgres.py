"""Where a period's money came from: all that was paid in it, by what it followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metrics import rollups_postgres as rollups
from metrics.report_postgres import Asked, gaps
from wangxin.storage.postgres import Connection


async def revenue(conn: Connection, asked: Asked, *, from_rollups: bool = True) -> dict[str, dict[str, int]]:
    """By kind (touched, rescued, bot, silent, late): orders and fen. Together all that was paid in the period."""
    sealed = await rollups.sealed_days(conn, asked.shop, asked.first, asked.last) if from_rollups else []
    found = {kind: {"orders": 0, "fen": 0} for kind in ("touched", "rescued", "bot", "silent", "late")}

    def add(rows: Iterable[Any]) -> None:
        for row in rows:
            one = found[row["kind"]]
            one["orders"] += row["orders"]
            one["fen"] += row["fen"]

    if sealed:
        add(
            await conn.fetch(
                """select kind, sum(orders)::int as orders, sum(fen)::bigint as fen from day_money
                   where shop_id = $1 and grain = 'pool' and rule = $3 and day = any($2) group by 1""",
                asked.shop, sealed, asked.rule,
            )
        )  # fmt: skip
    for first, last in gaps(asked.first, asked.last, sealed):
        add(
            await conn.fetch(
                """select kind, sum(orders)::int as orders, sum(paid_fen)::bigint as fen from order_credit
                   where shop_id = $1 and day between $2 and $3 and rule = $4 group by 1""",
                asked.shop, first, last, asked.rule,
            )
        )  # fmt: skip
    return found
