"""Two arms of a trial (a push and its holdout, two menus): intervals by assignment, an alarm for unequal arms, and
"cannot tell" when it cannot. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
SRM_ALARM_P = 0.001


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson(hits: int, n: int, alpha: float = 0.05) -> Interval:
    """Interval of one proportion; (0, 1) when nothing was tried."""
    assert 0 <= hits <= n, "hits are among the tries"
    if n == 0:
        return Interval(0.0, 1.0)
    z, p = _NORMAL.inv_cdf(1 - alpha / 2), hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # With no hits or only hits the bound is exact; floats would leave a crumb.
    return Interval(0.0 if hits == 0 else centre - half, 1.0 if hits == n else centre + half)


def newcombe(hits_a: int, n_a: int, hits_b: int, n_b: int, alpha: float = 0.05) -> Interval:
    """Interval of the difference p_a - p_b (Newcombe 1998, method 10: two Wilson intervals)."""
    if n_a == 0 or n_b == 0:
        return Interval(-1.0, 1.0)
    p_a, p_b = hits_a / n_a, hits_b / n_b
    a, b = wilson(hits_a, n_a, alpha), wilson(hits_b, n_b, alpha)
    low = p_a - p_b - math.sqrt((p_a - a.low) ** 2 + (b.high - p_b) ** 2)
    high = p_a - p_b + math.sqrt((a.high - p_a) ** 2 + (p_b - b.low) ** 2)
    return Interval(low, high)


def sequence(hits_a: int, n_a: int, hits_b: int, n_b: int, alpha: float = 0.05, tuned_for: int = 5_000) -> Interval:
    """Asymptotic confidence sequence of p_a - p_b: valid at every look, so a merchant may peek daily.

    Waudby-Smith et al. 2021: mixture boundary with its narrowest point near ``tuned_for`` observations.
    """
    if n_a == 0 or n_b == 0:
        return Interval(-1.0, 1.0)
    # One success and one failure are added to each arm, so that a rate of 0 or 1 still has a variance.
    p_a, p_b = (hits_a + 1) / (n_a + 2), (hits_b + 1) / (n_b + 2)
    n = n_a + n_b
    variance = n * (p_a * (1 - p_a) / n_a + p_b * (1 - p_b) / n_b)
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuned_for
    inner = n * rho2 + 1
    half = math.sqrt(variance) * math.sqrt(2 * inner / (n * n * rho2) * math.log(math.sqrt(inner) / alpha))
    difference = hits_a / n_a - hits_b / n_b
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


def winsorised(values: list[float], share: float = 0.99) -> list[float]:
    """Values above the ``share`` quantile are brought down to it: one whale must not decide an experiment."""
    if not values:
        return []
    top = sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
    return [min(value, top) for value in values]


def srm_p(observed: tuple[int, ...], weights: tuple[int, ...]) -> float:
    """Probability of arms this unequal if assignment were as planned; alarm below ``SRM_ALARM_P``."""
    total, weight = sum(observed), sum(weights)
    if total == 0:
        return 1.0
    expected = [total * w / weight for w in weights]
    chi2 = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True) if e > 0)
    return chi2_sf(chi2, sum(w > 0 for w in weights) - 1)


def chi2_sf(value: float, degrees: int) -> float:
    """Upper tail of chi-square for whole degrees of freedom."""
    if degrees <= 0 or value <= 0:
        return 1.0
    half = value / 2
    if degrees % 2:
        tail, term = math.erfc(math.sqrt(half)), math.exp(-half) * math.sqrt(half) / math.gamma(1.5)
        for k in range((degrees - 1) // 2):
            tail += term
            term *= half / (k + 1.5)
        return tail
    tail, term = 0.0, math.exp(-half)
    for k in range(degrees // 2):
        tail += term
        term *= half / (k + 1)
    return tail


def mde(base: float, n_a: int, n_b: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that would be seen with this power (as a share, 0.01 = one percentage point)."""
    if n_a == 0 or n_b == 0:
        return 1.0
    z = _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)
    return min(1.0, z * math.sqrt(base * (1 - base) * (1 / n_a + 1 / n_b)))


def holm(p_values: tuple[float, ...], alpha: float = 0.05) -> tuple[bool, ...]:
    """Which of several comparisons stand when all are looked at (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    stands = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        stands[index] = True
    return tuple(stands)


def two_proportions_p(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    """Two-sided p of equal proportions, pooled z test."""
    if n_a == 0 or n_b == 0:
        return 1.0
    pooled = (hits_a + hits_b) / (n_a + n_b)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    if spread == 0:
        return 1.0
    return math.erfc(abs(hits_a / n_a - hits_b / n_b) / spread / math.sqrt(2))


def best_of(arms: Sequence[tuple[int, int]], alpha: float = 0.05) -> int | None:
    """The index of the (hits, n) that is better than every other at once; None: it cannot be told.

    Each pair's interval holds at every look, and the error is shared out over all pairs (Bonferroni): among equal
    arms, whoever looks daily is shown a winner in at most ``alpha`` of all trials.
    """
    pairs = len(arms) * (len(arms) - 1) // 2
    if not pairs or min(n for _, n in arms) < LIFT_ARM_MIN:
        return None
    for index, (hits, n) in enumerate(arms):
        others = [other for place, other in enumerate(arms) if place != index]
        if all(sequence(hits, n, *other, alpha / pairs).low > 0 for other in others):
            return index
    return None


@dataclass(frozen=True, slots=True)
class Lift:
    """``verdict`` names a winner only when the whole always-valid interval lies on one side of nothing."""

    difference: float
    interval: Interval
    mde: float
    verdict: str  # better | worse | cannot_tell


LIFT_ARM_MIN = 100


def lift(hits_push: int, n_push: int, hits_held: int, n_held: int, alpha: float = 0.05) -> Lift:
    """Push against holdout, by assignment: who was capped or out of stock still counts for the push."""
    interval = sequence(hits_push, n_push, hits_held, n_held, alpha)
    base = hits_held / n_held if n_held else 0.05
    smallest = mde(max(base, 0.01), n_push, n_held, alpha)
    difference = (hits_push / n_push if n_push else 0.0) - (hits_held / n_held if n_held else 0.0)
    verdict = "cannot_tell"
    if min(n_push, n_held) >= LIFT_ARM_MIN and not interval.holds(0.0):
        verdict = "better" if difference > 0 else "worse"
    return Lift(difference, interval, smallest, verdict)
