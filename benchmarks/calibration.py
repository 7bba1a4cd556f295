"""Whether waits are what waiting shoppers are told: ``python -m benchmarks.calibration``.

Whoever joins a line is told a median and a 90th percentile of his wait. Here the shipped dispatcher runs in virtual
time, and every twentieth shopper is an observer who never gives up, so that his whole wait is seen; of these waits 85
to 95 % should lie under the stated 90th percentile. Exit 1 if a share lies outside.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.theory import QUIET, START, floor
from dispatcher.arrivals import People, busiest, modelled_day, poisson, read_counts, recorded_day, visits
from dispatcher.model import Routing, Stage, Trigger
from dispatcher.simulate import FOR_EVER_MS, Pace, Simulation, Visit, alone, by_curve
from dispatcher.whatif import CURVE

OBSERVER_EVERY = 20
LEAST, MOST = 0.85, 0.95
OVERFLOWING = replace(
    QUIET, stages=(Stage("own"), Stage("preferred", 15_000, (Trigger("no_free_slot"),)), Stage("any", 10_000))
)


@dataclass(frozen=True)
class Setting:
    name: str
    routing: Routing
    days: Callable[[], Sequence[Sequence[Visit]]]
    pace: Pace = alone


@dataclass(frozen=True)
class Calibrated:
    """``waited``: observers who had to wait; the shares are of them."""

    waited: int
    under_median: float
    under_p90: float


def observed(setting: Setting) -> Calibrated:
    waits: list[tuple[int, int, int]] = []
    for day in setting.days():
        people = [
            replace(one, patience_ms=FOR_EVER_MS) if at % OBSERVER_EVERY == 0 else one for at, one in enumerate(day)
        ]
        outcomes = Simulation(setting.routing, setting.pace).run(people, start_ms=START)
        for one in outcomes[::OBSERVER_EVERY]:
            if one.stated_ms is not None and one.ending == "served":
                waits.append((one.wait_ms, *one.stated_ms))
    count = len(waits)
    return Calibrated(
        count, sum(wait <= half for wait, half, _ in waits) / count, sum(wait <= p90 for wait, _, p90 in waits) / count
    )  # fmt: skip


def _poisson(rate_per_hour: float, hours: float, people: People, days: int) -> list[list[Visit]]:
    found = []
    for day in range(days):
        chance = random.Random(f"calibration/{rate_per_hour}/{day}")
        found.append(visits([START + at for at in poisson(rate_per_hour, hours, chance)], people, chance))
    return found


def _modelled(a_day: float, people: People, days: int) -> list[list[Visit]]:
    found = []
    for day in range(days):
        chance = random.Random(f"calibration/day/{day}")
        found.append(visits([START + at for at in modelled_day(a_day, chance)], people, chance))
    return found


def _recorded(counts: Mapping[str, Sequence[int]], people: People, days: int) -> list[list[Visit]]:
    found = []
    for date in busiest(counts, days):
        chance = random.Random(f"calibration/{date}")
        found.append(visits([START + at for at in recorded_day(counts[date], chance)], people, chance))
    return found


def settings(counts: Mapping[str, Sequence[int]] | None, days: int) -> dict[str, Setting]:
    """By name. ``counts``: recorded days, where they are at hand."""
    exact = People(100_000, patience_ms=200_000, exponential=True)
    usual = People(150_000, patience_ms=90_000)
    chats = by_curve(CURVE)

    def over(own: int, gold: int) -> Routing:
        return floor(own, gold, seats_max=5, policy=OVERFLOWING)

    found = [
        Setting("Poisson, one pool, exponential work", floor(4), lambda: _poisson(160, 20, exact, days)),
        Setting("Poisson, ten agents", floor(10), lambda: _poisson(420, 8, exact, days)),
        Setting("Poisson, five chats each", floor(4, seats_max=5), lambda: _poisson(280, 12, usual, days), chats),
        Setting("Poisson, overflow to a second pool", over(3, 2), lambda: _poisson(360, 10, usual, days), chats),
        Setting("days that differ, overflow", over(4, 2), lambda: _modelled(5_500, usual, days), chats),
    ]
    if counts is not None:
        found += [
            Setting("recorded, own team", floor(3, seats_max=5), lambda: _recorded(counts, usual, days), chats),
            Setting("recorded, overflow", over(2, 1), lambda: _recorded(counts, usual, days), chats),
        ]
    return {one.name: one for one in found}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--days", type=int, default=30)
    given = asked.parse_args()
    data = os.environ.get("WANGXIN_SHARED_DATA")
    counts = read_counts(Path(data) / "arrivals" / "calls_6min.csv.gz") if data else None
    wrong = 0
    print("| arrivals and floor | observers who waited | under the stated median | under the stated p90 |")
    print("|---|---|---|---|")
    for setting in settings(counts, given.days).values():
        found = observed(setting)
        wrong += not LEAST <= found.under_p90 <= MOST
        print(f"| {setting.name} | {found.waited:,} | {found.under_median:.1%} | {found.under_p90:.1%} |", flush=True)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
