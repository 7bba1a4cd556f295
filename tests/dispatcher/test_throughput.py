"""What an agent finishes in an hour with 1, 2, 3 … at once: pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.capacity import SeatNow, score
from dispatcher.model import Seat
from dispatcher.throughput import ENDED_LEAST, HOURS, MS_LEAST, SHRINK_MS, STEP, AtLevel, Worked, curve, curves, mean

HOUR = 3_600_000
LEVELS = st.lists(st.builds(AtLevel, st.integers(0, 200 * HOUR), st.integers(0, 2_000)), max_size=6).map(tuple)
WORKED = st.builds(Worked, LEVELS, st.lists(st.sampled_from("abc"), unique=True, max_size=2).map(tuple), st.booleans())
FLOOR = st.dictionaries(st.sampled_from(["i", "j", "k", "l"]), WORKED)


@given(FLOOR)
def test_a_curve_never_falls_and_ends_where_nothing_is_believed(floor: dict[str, Worked]) -> None:
    for agent, found in curves(floor).items():
        assert list(found) == sorted(found)
        near = [one for one in floor.values() if set(one.pools) & set(floor[agent].pools)] or [floor[agent]]
        assert all(level.believed for level in mean(near)[: len(found)])


@given(LEVELS, LEVELS)
def test_the_speed_of_a_protected_agent_is_the_pools(own: tuple[AtLevel, ...], pool: tuple[AtLevel, ...]) -> None:
    assert curve(Worked(own, protected=True), pool) == curve(Worked(()), pool)


@given(st.integers(ENDED_LEAST, 5_000), st.integers(MS_LEAST, 400 * HOUR), st.integers(ENDED_LEAST, 5_000))
def test_a_figure_lies_between_his_own_and_the_pools(ended: int, ms: int, usual: int) -> None:
    pool = [AtLevel(100 * HOUR, usual)]
    (found,) = curve(Worked((AtLevel(ms, ended),)), pool)
    low, high = sorted((ended * HOUR * HOURS // ms, usual * HOURS // 100))
    assert low - STEP - 1 <= found <= high + 1


def test_the_more_he_worked_the_more_his_own_figure_counts() -> None:
    pool = [AtLevel(1_000 * HOUR, 4_000)]
    of = [curve(Worked((AtLevel(hours * HOUR, hours * 8),)), pool)[0] for hours in (1, 5, 95)]
    assert of == [4_000, 6_000, 7_800]
    assert SHRINK_MS == 5 * HOUR


def test_who_has_a_curve_and_who_has_none_are_compared_on_one_scale() -> None:
    def gain(load: int, learnt: tuple[int, ...] = (), ability: int = 1_000) -> int:
        seat = SeatNow(Seat("a", seats_max=9, ability_per_mille=ability, curve_per_hour=learnt))
        seat.live = {f"c{n}" for n in range(load)}
        return -score("marginal", seat)[0]

    assert [gain(load) for load in range(3)] == [6_000, 3_000, 1_500], "each further one half as much"
    assert [gain(load, (6_200, 7_850)) for load in range(4)] == [6_200, 1_650, 825, 412], "nor beyond what is learnt"
    assert gain(1, (6_000,)) == gain(1), "an ordinary agent's first figure changes nothing about his second slot"
    assert gain(2, (6_000, 6_000)) == 0, "who gains nothing by a second one gains nothing by a third"
    assert gain(0, ability=500) < gain(0, (4_000,)) < gain(0)
