"""How sure a figure is: intervals for rates, their differences and medians, and how many cases a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from statistics import NormalDist

from wangxin.model import trials

COMPARABLE_N_MIN = 385  # cases a cell, for +-5 points at 95 %; below it two providers are not set side by side
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Rate:
    """``hits`` of ``n`` with the 95 % Wilson interval. With n = 0 there is no rate and the interval is everything."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        assert 0 <= self.hits <= self.n, "hits are among the cases"

    @property
    def share(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        bounds = trials.wilson(self.hits, self.n)
        return bounds.low, bounds.high


def z_of(share: float) -> float:
    """The standard normal's quantile."""
    return NormalDist().inv_cdf(share)


def difference(before: Rate, after: Rate) -> tuple[float, float]:
    """Newcombe's hybrid interval for ``after - before``; contains 0 when nothing is shown."""
    if before.n == 0 or after.n == 0:
        return -1.0, 1.0
    assert before.share is not None
    assert after.share is not None
    (low1, high1), (low2, high2) = before.interval, after.interval
    delta = after.share - before.share
    low = delta - sqrt((after.share - low2) ** 2 + (high1 - before.share) ** 2)
    high = delta + sqrt((high2 - after.share) ** 2 + (before.share - low1) ** 2)
    return max(-1.0, low), min(1.0, high)


def cases_needed(before: float, after: float, power: float = 0.8, z: float = Z95) -> int:
    """Cases per arm to see ``before`` become ``after`` at 95 % with the given power (two proportions, two-sided)."""
    assert 0 < before < 1
    assert 0 < after < 1
    assert before != after
    z_power = NormalDist().inv_cdf(power)
    pooled = (before + after) / 2
    root = z * sqrt(2 * pooled * (1 - pooled)) + z_power * sqrt(before * (1 - before) + after * (1 - after))
    return ceil(root**2 / (before - after) ** 2)


def mean_interval(values: Sequence[float], z: float = Z95) -> tuple[float, float] | None:
    """The normal interval of a mean; None below two values."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values) / n
    half = z * sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return mean - half, mean + half


def median_interval(values: Sequence[float], z: float = Z95) -> tuple[float, float] | None:
    """The order-statistics interval of a median, free of any assumption on the shape; None below six values."""
    n = len(values)
    if n < 6:
        return None
    ordered = sorted(values)
    half = z * sqrt(n) / 2
    return ordered[max(0, floor(n / 2 - half))], ordered[min(n - 1, ceil(n / 2 + half))]


def shrunk(rate: Rate, market: float, prior_weight: int = 200) -> float:
    """The rate pulled towards the market's, as if ``prior_weight`` cases of the market had been seen before."""
    return (rate.hits + market * prior_weight) / (rate.n + prior_weight)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long shoppers wait before they give up, estimated with those who were served as censored."""

    mean_ms: float | None  # of the censored exponential; None when nobody gave up
    survival: tuple[tuple[int, float], ...]  # Kaplan-Meier: (wait_ms, share still waiting)


def patience(gave_up_ms: Sequence[int], served_ms: Sequence[int]) -> Patience:
    total = sum(gave_up_ms) + sum(served_ms)
    mean = total / len(gave_up_ms) if gave_up_ms else None
    steps: list[tuple[int, float]] = []
    left, alive = len(gave_up_ms) + len(served_ms), 1.0
    # At equal times those who gave up come first: the served were still waiting then.
    waits = sorted([(ms, 0) for ms in gave_up_ms] + [(ms, 1) for ms in served_ms])
    for ms, served in waits:
        if not served:
            alive *= 1 - 1 / left
            if steps and steps[-1][0] == ms:
                steps[-1] = (ms, alive)
            else:
                steps.append((ms, alive))
        left -= 1
    return Patience(mean, tuple(steps))
