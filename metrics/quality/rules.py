"""What rules find in a conversation: hints for who checks quality, about every conversation. Never a verdict. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Rule = Literal["no_greeting", "slow", "no_answer", "forbidden", "contact", "copy_paste", "price"]
RULES: tuple[Rule, ...] = get_args(Rule)
Forbidden = Callable[[str], list[str]]
"""The words of a text that the shop does not want said, in whatever spelling."""

SLOW_MS, SLOW_TIMES = 120_000, 3
COPIES, COPY_CHARS = 3, 10
_GREETING = re.compile(r"您好|你好|亲|在的|欢迎|早上好|下午好|晚上好|hello|\bhi\b", re.IGNORECASE)
_CONTACT = re.compile(
    r"(?<!\d)1[3-9]\d{9}(?!\d)|(?:微信|vx|wx|weixin|qq)\s*(?:号|[:：])?\s*[a-z0-9_-]{5,}", re.IGNORECASE
)
_PRICE = re.compile(r"[¥￥]\s*(\d{1,6}(?:\.\d{1,2})?)|(\d{1,6}(?:\.\d{1,2})?)\s*(?:元|块)")


@dataclass(frozen=True, slots=True)
class Line:
    """A public line; ``price_fen``: of the product or order card that it is."""

    seq: int
    by: str
    text: str = ""
    price_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    rule: Rule
    seq: int
    words: str = ""


def hints(lines: Sequence[Line], waits_ms: Sequence[int | None], forbidden: Forbidden) -> list[Hint]:
    """``waits_ms``: of the conversation's turns that were a person's to answer; None: unanswered."""
    said = [line for line in lines if line.by == "agent" and line.text]
    found: list[Hint] = []
    last = lines[-1].seq if lines else 0
    if said and not _GREETING.search(said[0].text):
        found.append(Hint("no_greeting", said[0].seq))
    if sum(wait is not None and wait > SLOW_MS for wait in waits_ms) >= SLOW_TIMES:
        found.append(Hint("slow", last))
    if None in waits_ms:
        found.append(Hint("no_answer", last))
    for line in said:
        found += [Hint("forbidden", line.seq, word) for word in forbidden(line.text)]
        if _CONTACT.search(line.text):
            found.append(Hint("contact", line.seq))
    copies = Counter(line.text for line in said if len(line.text) >= COPY_CHARS)
    for text, times in copies.items():
        if times >= COPIES:
            found.append(Hint("copy_paste", next(line.seq for line in reversed(said) if line.text == text)))
    return found + _prices(lines)


def _prices(lines: Sequence[Line]) -> list[Hint]:
    """The agent names a price that no card shown before has: where one card is on the table, most often a slip."""
    shown: set[int] = set()
    found = []
    for line in lines:
        if line.price_fen is not None:
            shown.add(line.price_fen)
        elif line.by == "agent" and len(shown) == 1:
            named = {round(float(a or b) * 100) for a, b in _PRICE.findall(line.text)}
            if named and not named & shown and "原价" not in line.text and "券" not in line.text:
                found.append(Hint("price", line.seq))
    return found
