"""Passwords: argon2id, hashed and checked off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from wangxin.model import limits

_HASHER = PasswordHasher()
_at_once = asyncio.Semaphore(limits.LOGINS_AT_ONCE)


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
