"""What changed since a day, and a team beside the own one in the same hours: with intervals that are honest."""

from __future__ import annotations

from random import Random

import pytest
from scipy.stats import t as student

from metrics.change import Changed, _t95, same_hours, since
from metrics.figures import Sums
from metrics.histogram import Histogram
from metrics.intervals import Rate


def days(mean_ms: float, n_days: int, turns: int, seed: int, spread: float = 0.15) -> list[Sums]:
    """Days whose own means lie around ``mean_ms``."""
    chance = Random(seed)
    found = []
    for _ in range(n_days):
        mean = mean_ms * (1 + spread * chance.uniform(-1, 1))
        waits = Histogram.of([round(chance.expovariate(1 / mean)) for _ in range(turns)])
        found.append(Sums(turns=turns, waits=waits, firsts=waits))
    return found


def whole(some: list[Sums], hits: int, n: int) -> Sums:
    sums = Sums(conversion=Rate(hits, n))
    for one in some:
        sums.add(one)
    sums.conversion = Rate(hits, n)
    return sums


def by_name(changes: list[Changed]) -> dict[str, Changed]:
    return {one.figure: one for one in changes}


def test_the_yardstick_from_practice_is_seen_with_enough_cases_and_not_with_few() -> None:
    """59.71 s became 24.79 s, and 50.81 % became 54.38 %."""
    before, after = days(59_710, 28, 400, 1), days(24_790, 28, 400, 2)
    found = by_name(since(before, after, whole(before, 2_541, 5_000), whole(after, 2_719, 5_000)))
    response, conversion = found["response"], found["conversion"]
    assert response.low is not None
    assert response.high is not None
    assert response.shown
    assert response.low < 24_790 - 59_710 < response.high < 0
    assert conversion.shown
    assert (round(conversion.before or 0, 4), round(conversion.after or 0, 4)) == (0.5082, 0.5438)
    few = by_name(since(before, after, whole(before, 508, 1_000), whole(after, 544, 1_000)))["conversion"]
    assert few.enough
    assert not few.shown


def test_no_change_is_shown_where_there_is_none_about_as_often_as_promised() -> None:
    wrong = 0
    for seed in range(100):
        before, after = days(30_000, 10, 40, seed), days(30_000, 10, 40, 1_000 + seed)
        wrong += by_name(since(before, after, whole(before, 0, 0), whole(after, 0, 0)))["response"].shown
    assert wrong <= 12


def test_few_days_give_no_interval_for_a_mean() -> None:
    before, after = days(30_000, 2, 400, 1), days(10_000, 28, 400, 2)
    response = by_name(since(before, after, whole(before, 0, 0), whole(after, 0, 0)))["response"]
    assert (response.low, response.shown) == (None, False)
    nothing = by_name(since([], after, Sums(), whole(after, 0, 0)))
    assert (nothing["response"].before, nothing["conversion"].low) == (None, None)


@pytest.mark.parametrize("freedom", [3, 5, 9, 27, 90])
def test_students_quantile_is_close_enough(freedom: int) -> None:
    assert _t95(freedom) == pytest.approx(student.ppf(0.975, freedom), rel=0.01)


def hour(mean_ms: int, n: int, hits: int) -> Sums:
    waits = Histogram.of([mean_ms] * n)
    return Sums(turns=n, waits=waits, firsts=waits, conversion=Rate(hits, n))


def test_a_night_team_is_compared_with_the_own_people_of_the_night_and_not_of_the_day() -> None:
    team = {"2": hour(30_000, 900, 450), "14": hour(20_000, 100, 60), "4": hour(99_000, 50, 0)}
    own = {"2": hour(60_000, 50, 20), "14": hour(10_000, 5_000, 3_000)}
    found = {one.figure: one for one in same_hours(team, own)}
    response = found["response"]
    assert (response.team, response.own) == (29_000, 55_000)
    assert (response.n_team, response.n_own, round(response.covered, 3)) == (1_000, 5_050, 0.952)
    assert found["conversion"].own == pytest.approx(0.9 * 0.4 + 0.1 * 0.6)
    assert found["abandonment"].team is None
