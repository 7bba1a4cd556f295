"""Calendar and business time, in zones that change their clocks."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from metrics.clocks import ALWAYS, Calendar, Hours, daily, day_span_ms, fixed
from metrics.model import DAY, HOUR, MINUTE
from tests.metrics.talk import ms

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = fixed("Asia/Shanghai", daily(9 * 60, 18 * 60))


def test_business_time_skips_the_night() -> None:
    assert OFFICE.business_ms(ms("17:50:00"), ms("09:10:00", "2026-11-12")) == 20 * MINUTE


def test_off_hours_arrival_starts_the_business_clock_at_opening() -> None:
    assert OFFICE.business_ms(ms("03:00:00"), ms("09:00:30")) == 30_000


def test_a_closed_weekday_does_not_count() -> None:
    weekdays = fixed("Asia/Shanghai", Hours((((540, 1080),),) * 5 + ((), ())))
    friday, monday = "2026-11-13", "2026-11-16"
    assert weekdays.business_ms(ms("17:00:00", friday), ms("10:00:00", monday)) == 2 * HOUR


def test_a_conversation_over_midnight_belongs_to_the_day_it_opened() -> None:
    assert OFFICE.day(ms("23:59:59")) == date(2026, 11, 11)
    assert OFFICE.day(ms("23:59:59") + 1000) == date(2026, 11, 12)


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    spring = day_span_ms(date(2026, 3, 29), date(2026, 3, 29), BERLIN)
    autumn = day_span_ms(date(2026, 10, 25), date(2026, 10, 25), BERLIN)
    assert (spring[1] - spring[0], autumn[1] - autumn[0]) == (23 * HOUR, 25 * HOUR)
    assert fixed("Europe/Berlin").business_ms(*autumn) == 25 * HOUR


def test_a_shop_that_moves_its_zone_keeps_its_old_days() -> None:
    moved = Calendar(((0, "Asia/Shanghai", ALWAYS), (ms("12:00:00"), "Europe/Berlin", ALWAYS)))
    assert moved.day(ms("02:00:00")) == date(2026, 11, 11)
    assert moved.day(ms("02:00:00", "2026-11-12")) == date(2026, 11, 11)


@given(
    st.integers(0, 400 * DAY),
    st.integers(0, 5 * DAY),
    st.integers(0, 5 * DAY),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin"]),
)
def test_business_time_adds_up_and_never_exceeds_the_calendar(start: int, one: int, two: int, zone: str) -> None:
    shop = fixed(zone, daily(9 * 60 + 30, 21 * 60))
    start += 1_770_000_000_000
    whole = shop.business_ms(start, start + one + two)
    assert whole == shop.business_ms(start, start + one) + shop.business_ms(start + one, start + one + two)
    assert 0 <= whole <= one + two
    assert fixed(zone).business_ms(start, start + one) == one
