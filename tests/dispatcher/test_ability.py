"""Load that fits ability, and how an agent's day is accounted: pure."""

from __future__ import annotations

import pytest

from dispatcher.ability import CHARS_LEAST, RAMP, Measured, fit, plausible, speed
from dispatcher.shift import account, shift_ms

MINUTE = 60_000


def test_a_newcomers_load_rises_to_what_was_agreed() -> None:
    caps = [fit(5, Measured(), day=day).cap for day in (1, 2, 3, 4, 5, 6)]
    assert caps == [2, 2, 3, 3, 4, 5]
    third = fit(5, Measured(620, 10 * MINUTE, 200 * MINUTE), day=3)
    assert (third.cap, third.agreed, third.bound, third.day, third.speed) == (3, 5, "ramp", 3, 62)
    assert fit(1, Measured(), day=1).cap == 1, "nobody is left without work"
    assert fit(5, Measured(), day=len(RAMP) + 1).day is None
    assert fit(5, Measured(), day=None).bound == "agreed"


def test_who_types_half_as_fast_gets_half_the_load() -> None:
    # Ten conversations of 5 minutes each took 50 minutes of slots; the same words take the slower one twice as long.
    quick = fit(9, Measured(1_000, 4 * MINUTE, 50 * MINUTE), day=None)
    slow = fit(9, Measured(1_000, 8 * MINUTE, 50 * MINUTE), day=None)
    assert (quick.cap, slow.cap, slow.bound) == (7, 3, "speed")
    assert fit(9, Measured(1_000, 500 * MINUTE, 50 * MINUTE), day=None).cap == 1


def test_a_speed_counts_only_when_enough_was_typed() -> None:
    assert speed(Measured(CHARS_LEAST - 1, MINUTE)) is None
    assert speed(Measured(CHARS_LEAST, 5 * MINUTE)) == 60
    assert fit(5, Measured(CHARS_LEAST - 1, 60 * MINUTE, MINUTE), day=None).cap == 5


@pytest.mark.parametrize(
    ("chars", "ms", "text", "true"),
    [(10, 6_000, 10, True), (11, 6_000, 10, False), (10, 900, 10, False), (0, 6_000, 10, False), (10, 0, 10, False)],
)
def test_numbers_that_cannot_be_true_are_not_counted(chars: int, ms: int, text: int, true: bool) -> None:
    assert plausible(chars, ms, text) is true


def test_the_states_of_a_day_sum_to_the_shift() -> None:
    day = [
        (0, 60, "ready"), (60, 75, "break"), (75, 135, "ready"), (135, 145, "training"), (145, 155, "hold"),
        (155, 165, "draining"), (165, 200, "offline"),
    ]  # fmt: skip
    times = account(day, wraps=[(50, 62), (80, 90), (85, 95)], held=[(0, 50), (90, 92)])
    assert times == {
        "ready": 97, "wrap_up": 23, "hold": 10, "break": 15, "training": 10, "draining": 10, "offline": 35,
    }  # fmt: skip
    assert sum(times.values()) == 200
    assert shift_ms(times) == 165


def test_wrapping_up_beside_another_conversation_is_no_time_of_its_own() -> None:
    assert account([(0, 100, "ready")], wraps=[(10, 40)], held=[(0, 100)]) == {"ready": 100}
    assert account([(0, 100, "break")], wraps=[(10, 40)], held=[]) == {"break": 100}
