"""Finds the shop's own question that a shopper's words ask, with a probability that it is the right one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from menus.understand.features import PAIR_FEATURES, Pairs, sorted_chars
from menus.understand.heal import heal
from menus.understand.index import Index, Reading
from menus.understand.normalise import is_chinese, normalise
from menus.understand.pinyin import PinyinRepair, sound_text
from menus.understand.words import Words

CANDIDATES = 20
LOOKED_AT = 12
"""Of the candidates, those whose cosine and sorted characters promise most are looked at closely."""
SOUND_FEATURES = ("sound_cosine", "sound_sorted", "sound_ratio", "sound_in_order", "healed")
MARGINS = ("score", "margin_next", "margin_fifth", "cosine_margin")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """One ranker and one confidence head; weights in the order of their feature names."""

    rank: Array
    head: Array
    bias: float


@dataclass(frozen=True, slots=True)
class Weights:
    spelling: Model
    sound: Model
    sound_below: float
    """The second chance by sound is taken when the first confidence stays below this."""


@dataclass(frozen=True, slots=True)
class Candidate:
    entry: str
    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Match:
    """Entries best first (each once) and the probability that the first one is right."""

    candidates: tuple[Candidate, ...]
    confidence: float
    by_sound: bool = False


NOTHING = Match((), 0.0)


def weights_from(written: Mapping[str, Any]) -> Weights:
    def model(name: str) -> Model:
        part = written[name]
        return Model(np.asarray(part["rank"]), np.asarray(part["head"]), float(part["bias"]))

    return Weights(model("spelling"), model("sound"), float(written["sound_below"]))


@lru_cache(maxsize=1)
def default_weights() -> Weights:
    """What the product ships: fitted on Chinese question pairs of everyday talk."""
    return weights_from(json.loads((files("menus.understand") / "weights.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidate rows of one question with their features; what training and matching share."""

    rows: tuple[int, ...]
    features: Array


NO_ROWS = Scored((), np.zeros((0, len(PAIR_FEATURES))))


class Matcher:
    """Immutable once built. ``phrasings`` are (entry id, text); one entry may have many."""

    def __init__(
        self, phrasings: Iterable[tuple[str, str]], words: Words | None = None, weights: Weights | None = None
    ):
        kept = [(entry, text) for entry, raw in phrasings if (text := normalise(raw))]
        self.entries = tuple(entry for entry, _ in kept)
        self.index = Index([text for _, text in kept], words or Words())
        self._pairs = Pairs(self.index.idf, self.index.rare)
        self._repair = PinyinRepair(self.index.texts, self.index.cut)
        self._weights = weights or default_weights()
        self._sound: Index | None = None

    def match(self, raw: str) -> Match:
        """The best entries for a shopper's words, however long or strange they are."""
        text = self._repair.repair(normalise(raw))
        if not text or not len(self.index):
            return NOTHING
        reading = self.index.read(text)
        first = self._judge(self.spelling(reading), self._weights.spelling, by_sound=False)
        if first.confidence >= self._weights.sound_below or not any(is_chinese(c) for c in text):
            return first
        second = self._judge(self.sound(reading), self._weights.sound, by_sound=True)
        return second if second.candidates else first

    def listen(self) -> None:
        """Get ready for questions that only sound right. Else the first of them waits for it."""
        self._heard()

    def read(self, raw: str) -> Reading:
        return self.index.read(self._repair.repair(normalise(raw)))

    def spelling(self, reading: Reading) -> Scored:
        found = self.index.nearest(reading, CANDIDATES)
        promise = {row: 0.6 * cosine + 0.4 * sorted_chars(reading.text, self.index.texts[row]) for row, cosine in found}
        return self._score(reading, sorted(found, key=lambda at: -promise[at[0]])[:LOOKED_AT])

    def sound(self, reading: Reading) -> Scored:
        """Candidates by spelling and by sound, with features of both."""
        heard_index = self._heard()
        heard = heard_index.read(sound_text(reading.text))
        by_sound = heard_index.cosines(heard)
        by_spelling = self.index.cosines(reading)
        mixed = by_sound + by_spelling
        count = min(LOOKED_AT, len(mixed))
        top = np.argpartition(mixed, len(mixed) - count)[-count:]
        rows = [int(row) for row in top[np.argsort(-mixed[top], kind="stable")] if mixed[row] > 0]
        if not rows:
            return NO_ROWS
        features = [self._by_sound(reading, heard, row, float(by_spelling[row]), float(by_sound[row])) for row in rows]
        return Scored(tuple(rows), np.asarray(features))

    def _by_sound(self, reading: Reading, heard: Reading, row: int, cosine: float, sound_cosine: float) -> list[float]:
        """The question healed towards the row and compared, then the features of sound."""
        candidate, by_sound = self.index.texts[row], self._heard().texts[row]
        text, changed = heal(reading.text, candidate)
        words = self.index.cutter.cut(text) if changed else reading.words
        return [
            *self._pairs.features(text, words, candidate, self.index.cut[row], cosine),
            sound_cosine,
            sorted_chars(heard.text, by_sound),
            fuzz.ratio(heard.text, by_sound) / 100,
            LCSseq.normalized_similarity(heard.text, by_sound),
            changed / len(text),
        ]

    def _heard(self) -> Index:
        if self._sound is None:  # most shops never need it; built once, by whoever needs it first
            self._sound = Index([sound_text(text) for text in self.index.texts], self.index.cutter)
        return self._sound

    def _score(self, reading: Reading, found: Sequence[tuple[int, float]]) -> Scored:
        rows = tuple(row for row, _ in found)
        features = [
            self._pairs.features(reading.text, reading.words, self.index.texts[row], self.index.cut[row], cosine)
            for row, cosine in found
        ]
        return Scored(rows, np.asarray(features) if features else np.zeros((0, len(PAIR_FEATURES))))

    def _judge(self, scored: Scored, model: Model, *, by_sound: bool) -> Match:
        if not scored.rows:
            return NOTHING
        scores = scored.features @ model.rank
        z = float(self.evidence(scored, scores) @ model.head) + model.bias
        candidates: dict[str, Candidate] = {}
        for at in np.argsort(-scores, kind="stable"):
            row = scored.rows[at]
            candidates.setdefault(self.entries[row], Candidate(self.entries[row], row, float(scores[at])))
        return Match(tuple(candidates.values()), 1 / (1 + math.exp(-max(-60.0, min(60.0, z)))), by_sound)

    def evidence(self, scored: Scored, scores: Array) -> Array:
        """What the confidence head reads: the best row's features and its lead over other entries (MARGINS)."""
        order = np.argsort(-scores, kind="stable")
        best = order[0]
        mine = self.entries[scored.rows[best]]
        others = [at for at in order[1:] if self.entries[scored.rows[at]] != mine]
        top = float(scores[best])
        following = float(scores[others[0]]) if others else top - 10.0
        fifth = float(scores[order[min(4, len(order) - 1)]])
        rival = max((float(scored.features[at, 0]) for at in others), default=0.0)
        margins = [
            top / 10,
            math.tanh((top - following) / 4),
            math.tanh((top - fifth) / 8),
            float(scored.features[best, 0]) - rival,
        ]
        return np.concatenate([scored.features[best], margins])
