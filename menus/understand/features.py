"""What can be said cheaply about a question and one candidate phrasing. All features lie within [-1, 1]."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from menus.understand.normalise import is_chinese

PAIR_FEATURES = (
    "cosine",
    "sorted_chars",
    "sorted_words",
    "ratio",
    "partial",
    "question_covered",
    "candidate_covered",
    "chars_covered",
    "candidate_chars_covered",
    "rarest_missing",
    "rarest_extra",
    "length_ratio",
    "in_order",
    "same_latin",
    "same_asking",
    "same_negation",
    "cosine_times_covered",
    "equal",
    "missing_content",
    "extra_content",
)

_ASKING: Mapping[str, tuple[str, ...]] = {
    "how": ("怎么", "怎样", "如何", "咋", "办法", "步骤", "方法", "怎"),
    "why": ("为什么", "为何", "为啥", "原因", "怎么会", "怎么回事"),
    "amount": ("多少", "几", "多大", "多长", "多久", "多远", "多高", "多重"),
    "money": ("价格", "价钱", "多少钱", "贵", "费用", "便宜", "价位"),
    "where": ("哪里", "哪儿", "哪有", "在哪", "什么地方", "那里", "哪个地方", "哪能"),
    "when": ("什么时候", "何时", "几点", "啥时候", "哪天", "时间", "几号", "几月"),
    "who": ("谁", "哪位", "什么人"),
    "which": ("哪个", "哪些", "哪种", "哪款", "那个", "什么牌子", "哪家"),
    "what": ("什么", "啥", "是什么"),
    "whether": ("吗", "么", "是不是", "能不能", "可不可以", "会不会", "有没有", "好不好", "是否", "能否", "可否"),
    "opinion": ("好不好", "怎么样", "好吗", "好么", "咋样", "推荐", "如何"),
    "meaning": ("意思", "含义", "寓意", "是什么", "什么是"),
}
_NEGATION = ("不能", "不会", "没有", "不了", "无法", "没", "无", "别", "未", "不")
_NOT_NEGATION = re.compile(
    r"是不是|能不能|可不可以|会不会|有没有|好不好|要不要|用不用|需不需要|不错|不同|不好意思|对不起|差不多"
)
_LATIN = re.compile(r"[a-z0-9#]+")
_STOP = frozenset((files("menus.understand.lexicon") / "stop_zh.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=65_536)
def _asks(text: str) -> frozenset[str]:
    return frozenset(kind for kind, signs in _ASKING.items() if any(sign in text for sign in signs))


@lru_cache(maxsize=65_536)
def _negates(text: str) -> bool:
    bare = _NOT_NEGATION.sub("", text)
    return any(sign in bare for sign in _NEGATION)


@lru_cache(maxsize=65_536)
def _latin_runs(text: str) -> frozenset[str]:
    return frozenset(_LATIN.findall(text))


@lru_cache(maxsize=65_536)
def _spread(text: str) -> str:
    """Characters in order of code, apart, as token_sort would sort them (done once a phrasing)."""
    return " ".join(sorted(text.replace(" ", "")))


@lru_cache(maxsize=65_536)
def _sorted_words(words: tuple[str, ...]) -> str:
    return " ".join(sorted(words))


def sorted_chars(a: str, b: str) -> float:
    """rapidfuzz token_sort over single characters, 0..1."""
    return fuzz.ratio(_spread(a), _spread(b)) / 100


@dataclass(frozen=True, slots=True)
class _Parts:
    """A text's words and characters with their rarity (0..1), once."""

    words: dict[str, float]
    chars: dict[str, float]
    words_sum: float
    chars_sum: float


_PARTS_KEPT = 5_000  # about a kilobyte each, in every shop's index


class Pairs:
    """Computes the features of (question, candidate) pairs with the weights of one index."""

    def __init__(self, idf: Mapping[str, float], rare: float):
        self._idf, self._rare = idf, rare
        self._kept: dict[str, _Parts] = {}

    def _parts(self, text: str, words: tuple[str, ...]) -> _Parts:
        found = self._kept.get(text)
        if found is None:
            by_word = {w: self._weight("w" + w) for w in words}
            by_char = {c: self._weight("c" + c) for c in text}
            found = _Parts(by_word, by_char, sum(by_word.values()), sum(by_char.values()))
            if len(self._kept) >= _PARTS_KEPT:
                self._kept.clear()
            self._kept[text] = found
        return found

    def _weight(self, piece: str) -> float:
        return self._idf.get(piece, self._rare) / self._rare

    def features(
        self, text: str, words: Sequence[str], candidate: str, candidate_words: Sequence[str], cosine: float
    ) -> list[float]:
        """One row of PAIR_FEATURES. ``cosine`` is that of the index; texts are normalised."""
        mine, theirs = self._parts(text, tuple(words)), self._parts(candidate, tuple(candidate_words))
        own_weight, other_weight = mine.words, theirs.words
        both = sum(weight for word, weight in own_weight.items() if word in other_weight)
        covered = _share(both, mine.words_sum)
        candidate_covered = _share(both, theirs.words_sum)
        missing = [w for w in own_weight if w not in other_weight and not _inside(w, theirs.chars)]
        extra = [w for w in other_weight if w not in own_weight and not _inside(w, mine.chars)]
        shared_chars = sum(weight for char, weight in mine.chars.items() if char in theirs.chars)
        asks, candidate_asks = _asks(text), _asks(candidate)
        latin, candidate_latin = _latin_runs(text), _latin_runs(candidate)
        return [
            cosine,
            sorted_chars(text, candidate),
            fuzz.ratio(_sorted_words(tuple(words)), _sorted_words(tuple(candidate_words))) / 100,
            fuzz.ratio(text, candidate) / 100,
            fuzz.partial_ratio(text, candidate) / 100,
            covered,
            candidate_covered,
            _share(shared_chars, mine.chars_sum),
            _share(shared_chars, theirs.chars_sum),
            max((own_weight[w] for w in missing), default=0.0),
            max((other_weight[w] for w in extra), default=0.0),
            _share(min(len(text), len(candidate)), max(len(text), len(candidate))),
            LCSseq.normalized_similarity(text, candidate),
            1.0 if latin == candidate_latin else (0.0 if latin & candidate_latin else -1.0),
            _agreement(asks, candidate_asks),
            1.0 if _negates(text) == _negates(candidate) else -1.0,
            cosine * covered,
            1.0 if text == candidate else 0.0,
            min(1.0, sum(own_weight[w] for w in missing if w not in _STOP) / 3),
            min(1.0, sum(other_weight[w] for w in extra if w not in _STOP) / 3),
        ]


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole else 0.0


def _inside(word: str, chars: Container[str]) -> bool:
    """Whether a Chinese word's characters all occur, perhaps cut differently."""
    return is_chinese(word[0]) and all(char in chars for char in word)


def _agreement(a: frozenset[str], b: frozenset[str]) -> float:
    if not a and not b:
        return 1.0
    return len(a & b) / len(a | b)
