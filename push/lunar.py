"""The Chinese lunar calendar 1900-2100 as a table of facts. Years after 2056 are provisional: almanacs differ there.

One number a lunar year: the low four bits name the month that is followed by its leap month (0 = none); bit 4 + i is
set when the i-th month of the year, leap month included, has 30 days instead of 29.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta

FIRST_YEAR = 1900
LAST_YEAR = 2100
PROVISIONAL_AFTER = 2056
_FIRST_DAY = date(1900, 1, 31)
_YEARS = (
    0x16D28,
    0x07520,
    0x0EA50,
    0x164A5,
    0x064B0,
    0x0A9B0,
    0x15564,
    0x056A0,
    0x0B590,
    0x17522,  # 1900
    0x07520,
    0x1B256,
    0x0B250,
    0x0A4B0,
    0x14AB5,
    0x02AD0,
    0x056B0,
    0x0B692,
    0x0DA90,
    0x1D927,  # 1910
    0x0E920,
    0x0D250,
    0x1A4D5,
    0x0A560,
    0x02B60,
    0x15B54,
    0x06D40,
    0x0EA90,
    0x1E922,
    0x0E920,  # 1920
    0x0D266,
    0x052B0,
    0x0A570,
    0x12B65,
    0x0B5A0,
    0x06D40,
    0x0EC93,
    0x07490,
    0x16937,
    0x0A930,  # 1930
    0x052B0,
    0x0A5B6,
    0x0AAD0,
    0x056A0,
    0x1B554,
    0x0BA40,
    0x0B490,
    0x1A932,
    0x0A950,
    0x152D7,  # 1940
    0x05360,
    0x0AAD0,
    0x15AA5,
    0x05B20,
    0x0DA50,
    0x1D4A3,
    0x0D4A0,
    0x0A958,
    0x0A970,
    0x05560,  # 1950
    0x0AB56,
    0x0AD50,
    0x06D20,
    0x0EA54,
    0x0EA50,
    0x064A0,
    0x0C973,
    0x0A9B0,
    0x155A7,
    0x056A0,  # 1960
    0x0B690,
    0x17525,
    0x0B520,
    0x0B250,
    0x164B4,
    0x0A4B0,
    0x14AB8,
    0x02AD0,
    0x056D0,
    0x0B696,  # 1970
    0x0DA90,
    0x0D920,
    0x1D254,
    0x0D250,
    0x1A4DA,
    0x0A560,
    0x02B60,
    0x05B56,
    0x06D50,
    0x0EA90,  # 1980
    0x1E925,
    0x0E920,
    0x0D260,
    0x0A563,
    0x0A570,
    0x14D68,
    0x035A0,
    0x06D50,
    0x16C95,
    0x07490,  # 1990
    0x06930,
    0x152B4,
    0x052B0,
    0x0A5B0,
    0x155A2,
    0x056A0,
    0x1B557,
    0x0BA40,
    0x0B490,
    0x1A935,  # 2000
    0x0A950,
    0x052D0,
    0x0AAD4,
    0x0AB50,
    0x15AA9,
    0x05D20,
    0x0DA50,
    0x1D4A6,
    0x0D4A0,
    0x0C950,  # 2010
    0x152E4,
    0x05560,
    0x0AB50,
    0x15B22,
    0x06D20,
    0x0EA56,
    0x07250,
    0x064B0,
    0x0C975,
    0x0CAB0,  # 2020
    0x055A0,
    0x0AD63,
    0x0B690,
    0x1752B,
    0x0B520,
    0x0B250,
    0x1A4B6,
    0x0A4B0,
    0x04AB0,
    0x055B5,  # 2030
    0x05AD0,
    0x0B6A0,
    0x1B522,
    0x0D920,
    0x1D257,
    0x0D250,
    0x0A550,
    0x14AD5,
    0x04B60,
    0x05B50,  # 2040
    0x0DAA3,
    0x0EC90,
    0x1E928,
    0x0E920,
    0x0D260,
    0x0A566,
    0x0A570,
    0x04D60,
    0x06D54,
    0x07550,  # 2050
    0x07490,
    0x0E933,
    0x06930,
    0x152B7,
    0x052B0,
    0x0A5B0,
    0x155A5,
    0x056A0,
    0x0B650,
    0x174A4,  # 2060
    0x0B4A0,
    0x1A958,
    0x0A950,
    0x052D0,
    0x0AAD6,
    0x0AB50,
    0x05AA0,
    0x0BA54,
    0x0DA50,
    0x0D4A0,  # 2070
    0x1C953,
    0x0C960,
    0x194E7,
    0x05560,
    0x0AB50,
    0x15B25,
    0x06D20,
    0x0EA50,
    0x0E4A4,
    0x068B0,  # 2080
    0x0C978,
    0x04AB0,
    0x055B0,
    0x0AD66,
    0x0B6A0,
    0x07520,
    0x17254,
    0x0B450,
    0x0A8B0,
    0x149B2,  # 2090
    0x04AB0,  # 2100
)


@dataclass(frozen=True, slots=True)
class LunarDate:
    """``month`` 1..12; ``leap`` when it is the second month of that number in its year."""

    year: int
    month: int
    day: int
    leap: bool = False


def leap_month(year: int) -> int:
    """The month doubled in this lunar year, 0 when none is."""
    return _code(year) & 0xF


def month_days(year: int, month: int, leap: bool = False) -> int:
    """29 or 30; 0 when the year has no such leap month."""
    if leap and leap_month(year) != month:
        return 0
    return 30 if _code(year) >> (4 + _index(year, month, leap)) & 1 else 29


def to_solar(lunar: LunarDate) -> date | None:
    """None when that day does not exist in that year."""
    if not 1 <= lunar.day <= month_days(lunar.year, lunar.month, lunar.leap):
        return None
    code, index = _code(lunar.year), _index(lunar.year, lunar.month, lunar.leap)
    before = sum(30 if code >> (4 + i) & 1 else 29 for i in range(index))
    return _NEW_YEARS[lunar.year - FIRST_YEAR] + timedelta(days=before + lunar.day - 1)


def to_lunar(day: date) -> LunarDate:
    """Raises ValueError outside 1900-01-31 .. early 2101."""
    place = bisect_right(_NEW_YEARS, day) - 1
    if place < 0 or place >= len(_YEARS):
        raise ValueError(f"{day} lies outside the lunar table")
    year, left = FIRST_YEAR + place, (day - _NEW_YEARS[place]).days
    code, doubled = _code(year), leap_month(year)
    for index in range(13 if doubled else 12):
        days = 30 if code >> (4 + index) & 1 else 29
        if left < days:
            leap = bool(doubled) and index == doubled
            return LunarDate(year, index if doubled and index >= doubled else index + 1, left + 1, leap)
        left -= days
    raise AssertionError("the months of a lunar year reach its end")


def year_days(year: int) -> int:
    code = _code(year)
    return sum(30 if code >> (4 + i) & 1 else 29 for i in range(13 if code & 0xF else 12))


def _code(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"lunar year {year} lies outside the table")
    return _YEARS[year - FIRST_YEAR]


def _index(year: int, month: int, leap: bool) -> int:
    if not 1 <= month <= 12:
        raise ValueError(f"no lunar month {month}")
    doubled = leap_month(year)
    return month if leap or (doubled and month > doubled) else month - 1


def _new_years() -> tuple[date, ...]:
    days = [_FIRST_DAY]
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        days.append(days[-1] + timedelta(days=year_days(year)))
    return tuple(days)


_NEW_YEARS = _new_years()
