"""Random shoppers full of absent values, and random condition trees over them."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from push.audience.leaves import CHAT_KINDS
from push.audience.profile import Day, Profile
from push.audience.tree import (
    All,
    Anniversary,
    AnyOf,
    Before,
    Behaved,
    Bucket,
    Chatted,
    Flag,
    InCrowd,
    Leaf,
    Level,
    Missing,
    Node,
    Not,
    Num,
    Tags,
    Text,
    Within,
)
from wangxin.clock import new_id

TAGS = ("vip", "母婴", "户外", "常退货", "新客")
CITIES = ("杭州", "杭州湾", "上海", "Sha", "")
KINDS = ("order", "paid", "visit", "cart", *sorted(CHAT_KINDS))
MOMENTS = ("member_since", "first_order_at", "last_order_at", "last_chat_at", "last_seen_at", "last_complaint_at")


def _maybe(chance: random.Random, value: Any) -> Any:
    return None if chance.random() < 0.35 else value


def profile(chance: random.Random, now: datetime, crowd_ids: list[UUID]) -> Profile:
    orders, spent = _maybe(chance, chance.randrange(0, 4)), _maybe(chance, chance.randrange(0, 90_000))
    md = [101, 228, 229, 301, 1111, 1229, 1230, 615, 2615]
    moments = {
        name: _maybe(
            chance, now - timedelta(seconds=chance.randrange(0, 200 * 86_400), microseconds=chance.randrange(9))
        )
        for name in MOMENTS
    }
    days = {
        kind: tuple(
            Day(date(2026, 2, 28) - timedelta(days=offset), chance.randrange(0, 4), chance.randrange(0, 1_000))
            for offset in sorted(chance.sample(range(0, 60), chance.randrange(1, 5)))
        )
        for kind in KINDS
        if chance.random() < 0.5
    }
    return Profile(
        new_id(), _maybe(chance, chance.randrange(0, 6)), _maybe(chance, chance.randrange(0, 500)),
        _maybe(chance, chance.randrange(0, 500)), orders, spent,
        spent // orders if orders and spent is not None else None,
        frozenset(chance.sample(TAGS, chance.randrange(0, 4))), _maybe(chance, chance.choice(CITIES)),
        _maybe(chance, chance.choice(("浙江", "上海"))),
        _maybe(chance, chance.choice(("Asia/Shanghai", "America/New_York"))),
        _maybe(chance, "zh"), _maybe(chance, "app"), chance.random() < 0.5, chance.random() < 0.1,
        _maybe(chance, chance.choice(md)), _maybe(chance, chance.choice(md)), _maybe(chance, chance.choice(md)),
        _maybe(chance, chance.choice(md)), **moments, days=days,
        crowds=frozenset(crowd for crowd in crowd_ids if chance.random() < 0.3),
    )  # fmt: skip


async def fill(conn: Any, shop: UUID, n: int, chance: random.Random, now: datetime) -> list[Profile]:
    """Store ``n`` random shoppers; returns them as the predicate sees them."""
    crowd_ids = [new_id(), new_id()]
    profiles = [profile(chance, now, crowd_ids) for _ in range(n)]
    await conn.executemany(
        "insert into shopper (shop_id, id, name) values ($1, $2, $3)", [(shop, p.shopper_id, "x") for p in profiles]
    )
    columns = [
        "level", "points", "balance_cents", "orders_n", "spent_cents", "tags", "city", "province", "tz", "lang",
        "source", "is_member", "blocked", "birth_md", "lunar_md", "member_md", "first_order_md", *MOMENTS,
    ]  # fmt: skip
    await conn.copy_records_to_table(
        "profile",
        columns=["shop_id", "shopper_id", *columns],
        records=[(shop, p.shopper_id, *(_stored(getattr(p, c)) for c in columns)) for p in profiles],
    )
    await conn.copy_records_to_table(
        "shopper_day",
        columns=["shop_id", "shopper_id", "kind", "day", "n", "amount"],
        records=[
            (shop, p.shopper_id, kind, d.day, d.n, d.amount)
            for p in profiles
            for kind, ds in p.days.items()
            for d in ds
        ],
    )
    await conn.executemany(
        "insert into push_crowd (shop_id, id, name) values ($1, $2, 'c')", [(shop, crowd) for crowd in crowd_ids]
    )
    await conn.copy_records_to_table(
        "push_crowd_member",
        columns=["shop_id", "crowd_id", "shopper_id"],
        records=[(shop, crowd, p.shopper_id) for p in profiles for crowd in p.crowds],
    )
    return profiles


def _stored(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def random_tree(chance: random.Random, crowd_ids: list[UUID], now: datetime, depth: int = 3) -> Node:
    if depth > 1 and chance.random() < 0.7:
        if chance.random() < 0.25:
            return Not(of=random_tree(chance, crowd_ids, now, depth - 1))
        branch = All if chance.random() < 0.5 else AnyOf
        return branch(of=tuple(random_tree(chance, crowd_ids, now, depth - 1) for _ in range(chance.randrange(0, 4))))
    return random_leaf(chance, crowd_ids, now)


def random_leaf(chance: random.Random, crowd_ids: list[UUID], now: datetime) -> Leaf:
    op: Any = chance.choice(("ge", "gt", "le", "lt", "eq"))
    numbers: Any = ("points", "balance_cents", "orders_n", "spent_cents", "avg_order_cents")
    moment: Any = chance.choice(MOMENTS)
    makers: list[Any] = [
        lambda: Level(op=op, value=chance.randrange(0, 6)),
        lambda: Num(field=chance.choice(numbers), op=op, value=chance.choice((0, 1, 2, 100, 250, 40_000))),
        lambda: Text(
            field="city", op=chance.choice(("in", "prefix")), values=(chance.choice(("杭", "杭州", "S", "上海")),)
        ),
        lambda: Text(field="tz", op="in", values=("Asia/Shanghai",)),
        lambda: Tags(op=chance.choice(("any", "all")), values=tuple(chance.sample(TAGS, chance.randrange(1, 3)))),
        lambda: Flag(field=chance.choice(("is_member", "blocked"))),
        lambda: Within(field=moment, seconds=chance.randrange(60, 200 * 86_400)),
        lambda: Before(field=moment, at=now - timedelta(days=chance.randrange(0, 200))),
        lambda: Missing(field=chance.choice((*MOMENTS, "birth_md", "city"))),
        lambda: Anniversary(
            field="birth", calendar=chance.choice(("solar", "lunar")), first=chance.randrange(-5, 5),
            days=chance.randrange(1, 30), leap_policy=chance.choice(("feb28", "mar1", "leap_only")),
        ),
        lambda: Anniversary(field="member_since", days=chance.randrange(1, 5)),
        lambda: Behaved(
            event=chance.choice(("order", "paid", "visit", "cart")),
            metric=chance.choice(("n", "cents", "distinct_days")),
            days=chance.choice((1, 7, 30, 90)), op=chance.choice(("ge", "lt")), value=chance.choice((1, 2, 3, 500)),
        ),
        lambda: Chatted(
            metric=chance.choice(("conversations", "messages", "waiting_ms", "csat", "refund_asked", "human_asked")),
            days=chance.choice((7, 30, 60)), op=chance.choice(("ge", "lt")), value=chance.choice((1, 2, 100, 400)),
        ),
        lambda: Bucket(
            salt=chance.choice(("a", "b")), start=chance.randrange(0, 5_000), end=chance.randrange(3_000, 10_000)
        ),
        lambda: InCrowd(crowd_id=chance.choice(crowd_ids)),
    ]  # fmt: skip
    leaf: Leaf = chance.choice(makers)()
    return leaf
