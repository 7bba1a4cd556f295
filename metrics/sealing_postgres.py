"""Days that are over, summed once by pool, agent, topic and hour.

Sealing and reading agree with the live report to the last case: whatever of a sealed day moves leaves a mark
(``day_stale``, by trigger), and a marked day is read live until it is sealed anew, as its next version.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from uuid import UUID

from metrics import conversion_sql, packed
from metrics.conversion import RULES
from metrics.figures import REPLY_MS
from metrics.model import NOBODY
from metrics.ratings import TALLIES
from wangxin.storage.postgres import Connection

Grain = Literal["pool", "agent", "topic", "hour"]
GRAINS: tuple[Grain, ...] = ("pool", "agent", "topic", "hour")
SECONDS_MAX = 3_601  # of first turns' waits; above an hour all are alike
COUNTED_TURN = "r.human_at is not null and r.excluded = '' and r.void_reason = ''"
"""A turn that counts: a person was due, and neither the fold nor a person took it out."""
SETTLED_TURN = "(r.answered_at is not null or r.ended_at is not null or r.opened_at < now() - interval '3 minutes')"
"""One that has just begun is neither answered nor missed yet."""

_TOPIC = "coalesce((select c.topic from conversation c where c.shop_id = r.shop_id and c.id = r.conversation_id), '')"
_KEYS: dict[Grain, str] = {
    "pool": "''", "agent": "coalesce(r.agent_id::text, '')", "topic": _TOPIC, "hour": "r.hour::text"
}  # fmt: skip
_PEOPLE_KEYS: dict[Grain, tuple[str, str]] = {
    "pool": ("''", "''"),
    "agent": ("coalesce(e.agent_id::text, '')", "coalesce(x.agent_id::text, '')"),
    "topic": ("e.topic", "e.topic"),
    "hour": ("e.hour::text", "e.hour::text"),
}
TALLIED = {
    "conversations": "r.shopper_messages > 0",
    "handed_off": "r.enqueued_at is not null",
    "served": "r.shopper_messages > 0 and r.human_messages > 0",
    "lost": "r.abandoned in ('explicit', 'silent')",
    "kept": "r.abandoned = 'no' and r.enqueued_at is not null",
    "short": "r.abandoned = 'short'",
    "left_message": "r.left_message",
    "ratings": "r.rating > 0",
    "satisfied": "r.rating >= 4",
}
NUMBERS = ("turns", "wait_ms", "first_wait_ms", "business_ms", "asked_3min", "in_3min", "first_turns", *TALLIED,
            "stars")  # fmt: skip
COUNTS = ("waits", "firsts", "answered_s", "lost_s")
COLUMNS = ("shop_id", "grain", "day", "key", "pool_id", *NUMBERS, *COUNTS, "people")


@dataclass(slots=True)
class Part:
    """One group of a day: a row of ``day_rollup`` in the making."""

    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    counts: dict[str, dict[int, int]] = field(default_factory=lambda: {name: {} for name in COUNTS})
    people: dict[int, int] = field(default_factory=dict)

    def row(self) -> tuple[int | bytes, ...]:
        return (
            *(self.numbers[name] for name in NUMBERS),
            *(packed.pack_counts(self.counts[name]) for name in COUNTS),
            packed.pack_people(self.people),
        )


Rows = list[tuple[Any, ...]]


async def due(conn: Connection, limit: int, *, again_s: int) -> list[tuple[UUID, date]]:
    """(shop, day) that are over for ten minutes and never sealed, or moved and sealed longer than ``again_s`` ago."""
    rows = await conn.fetch(
        """select s.shop_id, d::date as day from shop s
           cross join lateral (select min(day) as day from (
             select min(day) as day from tally t where t.shop_id = s.shop_id
             union all select min(day) from turn t where t.shop_id = s.shop_id
             union all select min(day) from order_credit c where c.shop_id = s.shop_id and c.rule = 'last_touch') f) b
           cross join lateral generate_series(b.day,
             ((clock_timestamp() - interval '10 minutes') at time zone s.tz)::date - 1, interval '1 day') d
           where not exists (select from day_seal l where l.shop_id = s.shop_id and l.day = d::date)
              or exists (select from day_stale m where m.shop_id = s.shop_id and m.day = d::date)
                and not exists (select from day_seal l where l.shop_id = s.shop_id and l.day = d::date
                  and l.sealed_at > clock_timestamp() - $2 * interval '1 second')
           order by 2 desc, 1 limit $1""",
        limit,
        again_s,
    )
    return [(row["shop_id"], row["day"]) for row in rows]


async def seal(conn: Connection, shop: UUID, day: date) -> bool:
    """Sums the day; False: somebody else is sealing this shop. In a transaction of isolation ``repeatable_read``."""
    if not await conn.fetchval("select pg_try_advisory_xact_lock(hashtextextended('day_seal' || $1::text, 0))",
                               str(shop)):  # fmt: skip
        return False
    # Marks that this snapshot does not see belong to rows that it does not see either, and stay.
    await conn.execute("delete from day_stale where shop_id = $1 and day = $2", shop, day)
    rollups, money = await summed(conn, shop, day)
    for table in ("day_rollup", "day_money"):
        await conn.execute(f"delete from {table} where shop_id = $1 and day = $2", shop, day)
    places = ", ".join(f"${number + 1}" for number in range(len(COLUMNS)))
    await conn.executemany(f"insert into day_rollup ({', '.join(COLUMNS)}) values ({places})", rollups)
    await conn.executemany(
        "insert into day_money (shop_id, grain, rule, day, key, pool_id, kind, orders, fen)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        money,
    )
    await conn.execute(
        """insert into day_seal (shop_id, day, version, digest) select $1, $2, coalesce(max(version), 0) + 1, $3
           from day_seal where shop_id = $1 and day = $2""",
        shop, day, digest(rollups, money),
    )  # fmt: skip
    return True


def digest(rollups: Rows, money: Rows) -> str:
    """Two days with the same digest have the same sums."""
    return hashlib.sha256(repr((sorted(rollups), sorted(money))).encode()).hexdigest()


async def summed(conn: Connection, shop: UUID, day: date) -> tuple[Rows, Rows]:
    """The rows of ``day_rollup`` and ``day_money`` as the record now has them."""
    numbers = await _numbered(conn, shop, day)
    rollups: Rows = []
    money: Rows = []
    for grain in GRAINS:
        parts: defaultdict[tuple[str, UUID], Part] = defaultdict(Part)
        await _turns(conn, shop, day, grain, parts)
        await _tallies(conn, shop, day, grain, parts)
        for row in await people_rows(conn, shop, day, day, grain):
            parts[row["key"], row["pool_id"] or NOBODY].people[numbers[row["shopper_id"]]] = row["bits"]
        rollups += [(shop, grain, day, key, pool, *part.row()) for (key, pool), part in sorted(parts.items())]
        if grain != "hour":  # money goes by the day of its payment
            money += await _money(conn, shop, day, grain)
    return rollups, money


async def _numbered(conn: Connection, shop: UUID, day: date) -> dict[UUID, int]:
    """The small numbers of the day's people, given to those who had none."""
    await conn.execute(
        """insert into person_number (shop_id, shopper_id, number)
           select $1, w.id, (select coalesce(max(number), 0) from person_number where shop_id = $1)
             + row_number() over (order by w.id)
           from (select distinct coalesce(p.merged_into, p.id) as id from tally t
                 join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
                 where t.shop_id = $1 and t.day = $2) w
           where not exists (select from person_number n where n.shop_id = $1 and n.shopper_id = w.id)""",
        shop, day,
    )  # fmt: skip
    rows = await conn.fetch(
        """select n.shopper_id, n.number from person_number n where n.shop_id = $1 and n.shopper_id in (
             select coalesce(p.merged_into, p.id) from tally t
             join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id where t.shop_id = $1 and t.day = $2)""",
        shop, day,
    )  # fmt: skip
    return {row["shopper_id"]: row["number"] for row in rows}


async def people_rows(conn: Connection, shop: UUID, first: date, last: date, grain: Grain) -> list[Any]:
    query = conversion_sql.people(*_PEOPLE_KEYS[grain])
    found: list[Any] = await conn.fetch(query, shop, first, last, list(RULES))
    return found


async def _turns(
    conn: Connection, shop: UUID, day: date, grain: Grain, parts: defaultdict[tuple[str, UUID], Part]
) -> None:
    rows = await conn.fetch(
        f"""select {_KEYS[grain]} as key, r.pool_id, r.human_ordinal = 1 as first, r.wait_bucket as bucket,
              count(*) as n, coalesce(sum(r.wait_ms::float8), 0)::bigint as ms,
              coalesce(sum(r.business_ms::float8), 0)::bigint as business_ms,
              count(*) filter (where r.hour between 8 and 22) as asked_3min,
              count(*) filter (where r.hour between 8 and 22 and r.wait_ms <= {REPLY_MS}) as in_3min
            from turn r where r.shop_id = $1 and r.day = $2 and {COUNTED_TURN} and {SETTLED_TURN}
            group by 1, 2, 3, 4""",
        shop, day,
    )  # fmt: skip
    for row in rows:
        part = parts[row["key"], row["pool_id"] or NOBODY]
        part.numbers["turns"] += row["n"]
        for name in ("business_ms", "asked_3min", "in_3min"):
            part.numbers[name] += row[name]
        if row["bucket"] is None:
            continue
        for name, of_first in (("waits", False), ("firsts", True)):
            if row["first"] or not of_first:
                part.numbers["first_wait_ms" if of_first else "wait_ms"] += row["ms"]
                counts = part.counts[name]
                counts[row["bucket"]] = counts.get(row["bucket"], 0) + row["n"]
    waited = "coalesce(r.wait_ms, at_ms(r.ended_at) - at_ms(r.human_at))"
    rows = await conn.fetch(
        f"""select {_KEYS[grain]} as key, r.pool_id, r.wait_ms is not null as answered,
              least((greatest({waited}, 0) + 999) / 1000, {SECONDS_MAX})::int as s, count(*) as n
            from turn r where r.shop_id = $1 and r.day = $2 and {COUNTED_TURN} and {SETTLED_TURN}
              and r.human_ordinal = 1 and not r.left_message group by 1, 2, 3, 4""",
        shop, day,
    )  # fmt: skip
    for row in rows:
        part = parts[row["key"], row["pool_id"] or NOBODY]
        part.numbers["first_turns"] += row["n"]
        if row["s"] is not None:
            part.counts["answered_s" if row["answered"] else "lost_s"][row["s"]] = row["n"]


async def _tallies(
    conn: Connection, shop: UUID, day: date, grain: Grain, parts: defaultdict[tuple[str, UUID], Part]
) -> None:
    counted = ", ".join(f"count(*) filter (where {what}) as {name}" for name, what in TALLIED.items())
    rows = await conn.fetch(
        f"""select {_KEYS[grain]} as key, r.pool_id, coalesce(sum(r.rating), 0)::int as stars, {counted}
            from {TALLIES} r group by 1, 2""",
        shop, day, day,
    )  # fmt: skip
    for row in rows:
        part = parts[row["key"], row["pool_id"] or NOBODY]
        for name in (*TALLIED, "stars"):
            part.numbers[name] += row[name]


async def _money(conn: Connection, shop: UUID, day: date, grain: Grain) -> Rows:
    rows = await conn.fetch(
        f"""select {_KEYS[grain]} as key, coalesce(r.pool_id, $3) as pool, r.rule, r.kind, sum(r.orders)::int as orders,
              sum(r.paid_fen)::bigint as fen
            from order_credit r where r.shop_id = $1 and r.day = $2 group by 1, 2, 3, 4 order by 1, 2, 3, 4""",
        shop, day, NOBODY,
    )  # fmt: skip
    return [(shop, grain, row["rule"], day, row["key"], row["pool"], row["kind"], row["orders"], row["fen"])
            for row in rows]  # fmt: skip


async def stored(conn: Connection, shop: UUID, day: date) -> tuple[Rows, Rows]:
    """What stands of the day, in the form of :func:`summed`."""
    rollups = await conn.fetch(
        f"select {', '.join(COLUMNS)} from day_rollup where shop_id = $1 and day = $2", shop, day
    )
    money = await conn.fetch(
        "select shop_id, grain, rule, day, key, pool_id, kind, orders, fen from day_money"
        " where shop_id = $1 and day = $2",
        shop, day,
    )  # fmt: skip
    return [tuple(row) for row in rollups], [tuple(row) for row in money]
