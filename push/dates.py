"""Which yearly days are kept on a given day: birthdays solar and lunar, leap days, anniversaries, festivals.

A yearly day is one number: MMDD in the solar calendar (229 = 29 February); MMDD in the lunar one, plus 2000 for a
birth in a leap month. Both compilers of the audience and the freeze of a run read the same list, so they agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from push.audience.tree import LeapPolicy, LunarLeapPolicy, ShortPolicy
from push.lunar import LunarDate, leap_month, month_days, to_lunar, to_solar

LEAP_BIRTH = 2_000


def month_day(day: date) -> int:
    return day.month * 100 + day.day


def lunar_month_day(day: date) -> int:
    """The lunar birth number of someone born on this solar day."""
    born = to_lunar(day)
    return born.month * 100 + born.day + (LEAP_BIRTH if born.leap else 0)


def kept_solar(day: date, policy: LeapPolicy) -> dict[int, str]:
    """Yearly days kept on ``day`` → the year they are kept for, as text: part of the ledger's key."""
    kept = {month_day(day): str(day.year)}
    if not _is_leap(day.year) and (day.month, day.day) == {"feb28": (2, 28), "mar1": (3, 1)}.get(policy):
        kept[229] = str(day.year)
    return kept


def kept_lunar(day: date, short: ShortPolicy, leap: LunarLeapPolicy) -> dict[int, str]:
    """Lunar yearly days kept on ``day`` → the lunar year they are kept for; "2025+" is the second keeping of a year."""
    kept: dict[int, str] = {}
    for place in _nominal(to_lunar(day), short):
        code, year = place.month * 100 + place.day, str(place.year)
        if place.leap:
            if leap != "regular":
                kept[code + LEAP_BIRTH] = year if leap == "leap_if_exists" else f"{year}+"
            continue
        kept[code] = year
        if leap != "leap_if_exists" or leap_month(place.year) != place.month:
            kept[code + LEAP_BIRTH] = year
    return kept


def _nominal(today: LunarDate, short: ShortPolicy) -> Iterable[LunarDate]:
    """The lunar dates whose keeping falls on ``today``: itself, and the 30th of a month that has only 29 days."""
    yield today
    if short == "last_day" and today.day == 29 and month_days(today.year, today.month, today.leap) == 29:
        yield LunarDate(today.year, today.month, 30, today.leap)
    if short == "next_day" and today.day == 1:
        solar = to_solar(today)
        assert solar is not None, "a date that came from the table is in it"
        before = to_lunar(solar - timedelta(days=1))
        if before.day == 29:
            yield LunarDate(before.year, before.month, 30, before.leap)


def kept_between(
    first: date,
    days: int,
    calendar: Literal["solar", "lunar"],
    leap: LeapPolicy,
    short: ShortPolicy,
    lunar_leap: LunarLeapPolicy,
) -> dict[int, str]:
    """Yearly days kept on any of ``days`` days from ``first``."""
    kept: dict[int, str] = {}
    for offset in range(days):
        day = first + timedelta(days=offset)
        kept.update(kept_solar(day, leap) if calendar == "solar" else kept_lunar(day, short, lunar_leap))
    return kept


Festival = Literal[
    "new_year", "laba", "small_new_year", "lunar_new_years_eve", "spring_festival", "lantern", "valentine", "women",
    "labour", "mother", "children", "dragon_boat", "june_18", "father", "qixi", "mid_autumn", "national",
    "double_ninth", "double_11", "double_12", "christmas",
]  # fmt: skip
_SOLAR: dict[str, tuple[int, int]] = {
    "new_year": (1, 1),
    "valentine": (2, 14),
    "women": (3, 8),
    "labour": (5, 1),
    "children": (6, 1),
    "june_18": (6, 18),
    "national": (10, 1),
    "double_11": (11, 11),
    "double_12": (12, 12),
    "christmas": (12, 25),
}
_LUNAR: dict[str, tuple[int, int]] = {
    "spring_festival": (1, 1),
    "lantern": (1, 15),
    "dragon_boat": (5, 5),
    "qixi": (7, 7),
    "mid_autumn": (8, 15),
    "double_ninth": (9, 9),
    "laba": (12, 8),
    "small_new_year": (12, 23),
}
_NTH_SUNDAY: dict[str, tuple[int, int]] = {"mother": (5, 2), "father": (6, 3)}


def festival_day(name: Festival, year: int) -> date:
    """The day of a festival in a year; for lunar ones the lunar year that begins in ``year``."""
    if name in _SOLAR:
        return date(year, *_SOLAR[name])
    if name in _NTH_SUNDAY:
        month, nth = _NTH_SUNDAY[name]
        first = date(year, month, 1)
        return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))
    if name == "lunar_new_years_eve":
        return festival_day("spring_festival", year + 1) - timedelta(days=1)
    day = to_solar(LunarDate(year, *_LUNAR[name]))
    assert day is not None, "festivals lie on days that every lunar year has"
    return day


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
