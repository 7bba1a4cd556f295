"""Daily statements of a shop's contracts, computed from the same rows as the report."""

from __future__ import annotations

import calendar as months
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from metrics import proofs_postgres
from metrics import report_postgres as read
from metrics.agreements import Agreement, Version
from metrics.clocks import Calendar
from metrics.conversion import DEFAULT_RULE
from metrics.figures import Sums
from metrics.intervals import Rate
from metrics.quality import record as quality
from metrics.settlement import (
    Cycle,
    Handled,
    Happened,
    LineKind,
    Measured,
    Online,
    SeatDays,
    Served,
    Sold,
    Statement,
    effective,
    settle,
)
from metrics.teams import Teams
from metrics.terms import PerMinute, PerOnlineHour, PerOrder
from wangxin.storage.postgres import Connection

NOT_FEE = frozenset({LineKind.SERVICE, LineKind.CAP, LineKind.CORRECTION})
"""Lines that rest on the fee and are no part of it."""


@dataclass(frozen=True, slots=True)
class DayStatement:
    agreement: Agreement
    version: Version
    day: date
    statement: Statement
    nets: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)

    @property
    def fee_fen(self) -> int:
        return sum(line.amount_fen for line in self.statement.lines if line.kind not in NOT_FEE)


async def day_statements(
    conn: Connection,
    shop: UUID,
    agreements: Sequence[Agreement],
    first: date,
    last: date,
    calendar: Calendar,
    stands: Mapping[tuple[UUID, date], int] | None = None,
) -> list[DayStatement]:
    """One for each contract and day on which it was in force, the newest day first. Days of a cycle add up to it.

    ``stands``: fees of (contract, day) that were issued and hold, whatever the day would come to now.
    """
    if not agreements:
        return []
    # Places in the tiers are taken from the beginning of the cycle, which may lie before the period.
    since = min(first.replace(day=1), first - timedelta(days=6))
    reading = await _Reading.of(conn, shop, agreements, since, last)
    found = []
    for agreement in agreements:
        fees: defaultdict[date, int] = defaultdict(int)
        for day in (since + timedelta(days=number) for number in range((last - since).days + 1)):
            version = agreement.version_at(calendar.day_end_ms(day) - 1)
            if version is None:
                continue
            follows = agreement.version_at(calendar.day_end_ms(day + timedelta(days=1)) - 1)
            begins = version.cycle_start(day)
            ends = follows is None or version.cycle_start(day + timedelta(days=1)) != begins
            cycle = Cycle((day - begins).days + 1, version.cycle_days(day), ends, fees[begins])
            happened, nets = await reading.happened(agreement, version, day, cycle, calendar)
            measured = {figure.figure: figure for figure in happened.measured}
            one = DayStatement(agreement, version, day, settle(version.terms, day, day, happened), nets, measured)
            fees[begins] += (stands or {}).get((agreement.contract, day), one.fee_fen)
            if day >= first:
                found.append(one)
    return sorted(found, key=lambda one: -one.day.toordinal())


@dataclass(slots=True)
class _Reading:
    """What happened from the beginning of the cycle on, read once."""

    conn: Connection
    shop: UUID
    served: list[Served]
    sold: list[_Sale]
    silent: list[_Sale]
    spans: list[_Span]

    @classmethod
    async def of(
        cls, conn: Connection, shop: UUID, agreements: Sequence[Agreement], since: date, last: date
    ) -> _Reading:
        versions = [version for one in agreements for version in one.versions]
        pools = sorted({pool for version in versions for pool in version.terms.pools})
        by_minute = any(isinstance(price, PerMinute) for version in versions for price in version.terms.prices)
        silent = any(
            isinstance(price, PerOrder) and price.silent for version in versions for price in version.terms.prices
        )
        return cls(
            conn, shop, await _served(conn, shop, pools, since, last),
            await _sold(conn, shop, pools, since, last, "touched"),
            await _sold(conn, shop, pools, since, last, "silent") if silent else [],
            await _spans(conn, shop, pools, since, last) if by_minute else [],
        )  # fmt: skip

    async def happened(
        self, agreement: Agreement, version: Version, day: date, cycle: Cycle, calendar: Calendar
    ) -> tuple[Happened, dict[str, int]]:
        terms = version.terms
        begins = version.cycle_start(day)
        sold = [one for one in self.sold if one.day == day and one.pool in terms.pools]
        silent = [one for one in self.silent if one.day == day]
        if not any(isinstance(price, PerOrder) and price.silent for price in terms.prices):
            silent = []
        nets = {one.order: one.net(version) for one in (*sold, *silent)}
        from_ms, to_ms = calendar.day_end_ms(day - timedelta(days=1)), calendar.day_end_ms(day)
        online: list[Online] = []
        if any(isinstance(price, PerOnlineHour) for price in terms.prices):
            rows = await self.conn.fetch(
                "select agent_id, ms, shops from online_of($1, $2, ms_at($3), least(ms_at($4), now()))",
                self.shop, sorted(terms.pools), from_ms, to_ms,
            )  # fmt: skip
            online = [Online(row["agent_id"], max(0, row["ms"]), row["shops"]) for row in rows]
        handled: defaultdict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        for span in self.spans:
            if span.pool in terms.pools:
                until_ms = min(span.to_ms, to_ms)
                handled[span.conversation][0] += max(0, until_ms - max(span.from_ms, from_ms))
                handled[span.conversation][1] += max(0, min(span.freed_ms, to_ms) - max(span.to_ms, from_ms))
        measured = await self._measured(version, begins, day, calendar) if cycle.ends and terms.promises else []
        earlier = (one for one in self.served if begins <= one.day < day)
        return (
            Happened(
                served=[one for one in self.served if one.day == day],
                sold=[Sold(one.order, one.pool, one.net(version)) for one in sold],
                silent=[Sold(one.order, None, one.net(version)) for one in silent],
                seats=_seats(version, day),
                online=online,
                handled=[Handled(conversation, ms, lost_ms) for conversation, (ms, lost_ms) in handled.items()],
                measured=measured,
                cycle=cycle,
                before=len(effective(earlier, terms.pools)),
            ),
            nets,
        )

    async def _measured(self, version: Version, first: date, last: date, calendar: Calendar) -> list[Measured]:
        """The promised figures of a cycle, over the contract's pools."""
        by_pool = await read.sums(self.conn, read.Asked(self.shop, first, last), "pool", Teams())
        sums = Sums()
        for pool in version.terms.pools:
            sums.add(by_pool.get(str(pool), Sums()))
        from_ms, to_ms = calendar.day_end_ms(first - timedelta(days=1)), calendar.day_end_ms(last)
        checked = await quality.passed(self.conn, self.shop, from_ms, to_ms, pools=sorted(version.terms.pools))
        promised = {promise.figure for promise in version.terms.promises}
        proofs = await proofs_postgres.cases(
            self.conn, self.shop, sorted(version.terms.pools), (first, last), (from_ms, to_ms), promised
        )
        return [replace(one, cases=proofs.get(one.figure, ())) for one in measured_of(sums, checked)]


def measured_of(sums: Sums, checked: Rate) -> list[Measured]:
    """Every figure that a contract may promise, as an exact fraction; without cases, none."""
    firsts, waits, service, reply = sums.firsts, sums.waits, sums.service_ext, sums.reply_3min
    some = [
        Measured("frt_mean_ms", firsts.sum_ms, firsts.n, firsts.n),
        Measured("frt_p95_ms", round(firsts.percentile(0.95) or 0), min(1, firsts.n), firsts.n),
        Measured("art_mean_ms", waits.sum_ms, waits.n, waits.n),
        Measured("within_30s", service.hits * 1000, service.n, service.n),
        Measured("reply_rate_3min", reply.hits * 1000, reply.n, reply.n),
        Measured("csat", sums.stars * 100, sums.ratings, sums.ratings),
        Measured("qa_pass", checked.hits * 1000, checked.n, checked.n),
    ]
    return [one for one in some if one.denominator]


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
    pool: UUID | None
    day: date
    paid_fen: int
    refunded_fen: int

    def net(self, version: Version) -> int:
        return self.paid_fen if version.refunds_kept else max(0, self.paid_fen - self.refunded_fen)


async def _sold(
    conn: Connection, shop: UUID, pools: Sequence[UUID], first: date, last: date, kind: Literal["touched", "silent"]
) -> list[_Sale]:
    """Orders credited to the pools, or those of the shop that follow nobody's words."""
    rows = await conn.fetch(
        """select c.order_id, c.pool_id, c.day, c.paid_fen, o.refunded_fen
           from order_credit c join shop_order o on o.shop_id = c.shop_id and o.id = c.order_id
           where c.shop_id = $1 and c.day between $2 and $3 and c.rule = $4 and c.kind = $6
             and (c.pool_id = any($5) or $6 = 'silent')
             and (o.deposit_fen = 0 or c.paid_fen > 0) -- what a deposit alone brings is paid with its balance
           order by c.order_id""",
        shop, first, last, DEFAULT_RULE.name, pools, kind,
    )  # fmt: skip
    return [_Sale(row["order_id"], row["pool_id"], row["day"], row["paid_fen"], row["refunded_fen"]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Span:
    """A conversation was with a pool's agent; parked time lies between two spans. It was freed later than his
    attendance ended where he lost his line."""

    conversation: UUID
    pool: UUID
    from_ms: int
    to_ms: int
    freed_ms: int


async def _spans(conn: Connection, shop: UUID, pools: Sequence[UUID], first: date, last: date) -> list[_Span]:
    rows = await conn.fetch(
        """select conversation_id, pool_id, at_ms(assigned_at) as from_ms,
             at_ms(least(coalesce(released_at, clock_timestamp()), attended_until)) as to_ms,
             at_ms(coalesce(released_at, clock_timestamp())) as freed_ms
           from assignment where shop_id = $1 and pool_id = any($4)
             and assigned_at < $3::date + interval '2 days'
             and coalesce(released_at, clock_timestamp()) > $2::date - interval '1 day'""",
        shop, first, last, pools,
    )  # fmt: skip
    return [
        _Span(row["conversation_id"], row["pool_id"], row["from_ms"], row["to_ms"], row["freed_ms"]) for row in rows
    ]
