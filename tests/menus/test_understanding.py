"""What the matcher, the router and normalisation promise, on questions of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menus.understand.english import EnglishRouter
from menus.understand.heal import heal
from menus.understand.matcher import Matcher
from menus.understand.normalise import has_words, normalise
from menus.understand.predict import predict_file
from menus.understand.topics import Example, Router, shop_router
from menus.understand.words import Words
from wangxin.model.limits import BOT_READS_CHARS_MAX
from wangxin.model.refusals import Refusal

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
        ("拍下及天能发出", "ship"),
        ("优会券怎么用不了", "coupon"),
        ("身高替重怎么选尺码", "size"),
    ],
)
def test_other_spellings_find_the_same_question(matcher: Matcher, written: str, entry: str) -> None:
    assert matcher.match(written).candidates[0].entry == entry


def test_what_the_shop_never_wrote_gets_little_confidence(matcher: Matcher) -> None:
    sure = matcher.match("什么时候发货").confidence
    for text in ("明天会下雨吗", "帮我写一首诗", "这个怎么弄", "SELECT * FROM users;", "{{ 7*7 }}"):
        assert matcher.match(text).confidence < min(0.5, sure), text


def test_a_question_is_healed_towards_the_candidate_it_sounds_like() -> None:
    assert heal("拍下及天能发出", "拍下几天能发出") == ("拍下几天能发出", 1)
    assert heal("忧会券", "优惠券怎么用") == ("优惠券", 2)
    # of two characters of the same sound, the one with the same neighbour; what the question has already stays
    assert heal("北睛的景", "北京风景") == ("北京的景", 1)
    assert heal("abc 12#", "优惠券") == ("abc 12#", 0)


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


def test_an_english_topic_is_known_by_its_name_too() -> None:
    english = EnglishRouter([Example("where is it", "card_arrival"), Example("how much do you take", "exchange_fee")])
    assert english.route("arrival of the card").ranked[0][0] == "card_arrival"
    assert english.route("what fee").ranked[0][0] == "exchange_fee"


def _predict(folder: Path, queries: bytes, **source: bytes) -> list[dict[str, object]]:
    paths = {}
    for name, content in {"queries": queries, **source}.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_bytes(content)
    assert predict_file(paths["queries"], folder / "out.jsonl", **{k: paths[k] for k in source}) >= 0
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]


FAQ = b"""\xef\xbb\xbf{"id": 1, "q": "\xe8\xbf\x90\xe8\xb4\xb9\xe5\xa4\x9a\xe5\xb0\x91", "group": 0}\r
\r
{"id": 2, "q": "\xe9\x82\xae\xe8\xb4\xb9\xe6\x80\x8e\xe4\xb9\x88\xe7\xae\x97", "group": 0}\r
{"id": "0", "q": "\xe6\x80\x8e\xe4\xb9\x88\xe9\x80\x80\xe8\xb4\xa7"}"""


def test_predictions_keep_the_order_of_the_questions_however_odd_they_are(tmp_path: Path) -> None:
    odd = [
        "运费多少",
        "",
        "怎么退货",
        "\U0001f600\u202e",
        "a\x00b\u200b",
        "吗" * 4000,
        "'; drop table faq; --",
        "Où est mon colis ?",
    ]
    queries = "\ufeff" + "\r\n".join(json.dumps({"text": text}) for text in odd) + "\r\n\r\n"
    found = _predict(tmp_path, queries.encode(), faq=FAQ)
    assert len(found) == len(odd)
    assert (found[0]["ranked"][0], found[2]["ranked"][0]) == (1, "0")  # type: ignore[index]
    assert [one["ranked"] for one in (found[1], found[3])] == [[], []]
    assert all(isinstance(one["confidence"], float) and 0 <= one["confidence"] <= 1 for one in found)
    # raw control characters and broken bytes in a file are read over
    assert len(_predict(tmp_path, b'{"text": "a\tb\x01"}\n{"text": "\xff\xfe"}', faq=FAQ)) == 2
    routed = _predict(tmp_path, queries.encode(), topics=b'{"text": "hi", "intent": "a", "also": null}')
    assert [one["ranked"] for one in routed] == [["a"], [], ["a"], [], ["a"], ["a"], ["a"], ["a"]]


@pytest.mark.parametrize(
    ("queries", "source", "says"),
    [
        (b'{"text": "a"}\nnot json', {"faq": FAQ}, "queries.jsonl, line 2"),
        (b'{"text": "a"}\n[1]', {"faq": FAQ}, "line 2: an object is expected"),
        (b'{"said": "a"}', {"faq": FAQ}, '"text" is missing'),
        (b'{"text": null}', {"faq": FAQ}, '"text" is missing'),
        (b'{"text": "a"}', {"faq": b'{"id": 1}'}, '"q" is missing'),
        (b'{"text": "a"}', {"topics": b""}, "empty"),
        (b'{"text": "a"}', {}, "either"),
        (b'{"text": "a"}', {"faq": FAQ, "topics": FAQ}, "either"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_line_and_nothing_is_written(
    tmp_path: Path, queries: bytes, source: dict[str, bytes], says: str
) -> None:
    with pytest.raises(Refusal) as refused:
        _predict(tmp_path, queries, **source)
    assert says in refused.value.detail
    assert not (tmp_path / "out.jsonl").exists()
