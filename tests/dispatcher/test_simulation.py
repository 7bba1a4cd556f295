"""The shipped core under a virtual clock against queueing theory, and what the simulation promises by itself.

Each replication starts empty and forgets its first visits. The seed is fixed: a failure is a change of the core or of
the theory, never luck.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

import pytest

from dispatcher import chains, theory
from dispatcher.arrivals import BadArrivals, People, modelled_day, poisson, read_counts, recorded_day, visits
from dispatcher.model import Policy, Routing, Stage, TopicRule, Trigger
from dispatcher.simulate import FOR_EVER_MS, Outcome, Pace, Simulation, alone, by_curve
from tests.dispatcher.floor_plan import START, with_seat, world

RUNS, VISITS, WARM = 20, 400, 100
Z_MAX = 3.5
UNIT_MS = 100_000
"""The mean service time of one slot: the unit of time of the formulas."""
QUIET = Policy(
    stages=(Stage("own"),), message_box_ms=None, nobody_ms=None, first_reply_ms=None, next_reply_ms=None, park_ms=None,
    close_idle_ms=None, sticky_hold_ms=0,
)  # fmt: skip
Measure = Callable[[list[Outcome]], float]


def share(wanted: Callable[[Outcome], bool]) -> Measure:
    return lambda seen: sum(map(wanted, seen)) / len(seen)


def waits(seen: list[Outcome]) -> float:
    """Mean wait in units, of everybody."""
    return mean(one.wait_ms for one in seen) / UNIT_MS


left = share(lambda one: one.ending == "left")
waited = share(lambda one: one.wait_ms > 0)
overflowed = share(lambda one: one.pool == "gold")


def z_of(
    measure: Measure, exact: float, routing: Routing, lam: float, *, theta: float = 0.0, pace: Pace = alone,
    topics: dict[str, float] | None = None, seed: int = 1, runs: int = RUNS, count: int = VISITS,
) -> float:  # fmt: skip
    """How many standard errors the mean of the replications lies from ``exact``."""
    found = []
    for run in range(runs):
        chance = random.Random(f"{seed}/{run}")
        people = People(UNIT_MS, patience_ms=UNIT_MS / theta if theta else FOR_EVER_MS, exponential=True)
        hours = (count + WARM) / lam * UNIT_MS / 3_600_000
        times = [START + at for at in poisson(lam * 3_600_000 / UNIT_MS, hours, chance)]
        seen = Simulation(routing, pace).run(visits(times, people, chance, topics=topics), start_ms=START)
        assert not [one for one in seen if one.ending == "open"], "everybody is served or leaves in the end"
        found.append(measure(seen[WARM:]))
    return (mean(found) - exact) / (stdev(found) / sqrt(len(found)))


def stages(*later: Stage) -> Policy:
    return replace(QUIET, stages=(Stage("own"), *later))


WIDE = 60
"""Seats of a pool that is never full."""
CURVE = (1.0, 1.6, 1.9)
SPEEDS = (1_500, 700)


def two_speeds(rule: str) -> Routing:
    routing = world(4, policy=replace(QUIET, agent_rule=rule))  # type: ignore[arg-type]
    for n, ability in enumerate((SPEEDS[0], SPEEDS[0], SPEEDS[1], SPEEDS[1]), 1):
        routing = with_seat(routing, f"own{n}", ability_per_mille=ability)
    return routing


def chat_floor(rule: str) -> Routing:
    return world(3, seats_max=3, policy=replace(QUIET, agent_rule=rule))  # type: ignore[arg-type]


def scenarios() -> dict[str, tuple[float, ...]]:
    """z of each measure, by what it is."""
    line = theory.erlang_a(4, 4.0, 1.0, 0.5)
    after = theory.overflow_after(4, 4.0, 1.0, 0.5, 0.3)
    helped = chains.helped(3, 2, 5.0, 1.0, 1.0, 1.0)
    classes = theory.priority_waits(4, (1.0, 1.6), 1.0)
    urgent = replace(QUIET, topics=(TopicRule("first", 1), TopicRule("second", 2)))
    both = {"first": 1.0, "second": 1.6}
    # Topics are not kept in outcomes: the mean over both classes has the weights of their arrivals.
    mixed = (1.0 * classes[0] + 1.6 * classes[1]) / 2.6
    found: dict[str, tuple[float, ...]] = {
        "M/M/n": (
            z_of(waits, theory.mean_wait(4, 2.6, 1.0), world(4, policy=QUIET), 2.6),
            z_of(waited, theory.erlang_c(4, 2.6), world(4, policy=QUIET), 2.6, seed=2),
        ),
        "M/M/n+M": (
            z_of(left, line.left, world(4, policy=QUIET), 4.0, theta=0.5),
            z_of(waits, line.wait, world(4, policy=QUIET), 4.0, theta=0.5, seed=2),
        ),
        "overflow after T, transfer": (
            z_of(
                overflowed, after[0], world(4, WIDE, policy=stages(Stage("preferred", 30_000, mode="transfer"))), 4.0,
                theta=0.5,
            ),
        ),
        "overflow after T, expand": (
            z_of(overflowed, after[0], world(4, WIDE, policy=stages(Stage("preferred", 30_000))), 4.0, theta=0.5),
        ),
        "overflow at length K": (
            z_of(
                overflowed, theory.overflow_at_length(4, 2, 4.0, 1.0, 0.5),
                world(4, WIDE, policy=stages(Stage("preferred", 10**8, (Trigger("queue_len", 2),)))), 4.0, theta=0.5,
            ),
        ),
        "overflow at once": (
            z_of(overflowed, theory.erlang_b(4, 4.0), world(4, WIDE, policy=stages(Stage("preferred", 0))), 4.0),
        ),
        "overflow at once to a small pool": (
            z_of(left, helped[0], world(3, 2, policy=stages(Stage("preferred", 0))), 5.0, theta=1.0),
            z_of(overflowed, helped[1], world(3, 2, policy=stages(Stage("preferred", 0))), 5.0, theta=1.0, seed=2),
        ),
        "full line": (
            z_of(
                share(lambda one: one.ending == "boxed"), theory.overflow_at_length(4, 3, 4.0, 1.0, 0.0),
                # Who is in the message box is handed out so late that it does not disturb.
                world(4, policy=replace(QUIET, waiting_max=3, backlog_every_ms=7 * 86_400_000)), 4.0,
            ),
        ),
        "two priorities": (
            z_of(waits, mixed, world(4, policy=urgent), 2.6, topics=both),
        ),
        **{
            f"two speeds, {rule}": (
                z_of(
                    waited, chains.two_speeds(2, 2, 3.2, SPEEDS[0] / 1_000, SPEEDS[1] / 1_000, law)[0],  # type: ignore[arg-type]
                    two_speeds(rule), 3.2,
                ),
            )
            for rule, law in (("fastest", "fastest"), ("slowest", "slowest"), ("longest_idle", "random"))
        },
        **{
            f"chats, {rule}": (
                z_of(
                    left, chains.chats(3, CURVE, 5.0, 1.0, law)[0], chat_floor(rule), 5.0, theta=1.0,  # type: ignore[arg-type]
                    pace=by_curve(CURVE),
                ),
            )
            for rule, law in (("least_loaded", "least"), ("fullest", "fullest"))
        },
    }  # fmt: skip
    return found


def test_the_shipped_core_behaves_as_queueing_theory_says() -> None:
    far = {name: zs for name, zs in scenarios().items() if max(map(abs, zs)) > Z_MAX}
    assert far == {}


def test_one_slot_too_many_does_not_pass_for_theory() -> None:
    exact = theory.erlang_a(4, 4.0, 1.0, 0.5).left
    assert abs(z_of(left, exact, world(5, policy=QUIET), 4.0, theta=0.5)) > Z_MAX


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


def test_the_recorded_year_is_read_whole(shared_figures: Path) -> None:
    days = read_counts(shared_figures / "arrivals" / "calls_6min.csv.gz")
    assert (len(days), sum(map(sum, days.values()))) == (365, 445_369)
