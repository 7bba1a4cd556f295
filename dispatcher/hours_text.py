"""Opening hours on one line, as a spreadsheet holds them. Pure.

``1-5 09:00-12:00,13:00-18:00; 6,7 20:00-02:00; 2027-02-06 off; 2027-02-14 10:00-18:00``: days from 1 (Monday) to 7, a
span that ends before it begins runs past midnight, dated exceptions with hours of their own or ``off``.
"""

from __future__ import annotations

import re

from dispatcher.hours import DAY_MIN, Hours, Span, SpecialDay

OFF = frozenset({"off", "休", "休息"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMES = re.compile(r"(\d{1,2}):(\d{2})\s*[-–~]\s*(\d{1,2}):(\d{2})")
_APART = str.maketrans({"；": ";", "：": ":", "，": ",", "、": ",", "–": "-", "—": "-", "~": "-"})


def read_hours(text: str, tz: str) -> Hours | None:
    """None for an empty text: always open. Raises ValueError with the part that is wrong."""
    spans: list[Span] = []
    special: list[SpecialDay] = []
    for part in text.translate(_APART).split(";"):
        when, _, times = part.strip().partition(" ")
        if not when:
            continue
        try:
            found = () if times.strip().lower() in OFF else tuple(_span(one) for one in times.split(","))
            if _DATE.fullmatch(when):
                special.append(SpecialDay(when, found))
            elif not found:
                raise ValueError("a weekday has hours")
            else:
                spans += [Span(day, *one) for day in _days(when) for one in found]
        except ValueError:
            raise ValueError(part.strip()[:60]) from None
    return Hours(tz, tuple(spans), tuple(special)) if spans or special else None


def _span(text: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    from_hour, from_min, to_hour, to_min = map(int, match.groups())
    if from_min > 59 or to_min > 59 or from_hour > 23 or to_hour > 24:
        raise ValueError(text)
    begin, end = from_hour * 60 + from_min, to_hour * 60 + to_min
    return begin, end if end > begin else end + DAY_MIN


def _days(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found += range(int(first) - 1, int(last if dash else first))
    if not found or not all(0 <= day <= 6 for day in found):
        raise ValueError(text)
    return found
