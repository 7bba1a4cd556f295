"""What queueing theory says of a pool: waits, losses, overflow, and how many slots a service level needs.

Rates are in one unit of time of the caller's choice (arrivals ``lam``, services ``mu`` of one slot, abandonment
``theta``); times are in the same unit. Everything assumes Poisson arrivals and exponential service.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log

SLOTS_MAX = 100_000
"""No advice goes beyond so many slots."""
_STEPS = 20_000
_STEPS_ROUGH = 4_000
"""Enough for a whole number of slots."""


def erlang_b(n: int, load: float) -> float:
    """Share of arrivals lost by ``n`` slots without a line (Erlang 1917); ``load`` is lam/mu."""
    blocked = 1.0
    for k in range(1, n + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(n: int, load: float) -> float:
    """Share of arrivals that wait where nobody leaves (Erlang 1917); 1 where the load is too much."""
    if load >= n:
        return 1.0
    blocked = erlang_b(n, load)
    return blocked / (1 - load / n * (1 - blocked))


def wait_above(n: int, lam: float, mu: float, t: float) -> float:
    """P(W > t) of M/M/n."""
    return erlang_c(n, lam / mu) * exp(-max(0.0, n * mu - lam) * t)


def mean_wait(n: int, lam: float, mu: float) -> float:
    """E[W] of M/M/n; infinite where the load is too much."""
    return erlang_c(n, lam / mu) / (n * mu - lam) if n * mu > lam else float("inf")


def wait_quantile(n: int, lam: float, mu: float, q: float) -> float:
    """The wait that a share ``q`` of arrivals does not exceed, in M/M/n."""
    waits = erlang_c(n, lam / mu)
    if n * mu <= lam:
        return float("inf")
    return max(0.0, log(waits / (1 - q)) / (n * mu - lam))


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose people are impatient. ``above(t)``: P(W > t); the rest are shares of arrivals and a mean."""

    all_busy: float
    left: float
    """Leave the line unserved: out of patience, or over to others."""
    wait: float
    above: Callable[[float], float]


def impatient(
    n: int, lam: float, mu: float, patience: Callable[[float], float], end: float, steps: int = _STEPS
) -> Line:
    """M/M/n+G by quadrature (Baccelli and Hebuterne 1981; Zeltyn and Mandelbaum 2005).

    ``patience(t)`` is P(patience > t), ``end`` a time after which it (or the integrand) is nothing. Trapezoids.
    """
    assert n >= 1, "a pool has a slot"
    step = end / steps
    stays = [patience(i * step) for i in range(steps + 1)]
    whole = [0.0]
    for i in range(steps):
        whole.append(whole[-1] + (stays[i] + stays[i + 1]) / 2 * step)
    g = [exp(lam * h - n * mu * i * step) for i, h in enumerate(whole)]
    tail = [0.0] * (steps + 1)
    for i in range(steps - 1, -1, -1):
        tail[i] = tail[i + 1] + (g[i] + g[i + 1]) / 2 * step
    held = sum((whole[i] * g[i] + whole[i + 1] * g[i + 1]) / 2 * step for i in range(steps))
    denominator = 1 / erlang_b(n - 1, lam / mu) + lam * tail[0]

    def above(t: float) -> float:
        if t >= end:
            return 0.0
        i = int(t / step)
        part = t / step - i
        return patience(t) * lam * (tail[i] * (1 - part) + tail[i + 1] * part) / denominator

    return Line(
        lam * tail[0] / denominator,
        (1 + (lam - n * mu) * tail[0]) / denominator,
        lam * held / denominator,
        above,
    )


def erlang_a(n: int, lam: float, mu: float, theta: float, steps: int = _STEPS) -> Line:
    """M/M/n+M (Palm 1946): people leave the line at rate ``theta`` each."""
    return impatient(n, lam, mu, lambda t: exp(-theta * t), _horizon(n, lam, mu, theta), steps)


def _horizon(n: int, lam: float, mu: float, theta: float) -> float:
    """A time after which g(t) = exp(lam H(t) - n mu t), with H <= 1/theta, is below 1e-13 of its greatest value."""
    return (lam / theta + 30) / (n * mu)


def overflow_after(n: int, lam: float, mu: float, theta: float, t: float) -> tuple[float, float]:
    """(share that overflows after waiting ``t``, share that leaves before) where another pool then takes them at once:
    patience is cut at ``t``, so P(overflow) = exp(-theta t) lam J(t)/D."""
    if t <= 0:
        return erlang_b(n, lam / mu), 0.0
    step = t / _STEPS
    stays = [exp(-theta * i * step) for i in range(_STEPS + 1)]
    whole = [0.0]
    for i in range(_STEPS):
        whole.append(whole[-1] + (stays[i] + stays[i + 1]) / 2 * step)
    g = [exp(lam * h - n * mu * i * step) for i, h in enumerate(whole)]
    # Beyond t nobody stays: H is constant and g falls with n mu alone.
    after = g[-1] / (n * mu)
    before = sum((g[i] + g[i + 1]) / 2 * step for i in range(_STEPS))
    waited = sum((whole[i] * g[i] + whole[i + 1] * g[i + 1]) / 2 * step for i in range(_STEPS)) + whole[-1] * after
    denominator = 1 / erlang_b(n - 1, lam / mu) + lam * (before + after)
    return exp(-theta * t) * lam * after / denominator, theta * lam * waited / denominator


def stationary(births: Sequence[float], deaths: Sequence[float]) -> list[float]:
    """The stationary law of a birth-death chain: ``births[k]`` leads from k to k+1, ``deaths[k]`` back."""
    weights = [1.0]
    for birth, death in zip(births, deaths, strict=True):
        weights.append(weights[-1] * birth / death)
    whole = sum(weights)
    return [weight / whole for weight in weights]


def overflow_at_length(n: int, length: int, lam: float, mu: float, theta: float) -> float:
    """Share that overflows (or finds the message box) where the line holds ``length``: pi(n+K) of M/M/n/(n+K)+M."""
    deaths = [min(k, n) * mu + max(0, k - n) * theta for k in range(1, n + length + 1)]
    return stationary([lam] * (n + length), deaths)[-1]


def expected_wait(n: int, ahead: int, mu: float, theta: float) -> float:
    """Mean wait with ``ahead`` in front and every slot taken (Whitt 1999)."""
    return sum(1 / (n * mu + j * theta) for j in range(ahead + 1))


def priority_waits(n: int, lams: Sequence[float], mu: float) -> list[float]:
    """Mean wait of each class, the most urgent first, where nobody is interrupted (Cobham 1954; Kella and Yechiali
    1985 for n slots): E[W_k] = C/(n mu) / ((1 - s_(k-1)) (1 - s_k)), s_k the load of the classes up to k."""
    first = erlang_c(n, sum(lams) / mu) / (n * mu)
    below, found = 0.0, []
    for lam in lams:
        up_to = below + lam / (n * mu)
        found.append(first / ((1 - below) * (1 - up_to)))
        below = up_to
    return found


def slots_for(lam: float, mu: float, within: float, share: float, theta: float = 0.0) -> int:
    """The fewest slots with which at least ``share`` of arrivals wait no longer than ``within`` (those who leave
    earlier count as having waited so long only). Raises ValueError beyond SLOTS_MAX."""
    if not 0 < share < 1:
        raise ValueError("share lies between 0 and 1")

    def enough(n: int) -> bool:
        late = erlang_a(n, lam, mu, theta, _STEPS_ROUGH).above(within) if theta > 0 else wait_above(n, lam, mu, within)
        return 1 - late >= share

    low, high = 0 if theta > 0 else int(lam / mu), 1 if theta > 0 else int(lam / mu) + 1
    while not enough(high):
        low, high = high, high * 2
        if low >= SLOTS_MAX:
            raise ValueError(f"more than {SLOTS_MAX} slots")
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high
