"""English topics: the same softmax over words, word pairs and letter pieces. A fallback for shops abroad."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from menus.understand.fit import fit_softmax
from menus.understand.topics import NONE, Example, Routing
from wangxin.model.limits import BOT_READS_CHARS_MAX

_WORD = re.compile(r"[a-z0-9']+")
_STRENGTH = 12.0


def _pieces(raw: str) -> Counter[str]:
    words = _WORD.findall(raw[:BOT_READS_CHARS_MAX].lower())
    found: Counter[str] = Counter("w" + w for w in words)
    found.update("b" + a + " " + b for a, b in pairwise(words))
    for word in words:
        edged = f" {word} "
        for size in (2, 3, 4, 5):
            found.update("c" + edged[i : i + size] for i in range(len(edged) - size + 1))
    return found


def _named(topics: Iterable[str]) -> list[Example]:
    """A topic's own name is an example of it: "card_arrival" speaks of a card's arrival."""
    spoken = {topic: " ".join(_WORD.findall(topic.lower())) for topic in topics if topic != NONE}
    return [Example(words, topic) for topic, words in spoken.items() if any(char.isalpha() for char in words)]


class EnglishRouter:
    def __init__(self, labelled: Sequence[Example]):
        self.topics = tuple(dict.fromkeys(e.topic for e in labelled))
        examples = [*labelled, *_named(self.topics)]
        counted = [_pieces(e.text) for e in examples]
        seen: Counter[str] = Counter()
        for counts in counted:
            seen.update(counts.keys())
        self._columns = {piece: i for i, piece in enumerate(seen)}
        self._idf = {piece: math.log((1 + len(examples)) / (1 + n)) + 1 for piece, n in seen.items()}
        rows = np.stack([self._row(counts) for counts in counted])
        shares = np.zeros((len(examples), len(self.topics)))
        for i, example in enumerate(examples):
            shares[i, self.topics.index(example.topic)] = 1.0
        self._weights = fit_softmax(rows, shares, np.asarray([e.weight for e in examples]), _STRENGTH)

    def _row(self, counts: Counter[str]) -> NDArray[np.float32]:
        """Words and letter pieces weigh the same as two halves; each half has unit length."""
        row = np.zeros(len(self._columns) + 1, np.float32)
        for half in ("wb", "c"):
            raw = {
                p: (1 + math.log(n)) * self._idf[p] for p, n in counts.items() if p[0] in half and p in self._columns
            }
            length = math.sqrt(sum(w * w for w in raw.values())) or 1.0
            for piece, weight in raw.items():
                row[self._columns[piece]] = weight / length
        row[-1] = 1.0
        return row

    def route(self, raw: str) -> Routing:
        z = self._row(_pieces(raw)) @ self._weights
        shares = np.exp(z - z.max())
        shares /= shares.sum()
        ranked = tuple(
            (self.topics[int(i)], float(shares[i])) for i in np.argsort(-shares) if self.topics[int(i)] != NONE
        )
        return Routing(ranked, sum(float(s) for t, s in zip(self.topics, shares, strict=True) if t == NONE))
