"""The lunar table against two independent libraries, leap days, festivals."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from push.dates import festival_day, kept_lunar, kept_solar, lunar_month_day
from push.lunar import LunarDate, leap_month, month_days, to_lunar, to_solar

DAYS = st.dates(date(1950, 1, 1), date(2056, 12, 31))


def test_the_table_agrees_with_borax_on_every_day_from_1950_to_2056() -> None:
    borax = pytest.importorskip("borax.calendars.lunardate")
    day = date(1950, 1, 1)
    while day.year <= 2056:
        ours, theirs = to_lunar(day), borax.LunarDate.from_solar(day)
        assert (ours.year, ours.month, ours.day, ours.leap) == (
            theirs.year, theirs.month, theirs.day, bool(theirs.leap),
        ), day  # fmt: skip
        day += timedelta(days=1)


def test_the_table_agrees_with_cnlunar_on_sampled_days() -> None:
    import datetime

    cnlunar = pytest.importorskip("cnlunar")
    day = date(1950, 1, 3)
    while day.year <= 2056:
        theirs = cnlunar.Lunar(datetime.datetime(day.year, day.month, day.day, 12))
        ours = to_lunar(day)
        assert (ours.year, ours.month, ours.day, ours.leap) == (
            theirs.lunarYear, theirs.lunarMonth, theirs.lunarDay, bool(theirs.isLunarLeapMonth),
        ), day  # fmt: skip
        day += timedelta(days=97)


@settings(deadline=None)
@given(DAYS)
def test_lunar_and_back_is_the_same_day(day: date) -> None:
    assert to_solar(to_lunar(day)) == day


def test_the_thirtieth_of_the_twelfth_month_is_missing_from_2025_to_2029() -> None:
    assert [month_days(year, 12) for year in range(2024, 2030)] == [29, 29, 29, 29, 29, 30]
    assert to_solar(LunarDate(2025, 12, 30)) is None


def test_leap_months_are_the_known_ones() -> None:
    assert {year: leap_month(year) for year in range(2024, 2034) if leap_month(year)} == {
        2025: 6, 2028: 5, 2031: 3, 2033: 11,
    }  # fmt: skip


def test_a_leap_day_birthday_is_kept_by_policy() -> None:
    assert kept_solar(date(2026, 2, 28), "feb28") == {228: "2026", 229: "2026"}
    assert kept_solar(date(2026, 2, 28), "mar1") == {228: "2026"}
    assert kept_solar(date(2026, 3, 1), "mar1") == {301: "2026", 229: "2026"}
    assert kept_solar(date(2028, 2, 28), "feb28") == {228: "2028"}
    assert kept_solar(date(2028, 2, 29), "leap_only") == {229: "2028"}


def test_a_birthday_on_the_missing_thirtieth_is_kept_on_the_last_or_the_next_day() -> None:
    eve = to_solar(LunarDate(2025, 12, 29))
    assert eve is not None
    assert kept_lunar(eve, "last_day", "regular")[1230] == "2025"
    assert 1230 not in kept_lunar(eve, "next_day", "regular")
    assert kept_lunar(eve + timedelta(days=1), "next_day", "regular")[1230] == "2025"


def test_a_birth_in_a_leap_month_is_kept_in_the_regular_month_of_other_years() -> None:
    regular_2026, leap_2025, regular_2025 = (
        to_solar(LunarDate(2026, 6, 10)), to_solar(LunarDate(2025, 6, 10, True)), to_solar(LunarDate(2025, 6, 10)),
    )  # fmt: skip
    assert regular_2026
    assert leap_2025
    assert regular_2025
    assert lunar_month_day(leap_2025) == 2610
    assert kept_lunar(regular_2026, "last_day", "leap_if_exists")[2610] == "2026"
    assert 2610 not in kept_lunar(regular_2025, "last_day", "leap_if_exists")
    assert kept_lunar(leap_2025, "last_day", "leap_if_exists") == {2610: "2025"}
    assert kept_lunar(leap_2025, "last_day", "both") == {2610: "2025+"}
    assert kept_lunar(leap_2025, "last_day", "regular") == {}


@pytest.mark.parametrize("leap", ["regular", "leap_if_exists"])
@pytest.mark.parametrize("short", ["last_day", "next_day"])
@pytest.mark.parametrize("code", [101, 615, 630, 1229, 1230, 2610, 2630])
def test_every_lunar_birthday_is_kept_exactly_once_a_year(code: int, short: str, leap: str) -> None:
    years: list[str] = []
    day = to_solar(LunarDate(2020, 1, 2))
    assert day is not None
    while day < date(2045, 1, 1):
        kept = kept_lunar(day, short, leap)  # type: ignore[arg-type]
        if code in kept:
            years.append(kept[code])
        day += timedelta(days=1)
    assert len(set(years)) == len(years)
    assert len(years) >= 24


@pytest.mark.parametrize(
    ("name", "year", "day"),
    [
        ("spring_festival", 2026, date(2026, 2, 17)),
        ("dragon_boat", 2026, date(2026, 6, 19)),
        ("mid_autumn", 2026, date(2026, 9, 25)),
        ("qixi", 2026, date(2026, 8, 19)),
        ("lunar_new_years_eve", 2025, date(2026, 2, 16)),
        ("double_11", 2026, date(2026, 11, 11)),
        ("mother", 2026, date(2026, 5, 10)),
    ],
)
def test_festivals_fall_on_their_days(name: str, year: int, day: date) -> None:
    assert festival_day(name, year) == day  # type: ignore[arg-type]
