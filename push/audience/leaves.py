"""Every kind of condition once, its SQL and its Python side by side. A kind without both fails a test.

Two-valued: the Python side answers False where a value is absent; the SQL side may answer NULL there, which WHERE
drops; a negated leaf is emitted as ``(leaf) is not true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from push.audience.profile import Day, Profile
from push.audience.tree import (
    Anniversary,
    Before,
    Behaved,
    Bucket,
    Chatted,
    Flag,
    InCrowd,
    Leaf,
    Level,
    Missing,
    Num,
    Tags,
    Text,
    Within,
)
from push.buckets import bucket, bucket_sql
from push.dates import kept_between

Test = Callable[[Profile], bool]


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of evaluation. Never ``now()``: a preview, a freeze and a re-check must be able to agree."""

    as_of: datetime
    zone: ZoneInfo

    @classmethod
    def of(cls, now_ms: int, zone: ZoneInfo) -> Moment:
        return cls(datetime.fromtimestamp(now_ms / 1000, UTC), zone)

    def today(self) -> date:
        return self.as_of.astimezone(self.zone).date()


@dataclass(slots=True)
class Arguments:
    """Bound parameters of a statement; ``$1`` is always the shop. ``shopper``: the placeholder of the one shopper that
    is looked at, where there is one: behaviour windows then read his rows alone."""

    values: list[Any] = field(default_factory=list)
    shopper: str | None = None

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


@dataclass(frozen=True, slots=True)
class LeafKind:
    sql: Callable[[Any, Moment, Arguments], str]
    test: Callable[[Any, Moment], Test]


_OPS_SQL: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "="}


def _compare(op: str, value: int) -> Callable[[int | None], bool]:
    match op:
        case "ge":
            return lambda have: have is not None and have >= value
        case "gt":
            return lambda have: have is not None and have > value
        case "le":
            return lambda have: have is not None and have <= value
        case "lt":
            return lambda have: have is not None and have < value
    return lambda have: have is not None and have == value


def _number_sql(column: str, op: str, value: int, args: Arguments) -> str:
    return f"p.{column} {_OPS_SQL[op]} {args.bind(value)}::bigint"


def _number_test(column: str, op: str, value: int) -> Test:
    holds = _compare(op, value)
    return lambda p: holds(getattr(p, column))


def _text_sql(leaf: Text, _: Moment, args: Arguments) -> str:
    words = args.bind(list(leaf.values))
    if leaf.op == "in":
        return f"p.{leaf.field} = any({words}::text[])"
    return f"exists (select 1 from unnest({words}::text[]) w where starts_with(p.{leaf.field}, w))"


def _text_test(leaf: Text, _: Moment) -> Test:
    column, values = leaf.field, leaf.values
    if leaf.op == "in":
        among = frozenset(values)
        return lambda p: getattr(p, column) in among
    return lambda p: (have := getattr(p, column)) is not None and have.startswith(values)


def _tags_test(leaf: Tags, _: Moment) -> Test:
    wanted = frozenset(leaf.values)
    if leaf.op == "any":
        return lambda p: not wanted.isdisjoint(p.tags)
    return lambda p: wanted <= p.tags


def _within_start(leaf: Within, moment: Moment) -> datetime:
    return moment.as_of - timedelta(seconds=leaf.seconds)


def _within_test(leaf: Within, moment: Moment) -> Test:
    column, start = leaf.field, _within_start(leaf, moment)
    return lambda p: (at := getattr(p, column)) is not None and at >= start


def _before_test(leaf: Before, _: Moment) -> Test:
    column, end = leaf.field, leaf.at
    return lambda p: (at := getattr(p, column)) is not None and at < end


def _missing_test(leaf: Missing, _: Moment) -> Test:
    column = leaf.field
    return lambda p: getattr(p, column) is None


def _anniversary_column(leaf: Anniversary) -> str:
    if leaf.field == "birth":
        return "lunar_md" if leaf.calendar == "lunar" else "birth_md"
    return {"member_since": "member_md", "first_order": "first_order_md"}[leaf.field]


def _kept(leaf: Anniversary, moment: Moment) -> list[int]:
    first = moment.today() + timedelta(days=leaf.first)
    return sorted(
        kept_between(first, leaf.days, leaf.calendar, leaf.leap_policy, leaf.short_policy, leaf.lunar_leap_policy)
    )


def _anniversary_sql(leaf: Anniversary, moment: Moment, args: Arguments) -> str:
    return f"p.{_anniversary_column(leaf)} = any({args.bind(_kept(leaf, moment))}::smallint[])"


def _anniversary_test(leaf: Anniversary, moment: Moment) -> Test:
    column, kept = _anniversary_column(leaf), frozenset(_kept(leaf, moment))
    return lambda p: getattr(p, column) in kept


_CHAT_KINDS: Final = {
    "conversations": "chat.conversation",
    "messages": "chat.message",
    "waiting_ms": "chat.waiting",
    "csat": "chat.rating",
    "refund_asked": "chat.refund_asked",
    "human_asked": "chat.human_asked",
}
CHAT_KINDS: Final = frozenset(_CHAT_KINDS.values())
_MEANS: Final = frozenset({"waiting_ms", "csat"})


def _counted(leaf: Behaved | Chatted) -> tuple[str, str]:
    """(kind of counter, how it is summed: n | amount | days | mean)."""
    if isinstance(leaf, Behaved):
        return leaf.event, {"n": "n", "cents": "amount", "distinct_days": "days"}[leaf.metric]
    return _CHAT_KINDS[leaf.metric], "mean" if leaf.metric in _MEANS else "n"


_SUMS_SQL: Final = {
    "n": "sum(d.n) >= {value}",
    "amount": "sum(d.amount) >= {value}",
    "days": "count(*) >= {value}",
    "mean": "sum(d.n) > 0 and sum(d.amount) >= {value} * sum(d.n)",
}


def _behaved_sql(leaf: Behaved | Chatted, moment: Moment, args: Arguments) -> str:
    kind, how = _counted(leaf)
    if how == "mean" and leaf.op == "lt":
        having = f"sum(d.n) > 0 and sum(d.amount) < {args.bind(leaf.value)}::bigint * sum(d.n)"
    else:
        having = _SUMS_SQL[how].format(value=f"{args.bind(leaf.value)}::bigint")
    today = moment.today()
    one = f" and d.shopper_id = {args.shopper}" if args.shopper else ""
    enough = (
        f"p.shopper_id in (select d.shopper_id from shopper_day d where d.shop_id = $1{one}"
        f" and d.kind = {args.bind(kind)}::text and d.day > {args.bind(today - timedelta(days=leaf.days))}::date"
        f" and d.day <= {args.bind(today)}::date group by d.shopper_id having {having})"
    )
    # "less than" is the complement of "at least", so that who has no rows at all counts as nought.
    return enough if leaf.op == "ge" or how == "mean" else f"not ({enough})"


def _behaved_test(leaf: Behaved | Chatted, moment: Moment) -> Test:
    kind, how = _counted(leaf)
    today = moment.today()
    after, value, at_least = today - timedelta(days=leaf.days), leaf.value, leaf.op == "ge"

    def rows(p: Profile) -> Iterable[Day]:
        return (day for day in p.days.get(kind, ()) if after < day.day <= today)

    if how == "mean":

        def mean(p: Profile) -> bool:
            n = amount = 0
            for day in rows(p):
                n, amount = n + day.n, amount + day.amount
            return n > 0 and (amount >= value * n) is at_least

        return mean
    measure: Callable[[Day], int] = {
        "n": lambda day: day.n, "amount": lambda day: day.amount, "days": lambda day: 1,
    }[how]  # fmt: skip
    return lambda p: (sum(measure(day) for day in rows(p)) >= value) is at_least


def _bucket_sql(leaf: Bucket, _: Moment, args: Arguments) -> str:
    place = bucket_sql(f"{args.bind(leaf.salt)}::text", "p.shopper_id")
    return f"{place} >= {args.bind(leaf.start)}::bigint and {place} < {args.bind(leaf.end)}::bigint"


def _crowd_sql(leaf: InCrowd, _: Moment, args: Arguments) -> str:
    return (
        "exists (select 1 from push_crowd_member c where c.shop_id = $1 and c.shopper_id = p.shopper_id"
        f" and c.crowd_id = {args.bind(leaf.crowd_id)}::uuid)"
    )


def _in_crowd(crowd_id: UUID) -> Test:
    return lambda p: crowd_id in p.crowds


def _flag(column: str) -> Test:
    return lambda p: bool(getattr(p, column))


LEAVES: dict[type[Leaf], LeafKind] = {
    Level: LeafKind(
        lambda leaf, m, a: _number_sql("level", leaf.op, leaf.value, a),
        lambda leaf, m: _number_test("level", leaf.op, leaf.value),
    ),
    Num: LeafKind(
        lambda leaf, m, a: _number_sql(leaf.field, leaf.op, leaf.value, a),
        lambda leaf, m: _number_test(leaf.field, leaf.op, leaf.value),
    ),
    Text: LeafKind(_text_sql, _text_test),
    Tags: LeafKind(
        lambda leaf, m, a: f"p.tags {'&&' if leaf.op == 'any' else '@>'} {a.bind(list(leaf.values))}::text[]",
        _tags_test,
    ),
    Flag: LeafKind(lambda leaf, m, a: f"p.{leaf.field}", lambda leaf, m: _flag(leaf.field)),
    Within: LeafKind(
        lambda leaf, m, a: f"p.{leaf.field} >= {a.bind(_within_start(leaf, m))}::timestamptz", _within_test
    ),
    Before: LeafKind(lambda leaf, m, a: f"p.{leaf.field} < {a.bind(leaf.at)}::timestamptz", _before_test),
    Missing: LeafKind(lambda leaf, m, a: f"p.{leaf.field} is null", _missing_test),
    Anniversary: LeafKind(_anniversary_sql, _anniversary_test),
    Behaved: LeafKind(_behaved_sql, _behaved_test),
    Chatted: LeafKind(_behaved_sql, _behaved_test),
    Bucket: LeafKind(_bucket_sql, lambda leaf, m: lambda p: leaf.start <= bucket(leaf.salt, p.shopper_id) < leaf.end),
    InCrowd: LeafKind(_crowd_sql, lambda leaf, m: _in_crowd(leaf.crowd_id)),
}
