"""One spelling for many: width, case, script, punctuation, emoji and repeated marks."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import opencc

from wangxin.model.limits import BOT_READS_CHARS_MAX

PLACE = "#"
"""Stands for a number or card whose exact value says nothing about what is asked (order number, masked name)."""

_PLACEHOLDER = re.compile(r"\[[^\[\]]{1,6}x\]")
_LONG_NUMBER = re.compile(r"\d{6,}")
_REPEATED = re.compile(r"([^\d#a-z])\1{2,}")
_PLACES = re.compile(r"#(?:\s*#)+")
_SPACES = re.compile(r"\s+")
_KEPT = frozenset("LN")  # letters and numbers: what a question is made of


@lru_cache(maxsize=1)
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def to_simplified(text: str) -> str:
    """Traditional characters become simplified ones; everything else stays."""
    return str(_to_simplified().convert(text))


def _keeps(char: str) -> bool:
    return char == PLACE or unicodedata.category(char)[0] in _KEPT


def normalise(text: str) -> str:
    """The words of ``text`` in one spelling, at most BOT_READS_CHARS_MAX characters; ``""`` when nothing is left.

    Punctuation, emoji, control and invisible characters go (a zero-width or right-to-left mark must not hide a
    word); between Chinese characters no space remains, between Latin words one does.
    """
    cut = unicodedata.normalize("NFKC", text[: BOT_READS_CHARS_MAX * 2])[: BOT_READS_CHARS_MAX * 2].lower()
    cut = _PLACEHOLDER.sub(PLACE, cut)
    cut = _LONG_NUMBER.sub(PLACE, cut)
    invisible = ("Cf", "Cc", "Cs", "Co", "Mn", "Me")
    cut = "".join(c if _keeps(c) else ("" if unicodedata.category(c) in invisible else " ") for c in cut)
    cut = to_simplified(cut)
    cut = _REPEATED.sub(r"\1\1", cut)
    cut = _PLACES.sub(PLACE, cut)
    return _close_up(_SPACES.sub(" ", cut).strip())[:BOT_READS_CHARS_MAX].strip()


def _close_up(text: str) -> str:
    """Spaces stay only between two Latin or digit runs."""
    out: list[str] = []
    for i, char in enumerate(text):
        if char == " " and not (_latin(text[i - 1]) and _latin(text[i + 1])):
            continue
        out.append(char)
    return "".join(out)


def _latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def is_chinese(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\U00020000" <= char <= "\U0003ffff"


def has_words(text: str) -> bool:
    """Whether anything is left that a question could be made of (a lone placeholder is not)."""
    return any(char.isalnum() for char in normalise(text))
