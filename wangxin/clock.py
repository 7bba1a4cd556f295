"""The only door for time, chance and new identities. Everything else takes them as arguments."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

_last_ms = 0
_counter = 0


def now_ms() -> int:
    """Wall-clock time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def now_ns() -> int:
    """The same in nanoseconds, for traces."""
    return time.time_ns()


def monotonic_ms() -> int:
    """Milliseconds of a clock that never jumps; only differences mean something."""
    return time.monotonic_ns() // 1_000_000


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562 §5.7): ids made later in one process sort later."""
    global _last_ms, _counter
    ms = now_ms()
    if ms <= _last_ms:
        ms = _last_ms
        _counter += 1
        if _counter > 0xFFF:  # 4,096 ids within one millisecond: borrow from the next one
            ms += 1
            _counter = 0
    else:
        _counter = secrets.randbelow(0x400)
    _last_ms = ms
    return UUID(int=(ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | _counter << 64 | 0b10 << 62 | secrets.randbits(62))


def new_secret() -> str:
    """256 bits of chance as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def new_bytes(n: int) -> bytes:
    """``n`` bytes of chance, fit for keys."""
    return secrets.token_bytes(n)
