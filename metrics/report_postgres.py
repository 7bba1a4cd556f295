"""What the reports read: sums of turns, conversations, enquiries and orders, grouped as asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from metrics import conversion_sql, packed
from metrics import rollups_postgres as rollups
from metrics.conversion import DEFAULT_RULE, RULES
from metrics.conversion_sql import PEOPLE, By, bought_bit, served_bit
from metrics.figures import REPLY_MS, SERVICE_MS, Sums
from metrics.histogram import Histogram
from metrics.intervals import Rate
from metrics.people import by_level
from metrics.ratings import TALLIES
from metrics.sealing_postgres import COUNTED_TURN, SETTLED_TURN
from metrics.teams import OWN, Teams
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures: a shop, business days first to last inclusive, perhaps of one pool, team or agent only."""

    shop: UUID
    first: date
    last: date
    pool: UUID | None = None
    agent: UUID | None = None
    team: str | None = None
    rule: str = DEFAULT_RULE.name
    service_ms: int = SERVICE_MS


# $1 shop, $2 first day, $3 last day, $4 pool, $5 agent, $6 team, $7 pools with a provider, $8 those providers
_TEAM = "coalesce(($8::text[])[array_position($7::uuid[], {0}.pool_id)], 'own')"
# Grouped as they are, written as text once a group: text of every row would cost more than the sums.
KEYS: dict[By, str] = {
    "all": "null::text",
    "team": _TEAM,
    "pool": "{0}.pool_id",
    "agent": "{0}.agent_id",
    "topic": "coalesce((select c.topic from conversation c"
    " where c.shop_id = {0}.shop_id and c.id = {0}.conversation_id), '')",
    "push": "coalesce((select c.outbound_rule::text from conversation c"
    " where c.shop_id = {0}.shop_id and c.id = {0}.conversation_id), '')",
    "menu": conversion_sql.MENU_ITEM,
    "day": "{0}.day",
    "hour": "{0}.hour",
}
_OF_ENQUIRY: dict[By, str] = {"topic": "{0}.topic", "menu": "{0}.menu", "push": "coalesce({0}.push::text, '')"}
_ONLY = (
    "($4::uuid is null or {0}.pool_id = $4) and ($5::uuid is null or {0}.agent_id = $5)"
    f" and ($6::text is null or {_TEAM} = $6)"
)


def _common(asked: Asked, teams: Teams) -> tuple[Any, ...]:
    outsourced = teams.outsourced
    return (
        asked.shop, asked.first, asked.last, asked.pool, asked.agent, asked.team, outsourced,
        [teams.team_of(pool) for pool in outsourced],
    )  # fmt: skip


@asynccontextmanager
async def _planned_afresh(conn: Connection) -> AsyncIterator[None]:
    """Each statement is planned for the days it is asked for: the plan that a connection keeps for any days at all
    looks up every conversation of a busy day by itself, which takes twice as long as reading them together. Without
    workers beside: they take twice the CPU for a tenth of the time, from those who chat meanwhile."""
    async with conn.transaction():
        await conn.execute(
            "set local plan_cache_mode = force_custom_plan; set local max_parallel_workers_per_gather = 0"
        )
        yield


async def sums(
    conn: Connection, asked: Asked, by: By, teams: Teams, *, from_rollups: bool = True
) -> dict[str | None, Sums]:
    """By group key (id, day or hour as text; None: outside any pool): everything that adds up, and the conversion.

    ``from_rollups``: days whose sums are kept are read from those; the figures are the same either way.
    """
    async with _planned_afresh(conn):
        read = await _read(conn, asked, by, teams, from_rollups=from_rollups)
        await read.convert({by: read.found})
    return read.found


async def with_whole(
    conn: Connection, asked: Asked, by: Literal["hour", "day"], teams: Teams
) -> tuple[dict[str | None, Sums], Sums]:
    """(the groups, all of them together), from one reading."""
    common = _common(asked, teams)
    async with _planned_afresh(conn):
        found = await _additive(conn, asked, by, common)
        whole = _together(found.values())
        if by == "hour":
            await _orders(conn, asked, "all", common, lambda _: whole)
        await _convert(conn, asked, common, {by: found, "all": {None: whole}})
    return found, whole


@dataclass(frozen=True, slots=True)
class TeamSums:
    """The same period three ways, from one reading; ``windows``: same-day, next-day and final conversion of all."""

    whole: Sums
    teams: dict[str | None, Sums]
    pools: dict[str | None, Sums]
    windows: dict[str, Rate]


WINDOWS = {"same_day": "last_touch_same_day", "next_day": "last_touch", "final": "last_72h"}


async def team_sums(conn: Connection, asked: Asked, teams: Teams, *, from_rollups: bool = True) -> TeamSums:
    async with _planned_afresh(conn):
        return await _team_sums(conn, asked, teams, from_rollups=from_rollups)


async def _team_sums(conn: Connection, asked: Asked, teams: Teams, *, from_rollups: bool) -> TeamSums:
    read = await _read(conn, asked, "pool", teams, from_rollups=from_rollups)
    pools = read.found
    members: dict[str | None, list[Sums]] = {}
    for key, one in pools.items():
        members.setdefault(teams.team_of(UUID(key) if key else None), []).append(one)
    by_team = {team: _together(some) for team, some in members.items()}
    whole = _together(pools.values())
    windows = await read.convert({"pool": pools, "team": by_team, "all": {None: whole}}, list(WINDOWS.values()))
    return TeamSums(whole, by_team, pools, {name: windows[rule] for name, rule in WINDOWS.items()})


# --- live, or from the sums of days that are over -------------------------------------------------------------------


@dataclass(slots=True)
class _Reading:
    """What adds up, already read, and how to count its people."""

    conn: Connection
    asked: Asked
    teams: Teams
    found: dict[str | None, Sums]
    people: list[rollups.Group] | None = None  # None: no day was read from its sums
    people_max: int = 0

    async def convert(self, groups: dict[By, dict[str | None, Sums]], windows: Sequence[str] = ()) -> dict[str, Rate]:
        """Writes the conversion into each group; returns that of all by each rule of ``windows``."""
        if self.people is None:
            return await _convert(self.conn, self.asked, _common(self.asked, self.teams), groups, windows)
        rules = [self.asked.rule, *windows]
        bought = [bought_bit(list(RULES).index(rule)) for rule in rules]
        narrowed = bool(self.asked.pool or self.asked.agent or self.asked.team)
        crowd = packed.Crowd(self.people_max + 1)
        rates = {rule: Rate(0, 0) for rule in windows}
        for by, into in groups.items():
            parts: dict[str | None, list[bytes]] = {}
            for group in self.people:
                parts.setdefault(_key_of(by, group, self.teams), []).extend(group.people)
            served = served_bit(people=narrowed or by in PEOPLE)
            for key, some in parts.items():
                counted = crowd.count(some, served, bought)
                if not counted.asked:
                    continue
                one = into.setdefault(key, Sums())
                one.conversion = Rate(counted.served_bought[0], counted.served)
                one.conversion_all = Rate(counted.bought[0], counted.asked)
                if by == "all":
                    rates = {rule: Rate(counted.served_bought[n + 1], counted.served) for n, rule in enumerate(windows)}
        return rates


async def _read(conn: Connection, asked: Asked, by: By, teams: Teams, *, from_rollups: bool) -> _Reading:
    only = rollups.only(by, asked.pool, asked.agent, asked.team, asked.service_ms) if from_rollups else None
    sealed = [] if only is None else await rollups.sealed_days(conn, asked.shop, asked.first, asked.last)
    if only is None or not sealed:
        return _Reading(conn, asked, teams, await _additive(conn, asked, by, _common(asked, teams)))
    by_day = by == "day"
    groups = await rollups.groups(
        conn, asked.shop, sealed, only, teams, by_day=by_day, rule=asked.rule, service_ms=asked.service_ms
    )
    found: dict[str | None, Sums] = {}
    for group in groups:
        found.setdefault(_key_of(by, group, teams), Sums()).add(group.sums)
    if by == "hour":  # money has no hour
        for one in found.values():
            one.orders = one.paid_fen = one.rescued_orders = one.rescued_fen = 0
    numbers = await rollups.Numbers.read(conn, asked.shop)
    for first, last in gaps(asked.first, asked.last, sealed):
        live = replace(asked, first=first, last=last)
        for key, one in (await _additive(conn, live, by, _common(live, teams))).items():
            found.setdefault(key, Sums()).add(one)
        groups += await rollups.live_people(conn, asked.shop, first, last, only, teams, by_day=by_day, numbers=numbers)
    return _Reading(conn, asked, teams, found, groups, numbers.highest)


def gaps(first: date, last: date, sealed: Sequence[date]) -> list[tuple[date, date]]:
    """The runs of days from ``first`` to ``last`` that are not among the ascending ``sealed``."""
    found, begin = [], first
    for day in [*sealed, last + timedelta(days=1)]:
        if begin < day:
            found.append((begin, day - timedelta(days=1)))
        begin = day + timedelta(days=1)
    return found


def _key_of(by: By, group: rollups.Group, teams: Teams) -> str | None:
    match by:
        case "all":
            return None
        case "team":
            return teams.team_of(group.pool)
        case "pool":
            return str(group.pool) if group.pool else None
        case "day":
            return group.day.isoformat() if group.day else None
        case "agent":
            return group.key or None
        case _:
            return group.key


def _together(some: Iterable[Sums]) -> Sums:
    whole = Sums()
    for one in some:
        whole.add(one)
    return whole


async def _additive(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...]) -> dict[str | None, Sums]:
    found: dict[str | None, Sums] = {}

    def group(key: str | None) -> Sums:
        return found.setdefault(key, Sums())

    await _turns(conn, asked, by, common, group)
    await _tallies(conn, by, common, group)
    await _orders(conn, asked, by, common, group)
    return found


async def _convert(
    conn: Connection, asked: Asked, common: tuple[Any, ...], groups: dict[By, dict[str | None, Sums]],
    windows: Sequence[str] = (),
) -> dict[str, Rate]:  # fmt: skip
    """Writes the conversion into each group; returns that of all by each rule of ``windows``."""
    rules = [asked.rule, *(rule for rule in windows if rule != asked.rule)]
    narrowed = bool(asked.pool or asked.agent or asked.team)
    levels = list(groups)
    if "pool" in levels and "team" in levels:
        return await _convert_pools(conn, common, groups, rules, windows, narrowed=narrowed)
    query = conversion_sql.query(levels, {**KEYS, **_OF_ENQUIRY}, _ONLY, len(rules), narrowed=narrowed)
    rates = {rule: Rate(0, 0) for rule in windows}
    for row in await conn.fetch(query, *common, rules):
        by = levels[row["level"]]
        one = groups[by].setdefault(row["key"], Sums())
        one.conversion = Rate(row["served_bought"][0], row["served"])
        one.conversion_all = Rate(row["bought"][0], row["asked"])
        if by == "all":
            rates = {rule: Rate(row["served_bought"][rules.index(rule)], row["served"]) for rule in windows}
    return rates


async def _convert_pools(
    conn: Connection, common: tuple[Any, ...], groups: dict[By, dict[str | None, Sums]], rules: Sequence[str],
    windows: Sequence[str], *, narrowed: bool
) -> dict[str, Rate]:  # fmt: skip
    """Pools and what lies above them: each person is read once."""
    outsourced, providers = common[6], common[7]
    team_of = dict(zip(outsourced, providers, strict=True))
    keys: dict[By, Callable[[UUID | None], str | None]] = {
        "pool": lambda pool: None if pool is None else str(pool),
        "team": lambda pool: OWN if pool is None else team_of.get(pool, OWN),
        "all": lambda _: None,
    }
    rows = [tuple(row) for row in await conn.fetch(conversion_sql.by_pool(_ONLY), *common, rules)]
    rates = {rule: Rate(0, 0) for rule in windows}
    for by, into in groups.items():
        served = served_bit(people=narrowed or by in PEOPLE)
        for key, counted in by_level(rows, keys[by]).items():
            one = into.setdefault(key, Sums())
            one.conversion = counted.rate(served, bought_bit(0))
            one.conversion_all = counted.rate(0, bought_bit(0))
            if by == "all":
                rates = {rule: counted.rate(served, bought_bit(rules.index(rule))) for rule in windows}
    return rates


async def _turns(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...], group: Any) -> None:
    key = KEYS[by].format("r")
    rows = await conn.fetch(
        f"""select ({key})::text as key, r.human_ordinal = 1 as first, r.hour between 8 and 22 as by_day,
              r.left_message, r.wait_bucket as bucket, count(*) as n,
              sum(r.wait_ms::float8)::bigint as ms, sum(r.business_ms::float8)::bigint as business_ms,
              count(*) filter (where r.wait_ms <= {REPLY_MS}) as in_3min,
              count(*) filter (where r.wait_ms <= $9) as in_service,
              count(*) filter (where r.wait_ms is null and at_ms(r.ended_at) - at_ms(r.human_at) > $9) as lost_late
            from turn r where r.shop_id = $1 and r.day between $2 and $3 and {COUNTED_TURN} and {SETTLED_TURN}
              and {_ONLY.format("r")} group by {key}, 2, 3, 4, 5""",
        *common,
        asked.service_ms,
    )
    counts: dict[tuple[Hashable, bool], dict[int, int]] = {}
    ms: dict[tuple[Hashable, bool], int] = {}
    for row in rows:
        one = group(row["key"])
        one.turns += row["n"]
        one.business_ms += row["business_ms"] or 0
        if row["by_day"]:
            one.asked_3min += row["n"]
            one.in_3min += row["in_3min"]
        if row["first"] and not row["left_message"]:
            one.first_turns += row["n"]
            one.in_service += row["in_service"]
            one.lost_late += row["lost_late"]
        if row["bucket"] is not None:
            place = row["key"], row["first"]
            buckets = counts.setdefault(place, {})
            buckets[row["bucket"]] = buckets.get(row["bucket"], 0) + row["n"]
            ms[place] = ms.get(place, 0) + row["ms"]
    for (whose, first), buckets in counts.items():
        times = Histogram(buckets, ms[whose, first])
        one = group(whose)
        one.waits = one.waits.merge(times)
        if first:
            one.firsts = times


async def _tallies(conn: Connection, by: By, common: tuple[Any, ...], group: Any) -> None:
    key = KEYS[by].format("r")
    rows = await conn.fetch(
        f"""select ({key})::text as key, count(*) filter (where r.shopper_messages > 0) as conversations,
              count(*) filter (where r.enqueued_at is not null) as handed_off,
              count(*) filter (where r.shopper_messages > 0 and r.human_messages > 0) as served,
              count(*) filter (where r.enqueued_at is not null and r.pool_id = any($7)) as overflowed,
              count(*) filter (where r.abandoned in ('explicit', 'silent')) as lost,
              count(*) filter (where r.abandoned = 'no' and r.enqueued_at is not null) as kept,
              count(*) filter (where r.abandoned = 'short') as short,
              count(*) filter (where r.left_message) as left_message,
              count(*) filter (where r.rating > 0) as ratings, coalesce(sum(r.rating), 0)::int as stars,
              count(*) filter (where r.rating >= 4) as satisfied
            from {TALLIES} r where {_ONLY.format("r")} group by {key}""",
        *common,
    )
    for row in rows:
        one = group(row["key"])
        for name in ("conversations", "handed_off", "served", "overflowed", "lost", "kept", "short", "left_message",
                     "ratings", "stars", "satisfied"):  # fmt: skip
            setattr(one, name, getattr(one, name) + row[name])


async def _orders(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...], group: Any) -> None:
    """Money by the day of payment."""
    if by == "hour":
        return
    key = KEYS[by].format("r")
    rows = await conn.fetch(
        f"""select ({key})::text as key, r.kind, sum(r.orders)::int as orders, sum(r.paid_fen)::bigint as fen
            from order_credit r where r.shop_id = $1 and r.day between $2 and $3 and r.rule = $9
              and r.kind in ('touched', 'rescued') and {_ONLY.format("r")} group by {key}, 2""",
        *common,
        asked.rule,
    )
    for row in rows:
        one = group(row["key"])
        if row["kind"] == "touched":
            one.orders, one.paid_fen = row["orders"], row["fen"]
        else:
            one.rescued_orders, one.rescued_fen = row["orders"], row["fen"]
