"""Passwords: argon2id, hashed and checked off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from wangxin.model import limits

_HASHER = PasswordHasher()
_at_once = asyncio.Semaphore(limits.LOGINS_AT_ONCE)


_PARTS = re.compile(r"[^a-z\u4e00-\u9fff]+")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    """30,000 passwords that are tried first: they stood in stolen lists again and again."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # slow to load, and rarely needed

    return frozenset(FREQUENCY_LISTS["passwords"])


def easy_to_guess(password: str, words: Iterable[str]) -> bool:
    """Whether it is among those that are tried first, or little more than one of ``words`` (the login, the shop …)."""
    plain = password.strip().lower()
    if plain in _common() or len(set(plain)) <= 2:
        return True
    left = plain
    for word in sorted({word.lower() for word in words if len(word) >= 3}, key=len, reverse=True):
        left = left.replace(word, "")
    return (len(_PARTS.sub("", left)) < 4 and left != plain) or left in _common()


def hash_password(password: str) -> str:
    """Takes some 50 ms and 64 MiB."""
    return _HASHER.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    """Checked where nobody has the login, so that the answer takes as long as for a wrong password."""
    return _HASHER.hash("nobody has this password")


def _matches(stored: str | None, password: str) -> bool:
    nobody = _nobody()  # made for whoever comes first, known or not
    try:
        return _HASHER.verify(stored or nobody, password)
    except (Argon2Error, InvalidHashError):
        return False


async def matches(stored: str | None, password: str) -> bool:
    """Whether ``password`` is the one; ``stored`` None (nobody) takes as long and says no."""
    async with _at_once:
        found = await asyncio.to_thread(_matches, stored, password)
    return found and stored is not None
