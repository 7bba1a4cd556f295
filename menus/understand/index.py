"""A searchable set of phrasings: TF-IDF over words and character pieces, as posting lists in numpy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from menus.understand.words import Words

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


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
        self.idf: dict[str, float] = {piece: math.log((1 + rows) / (1 + n)) + 1 for piece, n in seen.items()}
        self.rare = math.log(1 + rows) + 1  # what the index has never seen weighs like what it has seen least
        gathered: dict[str, tuple[list[int], list[float]]] = {piece: ([], []) for piece in seen}
        for row, counts in enumerate(counted):
            for piece, weight in self._weigh(counts).items():
                at, weights = gathered[piece]
                at.append(row)
                weights.append(weight)
        self._postings: dict[str, tuple[Ints, Floats]] = {
            piece: (np.asarray(at, np.int32), np.asarray(weights, np.float32))
            for piece, (at, weights) in gathered.items()
        }

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
            posting = self._postings.get(piece)
            if posting is not None:
                scores[posting[0]] += posting[1] * np.float32(weight)  # a row occurs once in a posting list
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
