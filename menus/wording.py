"""Words a shop must not or should not write to shoppers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from menus.understand.normalise import is_chinese, normalise

CLAIMS = (
    "国家级", "世界级", "最高级", "最便宜", "最低价", "全网最低", "全网第一", "全国第一", "销量第一", "第一品牌",
    "顶级", "极品", "绝无仅有", "史无前例", "独一无二", "百分百有效", "包治", "根治", "零风险", "无副作用",
)  # fmt: skip
"""Absolute claims that the advertising law forbids."""
ELSEWHERE = (
    "加微信", "加我微信", "微信号", "加vx", "加qq", "qq群", "扫码加", "私下交易", "线下转账", "好评返现", "返现",
)  # fmt: skip
"""What leads shoppers off the platform, or pays for their praise."""


_PIECE = 160
_OVERLAP = 40


def _pieces(text: str) -> Iterator[str]:
    """Overlapping pieces no longer than what normalisation reads."""
    for start in range(0, max(1, len(text)), _PIECE):
        yield text[start : start + _PIECE + _OVERLAP]


@lru_cache(maxsize=4_096)
def _closed(text: str) -> str:
    return normalise(text).replace(" ", "")


_SOUNDS_FROM = 3
"""Shorter words sound like too much that is harmless."""


@lru_cache(maxsize=4_096)
def _heard(text: str) -> str:
    from menus.understand.pinyin import sound_text  # its dictionary is for processes that check or understand

    return sound_text(text)


_SPREAD_FROM = 4
"""Shorter words with a stranger inside are other words."""
_SPREAD_NEAR = 75.0


def _spread(word: str, text: str) -> bool:
    """Whether all characters of ``word`` stand in ``text`` in their order, with one other among them."""
    if len(word) < _SPREAD_FROM or fuzz.partial_ratio(word, text) < _SPREAD_NEAR:
        return False
    wide = len(word) + 1
    return any(LCSseq.similarity(word, text[at : at + wide]) == len(word) for at in range(len(text) - wide + 1))


def found_in(texts: Sequence[str], words: Sequence[str]) -> Iterator[str]:
    """The words that stand in one of the texts, also in full width, Traditional script or spaced out; from three
    characters on, written with others of the same sound; from four on, with one more character among them."""
    plain = [_closed(piece) for text in texts for piece in _pieces(text)]
    for word in words:
        wanted = _closed(word)
        if not wanted:
            continue
        by_sound = len(wanted) >= _SOUNDS_FROM and all(map(is_chinese, wanted))
        if any(
            wanted in text or (by_sound and _heard(wanted) in _heard(text)) or _spread(wanted, text) for text in plain
        ):
            yield word
