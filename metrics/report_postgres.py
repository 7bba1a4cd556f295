"""What the reports read: sums of turns, conversations, enquiries and orders, grouped as asked."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from metrics.conversion import DEFAULT_RULE
from metrics.figures import REPLY_MS, SERVICE_MS, Sums
from metrics.histogram import Histogram
from metrics.intervals import Rate
from metrics.teams import Teams
from wangxin.storage.postgres import Connection

By = Literal["all", "team", "pool", "agent", "day", "hour"]


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
_TEAM = "coalesce((select p.team from unnest($7::uuid[], $8::text[]) p(id, team) where p.id = {0}.pool_id), 'own')"
_KEYS: dict[By, str] = {
    "all": "null::text",
    "team": _TEAM,
    "pool": "{0}.pool_id::text",
    "agent": "{0}.agent_id::text",
    "day": "{0}.day::text",
    "hour": "{0}.hour::text",
}
_ONLY = (
    "($4::uuid is null or {0}.pool_id = $4) and ($5::uuid is null or {0}.agent_id = $5)"
    f" and ($6::text is null or {_TEAM} = $6)"
)
COUNTED_TURN = "r.human_at is not null and r.excluded = '' and r.void_reason = ''"
"""A turn that counts: a person was due, and neither the fold nor a person took it out."""
SETTLED_TURN = "(r.answered_at is not null or r.ended_at is not null or r.opened_at < now() - interval '3 minutes')"
"""One that has just begun is neither answered nor missed yet."""


async def sums(conn: Connection, asked: Asked, by: By, teams: Teams) -> dict[str | None, Sums]:
    """By group key (id, day or hour as text; None: outside any pool): everything that adds up, and the conversion."""
    found: dict[str | None, Sums] = {}
    outsourced = teams.outsourced
    common = (
        asked.shop, asked.first, asked.last, asked.pool, asked.agent, asked.team, outsourced,
        [teams.team_of(pool) for pool in outsourced],
    )  # fmt: skip

    def group(key: str | None) -> Sums:
        return found.setdefault(key, Sums())

    await _turns(conn, asked, by, common, group)
    await _tallies(conn, by, common, group)
    await _enquiries(conn, asked, by, common, group)
    await _orders(conn, asked, by, common, group)
    return found


async def _turns(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...], group: Any) -> None:
    rows = await conn.fetch(
        f"""select {_KEYS[by].format("r")} as key, r.human_ordinal = 1 as first, r.wait_bucket as bucket, count(*) as n,
              sum(r.wait_ms)::bigint as ms, sum(r.business_ms)::bigint as business_ms,
              count(*) filter (where r.hour between 8 and 22) as asked_3min,
              count(*) filter (where r.hour between 8 and 22 and r.wait_ms <= {REPLY_MS}) as in_3min,
              count(*) filter (where r.human_ordinal = 1 and not r.left_message) as first_turns,
              count(*) filter (where r.human_ordinal = 1 and not r.left_message and r.wait_ms <= $9) as in_service,
              count(*) filter (where r.human_ordinal = 1 and not r.left_message and r.wait_ms is null
                and at_ms(r.ended_at) - at_ms(r.human_at) > $9) as lost_late
            from turn r where r.shop_id = $1 and r.day between $2 and $3 and {COUNTED_TURN} and {SETTLED_TURN}
              and {_ONLY.format("r")} group by 1, 2, 3""",
        *common,
        asked.service_ms,
    )
    counts: dict[tuple[Hashable, bool], dict[int, int]] = {}
    ms: dict[tuple[Hashable, bool], int] = {}
    for row in rows:
        one = group(row["key"])
        one.turns += row["n"]
        one.business_ms += row["business_ms"] or 0
        for name in ("asked_3min", "in_3min", "first_turns", "in_service", "lost_late"):
            setattr(one, name, getattr(one, name) + row[name])
        if row["bucket"] is not None:
            place = row["key"], row["first"]
            counts.setdefault(place, {})[row["bucket"]] = row["n"]
            ms[place] = ms.get(place, 0) + row["ms"]
    for (key, first), buckets in counts.items():
        times = Histogram(buckets, ms[key, first])
        one = group(key)
        one.waits = one.waits.merge(times)
        if first:
            one.firsts = times


async def _tallies(conn: Connection, by: By, common: tuple[Any, ...], group: Any) -> None:
    rows = await conn.fetch(
        f"""select {_KEYS[by].format("r")} as key, count(*) filter (where r.shopper_messages > 0) as conversations,
              count(*) filter (where r.enqueued_at is not null) as handed_off,
              count(*) filter (where r.shopper_messages > 0 and r.human_messages > 0) as served,
              count(*) filter (where r.enqueued_at is not null and r.pool_id = any($7)) as overflowed,
              count(*) filter (where r.abandoned in ('explicit', 'silent')) as lost,
              count(*) filter (where r.abandoned = 'no' and r.enqueued_at is not null) as kept,
              count(*) filter (where r.abandoned = 'short') as short,
              count(*) filter (where r.left_message) as left_message,
              count(*) filter (where r.score > 0) as ratings, coalesce(sum(r.score), 0)::int as stars,
              count(*) filter (where r.score >= 4) as satisfied
            from tally r where r.shop_id = $1 and r.day between $2 and $3 and {_ONLY.format("r")}
            group by 1""",
        *common,
    )
    for row in rows:
        one = group(row["key"])
        for name in ("conversations", "handed_off", "served", "overflowed", "lost", "kept", "short", "left_message",
                     "ratings", "stars", "satisfied"):  # fmt: skip
            setattr(one, name, getattr(one, name) + row[name])


# Whether a conversation was an enquiry: by its topic, else not if the shopper had bought within 21 days before it and
# orders nothing new until the next day 24:00. The same as conversion.is_enquiry.
_ENQUIRY = """select t.shop_id, coalesce(p.merged_into, p.id) as shopper_id, t.conversation_id, t.pool_id,
    t.agent_id, t.day, t.hour,
    t.shopper_messages > 0 and t.human_messages > 0 as served
  from tally t join conversation c on c.shop_id = t.shop_id and c.id = t.conversation_id
  join shop s on s.shop_id = t.shop_id
  join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
  where t.shop_id = $1 and t.day between $2 and $3 and t.shopper_messages > 0
    and (t.enqueued_at is not null or t.human_messages > 0)
    and case when c.topic <> '' then c.topic <> 'after_sales' else
      not exists (select from shop_order o where o.shop_id = t.shop_id and o.shopper_id = coalesce(p.merged_into, p.id)
        and o.paid_at >= t.opened_at - interval '21 days' and o.paid_at < t.opened_at)
      or exists (select from shop_order o where o.shop_id = t.shop_id and o.shopper_id = coalesce(p.merged_into, p.id)
        and o.created_at >= t.opened_at and o.created_at < (t.day + 2)::timestamp at time zone s.tz) end"""


async def _enquiries(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...], group: Any) -> None:
    """Distinct shoppers served, and of them those who bought; by whose words, where the group is a pool or agent."""
    people = by in ("pool", "team", "agent") or asked.pool or asked.agent or asked.team
    served = "touch x join enquiry e using (shop_id, conversation_id)" if people else "enquiry e"
    whose = "x" if people else "e"
    key = _KEYS[by].format("e" if by in ("day", "hour") else whose)
    bought = _KEYS[by].format("e" if by in ("day", "hour") or not people else "r")
    rows = await conn.fetch(
        f"""with enquiry as materialized ({_ENQUIRY}),
            asker as (select {_KEYS[by].format("e")} as key, e.shopper_id from enquiry e where {_ONLY.format("e")}
              group by 1, 2),
            seen as (select {key} as key, e.shopper_id from {served}
              where e.served and {_ONLY.format(whose)} group by 1, 2),
            buyer as (select {bought} as key, e.shopper_id
              from order_credit r join enquiry e using (shop_id, conversation_id)
              where r.rule = $9 and r.kind = 'touched' and r.orders = 1 and {_ONLY.format("r")} group by 1, 2)
            select key, count(*) filter (where served) as served,
              count(*) filter (where served and bought) as served_bought,
              count(*) as asked, count(*) filter (where bought) as bought
            from (select a.key, a.shopper_id, bool_or(a.served) as served, bool_or(a.bought) as bought from (
                select key, shopper_id, false as served, false as bought from asker
                union all select key, shopper_id, true, false from seen
                union all select key, shopper_id, false, true from buyer) a group by 1, 2) b
            group by 1""",
        *common,
        asked.rule,
    )
    for row in rows:
        one = group(row["key"])
        one.conversion = Rate(row["served_bought"], row["served"])
        one.conversion_all = Rate(row["bought"], row["asked"])


async def _orders(conn: Connection, asked: Asked, by: By, common: tuple[Any, ...], group: Any) -> None:
    """Money by the day of payment."""
    if by == "hour":
        return
    rows = await conn.fetch(
        f"""select {_KEYS[by].format("r")} as key, r.kind, sum(r.orders)::int as orders, sum(r.paid_fen)::bigint as fen
            from order_credit r where r.shop_id = $1 and r.day between $2 and $3 and r.rule = $9
              and r.kind in ('touched', 'rescued') and {_ONLY.format("r")} group by 1, 2""",
        *common,
        asked.rule,
    )
    for row in rows:
        one = group(row["key"])
        if row["kind"] == "touched":
            one.orders, one.paid_fen = row["orders"], row["fen"]
        else:
            one.rescued_orders, one.rescued_fen = row["orders"], row["fen"]


async def revenue(conn: Connection, asked: Asked) -> dict[str, dict[str, int]]:
    """By kind (touched, rescued, bot, silent, late): orders and fen. Together all that was paid in the period."""
    rows = await conn.fetch(
        """select kind, sum(orders)::int as orders, sum(paid_fen)::bigint as fen from order_credit
           where shop_id = $1 and day between $2 and $3 and rule = $4 group by 1""",
        asked.shop,
        asked.first,
        asked.last,
        asked.rule,
    )
    found = {kind: {"orders": 0, "fen": 0} for kind in ("touched", "rescued", "bot", "silent", "late")}
    found.update({row["kind"]: {"orders": row["orders"], "fen": row["fen"]} for row in rows})
    return found


async def conversion_windows(conn: Connection, asked: Asked, teams: Teams) -> dict[str, Rate]:
    """Same-day, next-day and final (72 h) conversion of the same enquiries."""
    rules = {"same_day": "last_touch_same_day", "next_day": "last_touch", "final": "last_72h"}
    found = {}
    for name, rule in rules.items():
        groups: dict[str | None, Sums] = {}
        one = Asked(asked.shop, asked.first, asked.last, asked.pool, asked.agent, asked.team, rule)
        outsourced = teams.outsourced
        common = (
            one.shop, one.first, one.last, one.pool, one.agent, one.team, outsourced,
            [teams.team_of(pool) for pool in outsourced],
        )  # fmt: skip
        await _enquiries(conn, one, "all", common, lambda key, groups=groups: groups.setdefault(key, Sums()))
        found[name] = groups.get(None, Sums()).conversion
    return found
