"""What shoppers ask every day, in words that stand nowhere in the demo's questions, finds the right one of them."""

from __future__ import annotations

import pytest

from menus.brain import Brain, build
from menus.demo import questions
from menus.dialogue import Thresholds
from menus.record_postgres import FaqEntry
from wangxin.clock import new_id

ASKED = {
    "可以开票吗": "invoice-how", "能开电子发票吗": "invoice-how", "什么时候能发货": "ship-when",
    "用什么快递": "ship-carrier",
    "包不包邮": "ship-fee", "几天能收到": "ship-time", "我的快递呢": "logi-where", "怎么退": "return-how",
    "退货邮费谁出": "return-fee", "我穿多大": "size-how", "什么面料": "fabric-wool",
    "会掉色吗": "quality-fade", "有优惠吗": "promo-coupon", "能用花呗吗": "pay-way", "还有货吗": "stock-when",
    "我要取消订单": "order-cancel", "改地址": "order-address", "少了一件": "missing-item", "发错了": "wrong-item",
    "降价了能退差价吗": "promo-price",
}  # fmt: skip


@pytest.fixture(scope="module")
def brain() -> Brain:
    faq = [FaqEntry(new_id(), q["id"], q["topic"], tuple(q["phrasings"]), q["answer"]) for q in questions()]
    return build((1, 1), None, faq, ())


@pytest.mark.parametrize("words", ASKED)
def test_a_plain_question_is_answered_by_the_entry_it_means(brain: Brain, words: str) -> None:
    assert words not in {text for entry in brain.entries.values() for text in entry.phrasings}
    match = brain.understand(words).match
    assert brain.entries[match.candidates[0].entry].key == ASKED[words]
    assert match.confidence >= Thresholds().answer_from
