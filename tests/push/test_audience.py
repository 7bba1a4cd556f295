"""SQL and predicate of one audience agree; negation, absence and near misses."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from pydantic import TypeAdapter, ValidationError

from push.audience import tree
from push.audience.compile import count_sql, one_sql, to_misses, to_test
from push.audience.leaves import LEAVES, Moment
from push.audience.profile import Profile
from push.audience.tree import All, AnyOf, Flag, Leaf, Level, Node, Not, Num, Tags, Within
from push.model import Audience
from tests.conftest import Shop
from tests.push import crowds
from wangxin.model import limits

NOW = datetime(2026, 2, 28, 9, 0, tzinfo=UTC)
MOMENT = Moment(NOW, ZoneInfo("Asia/Shanghai"))
NODE: TypeAdapter[Node] = TypeAdapter(tree.Node)


def test_every_kind_of_condition_has_its_sql_and_its_predicate() -> None:
    assert set(LEAVES) == set(get_args(Leaf))


def test_absent_values_match_neither_a_condition_nor_its_opposite_number() -> None:
    nobody = Profile(UUID(int=1))
    assert not to_test(Num(field="points", op="ge", value=0), MOMENT)(nobody)
    assert not to_test(Num(field="points", op="lt", value=10), MOMENT)(nobody)
    assert to_test(Not(of=Num(field="points", op="ge", value=0)), MOMENT)(nobody)


def test_a_tree_too_deep_or_too_large_is_refused() -> None:
    node: Node = Flag(field="is_member")
    for _ in range(limits.AUDIENCE_DEPTH_MAX):
        node = Not(of=node)
    with pytest.raises(ValidationError):
        Audience(root=node)
    with pytest.raises(ValidationError):
        Audience(root=All(of=tuple(Flag(field="is_member") for _ in range(60))))


def test_an_unknown_field_or_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        NODE.validate_python({"k": "num", "field": "password", "op": "ge", "value": 1})
    with pytest.raises(ValidationError):
        NODE.validate_python({"k": "sql", "text": "true"})


def test_a_near_miss_names_the_fewest_conditions() -> None:
    node = All(of=(
        Level(op="ge", value=3),
        AnyOf(of=(Tags(op="any", values=("vip",)), All(of=(Flag(field="is_member"), Flag(field="blocked"))))),
    ))  # fmt: skip
    misses = to_misses(node, MOMENT)
    assert misses(Profile(UUID(int=1), level=5, is_member=False)) == (Tags(op="any", values=("vip",)),)
    assert misses(Profile(UUID(int=1), level=5, tags=frozenset({"vip"}))) == ()
    assert misses(Profile(UUID(int=1), level=1, is_member=True)) == (
        Level(op="ge", value=3), Tags(op="any", values=("vip",)),
    )  # fmt: skip
    assert to_misses(Not(of=Flag(field="is_member")), MOMENT)(Profile(UUID(int=1), is_member=True))


def test_everyone_is_recognised() -> None:
    assert Audience().everyone
    assert not Audience(root=All(of=(Within(field="last_order_at", seconds=60),))).everyone


@pytest.mark.parametrize("seed", range(6))
async def test_sql_and_predicate_agree_on_random_trees(pool: asyncpg.Pool, shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    async with pool.acquire() as conn:
        profiles = await crowds.fill(conn, shop.id, 700, chance, NOW)
        crowd_ids = sorted({crowd for p in profiles for crowd in p.crowds})
        for _ in range(40):
            node: Any = NODE.validate_json(NODE.dump_json(crowds.random_tree(chance, crowd_ids, NOW)))
            moment = Moment(NOW + timedelta(hours=chance.randrange(-400, 400)), MOMENT.zone)
            sql, args = count_sql(shop.id, node, moment)
            test = to_test(node, moment)
            by_sql = {row[0] for row in await conn.fetch(sql.replace("count(*)", "p.shopper_id", 1), *args)}
            by_test = {p.shopper_id for p in profiles if test(p)}
            assert by_sql == by_test, NODE.dump_json(node)
            misses = to_misses(node, moment)
            assert {p.shopper_id for p in profiles if not misses(p)} == by_test
            one = chance.choice(profiles)
            sql, args = one_sql(shop.id, one.shopper_id, node, moment)
            assert bool(await conn.fetchval(sql, *args)) is (one.shopper_id in by_test)


def test_today_is_the_shops_day() -> None:
    assert Moment(datetime(2026, 1, 1, 17, tzinfo=UTC), ZoneInfo("Asia/Shanghai")).today() == date(2026, 1, 2)
