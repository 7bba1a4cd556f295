"""Who works when: spans of a day, a week of them, files, and whether the seats agreed on are filled. Pure.

A span is (from, to) in minutes since midnight of its day; ``to`` above 1,440 reaches into the next day.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from dispatcher.hours import DAY_MIN, Hours, open_at
from wangxin.model import limits
from wangxin.model.sheets import Fault, read_sheet

TZ = "Asia/Shanghai"
"""Rosters are written in this zone, as days of seats are reckoned."""
FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2100, 1, 1)
Span = tuple[int, int]
Plan = Mapping[tuple[UUID, date], Sequence[Span]]
"""(agent, day) -> spans that begin on it."""
WEEK = 7
HEADINGS = {"账号": "login", "日期": "date", "班次": "hours"}
_CUT = re.compile(r"[;；、\n]+")
_SPAN = re.compile(r"^(\d{1,2})[:：](\d{2})\s*(?:-|–|—|~|至|到)\s*(次日)?\s*(\d{1,2})[:：](\d{2})$")


class Wrong(ValueError):
    """Hours that say nothing. ``words`` is the part that is wrong; ``code`` what is wrong with it."""

    def __init__(self, code: str, words: str):
        super().__init__(f"{code}: {words}")
        self.code, self.words = code, words


def read_hours(text: str) -> tuple[Span, ...]:
    """``09:00-13:00; 22:00-06:00`` as spans in order; an end that is not after its beginning is the next day's.
    Empty: a day off. Raises :class:`Wrong` (``hours.wrong``, ``hours.overlap``, ``hours.too_many``)."""
    found: list[Span] = []
    for part in (part.strip() for part in _CUT.split(text)):
        if not part:
            continue
        match = _SPAN.match(part)
        if match is None:
            raise Wrong("hours.wrong", part)
        from_min = int(match[1]) * 60 + int(match[2])
        to_min = int(match[4]) * 60 + int(match[5])
        if from_min >= DAY_MIN or to_min > DAY_MIN or int(match[2]) > 59 or int(match[5]) > 59:
            raise Wrong("hours.wrong", part)
        found.append((from_min, to_min if to_min > from_min and not match[3] else to_min + DAY_MIN))
    if len(found) > limits.SPANS_PER_DAY_MAX:
        raise Wrong("hours.too_many", text)
    found.sort()
    for (_, end), (begin, after) in pairwise(found):
        if begin < end:
            raise Wrong("hours.overlap", write_hours([(begin, after)]))
    if found and found[-1][1] - found[0][0] > DAY_MIN + limits.SHIFT_LATE_MIN:
        raise Wrong("hours.wrong", text)
    return tuple(found)


def write_hours(spans: Iterable[Span]) -> str:
    """As ``read_hours`` takes it."""
    return "; ".join(f"{_clock(a)}-{_clock(b)}" for a, b in spans)


def _clock(minutes: int) -> str:
    minutes = minutes % DAY_MIN
    return f"{minutes // 60:02}:{minutes % 60:02}"


def collides(plan: Plan, agent: UUID, day: date) -> bool:
    """Whether what begins on ``day`` overlaps what reaches in from the day before, or into the next one."""
    here = plan.get((agent, day), ())
    before = [(a - DAY_MIN, b - DAY_MIN) for a, b in plan.get((agent, day - timedelta(days=1)), ())]
    after = [(a + DAY_MIN, b + DAY_MIN) for a, b in plan.get((agent, day + timedelta(days=1)), ())]
    return any(a < d and c < b for a, b in here for c, d in (*before, *after))


def read_file(
    text: str, logins: Mapping[str, UUID], before: Plan
) -> tuple[dict[tuple[UUID, date], tuple[Span, ...]], list[Fault]]:
    """The days of a CSV (``login,date,hours``) and what is wrong with the others. Days that are not in it stay as they
    are ``before``. Raises ``roster.no_columns``, ``roster.broken``, ``roster.too_many``."""
    rows = read_sheet(
        text, "roster", headings=HEADINGS, needed=("login", "date", "hours"), rows_max=limits.ROSTER_ROWS_MAX
    )
    found: dict[tuple[UUID, date], tuple[Span, ...]] = {}
    rows_of: dict[tuple[UUID, date], int] = {}
    faults: list[Fault] = []
    for number, row in rows:
        agent = logins.get(row.get("login", "").lower())
        if agent is None:
            faults.append(Fault(number, "login", "row.no_agent", row.get("login", "")[:60]))
            continue
        try:
            key = (agent, date.fromisoformat(row.get("date", "").replace("/", "-")))
            if not FIRST_DAY <= key[1] <= LAST_DAY:
                raise ValueError(row["date"])
        except ValueError:
            faults.append(Fault(number, "date", "row.no_date", row.get("date", "")[:60]))
            continue
        if key in found:
            faults.append(Fault(number, "date", "row.twice", row["date"][:60]))
            continue
        try:
            found[key] = read_hours(row.get("hours", ""))
        except Wrong as why:
            faults.append(Fault(number, "hours", f"row.{why.code.partition('.')[2]}", why.words[:60]))
            continue
        rows_of[key] = number
    whole = {**before, **found}
    for (agent, day), number in rows_of.items():
        if collides(whole, agent, day):
            faults.append(Fault(number, "hours", "row.overlap", write_hours(found[agent, day])))
    return found, sorted(faults, key=lambda fault: fault.row)


@dataclass(frozen=True, slots=True)
class Need:
    """The seats a contract is owed: ``agents`` may fill them, within its hours."""

    contract: UUID
    shop_name: str
    seats: int
    agents: frozenset[UUID]
    hours: Hours | None


def on_shift(plan: Plan, agents: Collection[UUID], day: date, minute: int) -> int:
    """How many of them work at that minute of the day."""
    before = day - timedelta(days=1)
    return sum(
        any(a <= minute < b for a, b in plan.get((agent, day), ()))
        or any(minute + DAY_MIN < b for _, b in plan.get((agent, before), ()))
        for agent in agents
    )


@dataclass(frozen=True, slots=True)
class Covered:
    """A day of a contract: the fewest seats filled within its hours (None: it has none that day), and the hours of the
    day at whose beginning or middle some are missing."""

    day: date
    least: int | None
    short: tuple[int, ...]


def coverage(plan: Plan, need: Need, monday: date) -> list[Covered]:
    """The seven days from ``monday``, looked at every half hour."""
    found = []
    for day in (monday + timedelta(days=n) for n in range(WEEK)):
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(TZ))
        filled: dict[int, int] = {}
        for minute in range(0, DAY_MIN, 30):
            at = start + timedelta(minutes=minute)
            if open_at(need.hours, int(at.astimezone(UTC).timestamp() * 1_000)):
                filled[minute] = on_shift(plan, need.agents, day, minute)
        short = sorted({minute // 60 for minute, seats in filled.items() if seats < need.seats})
        found.append(Covered(day, min(filled.values(), default=None), tuple(short)))
    return found
