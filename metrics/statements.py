"""Daily statements of a shop's contracts, computed from the same rows as the report."""

from __future__ import annotations

import calendar as months
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from metrics.agreements import Agreement, Version
from metrics.clocks import Calendar
from metrics.conversion import DEFAULT_RULE
from metrics.settlement import Happened, SeatDays, Served, Sold, Statement, effective, settle
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class DayStatement:
    agreement: Agreement
    version: Version
    day: date
    statement: Statement


async def day_statements(
    conn: Connection, shop: UUID, agreements: Sequence[Agreement], first: date, last: date, calendar: Calendar
) -> list[DayStatement]:
    """One for each contract and day on which it was in force, the newest day first. Days of a cycle add up to it."""
    if not agreements:
        return []
    pools = sorted({pool for one in agreements for version in one.versions for pool in version.terms.pools})
    # Places in the tiers are taken from the beginning of the cycle, which may lie before the period.
    since = min(first.replace(day=1), first - timedelta(days=6))
    served = await _served(conn, shop, pools, since, last)
    sold = await _sold(conn, shop, pools, first, last)
    found = []
    for day in (last - timedelta(days=number) for number in range((last - first).days + 1)):
        for agreement in agreements:
            version = agreement.version_at(calendar.day_end_ms(day) - 1)
            if version is None:
                continue
            before = effective(
                (one for one in served if version.cycle_start(day) <= one.day < day), version.terms.pools
            )
            happened = Happened(
                served=[one for one in served if one.day == day],
                sold=[Sold(one.order, one.pool, one.net(version)) for one in sold if one.day == day],
                seats=_seats(version, day),
                before=len(before),
            )
            found.append(DayStatement(agreement, version, day, settle(version.terms, day, day, happened)))
    return found


def _seats(version: Version, day: date) -> list[SeatDays]:
    length = months.monthrange(day.year, day.month)[1]
    return [SeatDays(UUID(int=number), 1, length, day.day - 1) for number in range(1, version.seats + 1)]


async def _served(conn: Connection, shop: UUID, pools: Sequence[UUID], first: date, last: date) -> list[Served]:
    rows = await conn.fetch(
        """select t.conversation_id, coalesce(p.merged_into, p.id) as shopper, t.day, t.shopper_messages,
             array_agg(x.pool_id) as pools, array_agg(x.messages) as messages
           from tally t join touch x on x.shop_id = t.shop_id and x.conversation_id = t.conversation_id
           join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
           where t.shop_id = $1 and t.day between $2 and $3 and x.pool_id = any($4)
           group by 1, 2, 3, 4 order by t.day, t.conversation_id""",
        shop, first, last, pools,
    )  # fmt: skip
    return [
        Served(row["conversation_id"], row["shopper"], row["day"], row["shopper_messages"],
               tuple(zip(row["pools"], row["messages"], strict=True)))
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sale:
    order: str
    pool: UUID
    day: date
    paid_fen: int
    refunded_fen: int

    def net(self, version: Version) -> int:
        return self.paid_fen if version.refunds_kept else max(0, self.paid_fen - self.refunded_fen)


async def _sold(conn: Connection, shop: UUID, pools: Sequence[UUID], first: date, last: date) -> list[_Sale]:
    rows = await conn.fetch(
        """select c.order_id, c.pool_id, c.day, c.paid_fen, o.refunded_fen
           from order_credit c join shop_order o on o.shop_id = c.shop_id and o.id = c.order_id
           where c.shop_id = $1 and c.day between $2 and $3 and c.rule = $4 and c.kind = 'touched'
             and c.pool_id = any($5) order by c.order_id""",
        shop, first, last, DEFAULT_RULE.name, pools,
    )  # fmt: skip
    return [_Sale(row["order_id"], row["pool_id"], row["day"], row["paid_fen"], row["refunded_fen"]) for row in rows]
