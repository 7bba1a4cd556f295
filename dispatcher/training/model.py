"""Packs, tries and certificates: what a shop asks, what an agent has shown, and until when it counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dispatcher.contracts import Training

Step = Literal["exam", "drill", "typing", "practice"]
STEPS: tuple[Step, ...] = get_args(Step)
State = Literal["new", "open", "failed", "passed", "expired"]
DAY_MS = 86_400_000
OPEN_MS = 2 * 3_600_000
"""A try that is not finished after this long is lost."""
TYPING_CPM = 50
"""What a typing test asks where no contract says more."""


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_no_nul)]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Article(_Kept):
    """``phrase``: words to be used as they are; ``article``: something to know."""

    kind: Literal["article", "phrase"] = "article"
    title: Annotated[Words, StringConstraints(max_length=60)]
    text: Annotated[Words, StringConstraints(max_length=2_000)]


class Question(_Kept):
    """A trainer's own, asked in the exam and in practice chats."""

    question: Annotated[Words, StringConstraints(max_length=200)]
    answer: Annotated[Words, StringConstraints(max_length=300)]


class Script(_Kept):
    """What a provider teaches his people about one shop. ``version`` 0: nothing yet."""

    version: int = 0
    articles: tuple[Article, ...] = ()
    questions: tuple[Question, ...] = ()


class Rules(_Kept):
    """When a step is passed, how often it may be tried, how long it counts. Marks are per mille."""

    questions: int = Field(default=10, ge=3, le=50)
    exam_pass: int = Field(default=800, ge=0, le=1_000, description="of the questions, answered right")
    close_enough: int = Field(default=300, ge=0, le=1_000, description="how near an answer must be to the shop's own")
    talk_pass: int = Field(default=700, ge=0, le=1_000, description="of the turns of a drill or practice, near enough")
    reply_ms_max: int = Field(default=60_000, ge=5_000, le=600_000, description="on average, in drills and practice")
    turns: int = Field(default=4, ge=1, le=10, description="of a drill or a practice chat")
    retake_after_min: int = Field(default=10, ge=0, le=10_080)
    tries_a_day: int = Field(default=5, ge=1, le=50)
    valid_days: int = Field(default=180, ge=1, le=1_000)
    chats: bool = Field(default=False, description="recorded conversations may be shown, without names and numbers")


@dataclass(frozen=True, slots=True)
class Pack:
    """``since``: the version from which on what was passed still counts."""

    version: int
    articles: tuple[Article, ...]
    rules: Rules
    since: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step. ``score``: per mille, or characters a minute; None: not finished."""

    step: Step
    pack_version: int
    started_ms: int
    finished_ms: int | None = None
    score: int | None = None
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agent stands with a step. ``until_ms``: a pass counts until then; ``retry_ms``: he may try (again) from
    then on; ``need``: the mark."""

    step: Step
    required: bool
    state: State
    need: int
    score: int | None = None
    at_ms: int | None = None
    until_ms: int | None = None
    retry_ms: int = 0


def required(asked: Training) -> tuple[Step, ...]:
    """The steps a contract version asks for."""
    wanted = {"exam": asked.exam, "drill": asked.drills, "typing": asked.typing_cpm > 0, "practice": asked.practice}
    return tuple(step for step in STEPS if wanted[step])


def need(step: Step, rules: Rules, asked: Training) -> int:
    if step == "typing":
        return asked.typing_cpm or TYPING_CPM
    return rules.exam_pass if step == "exam" else rules.talk_pass


def strictest(asked: Iterable[Training]) -> Training:
    """Everything that any of several contracts asks for."""
    every = list(asked)
    return Training(
        exam=any(one.exam for one in every), drills=any(one.drills for one in every),
        practice=any(one.practice for one in every), typing_cpm=max((one.typing_cpm for one in every), default=0),
    )  # fmt: skip


def _good(step: Step, tries: Sequence[Attempt], pack: Pack, asked: Training, revoked_ms: int) -> list[Attempt]:
    """The passes that count, but for their age, in the order of the tries."""
    mark = need(step, pack.rules, asked)
    return [
        one
        for one in tries
        if one.step == step
        and one.finished_ms is not None
        and one.finished_ms > revoked_ms
        # How fast somebody types does not depend on what a shop teaches.
        and ((one.score or 0) >= mark if step == "typing" else one.passed and one.pack_version >= pack.since)
    ]


def _until(good: Sequence[Attempt], pack: Pack) -> int | None:
    """Until when the last pass counts; None: there is none."""
    return max(((one.finished_ms or 0) + pack.rules.valid_days * DAY_MS for one in good), default=None)


def standing(
    step: Step, tries: Sequence[Attempt], pack: Pack, asked: Training, revoked_ms: int, now_ms: int
) -> Standing:
    """``tries`` are those of one agent in one shop, in any order."""
    mine = sorted((one for one in tries if one.step == step), key=lambda one: one.started_ms)
    done = [one for one in mine if one.finished_ms is not None]
    last = done[-1] if done else None
    good = _good(step, mine, pack, asked, revoked_ms)
    until = _until(good, pack)
    state: State = "new"
    if until is not None and until > now_ms:
        state = "passed"
    elif any(one.finished_ms is None and one.started_ms > now_ms - OPEN_MS for one in mine):
        state = "open"
    elif until is not None or any(one.passed for one in done):
        state = "expired"
    elif last is not None:
        state = "failed"
    retry = 0
    if last is not None and state in ("failed", "expired") and not last.passed:
        retry = (last.finished_ms or 0) + pack.rules.retake_after_min * 60_000
    today = [one.started_ms for one in mine if one.started_ms > now_ms - DAY_MS]
    if len(today) >= pack.rules.tries_a_day:
        retry = max(retry, today[-pack.rules.tries_a_day] + DAY_MS)
    shown = good[-1] if state == "passed" else last
    return Standing(
        step, step in required(asked), state, need(step, pack.rules, asked),
        shown.score if shown else None, shown.finished_ms if shown else None, until, retry if retry > now_ms else 0,
    )  # fmt: skip


def certified_until(tries: Sequence[Attempt], pack: Pack | None, asked: Training, revoked_ms: int) -> int:
    """Until when the agent may serve under a contract that asks this; 0: he has not passed everything.

    A shop that asks but has written no pack certifies nobody in what depends on one.
    """
    steps = required(asked)
    if pack is None:
        return 0
    ends = [_until(_good(step, tries, pack, asked, revoked_ms), pack) for step in steps]
    return min((end or 0 for end in ends), default=0)
