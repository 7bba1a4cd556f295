"""Two menus on the same crowd: what the one shown did better than the one it is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from menus.record_variants import Arm
from wangxin.model import trials
from wangxin.model.trials import Interval

Name = Literal["tapped", "handed_over", "ordered"]
WANTED: dict[Name, int] = {"tapped": 1, "handed_over": -1, "ordered": 1}
"""Whether more of it is better. Fewer shoppers who need a person is what a menu is for."""


@dataclass(frozen=True, slots=True)
class Measure:
    """``difference``: share of the shown side minus share of the other, as is its ``interval`` (valid at every look);
    ``smallest``: the difference these numbers could show. ``verdict``: "cannot_tell" until the interval is clear of 0.
    """

    name: Name
    difference: float
    interval: Interval
    smallest: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Trial:
    """``unequal``: the sides are so far from the planned shares that the comparison must not be trusted."""

    measures: tuple[Measure, ...]
    unequal: bool


def read_trial(share: int, shown: Arm, held: Arm) -> Trial:
    """``share``: the percentage that should see the variant."""
    measures = []
    for name, sign in WANTED.items():
        lift = trials.lift(getattr(shown, name), shown.people, getattr(held, name), held.people)
        verdict = lift.verdict
        if sign < 0 and verdict != "cannot_tell":
            verdict = "worse" if verdict == "better" else "better"
        measures.append(Measure(name, lift.difference, lift.interval, lift.mde, verdict))
    unequal = trials.srm_p((shown.people, held.people), (share, 100 - share)) < trials.SRM_ALARM_P
    return Trial(tuple(measures), unequal)
