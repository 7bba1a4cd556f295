"""What would have been: one shop's requests under one policy and under another, day by day, with honest intervals.

Both policies meet the very same shoppers, so the difference of a day owes nothing to who happened to come. Figures are
means over days; an interval holds the true mean in 95 of 100 studies, if days are alike and independent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, sqrt
from statistics import mean, stdev

from dispatcher.arrivals import DAY_CV, DAY_MS, HOUR_MS, USUAL_DAY, People, modelled_day, visits
from dispatcher.model import Id, Policy, Pool, Routing, Seat
from dispatcher.simulate import Outcome, Pace, Simulation, Visit, by_curve
from dispatcher.theory import slots_for
from wangxin.model import limits

CURVE: tuple[float, ...] = (1.0, 1.68, 2.16, 2.48, 2.64)
"""What an agent gets done with 1, 2, 3 … chats at once, against one: more chats slow each other down."""
WITHIN_MS = 30_000
FIGURES = ("lost", "boxed", "overflow", "within", "wait_ms", "first_p95_ms", "cost_fen", "converted", "net_fen")
SHARES = frozenset({"lost", "boxed", "overflow", "within", "converted"})
_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t, two-sided 95 %, for 1 to 30 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Staff:
    """So many agents work in a pool at once, each with so many conversations at most."""

    pool: Id
    agents: int
    seats_max: int


@dataclass(frozen=True, slots=True)
class Load:
    """``a_day``: modelled requests of a mean day. ``handle_ms``: how long a conversation takes an agent whose places
    are half taken. ``seed``: the chance of everything modelled."""

    a_day: int = 300
    days: int = 10
    handle_ms: int = 300_000
    patience_ms: int = 180_000
    reply_ms: int = 10_000
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Economy:
    """What a served request is worth: it becomes a purchase with the pool's own conversion (``convert_per_mille`` where
    that is not known), less ``delay_per_mille`` of it for each second until the first answer, less ``crowd_per_mille``
    for each other conversation of its agent; a purchase brings ``margin_fen``."""

    margin_fen: int = 800
    convert_per_mille: int = 500
    delay_per_mille: int = 4
    crowd_per_mille: int = 20

    def converts(self, one: Outcome, pool_per_mille: int) -> float:
        """The chance that a request became a purchase."""
        if one.ending != "served":
            return 0.0
        chance = (pool_per_mille or self.convert_per_mille) / 1_000
        late = exp(-self.delay_per_mille * (one.wait_ms + one.reply_ms) / 1_000_000)
        return chance * late * max(0.0, 1 - self.crowd_per_mille * one.level / 1_000)


@dataclass(frozen=True, slots=True)
class Interval:
    """``low`` and ``high`` are equal to ``mean`` where one day cannot tell."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One policy over all days: figures, and the mean wait in ms of those answered, by hour of the day."""

    figures: dict[str, Interval]
    by_day: dict[str, tuple[float, ...]]
    by_hour: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Study:
    days: int
    requests: int
    policies: dict[str, Seen]
    difference: dict[str, Interval]
    """The last policy less the first, day by day."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The fewest ``agents`` of the pool with which the share is reached on average; None: not with STUDY_AGENTS_MAX.
    ``tried``: the share with so many agents, for all that were tried, the fewest first. ``formula``: how many Erlang A
    says for the mean busiest hour, all pools taken as one; None where it was not asked."""

    pool: Id
    agents: int | None
    reached: Interval
    tried: tuple[tuple[int, Interval], ...] = ()
    formula: int | None = None


def of_shop(routing: Routing, shop: Id) -> Routing:
    """Only what routing of this shop rests on, without its seats."""
    shops = tuple(one for one in routing.shops if one.id == shop)
    contracts = tuple(contract for contract in routing.contracts if contract.shop == shop)
    contracted = {pool for contract in contracts for pool in contract.pools}
    pools = tuple(pool for pool in routing.pools if pool.shop == shop or pool.id in contracted)
    return Routing(shops, pools, contracts)


def floor_of(routing: Routing, shop: Id, policy: Policy, staff: Sequence[Staff], load: Load) -> Routing:
    """The shop alone, under ``policy``, with ``staff`` at work."""
    mine = next(one for one in routing.shops if one.id == shop)
    wanted = {one.pool: one for one in staff}
    return Routing(
        (replace(mine, policy=policy),),
        tuple(
            replace(pool, handle_ms=load.handle_ms)
            for pool in routing.pools
            if pool.id in wanted or pool.kind in ("bot", "message_box")
        ),
        tuple(contract for contract in routing.contracts if contract.shop == shop),
        tuple(
            Seat(f"{one.pool}/{number:03}", pools=(one.pool,), seats_max=one.seats_max)
            for one in staff
            for number in range(min(one.agents, limits.STUDY_AGENTS_MAX))
        ),
    )


def people(load: Load, seats_max: int) -> People:
    """``work_ms`` is of an agent who has nothing else; ``handle_ms`` was seen where half the places were taken."""
    level = max(1, ceil(seats_max / 2))
    each = CURVE[min(level, len(CURVE)) - 1] / level
    return People(load.handle_ms * each, patience_ms=load.patience_ms, reply_ms=load.reply_ms)


def modelled_days(
    load: Load, midnight_ms: int, seats_max: int, *, shape: Sequence[int] = USUAL_DAY, cv: float = DAY_CV
) -> list[list[Visit]]:
    found = []
    for day in range(load.days):
        chance = random.Random(f"{load.seed}/{day}")
        times = [midnight_ms + day * DAY_MS + at for at in modelled_day(load.a_day, chance, shape=shape, cv=cv)]
        found.append(visits(times, people(load, seats_max), chance))
    return found


def recorded_days(days: Sequence[Sequence[int]], load: Load, seats_max: int) -> list[list[Visit]]:
    """Requests came as recorded (times in ms, by day); patience and work stay modelled."""
    return [
        visits(sorted(times), people(load, seats_max), random.Random(f"{load.seed}/{day}"))
        for day, times in enumerate(days)
    ]


def compare(
    floors: Mapping[str, Routing],
    days: Sequence[Sequence[Visit]],
    midnights_ms: Sequence[int],
    pace: Pace | None = None,
    economy: Economy | None = None,
    within_ms: int = WITHIN_MS,
) -> Study:
    """Every floor meets every day. ``floors`` by name, the present one first. ``within``: the share of requests that
    were answered in ``within_ms``."""
    worth = economy or Economy()
    seen = {
        name: _over(floor, days, midnights_ms, pace or by_curve(CURVE), worth, within_ms)
        for name, floor in floors.items()
    }
    first, last = next(iter(seen.values())), next(reversed(seen.values()))
    difference = {
        name: interval([b - a for a, b in zip(first.by_day[name], last.by_day[name], strict=True)]) for name in FIGURES
    }
    return Study(len(days), sum(map(len, days)), seen, difference)


def agents_for(
    pool: Id, share: float, with_agents: Callable[[int], Routing], days: Sequence[Sequence[Visit]],
    midnights_ms: Sequence[int], pace: Pace | None = None, within_ms: int = WITHIN_MS,
) -> Advice:  # fmt: skip
    """How many agents the pool needs for ``share`` of requests to be answered in ``within_ms``: by halving, then the
    neighbours of the answer, so that the curve around it can be drawn."""
    tried: dict[int, Interval] = {}

    def reached(agents: int) -> Interval:
        if agents not in tried:
            floor, usual = with_agents(agents), pace or by_curve(CURVE)
            tried[agents] = _over(floor, days, midnights_ms, usual, Economy(), within_ms).figures["within"]
        return tried[agents]

    low, high = -1, 1
    while reached(high).mean < share:
        low, high = high, high * 2
        if high > limits.STUDY_AGENTS_MAX:
            return Advice(pool, None, reached(low), tuple(sorted(tried.items())))
    while high - low > 1:
        middle = (low + high) // 2
        if reached(middle).mean >= share:
            high = middle
        else:
            low = middle
    for near in range(max(0, high - 2), min(limits.STUDY_AGENTS_MAX, high + 2) + 1):
        reached(near)
    return Advice(pool, high, reached(high), tuple(sorted(tried.items())))


def hourly(days: Sequence[Sequence[Visit]], midnights_ms: Sequence[int]) -> list[float]:
    """Mean requests in each hour of a day."""
    hours = [0.0] * 24
    for day, midnight_ms in zip(days, midnights_ms, strict=True):
        for visit in day:
            hours[(visit.at_ms - midnight_ms) // HOUR_MS % 24] += 1 / len(days)
    return hours


def by_formula(
    pool: Id, share: float, staff: Sequence[Staff], load: Load, an_hour: float, within_ms: int = WITHIN_MS
) -> int | None:
    """How many agents of the pool it takes by Erlang A (theory.slots_for) where ``an_hour`` requests come, with all
    pools taken as one and every place taken; None where no number does: the first answer alone takes longer."""
    mine = next((one.seats_max for one in staff if one.pool == pool), 1)
    places = max((one.seats_max for one in staff), default=1)
    lam = an_hour / HOUR_MS
    level = min(mine, len(CURVE))
    slot_ms = people(load, places).work_ms * mine / CURVE[level - 1]
    wait_ms = within_ms - load.reply_ms * level / CURVE[level - 1]
    if lam == 0:
        return 0
    if wait_ms < 0:
        return None
    slots = slots_for(lam, 1 / slot_ms, wait_ms, share, 1 / load.patience_ms)
    others = sum(one.agents * one.seats_max for one in staff if one.pool != pool)
    return max(0, ceil((slots - others) / mine))


def _over(
    floor: Routing,
    days: Sequence[Sequence[Visit]],
    midnights_ms: Sequence[int],
    pace: Pace,
    economy: Economy,
    within_ms: int,
) -> Seen:
    by_day: dict[str, list[float]] = {name: [] for name in FIGURES}
    hours: list[list[int]] = [[] for _ in range(24)]
    for day, midnight_ms in zip(days, midnights_ms, strict=True):
        outcomes = Simulation(floor, pace).run(day, start_ms=midnight_ms)
        for name, value in figures(outcomes, floor.pools, economy, within_ms).items():
            by_day[name].append(value)
        for one in outcomes:
            if one.ending == "served":
                hours[(one.at_ms - midnight_ms) // HOUR_MS % 24].append(one.wait_ms)
    return Seen(
        {name: interval(values, figure=name != "net_fen", share=name in SHARES) for name, values in by_day.items()},
        {name: tuple(values) for name, values in by_day.items()},
        tuple(mean(waits) if waits else None for waits in hours),
    )


def figures(
    outcomes: Sequence[Outcome], pools: Sequence[Pool], economy: Economy, within_ms: int = WITHIN_MS
) -> dict[str, float]:
    """One day. Shares are of all requests; waits of those answered by a person; cost and net worth are in fen for 100
    requests."""
    count = max(1, len(outcomes))
    outsourced = {pool.id for pool in pools if pool.kind == "outsourced"}
    per_mille = {pool.id: pool.convert_per_mille for pool in pools}
    converted = sum(economy.converts(one, per_mille.get(one.pool, 0)) for one in outcomes)
    cost_fen = sum(one.price_fen for one in outcomes)
    served = [one for one in outcomes if one.ending == "served"]
    first = sorted(one.wait_ms + one.reply_ms for one in served)
    return {
        "lost": sum(one.ending in ("left", "boxed", "open") for one in outcomes) / count,
        "boxed": sum(one.ending == "boxed" for one in outcomes) / count,
        "overflow": sum(one.pool in outsourced for one in served) / count,
        "within": sum(ms <= within_ms for ms in first) / count,
        "wait_ms": mean(one.wait_ms for one in served) if served else 0.0,
        "first_p95_ms": float(first[max(0, ceil(0.95 * len(first)) - 1)]) if first else 0.0,
        "cost_fen": cost_fen * 100 / count,
        "converted": converted / count,
        "net_fen": (converted * economy.margin_fen - cost_fen) * 100 / count,
    }


def interval(values: Sequence[float], *, figure: bool = False, share: bool = False) -> Interval:
    """Mean and 95 % confidence interval by Student's t. No ``figure`` is below 0, and no ``share`` above 1."""
    middle = mean(values)
    if len(values) < 2:
        return Interval(middle, middle, middle)
    freedom = len(values) - 1
    t = _T_95[freedom - 1] if freedom <= len(_T_95) else 1.96 + 2.5 / freedom
    half = t * stdev(values) / sqrt(len(values))
    low, high = middle - half, middle + half
    return Interval(middle, max(0.0, low) if figure else low, min(1.0, high) if share else high)
