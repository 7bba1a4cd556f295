"""What is found by what people write: part of a title, misspelt, of the same sound, or the first letters. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from rapidfuzz import fuzz

from menus.understand.normalise import normalise

T = TypeVar("T")
NEAR = 75.0
"""Of 100: about one character in four may be wrong or missing."""
NAMED = 0.45
"""Of :func:`_share`: one piece in common names an order, if no other order has as much."""
HEARD_PIECE = 0.9
"""Of a piece that is spelt alike."""
HEARD = 85.0
"""Of 100, by syllables or letters of them: fewer say less than characters do, so more of them must agree."""
LETTERS_MIN = 2
_PLAIN = re.compile(r"[a-z0-9\s]")
_WORDS = re.compile(r"[a-z]+|[0-9]+")


def near(words: str, titled: Sequence[tuple[str, T]], most: int) -> list[T]:
    """Those whose title comes near to ``words``, the nearest first; all in their order where there are no words.

    Near is spelt alike, or sounding alike, or, for Latin letters, spelt alike in pinyin or by its first letters."""
    asked = normalise(words)
    if not asked:
        return [one for _, one in titled[:most]]
    scored = [(_score(asked, normalise(title)), at, one) for at, (title, one) in enumerate(titled)]
    found = sorted((one for one in scored if one[0]), key=lambda one: (-one[0], one[1]))
    return [one for _, _, one in found[:most]]


def _score(asked: str, title: str) -> float:
    """0: not near. Both normalised."""
    spelt = fuzz.partial_ratio(asked, title)
    if spelt >= NEAR:
        return spelt
    letters = asked.replace(" ", "")
    if letters.isascii() and letters.isalpha():
        if len(letters) < LETTERS_MIN:
            return 0.0
        whole, first = _letters(title)
        by_first = fuzz.partial_ratio(letters, first) if len(letters) <= len(first) else 0.0
        by_whole = fuzz.partial_ratio(letters, whole) if LETTERS_MIN * 2 <= len(letters) <= len(whole) else 0.0
        bound = NEAR if len(letters) > LETTERS_MIN + 1 else 100.0
        return max(by_first if by_first >= bound else 0.0, by_whole if by_whole >= HEARD else 0.0)
    heard = fuzz.partial_ratio(_heard(asked), _heard(title))
    return heard if heard >= HEARD else 0.0


@lru_cache(maxsize=16_384)
def _heard(text: str) -> str:
    from menus.understand.pinyin import sound_text  # its dictionary is for processes that look things up

    return sound_text(text)


@lru_cache(maxsize=16_384)
def _letters(text: str) -> tuple[str, str]:
    """(all letters of its pinyin, the first of each syllable)."""
    from menus.understand.pinyin import sound

    syllables = [one for one in sound(text) if one.strip()]
    return "".join(syllables), "".join(one if one.isdigit() else one[0] for one in syllables)


def named_first(words: str, titled: Sequence[tuple[str, T]]) -> list[T]:
    """The one whose title the words name stands first, if they name one more than any other; else all as they were."""
    shares = [_share(normalise(words), normalise(title)) for title, _ in titled]
    best = max(shares, default=0.0)
    order = [one for _, one in titled]
    if best < NAMED or shares.count(best) > 1:
        return order
    return [order.pop(shares.index(best)), *order]


def _share(words: str, title: str) -> float:
    """How much of the title the words say, of two pieces: more say no more. A piece is two characters written alike,
    two that sound alike (which says a little less), or a Latin word or number nearly alike."""
    spelt = _pairs(title) & _pairs(words)
    heard = _pairs(_heard(title)) & _pairs(_heard(words))
    latin = _latin(words)
    near_latin = [one for one in _latin(title) if any(_alike(one, said) for said in latin)]
    return min(2.0, max(len(spelt), len(heard) * HEARD_PIECE) + len(near_latin)) / 2


def _pairs(text: str) -> set[str]:
    """Two characters side by side, of those that are no Latin letter, digit or space."""
    return {text[at : at + 2] for at in range(len(text) - 1) if not _PLAIN.search(text[at : at + 2])}


def _latin(text: str) -> list[str]:
    return [one for one in _WORDS.findall(text) if len(one) >= LETTERS_MIN]


def _alike(one: str, other: str) -> bool:
    """A number is itself or another one; a short word says too little to be guessed."""
    guessed = min(len(one), len(other)) >= LETTERS_MIN * 2 and one.isalpha() and other.isalpha()
    return one == other or (guessed and fuzz.ratio(one, other) >= NEAR)
