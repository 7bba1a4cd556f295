"""Two clocks for every wait: the calendar's, and the shop's own hours. Days follow the rules of the shop's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Service hours of each weekday (0 = Monday) as (from, to) minutes of the local day. Empty: closed that day."""

    week: tuple[tuple[tuple[int, int], ...], ...]

    def __post_init__(self) -> None:
        assert len(self.week) == 7, "a week has seven days"
        for day in self.week:
            for begin, end in day:
                assert 0 <= begin < end <= DAY_MINUTES, "hours lie within their day"


ALWAYS = Hours((((0, DAY_MINUTES),),) * 7)


def daily(begin: int, end: int) -> Hours:
    """The same hours on all seven days, in minutes after midnight."""
    return Hours((((begin, end),),) * 7)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A shop's zone and hours as they changed over time: (from_ms, zone name, hours), the first from 0 on."""

    periods: tuple[tuple[int, str, Hours], ...]

    def __post_init__(self) -> None:
        assert self.periods, "a shop always has a zone"
        assert self.periods[0][0] == 0, "the first period covers the beginning"
        assert list(self.periods) == sorted(self.periods, key=lambda one: one[0]), "periods ascend"

    def at(self, at_ms: int) -> tuple[ZoneInfo, Hours]:
        found = self.periods[0]
        for period in self.periods:
            if period[0] > at_ms:
                break
            found = period
        return ZoneInfo(found[1]), found[2]

    def local(self, at_ms: int) -> datetime:
        zone, _ = self.at(at_ms)
        return datetime.fromtimestamp(at_ms / 1000, zone)

    def day(self, at_ms: int) -> date:
        """The business day: the local date on which something began."""
        return self.local(at_ms).date()

    def day_end_ms(self, day: date) -> int:
        """When the next business day begins."""
        nearly = midnight_ms(day + timedelta(days=1), ZoneInfo("UTC"))
        return midnight_ms(day + timedelta(days=1), self.at(nearly)[0])

    def minute_of_day(self, at_ms: int) -> int:
        local = self.local(at_ms)
        return local.hour * 60 + local.minute

    def business_ms(self, from_ms: int, to_ms: int) -> int:
        """How much of the span lies within service hours. Never more than the span; 0 for an empty one."""
        total = 0
        day = self.day(from_ms)
        zone, hours = self.at(from_ms)
        while to_ms > from_ms:
            start = midnight_ms(day, zone)
            if start >= to_ms:
                break
            for begin, end in hours.week[day.weekday()]:
                opens, closes = wall_ms(day, begin, zone), wall_ms(day, end, zone)
                total += max(0, min(to_ms, closes) - max(from_ms, opens))
            day += timedelta(days=1)
        return total


def fixed(zone: str, hours: Hours = ALWAYS) -> Calendar:
    return Calendar(((0, zone, hours),))


@lru_cache(maxsize=4096)
def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """When the local ``day`` begins, in ms UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp() * 1000)


def wall_ms(day: date, minute: int, zone: ZoneInfo) -> int:
    """The wall-clock minute of a local day in ms UTC; minute 1440 is the next midnight (also when clocks change)."""
    if minute >= DAY_MINUTES:
        return midnight_ms(day + timedelta(days=1), zone)
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp() * 1000)


def day_span_ms(first: date, last: date, zone: ZoneInfo) -> tuple[int, int]:
    """The days ``first`` to ``last`` inclusive as a half-open span in ms UTC."""
    assert first <= last, "a period does not end before it begins"
    return midnight_ms(first, zone), midnight_ms(last + timedelta(days=1), zone)
