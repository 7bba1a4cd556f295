"""Golden questions: what a shopper might say, and the outcome the merchant knows to be right. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from menus.dialogue import Decision

Expects = Literal["entry", "item", "human", "none"]
Verdict = Literal["right", "offered", "wrong"]
Guard = Literal["warn", "block"]
"""What a shop wants of a menu that breaks golden questions: published with a warning, or not at all."""


@dataclass(frozen=True, slots=True)
class Golden:
    """``ref``: the question or the menu item, by id when judged; "" where a person or no answer is right.

    ``before``: the verdict of the last run.
    """

    id: str
    said: str
    expects: Expects
    ref: str = ""
    before: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    golden: Golden
    verdict: Verdict
    decision: Decision

    @property
    def broke(self) -> bool:
        """It was not wrong the last time."""
        return self.verdict == "wrong" and self.golden.before in ("right", "offered")


def judge(golden: Golden, decision: Decision) -> Judged:
    """``offered``: the right one stands among the suggestions."""
    return Judged(golden, _verdict(golden, decision), decision)


def _verdict(golden: Golden, decision: Decision) -> Verdict:
    match golden.expects:
        case "human":
            return "right" if decision.how == "handoff" else "wrong"
        case "none":
            return "right" if decision.how in ("ask", "smalltalk", "silent") else "wrong"
        case "entry":
            given, kind = decision.entry if decision.how == "answer" else None, "faq"
        case "item":
            given, kind = decision.item if decision.how == "item" else None, "item"
    if given == golden.ref:
        return "right"
    return "offered" if (kind, golden.ref) in decision.suggestions else "wrong"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``answered``: where the bot gave one answer by itself; ``precision``: of those the share that was right."""

    total: int
    right: int
    offered: int
    wrong: int
    answered: int
    precision: float | None


def outcome(judged: Sequence[Judged]) -> Outcome:
    verdicts = [one.verdict for one in judged]
    answered = [one for one in judged if one.decision.how in ("answer", "item")]
    right = sum(1 for one in answered if one.verdict == "right")
    return Outcome(
        len(judged), verdicts.count("right"), verdicts.count("offered"), verdicts.count("wrong"), len(answered),
        right / len(answered) if answered else None,
    )  # fmt: skip
