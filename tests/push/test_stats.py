"""Statistics against scipy and statsmodels, published values, and thousands of experiments with nothing in them."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wangxin.model import trials as stats

COUNTS = st.tuples(st.integers(1, 5_000), st.integers(0, 5_000)).map(lambda pair: (min(pair), pair[0]))


def test_newcombe_reproduces_the_published_example() -> None:
    # Newcombe 1998, table II, method 10, contrast (a): 56/70 - 48/80.
    interval = stats.newcombe(56, 70, 48, 80)
    assert interval.low == pytest.approx(0.0524, abs=5e-5)
    assert interval.high == pytest.approx(0.3339, abs=5e-5)


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_newcombe_agrees_with_statsmodels(a: tuple[int, int], b: tuple[int, int]) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    low, high = proportion.confint_proportions_2indep(a[0], a[1], b[0], b[1], method="newcomb", compare="diff")
    ours = stats.newcombe(*a, *b)
    assert ours.low == pytest.approx(low, abs=1e-9)
    assert ours.high == pytest.approx(high, abs=1e-9)


@settings(deadline=None)
@given(st.floats(0.01, 200), st.integers(1, 12))
def test_the_chi_square_tail_agrees_with_scipy(value: float, degrees: int) -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    assert stats.chi2_sf(value, degrees) == pytest.approx(scipy_stats.chi2.sf(value, degrees), rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_the_z_test_agrees_with_statsmodels(a: tuple[int, int], b: tuple[int, int]) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    if 0 < a[0] + b[0] < a[1] + b[1]:
        _, p = proportion.proportions_ztest([a[0], b[0]], [a[1], b[1]])
        assert stats.two_proportions_p(*a, *b) == pytest.approx(p, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    gc.freeze()  # the oracle collects garbage at every call: half a second each in a process that has run for long
    stands = multitest.multipletests(p_values, alpha=0.05, method="holm")[0]
    gc.unfreeze()
    assert stats.holm(tuple(p_values)) == tuple(bool(stand) for stand in stands)


def test_unequal_arms_raise_the_alarm_and_equal_ones_do_not() -> None:
    assert stats.srm_p((50_000, 50_000), (1, 1)) == 1.0
    assert stats.srm_p((50_900, 49_100), (1, 1)) < stats.SRM_ALARM_P
    assert stats.srm_p((950, 50), (950, 50)) == 1.0


@pytest.mark.parametrize(
    ("recipients", "points"), [(2_000, 6.26), (10_000, 2.80), (50_000, 1.25), (200_000, 0.63), (1_000_000, 0.28)]
)
def test_the_smallest_visible_difference_is_the_known_one(recipients: int, points: float) -> None:
    held = recipients // 20
    assert 100 * stats.mde(0.05, recipients - held, held) == pytest.approx(points, abs=0.01)


def test_a_daily_look_at_equal_arms_names_a_winner_in_at_most_five_of_a_hundred() -> None:
    chance, runs, looks, wrong = random.Random(7), 400, 20, 0
    for _ in range(runs):
        push = held = n = 0
        for _ in range(looks):
            n += 500
            push += _hits(chance, 500, 0.05)
            held += _hits(chance, 500, 0.05)
            if stats.lift(push, n, held, n).verdict != "cannot_tell":
                wrong += 1
                break
    assert wrong / runs <= 0.05


def test_among_equal_versions_a_daily_look_finds_a_best_one_in_at_most_five_of_a_hundred() -> None:
    chance, runs, wrong = random.Random(11), 200, 0
    for _ in range(runs):
        hits, n = [0, 0, 0], 0
        for _ in range(20):
            n += 500
            hits = [sum_ + _hits(chance, 500, 0.05) for sum_ in hits]
            if stats.best_of([(one, n) for one in hits]) is not None:
                wrong += 1
                break
    assert wrong / runs <= 0.05


def test_the_best_version_is_named_only_where_it_beats_every_other_one() -> None:
    assert stats.best_of([(500, 10_000), (700, 10_000), (510, 10_000)]) == 1
    assert stats.best_of([(500, 10_000), (700, 10_000), (690, 10_000)]) is None
    assert stats.best_of([(5, 50), (50, 50)]) is None  # too few to tell
    assert stats.best_of([(500, 10_000)]) is None


def test_a_large_true_difference_is_seen() -> None:
    assert stats.lift(6_500, 95_000, 250, 5_000).verdict == "better"
    assert stats.lift(10, 90, 0, 5).verdict == "cannot_tell"


def test_one_whale_does_not_move_a_winsorised_mean() -> None:
    values = [float(i % 10) for i in range(1_000)]
    assert sum(stats.winsorised([*values, 1e9])) < sum(values) + 20


def _hits(chance: random.Random, n: int, rate: float) -> int:
    mean = n * rate
    return max(0, min(n, round(chance.gauss(mean, (mean * (1 - rate)) ** 0.5))))
