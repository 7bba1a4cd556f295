"""What each platform means by its figure."""

from __future__ import annotations

import pytest

from metrics.clocks import Calendar, daily, fixed
from metrics.intervals import Rate
from metrics.model import MINUTE, SECOND, Event, Stage
from metrics.profiles import PROFILES, Asked, evaluate, service_level, slow_conversations
from tests.metrics.talk import BEN, CHAT, LATER_CHAT, Talk, ms, who

SHOP: Calendar = fixed("Asia/Shanghai", daily(9 * 60, 18 * 60))


def asked(*talks: Talk) -> list[Asked]:
    """Each talk by a shopper of its own."""
    return [Asked(who(1000 + number), turn) for number, talk in enumerate(talks) for turn in talk.turns()]


def rate(profile: str, *talks: Talk) -> tuple[int, int]:
    found = evaluate(PROFILES[profile], asked(*talks), SHOP).rate
    return found.hits, found.n


def answered(at: str, after_s: int, stage: Stage = Stage.WAITING, day: str = "2026-11-11") -> Talk:
    return Talk(ms(at, day), stage=stage).asks().after(after_s * SECOND).replies()


def test_tmall_gives_the_three_worked_examples() -> None:
    late = Talk().at(ms("10:10:15")).asks().at(ms("10:15:20")).asks().at(ms("10:18:10")).replies()
    assert rate("tmall_3min", late) == (0, 1)
    late.at(ms("10:18:30")).asks().at(ms("10:19:00")).replies()
    assert rate("tmall_3min", late) == (1, 2)
    silent = Talk()
    for minute in range(10):
        silent.at(ms(f"10:{minute:02}:00")).asks()
    assert rate("tmall_3min", silent) == (0, 1)


@pytest.mark.parametrize(
    ("at", "counts"), [("07:59:59", False), ("08:00:00", True), ("22:59:59", True), ("23:00:00", False)]
)
def test_the_3_minute_rates_look_at_turns_from_eight_to_twenty_three(at: str, counts: bool) -> None:
    for profile in ("tmall_3min", "pdd_3min", "kuaishou_3min", "douyin_3min"):
        assert rate(profile, answered(at, 30)) == ((1, 1) if counts else (0, 0))


def test_exactly_three_minutes_is_in_time() -> None:
    assert rate("tmall_3min", answered("10:00:00", 180)) == (1, 1)
    assert rate("tmall_3min", answered("10:00:00", 181)) == (0, 1)


def test_jd_looks_at_the_first_reply_of_a_conversation_begun_by_day() -> None:
    assert rate("jd_first30", answered("09:00:00", 30)) == (1, 1)
    assert rate("jd_first30", answered("10:00:00", 31)) == (0, 1)
    assert rate("jd_first30", answered("08:59:59", 5)) == (0, 0)
    slow_later = answered("10:00:00", 5).after(SECOND).asks().after(MINUTE).replies()
    assert rate("jd_first30", slow_later) == (1, 1)


def test_jd_leaves_out_the_message_box_and_what_an_agent_began() -> None:
    box = Talk(ms("10:00:00"), stage=Stage.WAITING).asks().event(Event.MESSAGE_BOX).after(MINUTE).replies()
    outbound = Talk(ms("10:00:00")).replies().after(SECOND).asks().after(MINUTE).replies()
    assert rate("jd_first30", box, outbound) == (0, 0)


def test_jd_takes_a_return_within_ten_minutes_as_the_same_conversation() -> None:
    talk = answered("10:00:00", 5).event(Event.CLOSED).after(10 * MINUTE)
    talk.conversation = LATER_CHAT
    assert rate("jd_first30", talk.asks().after(MINUTE).replies()) == (1, 1)


def test_pdd_counts_a_shopper_once_a_day_and_one_late_reply_spoils_it() -> None:
    talk = answered("10:00:00", 5).after(SECOND).asks().after(4 * MINUTE).replies()
    assert rate("pdd_3min", talk) == (0, 1)
    talk.at(ms("09:00:00", "2026-11-12")).asks().after(SECOND).replies()
    assert rate("pdd_3min", talk) == (1, 2)
    assert rate("pdd_effective", talk) == (2, 2)


def test_pdd_effective_counts_any_reply() -> None:
    bot_only = Talk(ms("10:00:00"), stage=Stage.BOT).asks().after(SECOND).bot()
    automatic = Talk(ms("10:00:00"), stage=Stage.WAITING).asks().after(SECOND).replies(auto=True)
    assert rate("pdd_effective", bot_only, automatic) == (2, 2)
    assert rate("pdd_3min", bot_only, automatic) == (0, 1)


def test_kuaishou_charges_the_shop_for_the_queue_but_not_the_agent() -> None:
    talk = Talk(ms("10:00:00"), stage=Stage.WAITING).asks().after(4 * MINUTE).assigned(BEN).after(MINUTE).replies(BEN)
    assert rate("kuaishou_3min", talk) == (0, 1)
    assert rate("kuaishou_3min_agent", talk) == (1, 1)


def test_douyin_starts_at_the_hand_off_and_counts_people_only() -> None:
    talk = Talk(ms("10:00:00"), stage=Stage.BOT).asks().after(5 * MINUTE).event(Event.HANDOFF).after(MINUTE).replies()
    assert rate("douyin_3min", talk) == (1, 1)
    assert rate("tmall_3min", talk) == (0, 1)


def test_wangwang_averages_over_shoppers_received_and_says_who_was_never_answered() -> None:
    twice = answered("10:00:00", 10).after(SECOND).asks().after(30 * SECOND).replies()
    result = evaluate(
        PROFILES["wangwang_classic"], asked(twice, answered("11:00:00", 40), Talk(ms("12:00:00")).asks()), SHOP
    )
    assert (result.received, result.unanswered) == (2, 1)
    assert result.headline == 30 * SECOND


def test_business_clocks_wait_for_opening() -> None:
    early = answered("08:00:00", 3600 + 60)
    assert evaluate(PROFILES["zendesk"], asked(early), SHOP).times.sum_ms == 61 * MINUTE
    for profile in ("zendesk_business", "intercom"):
        assert evaluate(PROFILES[profile], asked(early), SHOP).times.sum_ms == MINUTE


def test_void_turns_never_count_anywhere() -> None:
    talk = Talk(ms("10:00:00")).event(Event.BLOCKED).asks().after(SECOND).replies()
    assert all(rate(name, talk) == (0, 0) for name in PROFILES)


def test_a_conversation_is_slow_with_three_waits_above_two_minutes_in_a_day() -> None:
    talk = Talk(ms("10:00:00"))
    for _ in range(3):
        talk.asks().after(121 * SECOND).replies()
    assert {key[0] for key in slow_conversations(asked(talk), SHOP)} == {CHAT}
    assert not slow_conversations(asked(answered("10:00:00", 500)), SHOP)


def test_the_three_service_levels_differ_in_who_is_in_the_denominator() -> None:
    talks = [
        answered("10:00:00", 10),
        answered("10:00:00", 60),
        Talk(ms("10:00:00")).asks().after(10 * SECOND).event(Event.CLOSED),
        Talk(ms("10:00:00")).asks().after(MINUTE).event(Event.CLOSED),
    ]
    level = service_level((one.turn for one in asked(*talks)), 30 * SECOND)
    assert (level.all, level.ext, level.answered) == (Rate(1, 4), Rate(1, 3), Rate(1, 2))


def test_every_profile_says_what_it_means_and_where_that_comes_from() -> None:
    for profile in PROFILES.values():
        assert len(profile.says) > 40
        assert profile.source
