"""A question read with a candidate in hand: characters that only sound like one of the candidate's become that one."""

from __future__ import annotations

from functools import lru_cache

from menus.understand.normalise import is_chinese
from menus.understand.pinyin import sound


@lru_cache(maxsize=65_536)
def _sounds(text: str) -> tuple[str, ...]:
    """One syllable a character; "" for what is not Chinese."""
    found: list[str] = []
    for syllable in sound(text):
        at = len(found)
        found += [syllable] if is_chinese(text[at]) else [""] * len(syllable)
    return tuple(found)


@lru_cache(maxsize=65_536)
def _places(text: str) -> dict[str, tuple[int, ...]]:
    """Where each syllable stands in the text."""
    found: dict[str, tuple[int, ...]] = {}
    for at, syllable in enumerate(_sounds(text)):
        if syllable:
            found[syllable] = (*found.get(syllable, ()), at)
    return found


def heal(text: str, candidate: str) -> tuple[str, int]:
    """``text`` as its writer may have meant it if he asked ``candidate``, and how many characters had to change.

    A character changes to one of the same sound that the candidate has and the text lacks; of several, to the one with
    the same neighbour."""
    places = _places(candidate)
    healed: list[str] | None = None
    count = 0
    for at, (char, syllable) in enumerate(zip(text, _sounds(text), strict=True)):
        if not syllable or char in candidate or syllable not in places:
            continue
        meant = [there for there in places[syllable] if candidate[there] not in text]
        if not meant:
            continue
        best = max(meant, key=lambda there: _neighbours(text, at, candidate, there))
        healed = healed or list(text)
        healed[at] = candidate[best]
        count += 1
    return ("".join(healed), count) if healed else (text, 0)


def _neighbours(text: str, at: int, candidate: str, there: int) -> int:
    before = at > 0 and there > 0 and text[at - 1] == candidate[there - 1]
    after = at + 1 < len(text) and there + 1 < len(candidate) and text[at + 1] == candidate[there + 1]
    return before + after
