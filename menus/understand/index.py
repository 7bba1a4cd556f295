"""A searchable set of phrasings: TF-IDF over words and character pieces, as posting lists in numpy."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from sys import intern

import numpy as np
from numpy.typing import NDArray

from menus.understand.words import Words

Floats = NDArray[np.float32]


def pieces(text: str, words: Sequence[str]) -> Counter[str]:
    """Countable parts of a normalised text: search words (``w``) and character 1- and 2-grams (``c``)."""
    found: Counter[str] = Counter("w" + word for word in words)
    found.update("c" + char for char in text if char != " ")
    found.update("c" + text[i : i + 2] for i in range(len(text) - 1))
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the index reads it: its pieces with weights, unit length over all of them."""

    text: str
    words: tuple[str, ...]
    weights: dict[str, float]


class Index:
    """Immutable. ``texts`` are normalised phrasings; a row is a position in ``texts``."""

    def __init__(self, texts: Sequence[str], words: Words):
        self.texts = tuple(texts)
        self.cutter = words
        self.cut = tuple(tuple(words.cut(text)) for text in self.texts)
        counted = [pieces(text, cut) for text, cut in zip(self.texts, self.cut, strict=True)]
        seen: Counter[str] = Counter()
        for counts in counted:
            seen.update(counts.keys())
        rows = len(self.texts)
        # what many shops keep is kept once: the pieces themselves, and the few different rarities
        rarity = {n: math.log((1 + rows) / (1 + n)) + 1 for n in set(seen.values())}
        self.idf: dict[str, float] = {intern(piece): rarity[n] for piece, n in seen.items()}
        self.rare = math.log(1 + rows) + 1  # what the index has never seen weighs like what it has seen least
        # posting lists one after the other; a piece's place in ``idf`` is its place in ``_starts``
        self._places = {piece: place for place, piece in enumerate(self.idf)}
        self._starts = array("q", [0, *accumulate(seen.values())])
        self._rows = np.zeros(self._starts[-1], np.int32)
        self._weights = np.zeros(self._starts[-1], np.float32)
        filled = self._starts[:-1]
        for row, counts in enumerate(counted):
            for piece, weight in self._weigh(counts).items():
                place = self._places[piece]
                self._rows[filled[place]], self._weights[filled[place]] = row, weight
                filled[place] += 1

    def __len__(self) -> int:
        return len(self.texts)

    def _weigh(self, counts: Counter[str]) -> dict[str, float]:
        raw = {p: (1 + math.log(n)) * self.idf.get(p, self.rare) for p, n in counts.items()}
        length = math.sqrt(sum(w * w for w in raw.values())) or 1.0
        return {p: w / length for p, w in raw.items()}

    def read(self, text: str) -> Reading:
        words = self.cutter.cut(text)
        return Reading(text, tuple(words), self._weigh(pieces(text, words)))

    def cosines(self, reading: Reading) -> Floats:
        """Cosine of the reading with every row."""
        scores = np.zeros(len(self.texts), np.float32)
        for piece, weight in reading.weights.items():
            place = self._places.get(piece)
            if place is not None:
                start, end = self._starts[place], self._starts[place + 1]
                # a row occurs once in a posting list
                scores[self._rows[start:end]] += self._weights[start:end] * np.float32(weight)
        return scores

    def nearest(self, reading: Reading, count: int) -> list[tuple[int, float]]:
        """The ``count`` rows nearest to the reading as (row, cosine), best first; rows without a common piece never."""
        scores = self.cosines(reading)
        count = min(count, len(scores))
        if count == 0:
            return []
        top = np.argpartition(scores, len(scores) - count)[-count:]
        ordered = top[np.lexsort((top, -scores[top]))]
        return [(int(row), float(scores[row])) for row in ordered if scores[row] > 0]
