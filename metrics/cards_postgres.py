"""Providers graded once a month, over all the shops they serve; and the directory in which a shop looks for one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from metrics import report_postgres as read
from metrics.agreements import Agreement
from metrics.change import same_hours
from metrics.clocks import Calendar
from metrics.figures import Sums
from metrics.intervals import COMPARABLE_N_MIN, Rate
from metrics.model import HOUR
from metrics.quality import record as quality
from metrics.scorecards import WEIGHTS, Card, against_own, brands, dimensions, potential, score, stars
from metrics.teams import OWN, Teams
from wangxin.storage.postgres import Connection

NEED_DAYS = 14
CARD_MONTHS = 6
SEATS_EACH = 5  # conversations at a time, where nobody says otherwise


@dataclass(slots=True)
class Month:
    """What one provider did in a month, in all its shops."""

    parts: dict[str, Rate] = field(default_factory=dict)
    conversations: int = 0
    shops: int = 0

    def add(self, part: str, rate: Rate) -> None:
        known = self.parts.get(part, Rate(0, 0))
        self.parts[part] = Rate(known.hits + rate.hits, known.n + rate.n)


async def add_shop(
    conn: Connection, shop: UUID, first: date, last: date, teams: Teams, agreements: Sequence[Agreement],
    calendar: Calendar, into: dict[UUID, Month],
) -> None:  # fmt: skip
    """Adds what each provider did in a shop, beside the own people of the same hours."""
    providers = {pool.provider for pool in teams.pools.values() if pool.provider is not None}
    if not providers:
        return
    own = await read.sums(conn, read.Asked(shop, first, last, team=OWN), "hour", teams)
    for provider in sorted(providers):
        hours = await read.sums(conn, read.Asked(shop, first, last, team=str(provider)), "hour", teams)
        sums = Sums()
        for one in hours.values():
            sums.add(one)
        if not sums.conversations:
            continue
        month = into.setdefault(provider, Month())
        month.shops += 1
        month.conversations += sums.conversations
        month.add("response", sums.service_ext)
        month.add("reply_rate", sums.reply_3min)
        month.add("rating", Rate(sums.satisfied, sums.ratings))
        beside = next(one for one in same_hours(hours, own) if one.figure == "conversion")
        if beside.team is not None and beside.own is not None and beside.n_own >= COMPARABLE_N_MIN:
            month.add("conversion", against_own(beside.team, beside.own, beside.n_team))
        from_ms, to_ms = calendar.day_end_ms(first - timedelta(days=1)), calendar.day_end_ms(last)
        month.add("quality", await quality.passed(conn, shop, from_ms, to_ms, provider=provider))
        mine = [one for one in agreements if one.provider == provider]
        month.add("availability", await availability(conn, shop, first, last, mine, calendar))


async def availability(
    conn: Connection, shop: UUID, first: date, last: date, agreements: Sequence[Agreement], calendar: Calendar
) -> Rate:
    """Hours in which committed seats were ready or busy, of those in which they were due; more on one day makes up for
    no other. People who serve several shops count in equal shares."""
    due_ms = there_ms = 0
    for agreement in agreements:
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
            begin, end = calendar.day_end_ms(day - timedelta(days=1)), calendar.day_end_ms(day)
            version = agreement.version_at(end - 1)
            if version is None or not version.seats:
                continue
            spans = version.open_spans(begin, end)
            due = version.seats * sum(until - at for at, until in spans)
            there = 0
            for at, until in spans:
                there += await conn.fetchval(
                    "select coalesce(sum(greatest(ms, 0) / shops), 0)::bigint"
                    " from online_of($1, $2, ms_at($3), least(ms_at($4), now()))",
                    shop, sorted(version.terms.pools), at, until,
                )  # fmt: skip
            due_ms, there_ms = due_ms + due, there_ms + min(due, there)
    return Rate(round(there_ms / HOUR), round(due_ms / HOUR))


def market_of(months: Mapping[UUID, Month]) -> dict[str, float]:
    """Everyone's rate of each part; where nobody has a case, the middle."""
    sums: defaultdict[str, Rate] = defaultdict(lambda: Rate(0, 0))
    for month in months.values():
        for part, rate in month.parts.items():
            sums[part] = Rate(sums[part].hits + rate.hits, sums[part].n + rate.n)
    return {part: sums[part].share if sums[part].share is not None else 0.5 for part in WEIGHTS}  # type: ignore[misc]


async def ungraded(conn: Connection, month: date) -> bool:
    """Whether somebody who was served by no grade yet for that month."""
    found: bool = await conn.fetchval(
        "select exists (select from provider) and not exists (select from provider_star where month = $1)", month
    )
    return found


async def write(conn: Connection, month: date, months: Mapping[UUID, Month]) -> int:
    """Grades every provider that served anybody; the stars of the month before make them steady."""
    market = market_of(months)
    before = {
        row["provider_id"]: row
        for row in await conn.fetch(
            "select provider_id, stars, conversations from provider_star where month = $1",
            (month - timedelta(days=1)).replace(day=1),
        )
    }
    for provider, one in sorted(months.items()):
        card = Card(one.parts, market)
        known = before.get(provider)
        points = score(card)
        grown = None if known is None else potential(known["conversations"], one.conversations)
        await conn.execute(
            """insert into provider_star (provider_id, month, score, stars, dimensions, parts, conversations, shops)
               values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing""",
            provider, month, round(points, 2), stars(points, None if known is None else known["stars"]),
            {**dimensions(card), "brands": brands(one.shops), "potential": 50.0 if grown is None else grown},
            {part: [rate.hits, rate.n] for part, rate in one.parts.items()}, one.conversations, one.shops,
        )  # fmt: skip
        await conn.execute(
            """update provider v set stars_tenths = s.stars * 10 from provider_star s
               where v.provider_id = $1 and s.provider_id = $1 and s.month = $2""",
            provider, month,
        )  # fmt: skip
    return len(months)


async def need(conn: Connection, shop: UUID) -> dict[str, Any]:
    """How many seats the busiest hour of the last two weeks would have filled, and which hour that was."""
    row = await conn.fetchrow(
        """select day, hour, count(*) as n from tally
           where shop_id = $1 and enqueued_at is not null and day > current_date - $2::int
           group by 1, 2 order by 3 desc, 1, 2 limit 1""",
        shop, NEED_DAYS,
    )  # fmt: skip
    if row is None:
        return {"seats": 0, "an_hour": 0, "hour": None}
    minutes: float = await conn.fetchval(
        """select coalesce(avg(extract(epoch from least(closed_at, assigned_at + interval '1 hour') - assigned_at))
             / 60, 10) from tally
           where shop_id = $1 and assigned_at is not null and closed_at is not null and day > current_date - $2::int""",
        shop, NEED_DAYS,
    )  # fmt: skip
    seats = max(1, ceil(row["n"] * float(minutes) / 60 / SEATS_EACH))
    return {"seats": seats, "an_hour": row["n"], "hour": row["hour"]}


async def directory(conn: Connection, shop: UUID) -> dict[str, Any]:
    """Every provider that takes shops, the best first; ``fits``: its people fill the shop's busiest hour."""
    wanted = await need(conn, shop)
    rows = await conn.fetch("select * from provider_directory($1)", shop)
    found = [
        {
            **{name: row[name] for name in ("provider", "name", "stars", "dimensions", "conversations", "shops",
                                            "seats", "ready", "month", "served_here")},
            "score": None if row["score"] is None else float(row["score"]),
            "fits": row["seats"] >= max(1, wanted["seats"]),
        }
        for row in rows
    ]  # fmt: skip
    found.sort(key=lambda one: (not one["fits"], -(one["score"] or 0), one["name"]))
    graded = [one["dimensions"] for one in found if one["dimensions"] is not None]
    peers = {name: round(sum(one[name] for one in graded) / len(graded), 1) for name in graded[0]} if graded else None
    return {"need": wanted, "providers": found, "peers": peers}


async def card(conn: Connection, provider: UUID) -> list[dict[str, Any]]:
    """A provider's own grades, the newest month first: parts as [hits, n], and what its peers came to on average."""
    rows = await conn.fetch(
        """select g.month, g.score::float8 as score, g.stars, g.dimensions, g.parts, g.conversations, g.shops,
             (select count(*) from provider_star p where p.month = g.month) as graded,
             (select jsonb_object_agg(key, mean) from (
               select d.key, round(avg(d.value::numeric), 1) as mean
               from provider_star p, jsonb_each_text(p.dimensions) d where p.month = g.month group by 1) m) as peers
           from provider_star g where g.provider_id = $1 order by g.month desc limit $2""",
        provider, CARD_MONTHS,
    )  # fmt: skip
    return [{**dict(row), "month": row["month"].isoformat()[:7]} for row in rows]
