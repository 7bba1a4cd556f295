"""Exams and texts made of a shop's own questions and answers: the same seed makes the same ones. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dispatcher.training.words import closeness

CHOICES = 4
ANSWER_CHARS = 300
NEAR_AMONG = 200
"""Near answers are looked for among so many of a shop's questions."""
TYPING_CHARS = (60, 90)


@dataclass(frozen=True, slots=True)
class Known:
    """A question of the shop with its phrasings and the right answer."""

    id: UUID
    topic: str
    phrasings: tuple[str, ...]
    answer: str


def make_exam(known: Sequence[Known], count: int, seed: str, first: Sequence[Known] = ()) -> list[dict[str, Any]]:
    """Questions with choices and the place of the right one, those of ``first`` (the trainer's own) before the others.
    Fewer than ``CHOICES`` different answers: no questions.

    The wrong choices are the answers to the questions most like this one.
    """
    chance = random.Random(seed)
    answers = {one.answer[:ANSWER_CHARS] for one in (*first, *known)}
    if len(answers) < CHOICES:
        return []
    asked = sorted(known, key=lambda one: one.id)
    chance.shuffle(asked)
    own = sorted(first, key=lambda one: one.id)
    chance.shuffle(own)
    asked = [*own, *asked]
    others = asked[:NEAR_AMONG]
    made = []
    for one in asked[:count]:
        right = one.answer[:ANSWER_CHARS]
        near = sorted(
            (other for other in others if other.answer[:ANSWER_CHARS] != right),
            key=lambda other: (-_nearness(one, other), other.id),
        )
        wrong = list(dict.fromkeys(other.answer[:ANSWER_CHARS] for other in near))[: CHOICES - 1]
        choices = [right, *wrong]
        chance.shuffle(choices)
        made.append({"question": chance.choice(one.phrasings[:5]), "choices": choices, "right": choices.index(right)})
    return made


def _nearness(one: Known, other: Known) -> int:
    words = closeness(one.phrasings[0], other.phrasings[0]) + closeness(one.answer, other.answer)
    return words + (300 if one.topic == other.topic else 0)


def mark_exam(questions: Sequence[Mapping[str, Any]], chosen: Sequence[int | None]) -> int:
    """Per mille answered right; what was left out is wrong."""
    right = sum(bool(question["right"] == choice) for question, choice in zip(questions, chosen, strict=False))
    return right * 1_000 // max(1, len(questions))


def typing_text(known: Sequence[Known], seed: str) -> str:
    """A text of a minute or two from the shop's answers; empty where there is not enough to type."""
    chance = random.Random(seed)
    answers = sorted({" ".join(one.answer.split()) for one in known})
    chance.shuffle(answers)
    least, most = TYPING_CHARS
    text = ""
    for answer in answers:
        text += answer if not text or text[-1] in "。！？.!?" else f" {answer}"
        if len(text) >= least:
            break
    return text[:most].strip() if len(text) >= least // 2 else ""
