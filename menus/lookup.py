"""Products and orders found by what shoppers and merchants write: part of a title, misspelt, in another order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rapidfuzz import fuzz

from menus.understand.normalise import normalise

T = TypeVar("T")
NEAR = 75.0
"""Of 100: about one character in four may be wrong or missing."""
NAMED = 0.5
"""Of :func:`_share`: one piece in common names an order, if no other order has as many."""


def near(words: str, titled: Sequence[tuple[str, T]], most: int) -> list[T]:
    """Those whose title comes near to ``words``, the nearest first; all in their order where there are no words."""
    asked = normalise(words)
    if not asked:
        return [one for _, one in titled[:most]]
    scored = [(fuzz.partial_ratio(asked, normalise(title)), at, one) for at, (title, one) in enumerate(titled)]
    found = sorted((one for one in scored if one[0] >= NEAR), key=lambda one: (-one[0], one[1]))
    return [one for _, _, one in found[:most]]


def named_first(words: str, titled: Sequence[tuple[str, T]]) -> list[T]:
    """The one whose title the words name stands first, if they name one more than any other; else all as they were."""
    shares = [_share(normalise(words), normalise(title)) for title, _ in titled]
    best = max(shares, default=0.0)
    order = [one for _, one in titled]
    if best < NAMED or shares.count(best) > 1:
        return order
    return [order.pop(shares.index(best)), *order]


def _share(words: str, title: str) -> float:
    """How many pieces of two characters words and title have in common, of two: more say no more."""
    held = {title[at : at + 2] for at in range(len(title) - 1) if title[at : at + 2] in words}
    return min(2, len(held)) / 2
