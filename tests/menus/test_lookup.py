"""Products and orders by what people write."""

from __future__ import annotations

from menus import lookup
from menus.answering import of_item
from menus.model import Menu
from menus.shopdata import StoredShopData
from tests.menus.conftest import Window

TITLES = [
    (title, title) for title in ("轻薄立领羽绒服 男款", "粗针圆领毛衣 秋冬 女", "羊毛开衫 V 领 女", "圆领加绒卫衣")
]


def test_a_product_is_found_by_part_of_its_title_and_with_a_wrong_character() -> None:
    assert lookup.near("羽绒服", TITLES, 3) == ["轻薄立领羽绒服 男款"]
    assert lookup.near("立领羽绒付", TITLES, 3) == ["轻薄立领羽绒服 男款"]
    assert lookup.near("圓領毛衣", TITLES, 3)[0] == "粗针圆领毛衣 秋冬 女"
    assert lookup.near("火星车", TITLES, 3) == []
    assert len(lookup.near("", TITLES, 3)) == 3


def test_what_is_looked_up_is_found_by_sound_and_by_letters_of_its_pinyin() -> None:
    titles = [(one, one) for one in ("怎么申请退货", "发货时间说明", "好评有礼", "换货流程")]
    for words, found in (
        ("退活", "怎么申请退货"), ("tuihuo", "怎么申请退货"), ("thuihuo", "怎么申请退货"), ("fhsj", "发货时间说明"),
        ("fhsi", "发货时间说明"), ("hhlc", "换货流程"), ("hpyl", "好评有礼"), ("換貨", "换货流程"),
    ):  # fmt: skip
        assert lookup.near(words, titles, 3)[:1] == [found], words
    for words in ("zz", "qqq", "x", "火星车"):
        assert lookup.near(words, titles, 3) == [], words


def test_the_order_that_words_name_stands_first_and_where_they_name_two_nothing_moves() -> None:
    kept = [title for title, _ in TITLES]
    assert lookup.named_first("我的毛衣到哪了", TITLES)[0] == "粗针圆领毛衣 秋冬 女"
    assert sorted(lookup.named_first("我的毛衣到哪了", TITLES)) == sorted(kept)
    assert lookup.named_first("圆领的那件到哪了", TITLES) == kept
    assert lookup.named_first("到哪了", TITLES) == kept


def test_an_order_is_named_by_sound_by_a_misspelt_word_and_by_a_misspelt_latin_name() -> None:
    titles = [*TITLES, ("Nintendo 游戏机 128G", "Nintendo 游戏机 128G"), ("蓝牙耳机 256G", "蓝牙耳机 256G")]
    for words, named in (
        ("我的毛依到哪了", "粗针圆领毛衣 秋冬 女"), ("羽绒付什么时候发", "轻薄立领羽绒服 男款"),
        ("粗真元领那件到哪了", "粗针圆领毛衣 秋冬 女"), ("nintedno 到哪了", "Nintendo 游戏机 128G"),
        ("256g 那个呢", "蓝牙耳机 256G"), ("開衫到哪了", "羊毛开衫 V 领 女"), ("v 领那件", "羊毛开衫 V 领 女"),
    ):  # fmt: skip
        assert lookup.named_first(words, titles)[0] == named, words
    kept = [title for title, _ in titles]
    for words in ("nike 到哪了", "64g 的到哪了", "", "🙂🙂", "a" * 4_000):
        assert lookup.named_first(words, titles) == kept, words


async def test_asking_for_the_parcel_of_a_thing_shows_that_one(window: Window) -> None:
    await window.order("D1", "shipped", parcel="SF1")
    await window.order("D2", "shipped", parcel="SF2")
    lines = [{"title": "粗针圆领毛衣", "count": 1, "price_fen": 1}]
    await window.pool.execute(
        "update shop_order set lines = $1, created_at = now() - interval '1 day' where id = 'D2'", lines
    )
    shop, shopper = window.chat.shop, window.chat.shopper
    menu = await _published(window)
    item = menu.find("logistics")
    assert item is not None
    for words, order in (("毛依到哪了", "D2"), ("毛衣到哪了", "D2"), ("羽绒付到哪了", "D1"), ("到哪了", "D1")):
        said = await of_item(
            window.pool, StoredShopData(), menu, item, shop, shopper, guest=False, request=None, words=words
        )
        assert said.says[0].order == order  # type: ignore[union-attr]


async def _published(window: Window) -> Menu:
    from menus import record_postgres

    menu = await record_postgres.published(window.pool, window.chat.shop)
    assert menu is not None
    return menu
