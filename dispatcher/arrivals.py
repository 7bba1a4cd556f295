"""When shoppers come: Poisson streams, the shape of a day, days that differ, and recorded counts."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, log, sqrt
from pathlib import Path
from typing import TextIO, cast

from dispatcher.simulate import FOR_EVER_MS, Visit

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
USUAL_DAY: tuple[int, ...] = (
    5, 2, 1, 1, 0, 1, 6, 41, 88, 123, 140, 122, 109, 114, 121, 120, 115, 93, 80, 65, 59, 61, 55, 42,
)  # fmt: skip
"""Requests an hour from midnight on, the mean weekday of a service centre (fitted to the counts of Brown et al.,
JASA 100(469), 2005). Only the shape matters; it is scaled to the shop's own number."""
DAY_CV = 0.24
"""By how much whole days differ, as standard deviation over mean: a gamma factor. Real days do, Poisson days do not."""
BIN_MS = 360_000


class BadArrivals(ValueError):
    """A file of arrivals cannot be read; the text says which line and why."""


@dataclass(frozen=True, slots=True)
class People:
    """How shoppers and their questions are modelled. Times are means in ms; patience is exponential, work is
    log-normal with ``work_cv`` (1.0 with ``exponential``)."""

    work_ms: float = 300_000
    work_cv: float = 1.0
    patience_ms: float = 180_000
    reply_ms: float = 10_000
    exponential: bool = False


def poisson(rate_per_hour: float, hours: float, chance: random.Random) -> list[int]:
    """Times in ms from 0."""
    found: list[int] = []
    at, end = 0.0, hours * HOUR_MS
    while rate_per_hour > 0 and (at := at + chance.expovariate(rate_per_hour / HOUR_MS)) < end:
        found.append(int(at))
    return found


def modelled_day(
    a_day: float, chance: random.Random, *, shape: Sequence[int] = USUAL_DAY, cv: float = DAY_CV
) -> list[int]:
    """One day of about ``a_day`` requests in the usual shape, as busy or quiet as days are. ``cv``: by how much they
    differ; 0: not at all, but for the chance of a Poisson count."""
    factor = (chance.gammavariate(1 / cv**2, cv**2) if cv > 0 else 1.0) * a_day / sum(shape)
    width = DAY_MS // len(shape)
    counts = [_count(expected * factor, chance) for expected in shape]
    return sorted(at * width + chance.randrange(width) for at, count in enumerate(counts) for _ in range(count))


def _count(mean: float, chance: random.Random) -> int:
    """A Poisson count."""
    count, left = -1, mean
    while left >= 0:
        left -= chance.expovariate(1.0)
        count += 1
    return count


def recorded_day(counts: Sequence[int], chance: random.Random, *, scale: float = 1.0) -> list[int]:
    """A recorded day of counts in equal bins. Within its bin, each comes at a time of chance; a ``scale`` other than 1
    repeats or drops requests at random, each by itself."""
    width = DAY_MS // len(counts)
    found: list[int] = []
    for at, count in enumerate(counts):
        for _ in range(count):
            copies = int(scale) + (chance.random() < scale - int(scale))
            found += [at * width + chance.randrange(width) for _ in range(copies)]
    return sorted(found)


def read_counts(path: Path) -> dict[str, list[int]]:
    """Counts by date from a CSV with columns ``date``, ``bin`` and ``calls`` (240 bins of 6 minutes a day), plain or
    gzip. Raises BadArrivals."""
    days: dict[str, list[int]] = {}
    with _opened(path) as file:
        rows = csv.DictReader(file)
        if not {"date", "bin", "calls"} <= set(rows.fieldnames or ()):
            raise BadArrivals("line 1: the columns date, bin and calls are needed")
        for number, row in enumerate(rows, 2):
            try:
                day = days.setdefault(row["date"], [0] * (DAY_MS // BIN_MS))
                at, calls = int(row["bin"]), int(row["calls"])
                if at < 0 or calls < 0:
                    raise ValueError
                day[at] += calls
            except (ValueError, TypeError, IndexError):
                raise BadArrivals(f"line {number}: bin is 0 to 239 and calls is a whole number") from None
    return days


def read_times(path: Path) -> dict[str, list[int]]:
    """Requests by date, in ms from its midnight, from a CSV with a column ``at`` of ISO times such as
    ``2026-11-11T09:30:05``, plain or gzip. A zone is left aside: what the clock there showed counts.

    Raises BadArrivals."""
    days: dict[str, list[int]] = {}
    with _opened(path) as file:
        rows = csv.DictReader(file)
        if "at" not in (rows.fieldnames or ()):
            raise BadArrivals("line 1: the columns date, bin and calls are needed, or a column at")
        for number, row in enumerate(rows, 2):
            try:
                at = datetime.fromisoformat(row["at"].strip())
            except (ValueError, AttributeError):
                raise BadArrivals(f"line {number}: at is a time such as 2026-11-11T09:30:05") from None
            ms = ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000 + at.microsecond // 1_000
            days.setdefault(at.date().isoformat(), []).append(ms)
    return {date: sorted(times) for date, times in days.items()}


def first_line(path: Path) -> list[str]:
    """The columns of a CSV, plain or gzip."""
    with _opened(path) as file:
        return next(csv.reader(file), [])


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8"))
    return open(path, encoding="utf-8")


def visits(
    times: Iterable[int], people: People, chance: random.Random, *, topics: Mapping[str, float] | None = None
) -> list[Visit]:
    """Shoppers who come at ``times``, each with patience and work of his own. ``topics``: shares of topics."""
    names, shares = (list(topics), list(topics.values())) if topics else ([""], [1.0])
    found = []
    for at in times:
        work = chance.expovariate(1 / people.work_ms) if people.exponential else _log_normal(people, chance)
        patience = chance.expovariate(1 / people.patience_ms) if people.patience_ms < FOR_EVER_MS else FOR_EVER_MS
        topic = chance.choices(names, shares)[0] if topics else ""
        found.append(Visit(at, max(1.0, work), max(1, int(patience)), topic, int(people.reply_ms)))
    return found


def _log_normal(people: People, chance: random.Random) -> float:
    spread = log(1 + people.work_cv**2)
    return exp(chance.gauss(log(people.work_ms) - spread / 2, sqrt(spread)))


def busiest(days: Mapping[str, Sequence[int]], most: int) -> list[str]:
    """The dates with the most requests, in order of date. ``days``: counts by date."""
    return sorted(sorted(days, key=lambda date: (-sum(days[date]), date))[:most])
