"""The formulas against birth-death chains, which know nothing of integrals."""

from __future__ import annotations

from math import exp

import pytest

from dispatcher import theory

CASES = [(1, 0.5, 1.0, 0.3), (5, 6.0, 1.0, 0.5), (12, 10.0, 1.0, 2.0), (30, 40.0, 1.0, 1.0)]


def chain(n: int, lam: float, mu: float, theta: float, most: int = 600) -> list[float]:
    deaths = [min(k, n) * mu + max(0, k - n) * theta for k in range(1, most + 1)]
    return theory.stationary([lam] * most, deaths)


@pytest.mark.parametrize(("n", "load"), [(1, 0.4), (5, 4.0), (20, 25.0)])
def test_the_lost_share_is_the_last_state_of_the_chain(n: int, load: float) -> None:
    assert theory.erlang_b(n, load) == pytest.approx(chain(n, load, 1.0, 0.0, n)[-1], rel=1e-12)


@pytest.mark.parametrize(("n", "lam"), [(1, 0.5), (5, 4.0), (20, 17.0)])
def test_who_waits_where_nobody_leaves(n: int, lam: float) -> None:
    law = chain(n, lam, 1.0, 0.0)
    assert theory.erlang_c(n, lam) == pytest.approx(sum(law[n:]), rel=1e-9)
    in_line = sum((k - n) * p for k, p in enumerate(law) if k > n)
    assert theory.mean_wait(n, lam, 1.0) == pytest.approx(in_line / lam, rel=1e-9)
    quantile = theory.wait_quantile(n, lam, 1.0, 0.95)
    assert quantile == 0 or theory.wait_above(n, lam, 1.0, quantile) == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "lam", "mu", "theta"), CASES)
def test_impatience_by_integrals_is_impatience_by_states(n: int, lam: float, mu: float, theta: float) -> None:
    law = chain(n, lam, mu, theta)
    line = theory.erlang_a(n, lam, mu, theta)
    in_line = sum((k - n) * p for k, p in enumerate(law) if k > n)
    assert line.all_busy == pytest.approx(sum(law[n:]), rel=1e-5)
    assert line.left == pytest.approx(theta * in_line / lam, rel=1e-4)
    assert line.wait == pytest.approx(in_line / lam, rel=1e-4)
    assert line.above(0.0) == pytest.approx(line.all_busy, rel=1e-6)


@pytest.mark.parametrize(("n", "lam", "mu", "theta"), CASES)
def test_overflow_lies_between_at_once_and_never(n: int, lam: float, mu: float, theta: float) -> None:
    assert theory.overflow_after(n, lam, mu, theta, 0.0) == (theory.erlang_b(n, lam / mu), 0.0)
    soon, left_soon = theory.overflow_after(n, lam, mu, theta, 1e-6)
    assert soon == pytest.approx(theory.erlang_b(n, lam / mu), rel=1e-3)
    assert left_soon < 1e-5
    late, left = theory.overflow_after(n, lam, mu, theta, 40.0)
    assert late < 1e-6
    assert left == pytest.approx(theory.erlang_a(n, lam, mu, theta).left, rel=1e-3)


def test_overflow_by_integrals_is_the_general_formula_with_patience_cut() -> None:
    n, lam, mu, theta, t = 5, 6.0, 1.0, 0.5, 0.4
    cut = theory.impatient(n, lam, mu, lambda x: exp(-theta * x) if x < t else 0.0, 10.0, 200_000)
    assert sum(theory.overflow_after(n, lam, mu, theta, t)) == pytest.approx(cut.left, rel=1e-3)


def test_a_line_of_no_length_overflows_like_no_line() -> None:
    assert theory.overflow_at_length(5, 0, 6.0, 1.0, 0.5) == pytest.approx(theory.erlang_b(5, 6.0))
    assert theory.overflow_at_length(5, 3, 6.0, 1.0, 0.5) == pytest.approx(chain(5, 6.0, 1.0, 0.5, 8)[-1])


def test_who_stands_behind_three_waits_four_steps() -> None:
    assert theory.expected_wait(2, 3, 1.0, 0.0) == pytest.approx(2.0)
    assert theory.expected_wait(2, 1, 1.0, 1.0) == pytest.approx(1 / 2 + 1 / 3)


@pytest.mark.parametrize("theta", [0.0, 0.5])
def test_the_advised_slots_suffice_and_one_fewer_does_not(theta: float) -> None:
    lam, mu, within, share = 10.0, 1.0, 0.2, 0.9
    n = theory.slots_for(lam, mu, within, share, theta)

    def late(slots: int) -> float:
        if theta:
            return theory.erlang_a(slots, lam, mu, theta).above(within)
        return theory.wait_above(slots, lam, mu, within)

    assert late(n) <= 1 - share < late(n - 1)
    with pytest.raises(ValueError, match="between"):
        theory.slots_for(lam, mu, within, 1.0)
