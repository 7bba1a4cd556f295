"""Why a line was closed, and what a polite peer does next.

4000-4399 come back with jitter and resume; 4400-4499 fetch a new token, then come back; 4500-4999 stay away.
1007, 1008 and 1009 mean what RFC 6455 says; what caused them must not be sent again unchanged.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    BAD_UTF8 = 1007
    TOO_MANY_BAD_FRAMES = 1008
    TOO_BIG = 1009
    DRAINING = 4000
    """The hub stops; another one is there."""
    SILENT = 4001
    """No pong in time."""
    TOO_SLOW = 4002
    """The reader fell too far behind; nothing is lost, resume."""
    STORE_AWAY = 4003
    OTHER_DEVICES = 4005
    """More lines of one person than allowed: the oldest was closed."""
    RIGHTS_CHANGED = 4006
    """Something was taken from this account: come back, and see what is left."""
    TOKEN_EXPIRED = 4401
    TOKEN_WRONG = 4403
    HELLO_MISSING = 4408
    REVOKED = 4500
    HELLO_TWICE = 4502
