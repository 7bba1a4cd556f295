"""The shipped core under a virtual clock against queueing theory, and what the simulation promises by itself.

Each replication starts empty and forgets its first visits. The seed is fixed: a failure is a change of the core or of
the theory, never luck.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest
import typer

from benchmarks import theory
from benchmarks.theory import CURVE, QUIET, UNIT_MS
from dispatcher.arrivals import BadArrivals, People, modelled_day, read_counts, recorded_day, visits
from dispatcher.model import Policy
from dispatcher.simulate import FOR_EVER_MS, Simulation, by_curve
from tests.dispatcher.floor_plan import START, world
from wangxin.commands.routing import policy_in

RUNS, VISITS, WARM = 20, 300, 100


def test_the_shipped_core_behaves_as_queueing_theory_says() -> None:
    """The same table as ``python -m benchmarks.theory``, with fewer shoppers."""
    found = [one for case in theory.cases() for one in theory.measure(case, runs=RUNS, count=VISITS, warm=WARM)]
    assert [one for one in found if abs(one.z) > theory.Z_MAX] == []
    assert len(found) >= 25


def test_one_slot_too_many_does_not_pass_for_theory() -> None:
    case = next(one for one in theory.cases() if one.name == "M/M/n+M")
    found = theory.measure(replace(case, routing=theory.floor(5)), runs=RUNS, count=VISITS, warm=WARM)
    assert all(abs(one.z) > theory.Z_MAX for one in found)


def test_the_same_day_brings_the_same_outcomes() -> None:
    chance = random.Random(3)
    people = visits([START + at for at in modelled_day(200, chance)], People(), chance)
    routing = world(2, 2, seats_max=3, policy=Policy(answer="offer", wrap_up_ms=5_000))
    first, second = (Simulation(routing, by_curve(CURVE)).run(people, start_ms=START) for _ in range(2))
    assert first == second
    assert sum(one.ending == "served" for one in first) > 150


def test_an_agent_with_three_chats_finishes_each_more_slowly() -> None:
    routing = world(1, seats_max=3, policy=QUIET)
    times = [START, START, START]
    people = visits(times, People(UNIT_MS, exponential=True, patience_ms=FOR_EVER_MS), random.Random(1))
    even = [replace(one, work_ms=60_000.0, reply_ms=10_000) for one in people]
    Simulation(routing, by_curve(CURVE)).run(even, start_ms=START)
    closed = Simulation(routing, by_curve(CURVE))
    seen = closed.run([*even, replace(even[0], at_ms=START + 1)], start_ms=START)
    # Three at once at 1.9 / 3 of a chat alone each: the fourth waits 60 / (1.9 / 3) s.
    assert seen[3].wait_ms == pytest.approx(60_000 / (CURVE[2] / 3), abs=5)
    assert [one.reply_ms for one in seen[:2]] == [10_000, 12_500]


def test_days_differ_more_than_poisson_days() -> None:
    chance = random.Random(5)
    counts = [len(modelled_day(1_000, chance)) for _ in range(300)]
    assert mean(counts) == pytest.approx(1_000, rel=0.05)
    assert stdev(counts) / mean(counts) == pytest.approx(0.24, abs=0.03)


def test_a_recorded_day_keeps_its_counts_and_is_scaled_request_by_request() -> None:
    counts = [3, 0, 5, *[1] * 237]
    times = recorded_day(counts, random.Random(1))
    assert [sum(at // 360_000 == bin_ for at in times) for bin_ in range(3)] == [3, 0, 5]
    assert len(recorded_day(counts, random.Random(1), scale=2.0)) == 2 * sum(counts)


def test_a_wrong_line_of_a_file_of_arrivals_is_named(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("date,bin,calls\n2026-11-11,0,3\n2026-11-11,240,1\n")
    with pytest.raises(BadArrivals, match="line 3"):
        read_counts(file)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "cannot be read: No such file or directory."),
        ("{", "is no routing policy: Expecting"),
        ('{"stages": 3}', "is no routing policy: stages: "),
    ],
)
def test_what_is_wrong_in_a_file_of_a_policy_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str | None, said: str
) -> None:
    file = tmp_path / "policy.json"
    if written is not None:
        file.write_text(written)
    with pytest.raises(typer.Exit):
        policy_in(file)
    assert f"{file} {said}" in capsys.readouterr().err.replace("\n", "")


def test_the_recorded_year_is_read_whole(shared_figures: Path) -> None:
    days = read_counts(shared_figures / "arrivals" / "calls_6min.csv.gz")
    assert (len(days), sum(map(sum, days.values()))) == (365, 445_369)
