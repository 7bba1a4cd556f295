"""Ways in which shoppers misspell, applied on purpose: a homophone, a word as pinyin, a lost or swapped character."""

from __future__ import annotations

import random
from functools import lru_cache

import opencc
from pypinyin import lazy_pinyin

from menus.understand.normalise import is_chinese
from menus.understand.words import shared_tokenizer


@lru_cache(maxsize=1)
def _homophones() -> dict[str, list[str]]:
    by_sound: dict[str, list[str]] = {}
    for word, frequency in shared_tokenizer().FREQ.items():
        if len(word) == 1 and is_chinese(word) and frequency >= 200:
            by_sound.setdefault(lazy_pinyin(word)[0], []).append(word)
    return by_sound


def homophone(text: str, rng: random.Random) -> str:
    places = [i for i, c in enumerate(text) if is_chinese(c)]
    rng.shuffle(places)
    for i in places:
        others = [c for c in _homophones().get(lazy_pinyin(text[i])[0], []) if c != text[i]]
        if others:
            return text[:i] + rng.choice(others) + text[i + 1 :]
    return text


def pinyin_word(text: str, rng: random.Random) -> str:
    words = list(shared_tokenizer().cut(text))
    places = [i for i, w in enumerate(words) if len(w) >= 2 and all(is_chinese(c) for c in w)]
    if not places:
        return text
    i = rng.choice(places)
    words[i] = "".join(lazy_pinyin(words[i]))
    return "".join(words)


def dropped(text: str, rng: random.Random) -> str:
    i = rng.randrange(len(text)) if len(text) > 2 else 0
    return text[:i] + text[i + 1 :] if len(text) > 2 else text


def swapped(text: str, rng: random.Random) -> str:
    if len(text) < 3:
        return text
    i = rng.randrange(len(text) - 1)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


@lru_cache(maxsize=1)
def _to_traditional() -> opencc.OpenCC:
    return opencc.OpenCC("s2t")


def traditional(text: str, rng: random.Random) -> str:
    return str(_to_traditional().convert(text))
