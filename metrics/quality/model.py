"""Quality checks, purely: what is drawn, what a sheet makes of marks, what grades come to, how far graders agree.

Blind: who grades sees neither agent nor provider nor another's grade. Fatal items fail a conversation whatever else
was right in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from random import Random
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from metrics.intervals import Rate
from wangxin.model.refusals import Refusal

SAMPLE_MIN = 5  # conversations of an agent and week, or all where he had fewer
SAMPLE_PERCENT = 3  # of his conversations, where that is more
DOUBLE_PERCENT = 10
DISPUTED_MAX = 20  # conversations of disputed lines drawn in a week
APPEAL_DAYS = 7

Mark = Literal["full", "half", "none", "na"]
"""``na``: there was no occasion; the item is left out of the score."""
Stratum = Literal["random", "low_rating", "reclaimed", "disputed"]
State = Literal["waiting", "graded", "split", "decided"]
"""``split``: two graders differ on whether it passes; it counts nowhere until the shop has decided."""
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,20}$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]


class Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Closed):
    id: _Id
    name: _Name
    points: int = Field(ge=1, le=100)


class Fatal(Closed):
    """Something that must not happen: it fails the conversation and leaves no points."""

    id: _Id
    name: _Name


class Sheet(Closed):
    items: tuple[Item, ...] = Field(min_length=1, max_length=20)
    fatal: tuple[Fatal, ...] = Field(default=(), max_length=10)
    pass_mark: int = Field(default=80, ge=1, le=100)

    @model_validator(mode="after")
    def _once(self) -> Sheet:
        ids = [one.id for one in self.items] + [one.id for one in self.fatal]
        if len(set(ids)) != len(ids):
            raise ValueError("each item has an id of its own")
        return self


@dataclass(frozen=True, slots=True)
class Graded:
    """``score`` 0 to 100."""

    score: int
    passed: bool


def graded(sheet: Sheet, marks: Mapping[str, Mark], fatal: Sequence[str]) -> Graded:
    """What the sheet makes of the marks. Raises ``grade.incomplete``, ``grade.unknown``."""
    if missing := [item.name for item in sheet.items if item.id not in marks]:
        raise Refusal("grade.incomplete", f"not marked yet: {missing[0]}", field="marks")
    if set(marks) - {item.id for item in sheet.items} or set(fatal) - {one.id for one in sheet.fatal}:
        raise Refusal("grade.unknown", "this is no item of the sheet", field="marks")
    halves = {"full": 2, "half": 1, "none": 0}
    asked = [item for item in sheet.items if marks[item.id] != "na"]
    most = 2 * sum(item.points for item in asked)
    got = sum(item.points * halves[marks[item.id]] for item in asked)
    score = (200 * got + most) // (2 * most) if most else 100
    return Graded(0, False) if fatal else Graded(score, score >= sheet.pass_mark)


@dataclass(frozen=True, slots=True)
class Result:
    state: State
    score: int | None
    passed: bool | None


def result(grades: Sequence[Graded], decision: Graded | None) -> Result:
    """What a sample comes to. The first grade counts until a second differs; the shop's decision is the last word."""
    if decision is not None:
        return Result("decided", decision.score, decision.passed)
    if not grades:
        return Result("waiting", None, None)
    if len({one.passed for one in grades}) > 1:
        return Result("split", None, None)
    total, n = sum(one.score for one in grades), len(grades)
    return Result("graded", (2 * total + n) // (2 * n), grades[0].passed)


# --- drawing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """A finished conversation of the week that a person answered. ``taken``: why it was drawn before, '' if not."""

    conversation: UUID
    agent: UUID
    low_rating: bool = False
    reclaimed: bool = False
    disputed: bool = False
    taken: Stratum | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    conversation: UUID
    stratum: Stratum
    double: bool


def draw(week: Sequence[Served], chance: Random) -> list[Drawn]:
    """By chance of each agent, at least :data:`SAMPLE_MIN` or :data:`SAMPLE_PERCENT` %; beside them all low ratings,
    reclaimed and disputed ones. Drawn again in the same week, only what is missing comes."""
    found: list[Drawn] = []
    chosen: set[UUID] = set()
    for _, some in groupby(sorted(week, key=lambda one: (one.agent, one.conversation)), key=lambda one: one.agent):
        his = list(some)
        had = sum(one.taken == "random" for one in his)
        free = [one for one in his if not one.taken]
        missing = max(SAMPLE_MIN, ceil(len(his) * SAMPLE_PERCENT / 100)) - had
        chosen |= {one.conversation for one in chance.sample(free, max(0, min(missing, len(free))))}
    double = set(chance.sample(sorted(chosen), ceil(len(chosen) * DOUBLE_PERCENT / 100)))
    found += [Drawn(one, "random", one in double) for one in sorted(chosen)]
    disputed = 0
    for one in sorted(week, key=lambda one: one.conversation):
        if one.taken or one.conversation in chosen:
            continue
        if one.low_rating or one.reclaimed:
            found.append(Drawn(one.conversation, "low_rating" if one.low_rating else "reclaimed", False))
        elif one.disputed and disputed < DISPUTED_MAX:
            disputed += 1
            found.append(Drawn(one.conversation, "disputed", False))
    return found


# --- agreement ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of conversations that two people graded: how often both said the same, and Cohen's kappa (None: undefined,
    since all verdicts are the same or there are none)."""

    same: Rate
    kappa: float | None


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    n = len(pairs)
    same = sum(one == other for one, other in pairs)
    if not n:
        return Agreement(Rate(0, 0), None)
    first, second = sum(one for one, _ in pairs) / n, sum(other for _, other in pairs) / n
    by_chance = first * second + (1 - first) * (1 - second)
    return Agreement(Rate(same, n), None if by_chance == 1 else (same / n - by_chance) / (1 - by_chance))


PROPOSED = Sheet(
    items=(
        Item(id="greeting", name="问候与称呼", points=10),
        Item(id="understood", name="听懂问题，答到点上", points=30),
        Item(id="correct", name="信息准确（价格、活动、物流）", points=25),
        Item(id="solved", name="解决问题或说明下一步", points=20),
        Item(id="manner", name="语气友善，用词规范", points=15),
    ),
    fatal=(
        Fatal(id="abuse", name="辱骂或讽刺买家"),
        Fatal(id="off_platform", name="引导站外交易或索要站外联系方式"),
        Fatal(id="privacy", name="泄露买家个人信息"),
        Fatal(id="false_promise", name="虚假承诺"),
    ),
)
"""What a shop without a sheet is shown as a beginning."""
