"""How near two answers are to each other, and how much of a text was typed right. Pure."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

CPM_MAX = 900
"""Nobody types faster; whoever seems to has not typed."""
RIGHT_PER_MILLE = 900
"""So much of the text must be there and right, or the speed says nothing."""


def closeness(said: str, right: str) -> int:
    """Per mille of the right answer that is in what was said; what was said beside it counts against it, but less.

    Pairs of characters are compared, so that it serves Chinese, where words have no spaces, and other scripts alike.
    """
    ours, theirs = _pairs(said), _pairs(right)
    if not ours or not theirs:
        return 0
    return 1_000 * len(ours & theirs) * 10 // (3 * len(ours) + 7 * len(theirs))


def _pairs(text: str) -> set[str]:
    plain = "".join(char for char in text.casefold() if char.isalnum())
    return {plain[at : at + 2] for at in range(len(plain) - 1)} or ({plain} if plain else set())


def typed_right(text: str, typed: str) -> int:
    """How many characters of ``text`` stand in ``typed``, less what was added or changed. Spaces at the ends do not
    count."""
    text, typed = text.strip(), typed.strip()
    return max(0, len(text) - Levenshtein.distance(text, typed))


def per_minute(characters: int, ms: int) -> int:
    return characters * 60_000 // max(1, ms)
