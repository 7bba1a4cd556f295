"""What changed since a day, and how one team stands beside another in the same hours; with how sure that is. Pure.

Days are the units of chance: turns of one day are alike, so the spread between days decides how wide an interval is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from metrics.figures import Sums
from metrics.intervals import COMPARABLE_N_MIN, Rate, difference, z_of

DAYS_MIN = 3  # on each side, or no interval can be given for a mean


@dataclass(frozen=True, slots=True)
class Changed:
    """A figure before and after. ``low`` to ``high``: the 95 % interval of the change; None where it is unknown.

    Milliseconds for ``response`` and ``first_response``, shares for all others. ``enough``: cases for a comparison.
    """

    figure: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    low: float | None
    high: float | None

    @property
    def enough(self) -> bool:
        return min(self.n_before, self.n_after) >= COMPARABLE_N_MIN

    @property
    def shown(self) -> bool:
        """Whether the interval leaves no change out."""
        return self.enough and self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


_TIMES: dict[str, Callable[[Sums], tuple[int, int]]] = {
    "first_response": lambda one: (one.firsts.sum_ms, one.firsts.n),
    "response": lambda one: (one.waits.sum_ms, one.waits.n),
}
_RATES: dict[str, Callable[[Sums], Rate]] = {
    "reply_3min": lambda one: one.reply_3min,
    "service_ext": lambda one: one.service_ext,
    "abandonment": lambda one: one.abandonment,
    "conversion": lambda one: one.conversion,
}


def since(before: Sequence[Sums], after: Sequence[Sums], whole_before: Sums, whole_after: Sums) -> list[Changed]:
    """Two spans of days, each day by itself, and the sums of each span (in which a shopper counts once)."""
    found = []
    for name, take in _TIMES.items():
        one, other = _mean([take(day) for day in before]), _mean([take(day) for day in after])
        low = high = None
        if one.mean is not None and other.mean is not None and min(one.days, other.days) >= DAYS_MIN:
            half = _t95(min(one.days, other.days) - 1) * sqrt(one.variance + other.variance)
            low, high = other.mean - one.mean - half, other.mean - one.mean + half
        found.append(Changed(name, one.mean, other.mean, one.n, other.n, low, high))
    for name, rate in _RATES.items():
        found.append(_rates(name, rate(whole_before), rate(whole_after)))
    return found


def _rates(name: str, before: Rate, after: Rate) -> Changed:
    low, high = difference(before, after) if before.n and after.n else (None, None)
    return Changed(name, before.share, after.share, before.n, after.n, low, high)


@dataclass(frozen=True, slots=True)
class _Mean:
    mean: float | None
    variance: float
    n: int
    days: int


def _mean(days: Sequence[tuple[int, int]]) -> _Mean:
    """The mean over all cases, and the variance of it as a ratio of sums by days."""
    some = [(total, n) for total, n in days if n]
    n_all = sum(n for _, n in some)
    if not n_all:
        return _Mean(None, inf, 0, 0)
    mean = sum(total for total, _ in some) / n_all
    if len(some) < 2:
        return _Mean(mean, inf, n_all, len(some))
    spread = sum((total - mean * n) ** 2 for total, n in some) * len(some) / (len(some) - 1)
    return _Mean(mean, spread / n_all**2, n_all, len(some))


def _t95(freedom: int) -> float:
    """Student's 97.5 % point, by Cornish and Fisher; within 1 % from three degrees of freedom on."""
    z = z_of(0.975)
    v = max(1, freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """A team's figure and the own team's in the same hours, weighted as the team's cases lie. ``covered``: the share of
    the team's cases in hours in which the own team worked too; only these are compared."""

    figure: str
    team: float | None
    own: float | None
    n_team: int
    n_own: int
    covered: float
    low: float | None
    high: float | None

    @property
    def enough(self) -> bool:
        return min(self.n_team, self.n_own) >= COMPARABLE_N_MIN


def same_hours(team: Mapping[str | None, Sums], own: Mapping[str | None, Sums]) -> list[Beside]:
    """Both by hour of the day."""
    found = []
    for name, take in _TIMES.items():
        cells = {hour: (_spread(name, take, team[hour]), _spread(name, take, own.get(hour, Sums()))) for hour in team}
        found.append(_beside(name, cells))
    for name, rate in _RATES.items():
        cells = {hour: (_share(rate(team[hour])), _share(rate(own.get(hour, Sums())))) for hour in team}
        found.append(_beside(name, cells))
    return found


_Cell = tuple[int, float, float]
"""(cases, mean, variance of one case)"""


def _spread(name: str, take: Callable[[Sums], tuple[int, int]], sums: Sums) -> _Cell:
    total, n = take(sums)
    mean = total / n if n else 0.0
    return n, mean, (sums.firsts if name == "first_response" else sums.waits).variance_ms2


def _share(rate: Rate) -> _Cell:
    share = rate.share or 0.0
    return rate.n, share, share * (1 - share)


def _beside(name: str, cells: Mapping[str | None, tuple[_Cell, _Cell]]) -> Beside:
    n_all = sum(mine[0] for mine, _ in cells.values())
    both = [(mine, theirs) for mine, theirs in cells.values() if mine[0] and theirs[0]]
    n_team, n_own = sum(mine[0] for mine, _ in both), sum(theirs[0] for _, theirs in both)
    if not n_team:
        return Beside(name, None, None, n_all, n_own, 0.0, None, None)
    team = own = variance = 0.0
    for (n, mean, var), (n_other, mean_other, var_other) in both:
        weight = n / n_team
        team += weight * mean
        own += weight * mean_other
        variance += weight**2 * (var / n + var_other / n_other)
    half = z_of(0.975) * sqrt(variance)
    return Beside(name, team, own, n_team, n_own, n_team / n_all, team - own - half, team - own + half)
