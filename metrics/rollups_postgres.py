"""The sums of many sealed days read together, and their people counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from metrics import packed
from metrics.conversion_sql import By
from metrics.figures import Sums
from metrics.histogram import Histogram
from metrics.model import NOBODY
from metrics.sealing_postgres import COUNTS, NUMBERS, TALLIED, Grain, people_rows
from metrics.teams import OWN, Teams
from wangxin.storage.postgres import Connection


async def sealed_days(conn: Connection, shop: UUID, first: date, last: date) -> list[date]:
    """The days whose sums hold, in order."""
    rows = await conn.fetch(
        """select distinct d.day from day_seal d where d.shop_id = $1 and d.day between $2 and $3
           and not exists (select from day_stale m where m.shop_id = d.shop_id and m.day = d.day) order by 1""",
        shop, first, last,
    )  # fmt: skip
    return [row["day"] for row in rows]


@dataclass(frozen=True, slots=True)
class Only:
    """Which groups are asked for: a grain, perhaps one pool, agent or team."""

    grain: Grain
    pool: UUID | None
    agent: UUID | None
    team: str | None

    def wants(self, key: str, pool: UUID | None, teams: Teams) -> bool:
        return (
            (self.pool is None or pool == self.pool)
            and (self.agent is None or key == str(self.agent))
            and (self.team is None or teams.team_of(pool) == self.team)
        )


def only(by: By, pool: UUID | None, agent: UUID | None, team: str | None, service_ms: int) -> Only | None:
    """What a sealed day can answer; None: it keeps no sums for that, and the report is read live."""
    if by in ("menu", "push") or service_ms % 1000 or (agent is not None and by in ("topic", "hour")):
        return None
    grain: Grain = "agent" if agent is not None or by == "agent" else by if by in ("topic", "hour") else "pool"
    return Only(grain, pool, agent, team)


@dataclass(slots=True)
class Group:
    """Some days of one key and pool together; ``day`` where the report goes by days."""

    key: str
    pool: UUID | None
    day: date | None
    sums: Sums = field(default_factory=Sums)
    people: list[bytes] = field(default_factory=list)


async def groups(
    conn: Connection, shop: UUID, days: Sequence[date], asked: Only, teams: Teams, *, by_day: bool, rule: str,
    service_ms: int
) -> list[Group]:  # fmt: skip
    """The sums of sealed days; conversion is not in them yet, as people are not added but counted."""
    day = "day" if by_day else "null::date"
    own = asked.team == OWN
    pools = None if asked.team is None else [
        one.id for one in teams.pools.values() if (one.provider is not None if own else one.team == asked.team)
    ]  # fmt: skip
    where = """shop_id = $1 and grain = $2 and day = any($3) and ($4::uuid is null or pool_id = $4)
      and ($5::text is null or key = $5) and ($6::uuid[] is null or (pool_id = any($6)) <> $7)"""
    common = (shop, asked.grain, list(days), asked.pool, asked.agent and str(asked.agent), pools, own)
    numbers = ", ".join(f"sum({name})::bigint as {name}" for name in NUMBERS)
    counts = ", ".join(f"string_agg({name}, '') as {name}" for name in COUNTS)
    rows = await conn.fetch(
        f"select key, pool_id, {day} as day, {numbers}, {counts}, array_agg(people) as people from day_rollup"
        f" where {where} group by 1, 2, 3",
        *common,
    )
    found: dict[tuple[str, UUID, date | None], Group] = {}
    for row in rows:
        group = Group(row["key"], _pool(row["pool_id"]), row["day"], _sums(row, teams, service_ms), row["people"])
        found[row["key"], row["pool_id"], row["day"]] = group
    rows = await conn.fetch(
        f"""select key, pool_id, {day} as day, kind, sum(orders)::int as orders, sum(fen)::bigint as fen from day_money
            where {where} and rule = $8 and kind in ('touched', 'rescued') group by 1, 2, 3, 4""",
        *common,
        rule,
    )
    for row in rows:
        place = row["key"], row["pool_id"], row["day"]
        sums = found.setdefault(place, Group(row["key"], _pool(row["pool_id"]), row["day"])).sums
        if row["kind"] == "touched":
            sums.orders, sums.paid_fen = row["orders"], row["fen"]
        else:
            sums.rescued_orders, sums.rescued_fen = row["orders"], row["fen"]
    return list(found.values())


def _pool(stored_pool: UUID) -> UUID | None:
    return None if stored_pool == NOBODY else stored_pool


_SAME = ("turns", "business_ms", "asked_3min", "in_3min", "first_turns", *TALLIED, "stars")


def _sums(row: Any, teams: Teams, service_ms: int) -> Sums:
    sums = Sums(**{name: row[name] for name in _SAME})
    sums.waits = Histogram(packed.add_counts([row["waits"]]), row["wait_ms"])
    sums.firsts = Histogram(packed.add_counts([row["firsts"]]), row["first_wait_ms"])
    # A wait in whole seconds, rounded up, is within a limit of whole seconds exactly when the wait itself is.
    limit_s = service_ms // 1000
    sums.in_service = sum(n for s, n in packed.add_counts([row["answered_s"]]).items() if s <= limit_s)
    sums.lost_late = sum(n for s, n in packed.add_counts([row["lost_s"]]).items() if s > limit_s)
    if teams.team_of(_pool(row["pool_id"])) != OWN:
        sums.overflowed = row["handed_off"]
    return sums


class Numbers:
    """The numbers of a shop's people, and others above them for those who have none yet."""

    def __init__(self, highest: int) -> None:
        self._given: dict[UUID, int] = {}
        self.highest = highest

    @classmethod
    async def read(cls, conn: Connection, shop: UUID) -> Numbers:
        return cls(await conn.fetchval("select coalesce(max(number), 0) from person_number where shop_id = $1", shop))

    async def learn(self, conn: Connection, shop: UUID, people: Sequence[UUID]) -> None:
        rows = await conn.fetch(
            "select shopper_id, number from person_number where shop_id = $1 and shopper_id = any($2)", shop, people
        )
        self._given.update((row["shopper_id"], row["number"]) for row in rows)

    def of(self, shopper: UUID) -> int:
        number = self._given.get(shopper)
        if number is None:
            self.highest += 1
            number = self._given[shopper] = self.highest
        return number


async def live_people(
    conn: Connection, shop: UUID, first: date, last: date, asked: Only, teams: Teams, *, by_day: bool, numbers: Numbers
) -> list[Group]:
    """The people of days that are not sealed, in the same form."""
    rows = await people_rows(conn, shop, first, last, asked.grain)
    await numbers.learn(conn, shop, list({row["shopper_id"] for row in rows}))
    people: defaultdict[tuple[str, UUID | None, date], dict[int, int]] = defaultdict(dict)
    for row in rows:
        if asked.wants(row["key"], row["pool_id"], teams):
            people[row["key"], row["pool_id"], row["day"]][numbers.of(row["shopper_id"])] = row["bits"]
    return [
        Group(key, pool, day if by_day else None, people=[packed.pack_people(one)])
        for (key, pool, day), one in people.items()
    ]
