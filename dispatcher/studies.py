"""Policies side by side on recorded or modelled days, for the command line and the benchmark."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich import box
from rich.table import Table

from dispatcher import whatif
from dispatcher.arrivals import DAY_MS, recorded_day, visits
from dispatcher.model import Contract, Id, Policy, Pool, Routing, Shop, Stage, Trigger
from dispatcher.simulate import Visit

AT_ONCE = Policy()
_RING = (Stage("own"), Stage("preferred", 20_000), Stage("any", 10_000))
POLICIES: dict[str, Policy] = {
    "no overflow": replace(AT_ONCE, stages=(Stage("own"),)),
    "ring 60 s": replace(AT_ONCE, stages=(_RING[0], replace(_RING[1], after_ms=60_000), _RING[2])),
    "ring 20 s": replace(AT_ONCE, stages=_RING),
    "predicted wait > 5 s": replace(
        AT_ONCE, stages=(_RING[0], replace(_RING[1], enter_if=(Trigger("ewt", 5_000, 3_000),)), _RING[2])
    ),
    "at once": AT_ONCE,
}
"""When a full own team hands over to outsourced pools: from the slowest to the default."""


@dataclass(frozen=True, slots=True)
class House:
    """An own team and two providers; ``gold`` is preferred. Every agent has ``seats_max`` places."""

    own: int = 6
    gold: int = 4
    silver: int = 6
    seats_max: int = 5
    gold_fen: int = 120
    silver_fen: int = 80

    def routing(self) -> Routing:
        pools = (
            Pool("own", "in_house", shop="shop"),
            Pool("gold", "outsourced", provider="g"),
            Pool("silver", "outsourced", provider="v"),
        )
        contracts = (
            Contract("cg", 1, "shop", "g", ("gold",), rank=1, price_fen=self.gold_fen),
            Contract("cv", 1, "shop", "v", ("silver",), rank=2, price_fen=self.silver_fen),
        )
        return Routing((Shop("shop"),), pools, contracts)

    def staff(self) -> list[whatif.Staff]:
        counts: dict[Id, int] = {"own": self.own, "gold": self.gold, "silver": self.silver}
        return [whatif.Staff(pool, agents, self.seats_max) for pool, agents in counts.items()]


def from_counts(
    counts: Mapping[str, Sequence[int]], load: whatif.Load, seats_max: int, scale: float
) -> tuple[list[list[Visit]], list[int]]:
    """Recorded days with the times their dates began (UTC)."""
    days, midnights = [], []
    for date, bins in counts.items():
        chance = random.Random(f"{load.seed}/{date}")
        midnight = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1_000)
        times = [midnight + at for at in recorded_day(bins, chance, scale=scale)]
        days.append(visits(times, whatif.people(load, seats_max), chance))
        midnights.append(midnight)
    return days, midnights


def modelled(load: whatif.Load, seats_max: int) -> tuple[list[list[Visit]], list[int]]:
    first = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1_000)
    return whatif.modelled_days(load, first, seats_max), [first + day * DAY_MS for day in range(load.days)]


def compare(house: House, load: whatif.Load, days: Sequence[Sequence[Visit]], midnights: Sequence[int]) -> whatif.Study:
    floors = {
        name: whatif.floor_of(house.routing(), "shop", policy, house.staff(), load) for name, policy in POLICIES.items()
    }
    return whatif.compare(floors, days, midnights)


_COLUMNS = {
    "lost": ("lost %", 100.0), "within": ("in 30 s %", 100.0), "first_p95_ms": ("answer p95 s", 0.001),
    "overflow": ("outsourced %", 100.0), "cost_fen": ("cost/100", 0.01),
}  # fmt: skip
"""Title and what the figure is multiplied by."""


def table(study: whatif.Study, source: str) -> Table:
    """One line a policy, each figure with its 95 % interval over the days."""
    shown = Table(
        title=f"{study.requests:,} requests on {study.days} days ({source}); mean and 95 % interval over days",
        box=box.SIMPLE_HEAD,
    )
    shown.add_column("policy", no_wrap=True)
    for title, _ in _COLUMNS.values():
        shown.add_column(title, justify="right")
    for name, seen in study.policies.items():
        shown.add_row(name, *(_shown(seen.figures[figure], by) for figure, (_, by) in _COLUMNS.items()))
    return shown


def _shown(found: whatif.Interval, by: float) -> str:
    return f"{found.mean * by:.1f}\n{found.low * by:.1f}–{found.high * by:.1f}"
