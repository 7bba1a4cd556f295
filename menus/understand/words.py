"""Words: jieba with one shared dictionary and, per shop, a small overlay of its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jieba

from menus.understand.normalise import normalise

OVERLAY_WORDS_MAX = 2_000
_OVERLAY_FREQUENCY = 20_000


@lru_cache(maxsize=1)
def shared_tokenizer() -> Any:
    """jieba's dictionary, loaded once a process (about 350,000 words)."""
    jieba.setLogLevel(60)
    tokenizer = jieba.Tokenizer()
    tokenizer.initialize()
    return tokenizer


class _Layered(Mapping[str, int]):
    """A shop's words over the shared dictionary, so that a shop costs its own words only."""

    def __init__(self, over: dict[str, int], under: Mapping[str, int]):
        self._over, self._under = over, under

    def __getitem__(self, word: str) -> int:
        found = self._over.get(word)
        return self._under[word] if found is None else found

    def __contains__(self, word: object) -> bool:
        return word in self._over or word in self._under

    def __iter__(self) -> Iterator[str]:
        yield from self._over
        yield from (word for word in self._under if word not in self._over)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Words:
    """Cuts normalised text into search-mode words. Made once a shop; safe to share between threads for reading."""

    def __init__(self, overlay: Iterable[str] = ()):
        base = shared_tokenizer()
        over: dict[str, int] = {}
        for raw in overlay:
            word = normalise(raw)
            if 2 <= len(word) <= 12 and len(over) < OVERLAY_WORDS_MAX:
                over[word] = _OVERLAY_FREQUENCY
                for end in range(1, len(word)):  # jieba walks prefixes; an unknown one would end the walk
                    if word[:end] not in over and word[:end] not in base.FREQ:
                        over[word[:end]] = 0
        if not over:
            self._tokenizer = base
            return
        tokenizer = jieba.Tokenizer()
        tokenizer.FREQ = _Layered(over, base.FREQ)
        tokenizer.total = base.total
        tokenizer.initialized = True
        self._tokenizer = tokenizer

    def cut(self, text: str) -> list[str]:
        """Search-mode words of a text that :func:`normalise` has already bounded."""
        return [word for word in self._tokenizer.cut_for_search(text) if word != " "]
