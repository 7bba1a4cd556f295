"""Histograms, intervals, patience and busy time."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.abandonment import Abandoned, judge, loss
from metrics.histogram import Histogram
from metrics.intervals import Rate, cases_needed, difference, mean_interval, median_interval, patience, shrunk
from metrics.model import SECOND, Event, Stage
from metrics.scorecards import WEIGHTS, Card, next_share, score, stars
from metrics.spans import Span, active_handle_ms, busy, occupancy, slot_use
from tests.metrics.talk import Talk

DURATIONS = st.lists(st.integers(0, 100_000_000), max_size=60)


@given(DURATIONS.filter(bool), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(durations: list[int], share: float) -> None:
    exact = sorted(durations)[ceil(share * len(durations) - 1e-9) - 1]
    found = Histogram.of(durations).percentile(share)
    assert found is not None
    assert abs(found - exact) <= 0.0101 * exact


@given(DURATIONS, DURATIONS, DURATIONS)
def test_merging_is_adding_in_any_order(one: list[int], two: list[int], three: list[int]) -> None:
    a, b, c = Histogram.of(one), Histogram.of(two), Histogram.of(three)
    assert a.merge(b).merge(c) == c.merge(a.merge(b)) == Histogram.of(one + two + three)


def test_an_empty_histogram_has_no_percentile_and_no_mean() -> None:
    assert Histogram().percentile(0.5) is None
    assert Histogram().mean_ms is None


def test_the_wilson_interval_of_known_figures() -> None:
    low, high = Rate(5438, 10_000).interval
    assert (round(low, 4), round(high, 4)) == (0.5340, 0.5535)
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert Rate(0, 10).interval[0] == 0
    assert Rate(10, 10).interval[1] == 1


def test_seeing_the_yardstick_needs_about_three_thousand_shoppers_an_arm() -> None:
    assert 3_050 <= cases_needed(0.5081, 0.5438) <= 3_090


def test_a_difference_is_shown_only_when_its_interval_leaves_out_zero() -> None:
    low, high = difference(Rate(5081, 10_000), Rate(5438, 10_000))
    assert low > 0
    assert low < 0.0357 < high
    low, high = difference(Rate(51, 100), Rate(54, 100))
    assert low < 0 < high


def test_intervals_of_mean_and_median_hold_their_middle() -> None:
    values = [float(n) for n in range(101)]
    for interval in (mean_interval(values), median_interval(values)):
        assert interval is not None
        assert interval[0] < 50 < interval[1]
    assert mean_interval([1.0]) is None
    assert median_interval([1.0] * 5) is None


def test_few_cases_are_pulled_to_the_market() -> None:
    assert shrunk(Rate(2, 2), 0.5) == pytest.approx(102 / 202)


def test_patience_counts_the_served_as_waits_that_might_have_gone_on() -> None:
    found = patience([10, 20], [10, 30])
    assert found.mean_ms == 35
    assert found.survival == ((10, 0.75), (20, 0.375))
    assert patience([], [10]).mean_ms is None


def test_giving_up_openly_silently_or_at_once_are_told_apart() -> None:
    def waiting() -> Talk:
        return Talk(stage=Stage.BOT).asks().event(Event.HANDOFF)

    talks = {
        Abandoned.EXPLICIT: waiting().after(20 * SECOND).event(Event.UNQUEUED),
        Abandoned.SILENT: waiting().assigned().after(20 * SECOND).event(Event.CLOSED, reason="idle"),
        Abandoned.SHORT: waiting().after(4 * SECOND).event(Event.UNQUEUED),
        Abandoned.NO: waiting().assigned().after(20 * SECOND).replies().event(Event.CLOSED),
    }
    for verdict, talk in talks.items():
        assert judge(talk.tally()) is verdict
    found = loss(talk.tally() for talk in talks.values())
    assert (found.explicit, found.silent, found.short, found.rate) == (1, 1, 1, Rate(2, 3))
    assert judge(waiting().after(20 * SECOND).event(Event.MESSAGE_BOX).event(Event.CLOSED).tally()) is Abandoned.NO


SPANS = st.lists(
    st.builds(
        lambda key, at, long: (key, Span(at, at + long)), st.integers(0, 5), st.integers(0, 999), st.integers(0, 500)
    ),
    max_size=12,
)


@given(SPANS)
def test_active_handle_time_adds_up_to_the_busy_time_exactly(pairs: list[tuple[int, Span]]) -> None:
    handled: dict[int, list[Span]] = {}
    for conversation, span in pairs:
        handled.setdefault(conversation, []).append(span)
    shares = active_handle_ms(handled)
    found = busy(span for _, span in pairs)
    assert sum(shares.values(), Fraction(0)) == found.busy_ms
    assert found.load_ms == sum(span.to_ms - span.from_ms for _, span in pairs)


def test_concurrency_occupancy_and_slot_use_of_a_small_day() -> None:
    handled = [Span(0, 100), Span(50, 100), Span(200, 250)]
    found = busy(handled)
    assert (found.concurrency, found.most) == (200 / 150, 2)
    assert occupancy(handled, [Span(0, 300)]) == 0.5
    assert occupancy(handled, []) is None
    assert slot_use(handled, [(Span(0, 100), 2), (Span(200, 300), 2)]) == 0.5


def test_stars_need_a_margin_to_change() -> None:
    assert stars(76, None) == 5
    assert stars(76, 4) == 4
    assert stars(77, 4) == 5
    assert stars(74, 5) == 5
    assert stars(72.9, 5) == 4
    assert stars(99, 3) == 6


def test_a_provider_without_cases_gets_the_markets_score() -> None:
    market = dict.fromkeys(WEIGHTS, 0.8)
    assert score(Card({}, market)) == pytest.approx(80)
    assert score(Card({"conversion": Rate(1000, 1000)}, market)) > 80


def test_a_pools_share_moves_by_a_fifth_of_itself_at_most() -> None:
    assert next_share(0.5, 1.0) == pytest.approx(0.6)
    assert next_share(0.5, 0.0) == pytest.approx(0.4)
    assert next_share(0.5, 0.45) == pytest.approx(0.45)
