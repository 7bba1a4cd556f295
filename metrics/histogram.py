"""Durations in fixed logarithmic buckets: any percentile within 1 %, and merging is adding integers.

The DDSketch mapping with a fixed base and no collapsing, so that two histograms of any size merge without loss, in any
order, in PostgreSQL too (``sum(n) group by bucket``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, log

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_PER_LOG = 1 / log(GAMMA)
ZERO = -1
"""The bucket of a duration of 0 ms."""


def bucket(ms: int) -> int:
    """The bucket of a duration; bucket k >= 0 holds (gamma^(k-1), gamma^k] ms."""
    assert ms >= 0, "a duration is not negative"
    return ZERO if ms == 0 else ceil(log(ms) * _PER_LOG - 1e-9)


def middle_ms(index: int) -> float:
    """A value within 1 % of every duration in the bucket."""
    return 0.0 if index == ZERO else 2 * GAMMA**index / (GAMMA + 1)


class Histogram:
    """Counts by bucket, with the exact number and sum beside them."""

    __slots__ = ("counts", "n", "sum_ms")

    def __init__(self, counts: Mapping[int, int] | None = None, sum_ms: int = 0) -> None:
        self.counts: dict[int, int] = dict(counts or {})
        self.n = sum(self.counts.values())
        self.sum_ms = sum_ms

    @classmethod
    def of(cls, durations: Iterable[int]) -> Histogram:
        new = cls()
        for ms in durations:
            new.add(ms)
        return new

    def add(self, ms: int, times: int = 1) -> None:
        index = bucket(ms)
        self.counts[index] = self.counts.get(index, 0) + times
        self.n += times
        self.sum_ms += ms * times

    def merge(self, other: Histogram) -> Histogram:
        """A new histogram with both; commutative and associative."""
        counts = dict(self.counts)
        for index, n in other.counts.items():
            counts[index] = counts.get(index, 0) + n
        return Histogram(counts, self.sum_ms + other.sum_ms)

    @property
    def mean_ms(self) -> float | None:
        return self.sum_ms / self.n if self.n else None

    @property
    def variance_ms2(self) -> float:
        """The variance of one duration, within about 2 %; 0 below two."""
        if self.n < 2:
            return 0.0
        middle = sum(n * middle_ms(index) for index, n in self.counts.items()) / self.n
        return sum(n * (middle_ms(index) - middle) ** 2 for index, n in self.counts.items()) / (self.n - 1)

    def percentile(self, share: float) -> float | None:
        """The duration that ``share`` (0..1) of all do not exceed, within 1 %; None when empty."""
        assert 0 <= share <= 1
        if self.n == 0:
            return None
        rank = max(1, ceil(share * self.n - 1e-9))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                return middle_ms(index)
        raise AssertionError("the counts add up to n")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.sum_ms == other.sum_ms and _full(self.counts) == _full(other.counts)

    __hash__ = None  # type: ignore[assignment]


def _full(counts: Mapping[int, int]) -> dict[int, int]:
    return {index: n for index, n in counts.items() if n}
