"""Distinct enquiring shoppers and those who bought, at several levels from one reading, as one SQL statement.

A shopper counts once in each group, so levels do not add up: each is counted by itself from the same narrow rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

By = Literal["all", "team", "pool", "agent", "topic", "day", "hour", "menu", "push"]


# Whether a conversation was an enquiry: by its topic, else not if the shopper had bought within 21 days before it and
# orders nothing new until the next day 24:00. The same as conversion.is_enquiry. Orders are joined, not looked up for
# each conversation; the day more on each side is for the zone.
_ENQUIRY = """
clock as materialized (
  select s.from_at, s.until_at, d::date as day, (d::date + 2)::timestamp at time zone s.tz as new_until
  from shop_clock s cross join generate_series($2::date, $3::date, interval '1 day') d where s.shop_id = $1),
had as materialized (
  select t.conversation_id, t.pool_id, t.agent_id, t.day, t.hour, t.opened_at, c.topic, c.outbound_rule as push,
    s.new_until,
    coalesce(p.merged_into, t.shopper_id) as shopper_id, t.shopper_messages > 0 and t.human_messages > 0 as served
  from tally t join conversation c on c.shop_id = t.shop_id and c.id = t.conversation_id
  join clock s on s.day = t.day and s.from_at <= t.opened_at and s.until_at > t.opened_at
  left join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id and p.merged_into is not null
  where t.shop_id = $1 and t.day between $2 and $3 and t.shopper_messages > 0
    and (t.enqueued_at is not null or t.human_messages > 0)),
dealt as materialized (
  select o.shopper_id, o.created_at, o.paid_at from shop_order o
  where o.shop_id = $1 and o.shopper_id is not null
    and (o.paid_at between $2::date - interval '22 days' and $3::date + interval '2 days'
      or o.created_at between $2::date - interval '1 day' and $3::date + interval '4 days')),
before as materialized (
  select distinct h.conversation_id, h.shopper_id, h.opened_at, h.new_until
  from had h join dealt o on o.shopper_id = h.shopper_id
    and o.paid_at >= h.opened_at - interval '21 days' and o.paid_at < h.opened_at where h.topic = ''),
after_sales as materialized (
  select b.conversation_id from before b where not exists (select from dealt o where o.shopper_id = b.shopper_id
    and o.created_at >= b.opened_at and o.created_at < b.new_until)),
enquiry as materialized (
  select h.conversation_id, h.pool_id, h.agent_id, h.topic, h.day, h.hour, h.shopper_id, h.served, h.push{menu}
  from had h
  where h.topic <> 'after_sales' and h.conversation_id not in (select a.conversation_id from after_sales a))"""


# The item of the menu that was tapped last in a conversation; '' where none was.
MENU_ITEM = """coalesce((select b.item from bot_turn b where b.shop_id = $1 and b.conversation_id = {0}.conversation_id
  and b.item is not null order by b.seq desc limit 1), '')"""


def _enquiry(*, menu: bool = False) -> str:
    return _ENQUIRY.format(menu=f", {MENU_ITEM.format('h')} as menu" if menu else "")


_COLUMNS: dict[By, str | None] = {
    "all": None, "team": "pool_id", "pool": "pool_id", "agent": "agent_id", "topic": "topic", "day": "day",
    "hour": "hour", "menu": "menu", "push": "push",
}  # fmt: skip
PEOPLE: frozenset[By] = frozenset({"team", "pool", "agent"})
# What is known of a shopper in a group, as bits: asked for service; was served; was written to by the group itself;
# from the fourth on, bought by each rule.
_SERVED, _TOUCHED, _BOUGHT = 2, 4, 8


def query(levels: Sequence[By], keys: Mapping[By, str], only: str, rules: int, *, narrowed: bool) -> str:
    """Rows (level, key, served, asked, served_bought by rule, bought by rule).

    ``$1``–``$8`` as in the reports, ``$9`` the rules, of which there are ``rules``. ``keys`` and ``only`` are formatted
    with a table's alias. ``narrowed``: of some pools or agents only; their own words decide whom they served.
    """
    fine = sorted({column for by in levels if (column := _COLUMNS[by]) is not None})
    counted = [
        _level(number, by, keys[by], fine, rules, people=narrowed or by in PEOPLE) for number, by in enumerate(levels)
    ]
    said = narrowed or not PEOPLE.isdisjoint(levels)
    return f"{_people(fine, only, said=said, menu='menu' in levels)} {' union all '.join(counted)}"


def by_pool(only: str) -> str:
    """Rows (pool_id, shopper_id, bits, n) for :func:`metrics.people.by_level`, from which every level above the pools
    is counted: those who stand in one pool alone without a name. Parameters as for :func:`query`."""
    return f"""{_people(["pool_id"], only, said=True)},
several as materialized (select shopper_id from person group by 1 having count(*) > 1)
select pool_id, null::uuid as shopper_id, bits, count(*) as n from person
where shopper_id not in (select s.shopper_id from several s) group by 1, 3
union all
select pool_id, shopper_id, bits, 1 from person where shopper_id in (select s.shopper_id from several s)"""


def _people(fine: Sequence[str], only: str, *, said: bool, menu: bool = False) -> str:
    def columns(alias: str) -> str:
        return "".join(f"{alias}.{column}, " for column in fine)

    def of_when(column: str) -> str:  # time and topic are the conversation's, people those who wrote or are credited
        return "e" if column in ("topic", "day", "hour", "menu", "push") else "x"

    theirs = "".join(f"{of_when(column)}.{column}, " for column in fine)
    parts = [f"select {columns('e')}e.shopper_id, case when e.served then {_SERVED + 1} else 1 end as bits"
             f" from enquiry e where {only.format('e')}"]  # fmt: skip
    if said:
        parts.append(f"select {theirs}e.shopper_id, {_TOUCHED} from touch x join enquiry e using (conversation_id)"
                     f" where x.shop_id = $1 and e.served and {only.format('x')}")  # fmt: skip
    parts.append(f"select {theirs}e.shopper_id, {_BOUGHT // 2} << array_position($9::text[], x.rule)"
                 f" from order_credit x join enquiry e using (conversation_id) where x.shop_id = $1"
                 f" and x.rule = any($9) and x.kind = 'touched' and x.orders = 1 and {only.format('x')}")  # fmt: skip
    person = f"""
person as materialized (
  select {columns("a")}a.shopper_id, bit_or(a.bits) as bits
  from ({" union all ".join(parts)}) a group by {columns("a")}a.shopper_id)"""
    return f"with {_enquiry(menu=menu)}, {person}"


def people(grain_keys: str, touch_keys: str) -> str:
    """Rows (day, key, pool_id, shopper_id, bits): what is known of each person in each group of each day.

    ``$1`` shop, ``$2`` and ``$3`` days, ``$4`` the rules. ``grain_keys``: the key of an enquiry ``e``; ``touch_keys``:
    that of whose words or order it was, ``x``. The bits are those of :func:`query`, so that days can be joined.
    """
    return f"""with {_enquiry()}
select day, key, pool_id, shopper_id, bit_or(bits) as bits from (
  select e.day, {grain_keys} as key, e.pool_id, e.shopper_id, case when e.served then {_SERVED + 1} else 1 end as bits
  from enquiry e
  union all
  select e.day, {touch_keys}, x.pool_id, e.shopper_id, {_TOUCHED}
  from touch x join enquiry e using (conversation_id) where x.shop_id = $1 and e.served
  union all
  select e.day, {touch_keys}, x.pool_id, e.shopper_id, {_BOUGHT // 2} << array_position($4::text[], x.rule)
  from order_credit x join enquiry e using (conversation_id)
  where x.shop_id = $1 and x.rule = any($4) and x.kind = 'touched' and x.orders = 1) a
group by 1, 2, 3, 4"""


def served_bit(*, people: bool) -> int:
    """Which bit says that somebody was served: by the group's own words, or by anybody's."""
    return _TOUCHED if people else _SERVED


def bought_bit(rule: int) -> int:
    return _BOUGHT << rule


def _level(number: int, by: By, key: str, fine: Sequence[str], rules: int, *, people: bool) -> str:
    served = f"bits & {_TOUCHED if people else _SERVED} <> 0"
    bought = [f"bits & {_BOUGHT << rule} <> 0" for rule in range(rules)]
    source = f"select {key.format('p')} as key, p.shopper_id, p.bits from person p"
    if by == "team" or [_COLUMNS[by]] != list(fine):  # else there is one row for each shopper already
        source = f"select key, shopper_id, bit_or(bits) as bits from ({source}) g group by 1, 2"
    return f"""
select {number} as level, key::text, count(*) filter (where {served}) as served, count(*) as asked,
  array[{", ".join(f"count(*) filter (where {served} and {one})" for one in bought)}] as served_bought,
  array[{", ".join(f"count(*) filter (where {one})" for one in bought)}] as bought
from ({source}) s group by key"""
