"""What the matcher, the router and normalisation promise, on questions of our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menus.understand.matcher import Matcher
from menus.understand.normalise import has_words, normalise
from menus.understand.topics import Example, Router, shop_router
from menus.understand.words import Words
from wangxin.model.limits import BOT_READS_CHARS_MAX

QUESTIONS = [
    ("ship", "什么时候发货"),
    ("ship", "拍下几天能发出"),
    ("fee", "运费多少钱"),
    ("fee", "多少钱包邮"),
    ("return", "怎么申请退货"),
    ("return", "不喜欢可以退吗"),
    ("refund", "退款多久到账"),
    ("size", "身高体重怎么选尺码"),
    ("invoice", "可以开发票吗"),
    ("wash", "羽绒服怎么清洗"),
    ("coupon", "优惠券怎么用不了"),
    ("gift", "有没有赠品"),
]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(QUESTIONS)


@pytest.mark.parametrize(
    ("written", "entry"),
    [
        ("请问什么时候发货呀？", "ship"),
        ("請問什麼時候發貨", "ship"),
        ("ＫＵＡＩＤＩ运费是多少钱呢", "fee"),
        ("shenme时候发货", "ship"),
        ("怎么申请tuihuo", "return"),
        ("退款多久能到帐", "refund"),
        ("可以开\u200b发\u202e票吗", "invoice"),
        ("羽绒服 怎么 清洗😀😀😀", "wash"),
    ],
)
def test_other_spellings_find_the_same_question(matcher: Matcher, written: str, entry: str) -> None:
    assert matcher.match(written).candidates[0].entry == entry


def test_what_the_shop_never_wrote_gets_little_confidence(matcher: Matcher) -> None:
    sure = matcher.match("什么时候发货").confidence
    for text in ("明天会下雨吗", "帮我写一首诗", "这个怎么弄", "SELECT * FROM users;", "{{ 7*7 }}"):
        assert matcher.match(text).confidence < min(0.5, sure), text


def test_an_empty_question_matches_nothing(matcher: Matcher) -> None:
    for text in ("", "   ", "？？？！！", "😀", "\u200b\u202e", "\x00"):
        found = matcher.match(text)
        assert (found.candidates, found.confidence) == ((), 0.0)
        assert not has_words(text)


def test_an_index_without_questions_answers_nothing() -> None:
    assert Matcher([]).match("什么时候发货").candidates == ()


def test_each_entry_is_named_once_however_many_phrasings_it_has(matcher: Matcher) -> None:
    entries = [c.entry for c in matcher.match("退货运费").candidates]
    assert len(entries) == len(set(entries))


def test_what_the_bot_reads_is_cut() -> None:
    assert len(normalise("好吗" * 30_000)) <= BOT_READS_CHARS_MAX
    assert len(normalise("好" * 60_000)) <= 2


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_normalises_to_letters_and_numbers(text: str) -> None:
    found = normalise(text)
    assert len(found) <= BOT_READS_CHARS_MAX
    assert all(char.isalnum() or char in "# " or char.isalpha() for char in found)


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_gets_a_probability(matcher: Matcher, text: str) -> None:
    assert 0.0 <= matcher.match(text).confidence <= 1.0


def test_a_shops_own_word_is_kept_whole() -> None:
    assert "森野速暖" in Words(["森野速暖"]).cut("森野速暖系列好不好")
    assert "森野速暖" not in Words().cut("森野速暖系列好不好")


@pytest.fixture(scope="module")
def router() -> Router:
    return shop_router()


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("帮我看看快递走到哪儿了", "logistics_track"),
        ("开一张公司抬头的专票", "invoice"),
        ("不合适想退掉怎么弄", "return_refund"),
        ("地址写错了帮改下", "delivery_change"),
        ("昨天刚买今天就降价了", "price_protection"),
        ("付款两天了怎么还不发货", "ship_time"),
        ("这是正品吗", "authenticity"),
    ],
)
def test_plain_messages_find_their_topic(router: Router, text: str, topic: str) -> None:
    assert router.route(text).ranked[0][0] == topic


def test_words_without_context_are_mostly_none(router: Router) -> None:
    assert router.route("那这个呢").none > 0.5
    assert router.route("").none == 1.0


def test_a_shops_labelled_messages_count() -> None:
    own = shop_router([Example("定制刻字怎么做", "engraving"), Example("能刻名字吗", "engraving")])
    assert own.route("可以刻字吗").ranked[0][0] == "engraving"
