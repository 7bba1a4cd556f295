"""How long a shopper will wait, in integers: the mean of Whitt (1999) with patience learnt from who left.

With q ahead and every slot busy, the wait is a sum of q + 1 exponential steps, step j with rate n*mu + j*theta. The
90th percentile comes from the gamma law with the same mean and variance (Wilson-Hilferty).
"""

from __future__ import annotations

from math import isqrt

PER = 1_000_000_000
"""Rates are counts in this many ms."""
_EXACT_STEPS = 400
_FADE = 16
"""A handle time counts this part of the mean, so that a mean rests on about twice as many."""
_LEARNT_FROM = 2 * _FADE


def wait_ms(ahead: int, service_rate: int, leave_rate: int) -> tuple[int, int]:
    """(median, 90th percentile) of the wait with ``ahead`` others in front; a year if nobody serves."""
    if service_rate <= 0:
        return 31_536_000_000, 31_536_000_000
    mean = variance = 0
    for step in range(min(ahead, _EXACT_STEPS) + 1):
        part = PER // max(1, service_rate + step * leave_rate)
        mean += part
        variance += part * part
    if ahead > _EXACT_STEPS:
        part = PER // max(1, service_rate + (_EXACT_STEPS + ahead) // 2 * leave_rate)
        mean += part * (ahead - _EXACT_STEPS)
        variance += part * part * (ahead - _EXACT_STEPS)
    # The rates are themselves estimates, from about so many conversations: that error is the same for every step.
    return _median_and_p90(mean, variance + mean * mean // _LEARNT_FROM)


def _median_and_p90(mean: int, variance: int) -> tuple[int, int]:
    """Wilson-Hilferty: mean * (1 - 1/(9k) + z/(3 sqrt k))^3 with k = mean^2/variance, z of the quantile."""
    if mean <= 0:
        return 0, 0
    scale = 1_000_000
    shape = max(1, mean * mean * scale // max(1, variance))  # k in millionths
    middle = scale - scale * scale // (9 * shape)
    high = middle + 1_281_552 * scale // (3 * isqrt(shape * scale))
    median = mean * middle // scale * middle // scale * middle // scale
    p90 = mean * high // scale * high // scale * high // scale
    return max(0, median), max(0, p90)


class Rates:
    """What was learnt: how long a pool's slot is taken, and how patient a shop's shoppers are."""

    def __init__(self) -> None:
        self._handle_ms: dict[str, int] = {}
        self._full_ms: dict[str, int] = {}
        self._waited_ms: dict[str, int] = {}
        self._left: dict[str, int] = {}

    def handled(self, pool: str, taken_ms: int, *, full: bool = True) -> None:
        """``full``: every slot of the agent was taken at the end. His conversations slow each other down, and shoppers
        wait while agents are full: that is the time which counts, once it was seen."""
        for kept in (self._handle_ms, self._full_ms) if full else (self._handle_ms,):
            before = kept.get(pool)
            kept[pool] = taken_ms if before is None else (before * (_FADE - 1) + taken_ms) // _FADE

    def handle_ms(self, pool: str, prior_ms: int) -> int:
        return self._full_ms.get(pool) or self._handle_ms.get(pool, prior_ms) or 1

    def waited(self, shop: str, waited_ms: int, *, left: bool) -> None:
        """One wait ended, with an assignment or (``left``) without. Old waits fade, so that a mood can change."""
        total = self._waited_ms.get(shop, 1_800_000) + waited_ms
        left_n = self._left.get(shop, 10_000) + (1_000 if left else 0)
        if total > 36_000_000:
            total, left_n = total // 2, left_n // 2
        self._waited_ms[shop], self._left[shop] = total, left_n

    def leave_rate(self, shop: str) -> int:
        """Censored-exponential estimate: who left over all the time waited; 1 in 180 s before anything was seen."""
        return self._left.get(shop, 10_000) * (PER // 1_000) // self._waited_ms.get(shop, 1_800_000)

    def snapshot(self) -> dict[str, dict[str, int]]:
        return {
            "handle": dict(self._handle_ms),
            "full": dict(self._full_ms),
            "waited": dict(self._waited_ms),
            "left": dict(self._left),
        }

    def restore(self, saved: dict[str, dict[str, int]]) -> None:
        self._handle_ms = dict(saved["handle"])
        self._full_ms = dict(saved.get("full", {}))
        self._waited_ms = dict(saved["waited"])
        self._left = dict(saved["left"])
