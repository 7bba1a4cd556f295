"""Occurrences over daylight-saving changes, misfires, festivals and quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from push.model import Once, OnDate, OnFestival, Recurring, Trigger
from push.quiet import Span, local_ms, quiet_until
from push.schedule import check, misfire, next_occurrences, occurrences
from wangxin.model.refusals import Refusal

NEW_YORK, SHANGHAI, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Australia/Sydney")
LONDON = ZoneInfo("Europe/London")
START = datetime(2025, 1, 1)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def utc(trigger: Trigger, zone: ZoneInfo, after: str, until: str) -> list[str]:
    found = occurrences(trigger, (zone,), ms(after), ms(until))
    return [datetime.fromtimestamp(o.due_ms / 1000, UTC).strftime("%d %H:%M") for o in found]


@pytest.mark.parametrize("notation", [{"cron": "30 2 * * *"}, {"rrule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"}])
def test_a_time_in_the_spring_gap_is_shifted_forward_once(notation: dict[str, str]) -> None:
    trigger = Recurring(dtstart_local=START, **notation)  # type: ignore[arg-type]
    assert utc(trigger, NEW_YORK, "2026-03-07T05:00", "2026-03-09T12:00") == ["07 07:30", "08 07:30", "09 06:30"]


@pytest.mark.parametrize("notation", [{"cron": "30 1 * * *"}, {"rrule": "FREQ=DAILY;BYHOUR=1;BYMINUTE=30;BYSECOND=0"}])
def test_a_time_in_the_autumn_overlap_fires_once_at_its_first_passing(notation: dict[str, str]) -> None:
    trigger = Recurring(dtstart_local=START, **notation)  # type: ignore[arg-type]
    assert utc(trigger, NEW_YORK, "2026-10-31T12:00", "2026-11-02T12:00") == ["01 05:30", "02 06:30"]
    assert utc(trigger, LONDON, "2026-10-24T12:00", "2026-10-26T12:00") == ["25 00:30", "26 01:30"]


def test_the_southern_gap_is_shifted_too() -> None:
    trigger = Recurring(cron="30 2 * * *", dtstart_local=START)
    assert utc(trigger, SYDNEY, "2026-10-03T12:00", "2026-10-04T18:00") == ["03 16:30", "04 15:30"]


@pytest.mark.parametrize("notation", [{"cron": "30 1 * * *"}, {"rrule": "FREQ=DAILY;BYHOUR=1;BYMINUTE=30"}])
@pytest.mark.parametrize(
    ("zone", "after", "until", "fires"),
    [
        # Clocks go from 01:00 to 02:00 in London, from 02:00 back to 01:00; in Sydney the autumn is in April.
        (LONDON, "2026-03-28T12:00", "2026-03-30T12:00", ["29 01:30", "30 00:30"]),
        (SYDNEY, "2026-04-03T18:00", "2026-04-05T18:00", ["04 14:30", "05 15:30"]),
    ],
)
def test_the_other_hemisphere_and_the_old_world_keep_the_same_rule(
    zone: ZoneInfo, after: str, until: str, fires: list[str], notation: dict[str, str]
) -> None:
    trigger = Recurring(dtstart_local=START, **notation)  # type: ignore[arg-type]
    assert utc(trigger, zone, after, until) == fires


def test_an_hourly_rule_fires_once_an_instant_over_the_gap() -> None:
    trigger = Recurring(cron="30 * * * *", dtstart_local=START)
    assert utc(trigger, NEW_YORK, "2026-03-08T06:00", "2026-03-08T08:00") == ["08 06:30", "08 07:30"]


def test_a_key_does_not_change_with_the_zone() -> None:
    trigger = Recurring(cron="0 9 * * 1", dtstart_local=START)
    found = occurrences(trigger, (SHANGHAI, NEW_YORK), ms("2026-11-22T00:00"), ms("2026-11-24T00:00"))
    assert [o.key for o in found] == ["2026-11-23T09:00"]
    assert found[0].due_ms == local_ms(datetime(2026, 11, 23, 9), SHANGHAI)


def test_the_next_occurrences_look_far_enough_ahead() -> None:
    trigger = OnFestival(name="double_11", offset_days=-3, at_local=time(10))
    assert [o.key for o in next_occurrences(trigger, (SHANGHAI,), ms("2026-11-24T00:00"), 1)] == ["2027-11-08T10:00"]
    once = Once(at_local=datetime(2026, 12, 1, 8))
    assert [o.key for o in next_occurrences(once, (SHANGHAI,), ms("2026-11-24T00:00"), 5)] == ["2026-12-01T08:00"]
    daily = OnDate(at_local=time(9))
    assert len(next_occurrences(daily, (SHANGHAI,), ms("2026-11-24T00:00"), 5)) == 5


@pytest.mark.parametrize(
    ("notation", "code"),
    [
        ({"cron": "* * * * *"}, "schedule.too_often"),
        ({"cron": "*/4 * * * *"}, "schedule.too_often"),
        ({"cron": "0 0 9 * * *"}, "schedule.cron"),
        ({"cron": "99 * * * *"}, "schedule.cron"),
        ({"rrule": "FREQ=SECONDLY"}, "schedule.rrule"),
        ({"rrule": "FREQ=MINUTELY;INTERVAL=1"}, "schedule.rrule"),
        ({"rrule": "nonsense"}, "schedule.rrule"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "schedule.never"),
        ({"rrule": "FREQ=DAILY;UNTIL=20200101T000000"}, "schedule.never"),
    ],
)
def test_what_cannot_be_kept_is_refused(notation: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(Recurring(dtstart_local=START, **notation))  # type: ignore[arg-type]
    assert refused.value.code == code


def test_after_ten_minutes_of_downtime_the_misfire_policy_decides() -> None:
    strict = Recurring(cron="0 9 * * *", dtstart_local=START, misfire_grace_ms=60_000)
    assert misfire(strict, 0, 10 * 60_000) == "skip"
    assert misfire(strict.model_copy(update={"misfire": "run_once"}), 0, 10 * 60_000) == "run"
    assert misfire(Recurring(cron="0 9 * * *", dtstart_local=START), 0, 10 * 60_000) == "run"


NIGHT = Span(time(22), time(8))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-24T13:59", None),
        ("2026-11-24T14:00", "2026-11-25T00:00"),
        ("2026-11-24T17:00", "2026-11-25T00:00"),
        ("2026-11-24T23:59", "2026-11-25T00:00"),
        ("2026-11-25T00:00", None),
    ],
)
def test_quiet_hours_reach_over_midnight_in_the_recipients_zone(now: str, until: str | None) -> None:
    assert quiet_until(NIGHT, ms(now), SHANGHAI) == (ms(until) if until else None)


def test_quiet_hours_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = Span(time(22), time(8), frozenset({4}))
    saturday_early = local_ms(datetime(2026, 11, 28, 3), SHANGHAI)
    sunday_early = local_ms(datetime(2026, 11, 29, 3), SHANGHAI)
    assert quiet_until(friday_night, saturday_early, SHANGHAI) is not None
    assert quiet_until(friday_night, sunday_early, SHANGHAI) is None
