"""Exact stationary laws of small Markov chains, where no formula is at hand: agents of two speeds, agents who chat with
several shoppers at once, and a second pool that helps."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Literal, TypeVar

import numpy as np

State = TypeVar("State", bound=Hashable)
STATES_MAX = 4_000
"""Larger chains are refused: they are solved densely."""


def law(start: State, moves: Callable[[State], Iterable[tuple[float, State]]]) -> dict[State, float]:
    """The stationary law of the chain that begins in ``start``. ``moves(state)`` yields (rate, next state). Raises
    ValueError above STATES_MAX."""
    number: dict[State, int] = {start: 0}
    todo, edges = [start], list[tuple[int, int, float]]()
    while todo:
        here = todo.pop()
        for rate, there in moves(here):
            if rate <= 0:
                continue
            if there not in number:
                if len(number) == STATES_MAX:
                    raise ValueError(f"more than {STATES_MAX} states")
                number[there] = len(number)
                todo.append(there)
            edges.append((number[here], number[there], rate))
    size = len(number)
    flows = np.zeros((size, size))
    for here_at, there_at, rate in edges:
        flows[there_at, here_at] += rate
        flows[here_at, here_at] -= rate
    flows[-1, :] = 1.0
    wanted = np.zeros(size)
    wanted[-1] = 1.0
    found = np.linalg.solve(flows, wanted)
    return {state: float(found[at]) for state, at in number.items()}


def two_speeds(
    fast: int, slow: int, lam: float, mu_fast: float, mu_slow: float, rule: Literal["fastest", "slowest", "random"], *,
    line_max: int = 400, theta: float = 0.0,
) -> tuple[float, float]:  # fmt: skip
    """(share of arrivals that wait, mean number in line) of M/M with agents of two speeds; a free one is chosen by
    ``rule`` (longest idle equals random in the long run)."""

    def moves(state: tuple[int, int, int]) -> Iterable[tuple[float, tuple[int, int, int]]]:
        i, j, q = state
        free_fast, free_slow = fast - i, slow - j
        if free_fast + free_slow == 0:
            if q < line_max:
                yield lam, (i, j, q + 1)
        else:
            both = free_fast + free_slow
            share = free_fast / both if rule == "random" else float(free_fast > 0)
            if rule == "slowest":
                share = float(free_slow == 0)
            yield lam * share, (i + 1, j, q)
            yield lam * (1 - share), (i, j + 1, q)
        if q:
            yield i * mu_fast + j * mu_slow + q * theta, (i, j, q - 1)
        else:
            yield i * mu_fast, (i - 1, j, q)
            yield j * mu_slow, (i, j - 1, q)

    found = law((0, 0, 0), moves)
    return sum(p for (i, j, _), p in found.items() if i + j == fast + slow), sum(p * s[2] for s, p in found.items())


def chats(
    agents: int, rates: tuple[float, ...], lam: float, theta: float, rule: Literal["least", "fullest"], *,
    line_max: int = 200,
) -> tuple[float, float]:  # fmt: skip
    """(share of arrivals that leave, mean number in service) where each agent with k chats finishes them at
    ``rates[k - 1]`` altogether, and newcomers go to the least or the most loaded agent with room."""
    most = len(rates)

    def moves(state: tuple[int, ...]) -> Iterable[tuple[float, tuple[int, ...]]]:
        *levels, q = state
        with_room = [k for k in range(most) if levels[k]]
        if with_room:
            yield lam, _moved(state, with_room[0] if rule == "least" else with_room[-1], 1)
        elif q < line_max:
            yield lam, (*levels, q + 1)
        for k in range(1, most + 1):
            if levels[k]:
                rate = levels[k] * rates[k - 1]
                yield rate, ((*levels, q - 1) if q else _moved(state, k, -1))
        if q:
            yield q * theta, (*levels, q - 1)

    found = law((agents, *[0] * most, 0), moves)
    line = sum(p * state[-1] for state, p in found.items())
    busy = sum(p * sum(k * n for k, n in enumerate(state[:-1])) for state, p in found.items())
    return theta * line / lam, busy


def _moved(state: tuple[int, ...], level: int, by: int) -> tuple[int, ...]:
    levels = list(state)
    levels[level] -= 1
    levels[level + by] += 1
    return tuple(levels)


def helped(
    own: int, other: int, lam: float, mu_own: float, mu_other: float, theta: float, *, line_max: int = 60
) -> tuple[float, float]:
    """(share of arrivals that leave, share that the other pool serves) where it helps the moment no own slot is free
    (one-way overflow at once, one line for both)."""

    def moves(state: tuple[int, int, int]) -> Iterable[tuple[float, tuple[int, int, int]]]:
        i, j, q = state
        if i < own:
            yield lam, (i + 1, j, q)
        elif j < other:
            yield lam, (i, j + 1, q)
        elif q < line_max:
            yield lam, (i, j, q + 1)
        if q:
            yield i * mu_own + j * mu_other + q * theta, (i, j, q - 1)
        else:
            yield i * mu_own, (i - 1, j, q)
            yield j * mu_other, (i, j - 1, q)

    found = law((0, 0, 0), moves)
    line = sum(p * q for (_, _, q), p in found.items())
    return theta * line / lam, sum(p * j * mu_other for (_, j, _), p in found.items()) / lam
