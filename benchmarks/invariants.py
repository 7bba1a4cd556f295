"""A million random events on the shipped core, watched by a book-keeper who knows only what was promised:
``python -m benchmarks.invariants [--events 1000000] [--seed 1]``.

Days of every policy in turn. In every second one the core crashes now and then and another begins from the record; of
every tenth the journal is decided again, and decisions and state compared after each step, as a crash there would leave
it. Then bugs are planted, one after the other, and each must be found. Exit 1 if a promise is broken or a bug missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.dispatcher.planted import PLANTED, Bug
from tests.dispatcher.random_day import POLICIES, Day, decided_again

STEPS = 4_000
HUNT = 50_000
"""A planted bug must show within so many events."""


@dataclass
class Found:
    events: int = 0
    decisions_again: int = 0
    days: int = 0
    crashes: int = 0
    served: int = 0
    broken: list[str] = field(default_factory=list)


def days(events: int, seed: int) -> Found:
    found = Found()
    names = list(POLICIES)
    while found.events < events:
        name, number = names[found.days % len(names)], found.days
        mark = f"{name}/{seed}/{number}"
        day = Day(
            POLICIES[name], random.Random(mark), own=1 + number % 3, gold=1 + number % 2, silver=number % 4 // 2,
            crashes=number % 2 == 1, journal=number % 10 == 0,
        )  # fmt: skip
        try:
            day.steps(min(STEPS, events - found.events))
        except AssertionError as why:
            found.broken.append(f"{mark}: {why}")
        if day.journal:
            other = decided_again(day.lines, day.marks)
            found.decisions_again += len(day.lines)
            if other:
                found.broken.append(f"{mark}: {other} steps decided otherwise from the journal")
        found.days += 1
        found.events += day.told
        found.crashes += day.crashed
        found.served += day.auditor.finished
    return found


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    before: list[tuple[object, str, Any]] = []

    def put(where: object, name: str, value: Any) -> None:
        before.append((where, name, getattr(where, name)))
        setattr(where, name, value)

    bug.plant(put)
    try:
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def hunt(name: str, bug: Bug, seed: int) -> tuple[int, str]:
    """(events until it was found, what the auditor said); 0: it was not found."""
    with planted(bug):
        day = Day(bug.policy, random.Random(f"{name}/{seed}"), own=3, gold=2)
        try:
            while day.told < HUNT:
                day.step()
        except AssertionError as why:
            return day.told, str(why).splitlines()[0]
    return 0, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.process_time()
    found = days(asked.events, asked.seed)
    took = time.process_time() - began
    print(
        f"{found.events:,} events in {found.days} days, seeds policy/{asked.seed}/0 to {found.days - 1},"
        f" {found.served:,} conversations, {found.crashes:,} crashes, {took:.0f} s of CPU"
    )
    print(f"steps decided again from the journal: {found.decisions_again:,}")
    print(f"violations: {len(found.broken)}")
    for line in found.broken[:20]:
        print(f"  {line}")
    missed = 0
    for name, bug in PLANTED.items():
        after, said = hunt(name, bug, asked.seed)
        missed += not after
        print(f"planted bug, {name}: " + (f"found after {after:,} events ({said})" if after else "MISSED"))
    sys.exit(1 if found.broken or missed else 0)


if __name__ == "__main__":
    main()
