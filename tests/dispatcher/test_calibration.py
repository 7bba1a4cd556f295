"""What waiting shoppers are told is true: of their waits, 85 to 95 % lie under the stated 90th percentile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import calibration, policy_study
from dispatcher.arrivals import read_counts
from dispatcher.estimate import Rates
from dispatcher.model import Contract, Policy, Pool
from dispatcher.policy import rank_pools


@pytest.fixture(scope="module")
def counts(shared_figures: Path) -> Mapping[str, Sequence[int]]:
    return read_counts(shared_figures / "arrivals" / "calls_6min.csv.gz")


@pytest.mark.parametrize("name", ["Poisson, one pool, exponential work", "Poisson, overflow to a second pool"])
def test_the_stated_wait_is_kept_for_nine_in_ten_of_poisson_shoppers(name: str) -> None:
    found = calibration.observed(calibration.settings(None, 5)[name])
    assert found.waited > 400
    assert calibration.LEAST <= found.under_p90 <= calibration.MOST
    assert 0.4 <= found.under_median <= 0.6


def test_the_stated_wait_is_kept_for_nine_in_ten_on_recorded_days(counts: Mapping[str, Sequence[int]]) -> None:
    found = calibration.observed(calibration.settings(counts, 25)["recorded, own team"])
    assert found.waited > 300
    assert calibration.LEAST <= found.under_p90 <= calibration.MOST


def test_a_pool_is_as_fast_as_it_was_when_it_was_full() -> None:
    rates = Rates()
    rates.handled("p", 100_000, full=False)
    assert rates.handle_ms("p", 1) == 100_000
    rates.handled("p", 180_000, full=True)
    rates.handled("p", 60_000, full=False)
    assert rates.handle_ms("p", 1) == 180_000
    again = Rates()
    again.restore(rates.snapshot())
    assert again.handle_ms("p", 1) == 180_000


def test_a_crowded_agent_is_worth_less_than_a_free_one_of_a_cheaper_pool() -> None:
    gold, silver = (Pool(name, "outsourced", convert_per_mille=q) for name, q in (("gold", 520), ("silver", 460)))
    terms = [
        (pool, Contract(f"c{pool.id}", 1, "s", "v", (pool.id,), rank=rank, price_fen=price), 0)
        for pool, rank, price in ((gold, 1, 120), (silver, 2, 80))
    ]
    policy = Policy(pool_rule="value", margin_fen=800)

    def first(levels: dict[str, int]) -> str:
        return rank_pools(policy, terms, levels)[0][1].id

    assert first({"gold": 0, "silver": 0}) == "gold"
    assert first({"gold": 1, "silver": 0}) == "silver"
    assert first({"gold": 1, "silver": 1}) == "gold"
    assert rank_pools(policy, terms, {"gold": 1})[1][0] == 520 * 800 * 962 // 1_000_000 - 120


def test_real_arrivals_reproduce_the_order_the_default_policy_rests_on(counts: Mapping[str, Sequence[int]]) -> None:
    """One day of ``python -m benchmarks.policy_study`` at overload."""
    (day,) = policy_study.arrivals(counts, "x5", policy_study.PATIENCE_MS, 1)
    names = ("C ring 20 s, least loaded", "D no free slot, least loaded", policy_study.BY_VALUE)
    floors = [policy_study.floor(policy_study.POLICIES[name]) for name in names]
    ring, at_once, by_value = (policy_study.judged(floor, policy_study.day(floor, *day)) for floor in floors)
    assert at_once["lost"] * 10 <= ring["lost"]
    assert by_value["cost_fen"] < at_once["cost_fen"]
    assert by_value["within"] >= at_once["within"]
    assert by_value["lost"] <= at_once["lost"]
