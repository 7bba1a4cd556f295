"""When a report leaves, and which days it is about. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from metrics.clocks import Calendar, wall_ms

Every = Literal["day", "week", "month"]
By = Literal["mail", "webhook"]
SCHEDULES_MAX = 20
AGAIN_S = (300, 1_800, 7_200)
"""After the n-th failed try, so long until the next; after the last one the report has failed."""
Address = Annotated[
    str, StringConstraints(pattern=r'^[^@\s\x00-\x1f,;:<>()"\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$')
]


class Schedule(BaseModel):
    """``hour`` of the shop's day. A mail goes to ``addresses``; a webhook to every server of the shop that hears
    ``report.ready``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]*$")]
    every: Every = "day"
    hour: Annotated[int, Field(ge=0, le=23)] = 8
    by: By = "mail"
    addresses: tuple[Address, ...] = Field(default=(), max_length=10)
    paused: bool = False

    @model_validator(mode="after")
    def _to_somebody(self) -> Schedule:
        if (self.by == "mail") != bool(self.addresses):
            raise ValueError("a mail needs an address, a webhook none")
        return self


def period(every: Every, today: date) -> tuple[date, date]:
    """The last whole day, week (from Monday) or month before ``today``."""
    if every == "day":
        return today - timedelta(days=1), today - timedelta(days=1)
    if every == "week":
        monday = today - timedelta(days=today.weekday() + 7)
        return monday, monday + timedelta(days=6)
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def next_ms(every: Every, hour: int, after_ms: int, calendar: Calendar) -> int:
    """The first moment after ``after_ms`` at that hour of the shop's day, of its Mondays, or of its firsts."""
    day = calendar.day(after_ms)
    while True:
        fits = every == "day" or (every == "week" and day.weekday() == 0) or (every == "month" and day.day == 1)
        at_ms = wall_ms(day, hour * 60, calendar.at(after_ms)[0])
        if fits and at_ms > after_ms:
            return at_ms
        day += timedelta(days=1)
