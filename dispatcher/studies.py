"""Policies side by side on recorded or modelled days, for the command line and the benchmark."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.table import Table

from dispatcher import whatif
from dispatcher.arrivals import (
    DAY_CV,
    DAY_MS,
    USUAL_DAY,
    BadArrivals,
    busiest,
    first_line,
    read_counts,
    read_times,
    recorded_day,
    visits,
)
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
    "at once, by value": replace(
        AT_ONCE, stages=(_RING[0], Stage("any", 15_000, (Trigger("no_free_slot"),))), pool_rule="value", margin_fen=800
    ),
}
"""When a full own team hands over to outsourced pools: from the slowest to the default, and beyond."""


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
            Pool("own", "in_house", shop="shop", convert_per_mille=540),
            Pool("gold", "outsourced", provider="g", convert_per_mille=520),
            Pool("silver", "outsourced", provider="v", convert_per_mille=460),
        )
        contracts = (
            Contract("cg", 1, "shop", "g", ("gold",), rank=1, price_fen=self.gold_fen),
            Contract("cv", 1, "shop", "v", ("silver",), rank=2, price_fen=self.silver_fen),
        )
        return Routing((Shop("shop"),), pools, contracts)

    def staff(self) -> list[whatif.Staff]:
        counts: dict[Id, int] = {"own": self.own, "gold": self.gold, "silver": self.silver}
        return [whatif.Staff(pool, agents, self.seats_max) for pool, agents in counts.items()]


Days = tuple[list[list[Visit]], list[int]]
"""Requests by day, and when each day began (UTC)."""


class BadContract(ValueError):
    """A contract on the command line cannot be read; the text says why."""


def contract_of(words: str, house: House) -> tuple[str, House]:
    """``more gold: gold=8@0.90, silver=0`` is the house with 8 agents of gold at 0.90 each, and without silver. Raises
    BadContract."""
    name, colon, terms = words.partition(":")
    changed: dict[str, int] = {}
    for term in terms.split(","):
        pool, equals, rest = term.strip().partition("=")
        agents, at, price = rest.partition("@")
        try:
            if pool not in ("gold", "silver", "own") or not equals or (at and pool == "own"):
                raise ValueError
            changed[pool] = int(agents)
            if at:
                changed[f"{pool}_fen"] = round(float(price) * 100)
        except ValueError:
            raise BadContract(f"“{term.strip()}” is not like gold=8@0.90 (agents, and yuan a conversation)") from None
    if not colon or not name.strip() or min(changed.values()) < 0 or max(changed[p] for p in changed) > 100_000:
        raise BadContract(f"“{words}” is not like “more gold: gold=8@0.90, silver=0”")
    return name.strip(), replace(house, **changed)


def from_file(path: Path, load: whatif.Load, seats_max: int, scale: float) -> Days:
    """The busiest ``load.days`` of a file of counts or of times. Raises BadArrivals."""
    counted = {"date", "bin"} <= set(first_line(path))
    recorded = read_counts(path) if counted else read_times(path)
    wanted = busiest({date: found if counted else [len(found)] for date, found in recorded.items()}, load.days)
    if len(wanted) < 2:
        raise BadArrivals("fewer than two days are in it, so that no interval can be told")
    days, midnights = [], []
    for date in wanted:
        chance = random.Random(f"{load.seed}/{date}")
        if counted:
            times = recorded_day(recorded[date], chance, scale=scale)
        else:
            times = [ms for ms in recorded[date] for _ in range(int(scale) + (chance.random() < scale - int(scale)))]
        midnight = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1_000)
        days.append(visits([midnight + ms for ms in times], whatif.people(load, seats_max), chance))
        midnights.append(midnight)
    return days, midnights


FIRST_MS = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1_000)


def modelled(load: whatif.Load, seats_max: int, *, shape: Sequence[int] = USUAL_DAY, cv: float = DAY_CV) -> Days:
    """Days in a usual shape that differ as days do."""
    return (
        whatif.modelled_days(load, FIRST_MS, seats_max, shape=shape, cv=cv),
        [FIRST_MS + day * DAY_MS for day in range(load.days)],
    )


def compare(
    houses: Mapping[str, tuple[House, Policy]], load: whatif.Load, days: Days, economy: whatif.Economy, within_ms: int
) -> whatif.Study:
    """Every house under its policy, on the same days."""
    floors = {
        name: whatif.floor_of(house.routing(), "shop", policy, house.staff(), load)
        for name, (house, policy) in houses.items()
    }
    return whatif.compare(floors, *days, economy=economy, within_ms=within_ms)


def agents_for(
    pool: Id, share: float, within_ms: int, house: House, policy: Policy, load: whatif.Load, days: Days
) -> whatif.Advice:
    """How many agents of one pool are needed, the others as they are; by simulation and by formula."""
    staff = house.staff()

    def with_agents(count: int) -> Routing:
        team = [replace(one, agents=count) if one.pool == pool else one for one in staff]
        return whatif.floor_of(house.routing(), "shop", policy, team, load)

    found = whatif.agents_for(pool, share, with_agents, *days, within_ms=within_ms)
    busiest_hour = max(whatif.hourly(*days))
    return replace(found, formula=whatif.by_formula(pool, share, staff, load, busiest_hour, within_ms))


TITLES = {
    "lost": ("lost %", 100.0), "within": ("in time %", 100.0), "first_p95_ms": ("answer p95 s", 0.001),
    "overflow": ("sent out %", 100.0), "cost_fen": ("cost of 100", 0.01), "converted": ("sold %", 100.0),
}  # fmt: skip
"""Title and what the figure is multiplied by."""


def table(study: whatif.Study, source: str, first: str) -> Table:
    """One line a policy, each figure with its 95 % interval over the days. ``first``: the title of the first column."""
    shown = Table(
        title=f"{study.requests:,} requests on {study.days} days ({source}); mean of days, ± half of the 95 % interval",
        box=box.SIMPLE_HEAD,
    )
    shown.add_column(first, no_wrap=True)
    for title, _ in TITLES.values():
        shown.add_column(title, justify="right")
    for name, seen in study.policies.items():
        shown.add_row(name, *(_shown(seen.figures[figure], by) for figure, (_, by) in TITLES.items()))
    return shown


def _shown(found: whatif.Interval, by: float) -> str:
    return f"{found.mean * by:.1f}\n±{(found.high - found.low) / 2 * by:.1f}"
