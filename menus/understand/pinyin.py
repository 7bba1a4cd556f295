"""Pinyin: words typed as Latin letters become words again, and sound helps where spelling failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pypinyin import lazy_pinyin

from menus.understand.normalise import is_chinese
from menus.understand.words import shared_tokenizer

_RUN = re.compile(r"[a-z]+(?: [a-z]+)*")
_WORD_CHARS_MAX = 4
_SYLLABLES_MAX = 8
_LETTERS_MIN = 2


@lru_cache(maxsize=65_536)
def sound(text: str) -> tuple[str, ...]:
    """Toneless syllables of a normalised text; other runs stay as they are."""
    return tuple(lazy_pinyin(text))


def sound_text(text: str) -> str:
    """A spelling by sound alone: equal for homophones. Each syllable becomes one private-use character, so that
    character pieces and character distances work on syllables."""
    return "".join(_syllable_char(s) if s.isascii() and s.isalpha() else s for s in sound(text))


_SYLLABLES: dict[str, str] = {}


def _syllable_char(syllable: str) -> str:
    found = _SYLLABLES.get(syllable)
    if found is None:
        if len(_SYLLABLES) >= 6_000:  # there are about 400 syllables; Latin words past the bound share one sign
            return "\uf8ff"
        found = _SYLLABLES[syllable] = chr(0xE000 + len(_SYLLABLES))
    return found


@lru_cache(maxsize=1)
def _by_sound() -> dict[str, str]:
    """The commonest dictionary word for each run of syllables, written together."""
    best: dict[str, tuple[int, str]] = {}
    tokenizer = shared_tokenizer()
    for word, frequency in tokenizer.FREQ.items():
        if frequency >= 20 and len(word) <= _WORD_CHARS_MAX and all(is_chinese(c) for c in word):
            spelt = "".join(lazy_pinyin(word))
            if frequency > best.get(spelt, (0, ""))[0]:
                best[spelt] = (frequency, word)
    return {spelt: word for spelt, (_, word) in best.items()}


class PinyinRepair:
    """Words of one shop's phrasings by their sound, over the dictionary's. Immutable."""

    def __init__(self, texts: Iterable[str], cut: Iterable[tuple[str, ...]]):
        counts: dict[str, int] = {}
        self._terms: set[str] = set()
        for text, words in zip(texts, cut, strict=True):
            for run in _RUN.findall(text):
                self._terms.update(run.split(" "))
            for word in words:
                if all(is_chinese(c) for c in word):
                    counts[word] = counts.get(word, 0) + 1
        best: dict[str, tuple[int, str]] = {}
        for word, count in counts.items():
            spelt = "".join(sound(word))
            if count > best.get(spelt, (0, ""))[0]:
                best[spelt] = (count, word)
        self._words = {spelt: word for spelt, (_, word) in best.items()}

    def repair(self, text: str) -> str:
        """``text`` with each Latin run that is no Latin term of the shop replaced by words of that sound, if any."""

        def mend(match: re.Match[str]) -> str:
            run = match.group()
            if all(part in self._terms for part in run.split(" ")):
                return run
            return self._spell(run.replace(" ", "")) or run

        return _RUN.sub(mend, text)

    def _spell(self, letters: str) -> str | None:
        """The run as few words as possible, the shop's own words first."""
        if len(letters) < _LETTERS_MIN or len(letters) > 6 * _SYLLABLES_MAX:
            return None
        # cost, words: one word costs 2, a dictionary word the shop does not use 3, a single character 1 more
        best: list[tuple[int, str] | None] = [(0, "")] + [None] * len(letters)
        for end in range(1, len(letters) + 1):
            for start in range(max(0, end - 24), end):
                before = best[start]
                if before is None:
                    continue
                piece = letters[start:end]
                word, cost = self._words.get(piece), 2
                if word is None:
                    word, cost = _by_sound().get(piece), 3
                if word is None:
                    continue
                total = before[0] + cost + (len(word) == 1)
                now = best[end]
                if now is None or total < now[0]:
                    best[end] = (total, before[1] + word)
        found = best[len(letters)]
        return found[1] if found else None
