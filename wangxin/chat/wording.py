"""Words an agent should think about before he sends them, and what a shop wants done about each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from wangxin.model import limits

Act = Literal["warn", "block", "replace"]
"""``warn``: asked once more; ``block``: not sent; ``replace``: another word goes out."""
Usual = Literal["off", "warn", "block"]
Find = Callable[[Sequence[str], Sequence[str]], Iterator[str]]
"""(texts, words) -> those of the words that stand in one of the texts, however they are written."""
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern="^[^\\x00]*$")]


class WordRule(BaseModel):
    """``instead`` is what goes out for ``replace``; empty: nothing stands there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    word: Word
    act: Act = "warn"
    instead: Annotated[str, StringConstraints(max_length=40, pattern="^[^\\x00]*$")] = ""


class Wording(BaseModel):
    """A shop's own words, and what is done about the usual ones: claims the law forbids, ways off the platform."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: Usual = "warn"
    elsewhere: Usual = "warn"
    words: Annotated[tuple[WordRule, ...], Field(max_length=limits.WORD_RULES_MAX)] = ()


def kept_wording(kept: Any) -> Wording:
    """As it stands in the shop's settings; written by another version: the usual ones count."""
    try:
        return Wording.model_validate(kept or {})
    except ValidationError:
        return Wording()


@dataclass(frozen=True, slots=True)
class Hit:
    """``group``: "own", "claim" or "elsewhere". A word that stands there in another spelling cannot be replaced: it is
    warned of."""

    word: str
    act: Act
    instead: str
    group: str


def judge(text: str, wording: Wording, usual: Mapping[str, Sequence[str]], find: Find) -> tuple[list[Hit], str]:
    """What stands in ``text``, the gravest first, and the text with words replaced as the shop wants it."""
    hits: list[Hit] = []
    own = {rule.word: rule for rule in wording.words}
    for word in find([text], list(own)):
        rule = own[word]
        if rule.act == "replace":
            swapped = text.replace(word, rule.instead)
            hits.append(Hit(word, "warn" if swapped == text else "replace", rule.instead, "own"))
            text = swapped
        else:
            hits.append(Hit(word, rule.act, "", "own"))
    for group, act in (("claim", wording.claim), ("elsewhere", wording.elsewhere)):
        if act != "off":
            hits += [Hit(word, act, "", group) for word in find([text], [w for w in usual[group] if w not in own])]
    return sorted(hits, key=lambda hit: ("block", "warn", "replace").index(hit.act)), text
