"""Which menu a shopper sees, and why: pure choices, and the window's own road."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from menus import publishing, record_variants
from menus import record_postgres as record
from menus.check import Known, problems
from menus.conditions import Facts, bucket, choose, look_again_ms, unmet, within
from menus.model import Draft, Hours, Menu, When
from menus.record_variants import Arm
from menus.trial import read_trial
from tests.menus.conftest import Window
from wangxin.clock import new_id, now_ms
from wangxin.model.actor import Actor, Role

SHOP, SHOPPER = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Friday
PERSON = {"id": "p", "label": "转人工", "action": {"kind": "human"}}


def item(id_: str, label: str = "") -> dict[str, Any]:
    return {"id": id_, "label": label or id_, "action": {"kind": "answer", "text": f"答 {id_}"}}


def variant(id_: str, when: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    items = [item(f"{id_}-a"), {**PERSON, "id": f"{id_}-p"}]
    return {"id": id_, "name": id_, "when": when or {"who": "members"}, "items": items, **more}


def draft(*variants: dict[str, Any]) -> Draft:
    return Draft.model_validate({"greeting": "您好", "items": [item("a"), PERSON], "variants": list(variants)})


def menu(*variants: dict[str, Any]) -> Menu:
    return Menu.of(1, draft(*variants))


def test_the_first_menu_that_fits_is_shown_and_every_one_before_it_says_what_it_lacks() -> None:
    three = menu(
        variant("vip", {"level_from": 5, "tags": ["老客"]}), variant("paid", {"orders": ["paid", "shipped"]}),
        variant("all", {"who": "members"}),
    )  # fmt: skip
    known = Facts(NOON, guest=False, level=4, tags=frozenset({"新客"}), order="shipped")
    chosen = choose(three, known, SHOP, SHOPPER)
    assert chosen.variant == "paid"
    assert [(one.variant, one.unmet) for one in chosen.considered] == [("vip", ("level", "tags")), ("paid", ())]
    assert choose(three, Facts(NOON), SHOP, SHOPPER).variant == ""
    assert [i.id for i in choose(three, Facts(NOON), SHOP, SHOPPER).items] == ["a", "p"]
    assert choose(three, known, SHOP, SHOPPER).greeting == "您好", "a menu without a greeting takes the default one"


@pytest.mark.parametrize(
    ("when", "fits", "fits_not"),
    [
        ({"who": "guests"}, {}, {"guest": False}),
        ({"level_to": 3}, {"level": 3}, {"level": 4}),
        ({"level_from": 0}, {"level": 0}, {"level": None}),
        ({"tags": ["a", "b"]}, {"tags": frozenset({"b"})}, {"tags": frozenset({"c"})}),
        ({"orders": ["none"]}, {"order": "none"}, {"order": "unpaid"}),
        ({"waiting_from": 3}, {"waiting": 3}, {"waiting": 2}),
        ({"channels": ["app"]}, {"channel": "app"}, {"channel": "page"}),
        ({"languages": ["en"]}, {"language": "en"}, {"language": "zh-CN"}),
        ({"hours": [{"begins": "09:00", "ends": "18:00"}]}, {}, {"now": NOON.replace(hour=18)}),
    ],
)
def test_each_condition_holds_and_fails_at_its_edge(
    when: dict[str, Any], fits: dict[str, Any], fits_not: dict[str, Any]
) -> None:
    asked = When.model_validate(when)
    assert unmet(asked, Facts(**{"now": NOON, **fits})) == ()
    assert len(unmet(asked, Facts(**{"now": NOON, **fits_not}))) == 1


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    friday_night = Hours(days=(5,), begins="22:00", ends="08:00")
    assert within(friday_night, NOON.replace(hour=22))
    assert within(friday_night, NOON + timedelta(hours=19, minutes=59))
    assert not within(friday_night, NOON + timedelta(hours=20))
    assert not within(friday_night, NOON.replace(hour=7))
    assert within(Hours(days=(7,), begins="23:00", ends="01:00"), datetime(2026, 11, 30, 0, 30))


def test_an_open_window_asks_again_when_another_menu_may_fit() -> None:
    assert look_again_ms(menu(variant("m")), NOON) is None
    assert look_again_ms(menu(variant("q", {"waiting_from": 9}), variant("o", {"orders": ["paid"]})), NOON) == 60_000
    night = menu(variant("n", {"hours": [{"begins": "22:00", "ends": "08:00"}]}))
    assert look_again_ms(night, NOON) == 10 * 3_600_000
    assert look_again_ms(night, NOON.replace(hour=23)) == 9 * 3_600_000


@given(st.uuids(), st.integers(1, 99))
def test_a_trial_keeps_a_shopper_on_his_side_and_a_bigger_share_takes_nobody_out(shopper: UUID, share: int) -> None:
    small, big = (menu(variant("t", share=n)) for n in (share, min(99, share + 1)))
    facts = Facts(NOON, guest=False)
    chosen = choose(small, facts, SHOP, shopper)
    assert chosen.trials == {"t": "held" if bucket(SHOP, "t", shopper) >= share else "shown"}
    assert choose(small, facts, SHOP, shopper) == chosen
    if chosen.variant == "t":
        assert choose(big, facts, SHOP, shopper).variant == "t"
    assert choose(small, Facts(NOON), SHOP, shopper).trials == {}, "who does not fit is in no trial"


def test_the_lots_of_a_trial_fall_as_planned_and_not_alike_in_two_trials() -> None:
    people = [UUID(int=n) for n in range(4_000)]
    one, other = ([bucket(SHOP, name, p) < 30 for p in people] for name in ("one", "other"))
    assert 0.27 < sum(one) / 4_000 < 0.33
    both = sum(a and b for a, b in zip(one, other, strict=True))
    assert 0.07 < both / 4_000 < 0.11


def test_a_winner_is_named_only_where_the_numbers_can_tell() -> None:
    few = read_trial(50, Arm(60, 20, 5, 2), Arm(55, 9, 20, 1))
    assert {one.verdict for one in few.measures} == {"cannot_tell"}
    many = read_trial(50, Arm(20_000, 9_000, 2_000, 900), Arm(20_100, 6_000, 5_000, 905))
    assert [(one.name, one.verdict) for one in many.measures] == [
        ("tapped", "better"), ("handed_over", "better"), ("ordered", "cannot_tell"),
    ]  # fmt: skip
    assert many.measures[1].interval.high < 0
    assert not many.unequal
    assert read_trial(50, Arm(20_000), Arm(18_000)).unequal


def test_what_is_wrong_with_a_menu_for_some_names_it() -> None:
    wrong = draft(
        variant("x", {"level_from": 5, "level_to": 3}, name=""), variant("x"),
        {"id": "open", "name": "全部", "items": [item("a"), {**PERSON, "id": "open-p"}]},
        {"id": "none", "name": "空", "when": {"who": "guests", "tags": ["a"]}},
        variant("same", {"hours": [{"begins": "08:00", "ends": "08:00"}]}),
    )  # fmt: skip
    found = {(p.item, p.code, p.level) for p in problems(wrong, Known())}
    for one in (
        ("variant:x", "variant.no_name", "error"), ("variant:x", "variant.no_level", "error"),
        ("variant:x", "variant.id_twice", "error"), ("variant:open", "variant.hides_the_rest", "error"),
        ("a", "item.id_twice", "error"), ("variant:none", "menu.empty", "error"),
        ("variant:none", "variant.guests_have_none", "warning"), ("variant:same", "variant.no_hours", "error"),
    ):  # fmt: skip
        assert one in found
    assert problems(draft(variant("vip")), Known()) == []
    with pytest.raises(ValidationError, match="at most 10"):
        draft(*(variant(f"v{n}") for n in range(11)))
    with pytest.raises(ValidationError, match="pattern"):
        Hours(begins="8:00", ends="24:01")


async def test_words_lead_where_the_window_leads_and_a_version_goes_live_whole(window: Window) -> None:
    vip = variant("vip", {"level_from": 3}, greeting="尊贵的会员，您好")
    vip["items"][0]["topics"] = ["logistics_track"]
    shop, shopper = window.chat.shop, window.chat.shopper
    boss = Actor(Role.MERCHANT, new_id(), frozenset({shop}), "店主")
    async with window.pool.acquire() as conn, conn.transaction():
        now, revision, _ = await publishing.draft_of(conn, shop)
        await publishing.keep(conn, shop, Draft.model_validate({**now.model_dump(), "variants": [vip]}), revision)
        made = await publishing.publish(conn, shop, boss, note="")
        await conn.execute(
            "insert into profile (shop_id, shopper_id, level) values ($1, $2, 5)"
            " on conflict (shop_id, shopper_id) do update set level = 5",
            shop, shopper,
        )  # fmt: skip
        facts = await record_variants.facts_of(
            conn, shop, shopper, guest=False, channel="page", language="zh-CN", now_ms=now_ms()
        )
        chosen = choose(made, facts, shop, shopper)
        assert (facts.level, facts.order, chosen.variant) == (5, "none", "vip")
    default = await window.write("我的快递到哪里了")
    assert not any("答 vip-a" in str(one) for one in default), "nobody has shown him that menu yet"
    async with window.pool.acquire() as conn, conn.transaction():
        await record_variants.saw(conn, shop, shopper, made.version, chosen)
        assert await record_variants.last_shown(conn, shop, shopper, made.version) == "vip"
    assert any("答 vip-a" in str(one) for one in await window.write("帮我查一下快递物流"))
    (hello,) = await window.write("你好")
    assert hello["text"] == "尊贵的会员，您好"
    assert any("答 vip-a" in str(one) for one in await window.tap("vip-a", made.version))
    assert (await record.published(window.pool, shop)) == made


async def test_a_trial_counts_by_side_what_followed_within_a_day(window: Window) -> None:
    shop = window.chat.shop
    held, shown = window.chat.shopper, new_id()
    async with window.pool.acquire() as conn, conn.transaction():
        await conn.execute("insert into shopper (shop_id, id, name) values ($1, $2, '另一位')", shop, shown)
        for shopper, side in ((held, "held"), (shown, "shown")):
            await conn.execute(
                "insert into menu_shown (shop_id, day, shopper_id, version, variant, trials, at) values ($1,"
                " (clock_timestamp() at time zone 'UTC')::date, $2, 1, '', jsonb_build_object('t', $3::text),"
                " clock_timestamp() - interval '1 minute')",
                shop, shopper, side,
            )  # fmt: skip
        await conn.execute(
            "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, logistics, created_at, paid_at)"
            " values ($1, 'o1', $2, 'paid', 100, '[]', '{}', now(), now())",
            shop, shown,
        )  # fmt: skip
    await window.tap("logistics")
    async with window.pool.acquire() as conn:
        sides = await record_variants.arms(conn, shop, "t", 7)
        assert sides == {"shown": Arm(1, 0, 0, 1), "held": Arm(1, 1, 0, 0)}
        assert await record_variants.arms(conn, shop, "other", 7) == {"shown": Arm(), "held": Arm()}
