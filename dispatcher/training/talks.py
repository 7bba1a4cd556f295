"""Chats that are not real: a scripted shopper to practise with, and recorded ones to be answered again. Pure.

A talk is its content (what is said and what would be right) and the lines spoken so far; each answer of the agent makes
the next lines. Times are the server's.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dispatcher.training.exam import Known
from dispatcher.training.model import Rules
from dispatcher.training.words import closeness

HELLO = "在吗？"
AGAIN = "不太明白，能再说详细一点吗？"
THANKS = "好的，谢谢。"
GOODBYE = "没有别的问题了，谢谢你！"
WORDS_MAX = 500


def practice_script(known: Sequence[Known], turns: int, seed: str) -> list[dict[str, Any]]:
    """What the shopper asks, in other words the second time, and the answer of the shop."""
    chance = random.Random(seed)
    asked = sorted(known, key=lambda one: one.id)
    chance.shuffle(asked)
    made = []
    for one in asked[:turns]:
        said = chance.choice(one.phrasings[:5])
        again = next((other for other in one.phrasings if other != said), AGAIN)
        made.append({"said": said, "again": again, "right": one.answer})
    return made


def drill_turns(talks: Sequence[Sequence[tuple[Literal["shopper", "agent"], str]]], turns: int) -> list[dict[str, Any]]:
    """What shoppers said and what was answered then, conversation after conversation, at most ``turns`` of them.

    Lines in a row belong together; what nobody answered is left out.
    """
    made: list[dict[str, Any]] = []
    for talk in talks:
        said: list[str] = []
        answered: list[str] = []
        for who, text in [*talk, ("shopper", "")]:
            if who == "agent":
                if said:
                    answered.append(text)
                continue
            if answered:
                made.append({"said": "\n".join(said)[:WORDS_MAX], "answered": "\n".join(answered)[:WORDS_MAX]})
                said, answered = [], []
            said.append(text)
    return made[:turns]


@dataclass(frozen=True, slots=True)
class Turned:
    """What followed an answer: lines to add, and whether the talk is over."""

    lines: list[dict[str, Any]]
    over: bool


def opening(step: str, content: Mapping[str, Any], now_ms: int) -> list[dict[str, Any]]:
    first = content["turns"][0]["said"]
    shown = [HELLO, first] if step == "practice" else [first]
    return [_line("shopper", text, now_ms, turn=0) for text in shown]


def answer(
    step: str,
    content: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    text: str,
    rules: Rules,
    known: Sequence[Known],
    now_ms: int,
) -> Turned:
    """What the agent's ``text`` brings. In a drill he is shown what was answered then; in practice the shopper asks a
    second time where the answer helps him little."""
    turns = content["turns"]
    at = lines[-1]["turn"]
    asked_ms = next(line["at_ms"] for line in reversed(lines) if line["who"] == "shopper")
    near = _near(step, turns[at], text, known)
    said = {**_line("agent", text, now_ms, turn=at), "near": near, "took_ms": max(0, now_ms - asked_ms)}
    more: list[dict[str, Any]] = [said]
    last = at + 1 >= len(turns)
    if step == "drill":
        more.append(_line("then", turns[at]["answered"], now_ms, turn=at))
        if not last:
            more.append(_line("shopper", turns[at + 1]["said"], now_ms, turn=at + 1))
        return Turned(more, last)
    tried = any(line["who"] == "agent" and line["turn"] == at for line in lines)
    if near < rules.close_enough and not tried:
        more.append(_line("shopper", turns[at]["again"], now_ms, turn=at))
        return Turned(more, False)
    if last:
        more.append(_line("shopper", GOODBYE, now_ms, turn=at))
        return Turned(more, True)
    more += [_line("shopper", THANKS, now_ms, turn=at), _line("shopper", turns[at + 1]["said"], now_ms, turn=at + 1)]
    return Turned(more, False)


def _near(step: str, turn: Mapping[str, Any], text: str, known: Sequence[Known]) -> int:
    if step == "practice":
        return closeness(text, turn["right"])
    return max([closeness(text, turn["answered"]), *(closeness(text, one.answer) for one in known)])


def _line(who: str, text: str, at_ms: int, *, turn: int) -> dict[str, Any]:
    return {"who": who, "text": text, "at_ms": at_ms, "turn": turn}


@dataclass(frozen=True, slots=True)
class Mark:
    """``score``: per mille of the turns that were answered near enough; ``reply_ms``: on average."""

    score: int
    reply_ms: int
    passed: bool


def mark(content: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], rules: Rules) -> Mark:
    """The rule: enough turns near enough, and soon enough. What was not answered counts as wrong."""
    said = [line for line in lines if line["who"] == "agent"]
    good = {line["turn"] for line in said if line["near"] >= rules.close_enough}
    score = len(good) * 1_000 // max(1, len(content["turns"]))
    reply_ms = sum(line["took_ms"] for line in said) // max(1, len(said))
    return Mark(score, reply_ms, bool(said) and score >= rules.talk_pass and reply_ms <= rules.reply_ms_max)
