"""Opening hours: weekly spans, several a day, past midnight, with dated exceptions (holidays and make-up days)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MIN = 1_440


@dataclass(frozen=True, slots=True)
class Span:
    """Open from ``from_min`` to ``to_min`` (minutes after midnight) of ``day`` (0 is Monday).

    ``to_min`` above 1,440 reaches into the next day.
    """

    day: int
    from_min: int
    to_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.day <= 6 and 0 <= self.from_min < self.to_min <= self.from_min + DAY_MIN):
            raise ValueError("a span needs a day 0..6 and from_min < to_min, at most 24 hours long")


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A date whose hours differ from its weekday's: no spans at all is a holiday. Spans are (from_min, to_min)."""

    date: str
    spans: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        date.fromisoformat(self.date)
        for from_min, to_min in self.spans:
            if not 0 <= from_min < to_min <= from_min + DAY_MIN:
                raise ValueError("a span needs from_min < to_min, at most 24 hours long")


@dataclass(frozen=True, slots=True)
class Hours:
    tz: str = "Asia/Shanghai"
    spans: tuple[Span, ...] = ()
    special: tuple[SpecialDay, ...] = ()

    def __post_init__(self) -> None:
        try:
            _zone(self.tz)
        except Exception:
            raise ValueError(f"{self.tz} is no time zone") from None


def every_day(from_min: int, to_min: int, tz: str = "Asia/Shanghai") -> Hours:
    return Hours(tz, tuple(Span(day, from_min, to_min) for day in range(7)))


@lru_cache(maxsize=64)
def _zone(tz: str) -> ZoneInfo:
    return ZoneInfo(tz)


def _local(tz: str, now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms // 1_000, UTC).astimezone(_zone(tz))


def local_day(tz: str, now_ms: int) -> int:
    """The number of the local date, for daily limits."""
    return _local(tz, now_ms).date().toordinal()


def _spans_of(hours: Hours, day: date) -> tuple[tuple[int, int], ...]:
    for special in hours.special:
        if special.date == day.isoformat():
            return special.spans
    return tuple((span.from_min, span.to_min) for span in hours.spans if span.day == day.weekday())


def open_at(hours: Hours | None, now_ms: int) -> bool:
    """Whether it is open; None is always open."""
    if hours is None:
        return True
    local = _local(hours.tz, now_ms)
    minute = local.hour * 60 + local.minute
    today = local.date()
    if any(from_min <= minute < to_min for from_min, to_min in _spans_of(hours, today)):
        return True
    yesterday = today - timedelta(days=1)
    return any(to_min > DAY_MIN + minute for _, to_min in _spans_of(hours, yesterday))


def open_spans(hours: Hours | None, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The parts of [from, to) in which it is open, in ms; overlapping hours are one part. None is always open."""
    if hours is None:
        return [(from_ms, to_ms)]
    zone = _zone(hours.tz)
    found: list[tuple[int, int]] = []
    day = _local(hours.tz, from_ms).date() - timedelta(days=1)
    while day <= _local(hours.tz, to_ms).date():
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for begin, end in sorted(_spans_of(hours, day)):
            at, until = (int((midnight + timedelta(minutes=m)).timestamp() * 1_000) for m in (begin, end))
            at, until = max(at, from_ms, found[-1][1] if found else 0), min(until, to_ms)
            if at < until:
                found.append((at, until))
        day += timedelta(days=1)
    return found
