"""Quiet hours in the recipient's own zone, over midnight too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def local_ms(moment: datetime, zone: ZoneInfo) -> int:
    """The instant of a naive local time. In a gap: shifted forward by the gap; in an overlap: the first of the two."""
    # fold=0 means the offset before the change in both cases (PEP 495), which is exactly that rule.
    return int(moment.replace(tzinfo=zone, fold=0).astimezone(UTC).timestamp() * 1000)


def at_ms(instant_ms: int, zone: ZoneInfo) -> datetime:
    """The naive local time of an instant."""
    return datetime.fromtimestamp(instant_ms / 1000, zone).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Span:
    """Quiet from ``start`` to ``end`` on windows that begin on one of ``weekdays`` (Monday = 0)."""

    start: time
    end: time
    weekdays: frozenset[int] = frozenset(range(7))


def quiet_until(span: Span, now_ms: int, zone: ZoneInfo) -> int | None:
    """When the quiet hours that ``now_ms`` lies in are over; None outside of them."""
    if span.start == span.end:
        return None
    today = at_ms(now_ms, zone).date()
    for day in (today - timedelta(days=1), today):
        if day.weekday() not in span.weekdays:
            continue
        ends_on = day if span.end > span.start else day + timedelta(days=1)
        begins = local_ms(datetime.combine(day, span.start), zone)
        ends = local_ms(datetime.combine(ends_on, span.end), zone)
        if begins <= now_ms < ends:
            return ends
    return None
