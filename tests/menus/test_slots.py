"""What short words mean after what went before."""

from __future__ import annotations

import pytest

from menus.dialogue import Turn
from menus.slots import about_order, order_in_hand, picked

ORDER = Turn("card", "[order]", shown=("order:D1", "logistics:D1"))
SUGGESTED = Turn("suggest", "尺码", shown=("faq:1", "faq:2", "item:size"))


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("到哪了", "logistics"), ("什么时候能到", "logistics"), ("怎么还没收到", "logistics"),
        ("查下快递", "logistics"),
        ("怎么还不发货", "remind"), ("催一下", "remind"), ("什么时候发货", "remind"), ("尽快发", "remind"),
        ("我想退货", "return"), ("不想要了", "return"), ("能换个大一码的吗", "return"),
        ("退货运费谁出", None), ("发什么快递", None), ("快递费多少钱", None), ("改一下地址", None), ("取消订单", None),
        ("收到是坏的", None), ("好的", None), ("", None),
        ("我上个月买的那件衣服洗了以后缩水了不知道能不能退货想问一下", None),
    ],
)  # fmt: skip
def test_what_is_wanted_of_an_order(text: str, about: str | None) -> None:
    assert about_order(text) == about


def test_an_order_stays_in_hand_for_a_few_turns() -> None:
    other = Turn("answer", "运费多少", entry="1")
    assert order_in_hand([ORDER, other]) == "D1"
    assert order_in_hand([ORDER, Turn("card", "", shown=("order:D2",))]) == "D2"
    assert order_in_hand([ORDER, other, other, other]) is None
    assert order_in_hand([]) is None


@pytest.mark.parametrize(
    ("text", "button"),
    [
        ("第一个", "faq:1"), ("2", "faq:2"), ("选第三个吧", "item:size"), ("最后一个", "item:size"), ("看二", "faq:2"),
        ("第四个", None), ("我要2件", None), ("一", None), ("是的", None), ("另一个", None),
    ],
)  # fmt: skip
def test_a_button_is_named_by_its_place(text: str, button: str | None) -> None:
    assert picked(text, [SUGGESTED]) == button


def test_yes_means_the_only_suggestion_and_another_the_other_one() -> None:
    assert picked("是的", [Turn("suggest", "x", shown=("faq:1",))]) == "faq:1"
    # "fine" after an answer is no choice of the button below it
    assert picked("好的", [Turn("item", "x", shown=("order:D1", "logistics:D2"))]) is None
    assert picked("另一单", [Turn("item", "x", shown=("order:D1", "logistics:D2"))]) == "logistics:D2"
    assert picked("另一个", [Turn("suggest", "x", shown=("faq:1", "faq:2"))]) == "faq:2"
    assert picked("第一个", [Turn("ask", "x")]) is None
    assert picked("第一个", [SUGGESTED, Turn("ask", "x")]) is None
