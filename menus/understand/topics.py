"""Which topic a message is about: a softmax over words, keywords and form, with ``none`` as an answer of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from menus.understand.fit import fit_softmax
from menus.understand.index import Index, Reading
from menus.understand.lexicon import Keyword, shop_topics
from menus.understand.normalise import PLACE, normalise
from menus.understand.words import Words

NONE = "none"
_STRENGTH = 10.0
_OWN_WEIGHT = 0.5  # an example the product brings counts half of one the shop labelled
_KEYWORD_SCALE = 0.5
_FORM_SCALE = 0.3
_ALSO_SHARE = 0.3
_NUMBER = re.compile(r"\d+")
_ASKING = ("什么", "怎么", "多少", "哪", "几")
_FORMS = 9


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    topic: str
    also: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Routing:
    """Topics best first with their probabilities; ``none`` is not among them but has its own."""

    ranked: tuple[tuple[str, float], ...]
    none: float

    @property
    def confidence(self) -> float:
        return self.ranked[0][1] if self.ranked else 0.0

    @property
    def top_three(self) -> float:
        """Probability that one of the first three topics is right: what showing chips is worth."""
        return sum(share for _, share in self.ranked[:3])


def own_examples(topics: Iterable[str]) -> list[Example]:
    """The product's own example messages for those of the given topics it knows."""
    known = shop_topics()
    return [
        Example(text, topic, weight=_OWN_WEIGHT) for topic in topics if topic in known for text in known[topic].examples
    ]


def own_keywords(topics: Iterable[str]) -> dict[str, tuple[Keyword, ...]]:
    known = shop_topics()
    return {topic: known[topic].keywords for topic in topics if topic in known}


class Router:
    """Immutable once built; building trains it (about a second for a thousand examples)."""

    def __init__(
        self,
        examples: Sequence[Example],
        keywords: Mapping[str, tuple[Keyword, ...]],
        words: Words | None = None,
    ):
        topics = dict.fromkeys(e.topic for e in examples)
        topics.update(dict.fromkeys(also for e in examples for also in e.also))
        self.topics = tuple(topics)
        self._keywords = [keywords.get(topic, ()) for topic in self.topics]
        texts = [_plain(e.text) for e in examples]
        self._index = Index(texts, words or Words())
        self._columns = {piece: i for i, piece in enumerate(self._index.idf)}
        rows = np.stack([self._row(e.text, text) for e, text in zip(examples, texts, strict=True)])
        at = {topic: i for i, topic in enumerate(self.topics)}
        shares = np.zeros((len(examples), len(self.topics)))
        for i, example in enumerate(examples):
            for also in example.also:
                shares[i, at[also]] = _ALSO_SHARE
            shares[i, at[example.topic]] = 1.0
        shares /= shares.sum(axis=1, keepdims=True)
        weight = np.asarray([e.weight for e in examples])
        self._weights = fit_softmax(rows, shares, weight, _STRENGTH)

    def route(self, raw: str) -> Routing:
        text = _plain(raw)
        if not text:
            return Routing((), 1.0)
        z = self._row(raw, text) @ self._weights
        shares = np.exp(z - z.max())
        shares /= shares.sum()
        order = [int(i) for i in np.argsort(-shares, kind="stable")]
        ranked = tuple((self.topics[i], float(shares[i])) for i in order if self.topics[i] != NONE)
        none = float(shares[self.topics.index(NONE)]) if NONE in self.topics else 0.0
        return Routing(ranked, none)

    def _row(self, raw: str, text: str) -> NDArray[np.float32]:
        reading = self._index.read(text)
        pieces = np.zeros(len(self._columns), np.float32)
        for piece, weight in reading.weights.items():
            column = self._columns.get(piece)
            if column is not None:
                pieces[column] = weight
        return np.concatenate([pieces, self._keyword_row(text), _form(raw, text, reading), np.ones(1, np.float32)])

    def _keyword_row(self, text: str) -> NDArray[np.float32]:
        """Strength of a topic's keywords, which topic is strongest, and whether there is none."""
        strength = np.zeros(len(self.topics), np.float32)
        for i, keywords in enumerate(self._keywords):
            hits = [min(1.5, sum(map(len, k.all_of)) / 2) for k in keywords if k.holds(text)]
            strength[i] = min(3.0, sum(hits))
        top = strength.max(initial=0)
        strongest = (strength == top) & (strength > 0)
        return np.concatenate([strength, strongest, [top == 0]]).astype(np.float32) * np.float32(_KEYWORD_SCALE)


def _plain(raw: str) -> str:
    """Numbers say nothing about the topic."""
    return _NUMBER.sub(PLACE, normalise(raw))


def _form(raw: str, text: str, reading: Reading) -> NDArray[np.float32]:
    size = len(text)
    found = [
        size <= 3,
        3 < size <= 6,
        6 < size <= 12,
        size > 25,
        "?" in raw or "？" in raw,
        text.endswith(("吗", "么", "呢")),
        PLACE in text,
        any(sign in text for sign in _ASKING),
        len(reading.words) / 20,
    ]
    assert len(found) == _FORMS
    return np.asarray(found, np.float32) * np.float32(_FORM_SCALE)


def shop_router(labelled: Sequence[Example] = (), words: Words | None = None) -> Router:
    """A router over the product's topics and examples and whatever the shop has labelled itself."""
    topics = dict.fromkeys([*shop_topics(), *(e.topic for e in labelled)])
    return Router([*labelled, *own_examples(topics)], own_keywords(topics), words)
