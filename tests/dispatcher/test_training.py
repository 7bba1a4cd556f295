"""Exams, talks, masks and marks: what an agent is asked, and when it is enough."""

from __future__ import annotations

from uuid import UUID

import pytest

from dispatcher.contracts import Training
from dispatcher.training import exam, talks, words
from dispatcher.training.exam import Known
from dispatcher.training.masks import anonymous
from dispatcher.training.model import DAY_MS, Attempt, Pack, Rules, certified_until, standing

ANSWERS = {
    "怎么退货": "七天内在订单页点申请退货,邮费由店铺承担。",
    "能换尺码吗": "可以换,七天内在订单页点申请换货。",
    "多久发货": "下午四点前付款当天发货,其余次日发。",
    "发什么快递": "默认发顺丰,偏远地区发邮政。",
    "有发票吗": "有,在订单页点申请发票,三天内寄到邮箱。",
    "会起球吗": "正常穿着不起球,深色请分开洗。",
}
KNOWN = [
    Known(UUID(int=n), "售后" if n < 2 else "物流", (question, f"请问{question}"), answer)
    for n, (question, answer) in enumerate(ANSWERS.items())
]
HOUR = 3_600_000


def test_an_exam_is_made_of_the_shops_questions_the_same_for_the_same_seed() -> None:
    made = exam.make_exam(KNOWN, 5, "a")
    assert made == exam.make_exam(list(reversed(KNOWN)), 5, "a")
    assert made != exam.make_exam(KNOWN, 5, "b")
    assert len(made) == 5
    for one in made:
        assert len(set(one["choices"])) == exam.CHOICES
        assert one["choices"][one["right"]] == ANSWERS[one["question"].removeprefix("请问")]


def test_the_wrong_choices_are_answers_to_the_nearest_questions() -> None:
    asked = [one for seed in "abc" for one in exam.make_exam(KNOWN, 6, seed) if "退货" in one["question"]]
    assert len(asked) == 3
    assert all(ANSWERS["能换尺码吗"] in one["choices"] for one in asked)


def test_what_is_left_out_in_an_exam_is_wrong() -> None:
    made = exam.make_exam(KNOWN, 4, "a")
    right = [one["right"] for one in made]
    assert exam.mark_exam(made, right) == 1_000
    assert exam.mark_exam(made, [right[0], None, (right[2] + 1) % 4]) == 250
    assert exam.make_exam(KNOWN[:3], 3, "a") == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("我在浙江省杭州市西湖区文三路138号3幢502室", "［地址］"),
        ("收件人：李四,电话 138 1234 5678", "收件人：［姓名］,电话 ［电话］"),
        ("我叫王小明。微信 abc_12345", "我叫［姓名］。微信 ［联系方式］"),
        ("订单 202611270001 的运单 SF1234567890123", "订单 ［号码］ 的运单 ［号码］"),
        ("林晓您好,云朵为您服务", "［姓名］您好,［姓名］为您服务"),
        ("１３８１２３４５６７８", "［电话］"),
        ("a.b@qq.com 或 https://x.cn/a?b=1", "［联系方式］ 或 ［联系方式］"),
        ("在超市买的 3 件,189 元,身高 175,要 XL 还是 170？", "在超市买的 3 件,189 元,身高 175,要 XL 还是 170？"),
        ("我是刚买的那件毛衣", "我是刚买的那件毛衣"),
    ],
)  # fmt: skip
def test_a_recorded_line_keeps_its_question_and_loses_its_person(said: str, shown: str) -> None:
    assert anonymous(said, ["林晓", "云朵"]) == shown


def test_an_answer_is_near_by_what_it_says_of_the_right_one() -> None:
    right = ANSWERS["怎么退货"]
    assert words.closeness(right + "还有别的吗", right) > 800
    assert words.closeness("亲,七天内在订单页申请退货就行", right) > 300
    assert words.closeness("不清楚", right) == 0
    assert words.closeness("", right) == words.closeness(right, "") == 0
    assert words.closeness("Please open your ORDER", "please open your order") == 1_000


def test_what_was_typed_counts_by_the_minute_and_mistakes_do_not() -> None:
    assert words.typed_right("七天内可以退货", "七天内可以退货 ") == 7
    assert words.typed_right("七天内可以退货", "七天可以腿货") == 5
    assert words.typed_right("七天", "完全不同的一段话") == 0
    assert words.per_minute(50, 60_000) == 50


def test_a_practised_shopper_asks_again_once_and_then_goes_on() -> None:
    rules = Rules(turns=2)
    content = {"turns": talks.practice_script(KNOWN, 2, "a")}
    lines = talks.opening("practice", content, 0)
    assert [line["text"] for line in lines] == [talks.HELLO, content["turns"][0]["said"]]

    def answered(text: str, at_ms: int) -> bool:
        turned = talks.answer("practice", content, lines, text, rules, (), at_ms)
        lines.extend(turned.lines)
        return turned.over

    assert not answered("不知道", 5_000)
    assert lines[-1]["text"] == content["turns"][0]["again"]
    assert not answered("还是不知道", 9_000)
    assert lines[-1]["text"] == content["turns"][1]["said"]
    assert answered(content["turns"][1]["right"], 15_000)
    assert [line["took_ms"] for line in lines if line["who"] == "agent"] == [5_000, 4_000, 6_000]
    assert talks.mark(content, lines, rules) == talks.Mark(500, 5_000, False)
    assert talks.mark(content, lines, Rules(talk_pass=500)).passed
    slow = [{**line, "took_ms": line.get("took_ms", 0) + 60_000} for line in lines]
    assert not talks.mark(content, slow, Rules(talk_pass=500)).passed


def test_a_drill_asks_what_shoppers_asked_and_shows_what_was_answered() -> None:
    turns = talks.drill_turns(
        [
            [
                ("agent", "您好"),
                ("shopper", "退货"),
                ("shopper", "怎么弄"),
                ("agent", "七天内可退"),
                ("shopper", "谢谢"),
            ],
            [("shopper", "多久发货"), ("agent", "当天"), ("agent", "四点前"), ("shopper", "好"), ("agent", "不客气")],
        ],
        3,
    )
    assert turns == [
        {"said": "退货\n怎么弄", "answered": "七天内可退"},
        {"said": "多久发货", "answered": "当天\n四点前"},
        {"said": "好", "answered": "不客气"},
    ]
    content = {"turns": turns[:2]}
    lines = talks.opening("drill", content, 0)
    turned = talks.answer("drill", content, lines, "七天内可以退", Rules(), (), 1_000)
    assert [(line["who"], line["text"]) for line in turned.lines[1:]] == [
        ("then", "七天内可退"),
        ("shopper", "多久发货"),
    ]
    last = talks.answer("drill", content, [*lines, *turned.lines], "当天发", Rules(), (), 2_000)
    assert last.over


PACK = Pack(3, (), Rules(valid_days=10, retake_after_min=60, tries_a_day=3), since=2)
ASKED = Training(exam=True, typing_cpm=50)


def tried(step: str, hours: float, score: int, *, passed: bool = False, version: int = 3) -> Attempt:
    at = int(hours * HOUR)
    return Attempt(step, version, at, at + 60_000, score, passed)  # type: ignore[arg-type]


def test_a_certificate_needs_every_step_and_ends_with_the_first_of_them() -> None:
    done = [tried("exam", 0, 900, passed=True), tried("typing", 30, 55)]
    assert certified_until(done, PACK, ASKED, 0) == 60_000 + 10 * DAY_MS
    assert certified_until(done[:1], PACK, ASKED, 0) == 0
    assert certified_until(done, PACK, Training(exam=True, typing_cpm=60), 0) == 0
    assert certified_until(done, None, ASKED, 0) == 0


def test_a_new_pack_may_ask_for_the_exam_anew_but_not_for_the_typing() -> None:
    old = [tried("exam", 0, 900, passed=True, version=1), tried("typing", 0, 55, version=1)]
    assert certified_until(old, PACK, ASKED, 0) == 0
    assert certified_until([*old, tried("exam", 1, 900, passed=True, version=2)], PACK, ASKED, 0) > 0
    assert standing("exam", old, PACK, ASKED, 0, 2 * HOUR).state == "expired"


def test_what_was_passed_before_a_revocation_counts_no_more() -> None:
    done = [tried("exam", 0, 900, passed=True), tried("typing", 0, 55)]
    assert certified_until(done, PACK, ASKED, HOUR) == 0
    assert [standing(s, done, PACK, ASKED, HOUR, 2 * HOUR).state for s in ("exam", "practice")] == ["expired", "new"]


def test_a_failed_try_is_repeated_after_its_time_and_not_without_end() -> None:
    one = standing("exam", [tried("exam", 10, 300)], PACK, ASKED, 0, int(10.5 * HOUR))
    assert (one.state, one.score, one.retry_ms) == ("failed", 300, 11 * HOUR + 60_000)
    assert standing("exam", [tried("exam", 10, 300)], PACK, ASKED, 0, 12 * HOUR).retry_ms == 0
    thrice = [tried("exam", hours, 300) for hours in (10, 12, 14)]
    assert standing("exam", thrice, PACK, ASKED, 0, 16 * HOUR).retry_ms == 10 * HOUR + DAY_MS
    assert standing("exam", thrice, PACK, ASKED, 0, 35 * HOUR).retry_ms == 0


def test_a_later_failure_takes_no_pass_away_and_a_pass_ends_with_its_days() -> None:
    done = [tried("exam", 0, 900, passed=True), tried("exam", 1, 100)]
    one = standing("exam", done, PACK, ASKED, 0, 2 * HOUR)
    assert (one.state, one.score, one.required) == ("passed", 900, True)
    assert standing("exam", done, PACK, ASKED, 0, 11 * DAY_MS).state == "expired"
    open_now = [Attempt("exam", 3, HOUR)]
    assert standing("exam", open_now, PACK, ASKED, 0, 2 * HOUR).state == "open"
    assert standing("exam", open_now, PACK, ASKED, 0, 9 * HOUR).state == "new"
