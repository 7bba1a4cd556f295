"""How many conversations an agent finishes in an hour with 1, 2, 3 … at once. Pure, integers only.

A level is believed when enough conversations ended at it in enough time; what one agent shows is drawn to what all of
his pools show, the more so the less there is of it; and a curve never falls, for who has more at hand finishes no fewer
(a level at which he does is a level at which he should not be, and is worth nothing more).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOURS = 1_000
"""A curve says conversations in so many hours."""
ENDED_LEAST = 20
"""So many conversations ended at a level before an agent's own figure of it is believed."""
MS_LEAST = 2 * 3_600_000
"""He was at it so long before it is believed."""
SHRINK_MS = 5 * 3_600_000
"""The pool's mean weighs as much as so much time of the agent's own."""
STEP = 50
"""Curves are rounded to so many: a change that nobody would feel is no change of the routing."""


@dataclass(frozen=True, slots=True)
class AtLevel:
    """Time with so many at once, and the conversations that ended in it."""

    ms: int = 0
    ended: int = 0

    @property
    def believed(self) -> bool:
        return self.ended >= ENDED_LEAST and self.ms >= MS_LEAST


@dataclass(frozen=True, slots=True)
class Worked:
    """What one agent showed at 1, 2, 3 … at once. ``protected``: he is never ranked by his own speed."""

    levels: tuple[AtLevel, ...]
    pools: tuple[str, ...] = ()
    protected: bool = False


def _rate(ended: int, ms: int) -> int:
    return ended * 3_600_000 * HOURS // ms


def mean(many: Sequence[Worked]) -> tuple[AtLevel, ...]:
    """All of them added up."""
    deepest = max((len(one.levels) for one in many), default=0)
    found = []
    for at in range(deepest):
        those = [one.levels[at] for one in many if len(one.levels) > at]
        found.append(AtLevel(sum(level.ms for level in those), sum(level.ended for level in those)))
    return tuple(found)


def curve(own: Worked, pool: Sequence[AtLevel]) -> tuple[int, ...]:
    """His curve as far as it is believed; () where nothing is. ``pool``: what all of his pools showed, he among them.
    A protected agent has the pool's."""
    found: list[int] = []
    for at, all_ in enumerate(pool):
        his = own.levels[at] if at < len(own.levels) and not own.protected else AtLevel()
        if not all_.believed:
            break
        usual = _rate(all_.ended, all_.ms)
        if his.believed:
            usual = (his.ended * 3_600_000 * HOURS + usual * SHRINK_MS) // (his.ms + SHRINK_MS)
        found.append(max(usual // STEP * STEP, found[-1] if found else 0))
    return tuple(found)


def curves(worked: Mapping[str, Worked]) -> dict[str, tuple[int, ...]]:
    """The curve of everybody."""
    of_pool: dict[str, list[str]] = {}
    for agent, one in worked.items():
        for pool in one.pools:
            of_pool.setdefault(pool, []).append(agent)
    means: dict[tuple[str, ...], tuple[AtLevel, ...]] = {}
    found = {}
    for agent, one in worked.items():
        if one.pools not in means:
            near = {other for pool in one.pools for other in of_pool[pool]}
            means[one.pools] = mean([worked[other] for other in sorted(near)])
        found[agent] = curve(one, means[one.pools] or one.levels)
    return found
