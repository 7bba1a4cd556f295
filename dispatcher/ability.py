"""How much load fits an agent: measured typing, how long conversations take, a soft start. Pure, integers only.

An agent keeps up with as many conversations at a time as the typing of one goes into the part of his time that he can
type: who types half as fast needs twice the time for the same words, and half the load fits him.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TYPING_SHARE = 600
"""Per mille of an agent's time that he types; the rest he reads, looks up and thinks."""
CHARS_LEAST = 300
"""So many characters are measured before a speed counts."""
RAMP = (400, 500, 600, 700, 850)
"""Per mille of the agreed load on an agent's first days at work."""
CHARS_PER_MINUTE_MAX = 600
"""Faster than anybody types: such a measure is thrown away."""

Bound = Literal["agreed", "ramp", "speed"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of an agent's last conversations: characters he typed in them, the ms that took, and how long he
    had them (side by side, so that the sum may exceed the time that passed)."""

    chars: int = 0
    ms: int = 0
    handled_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fit:
    """``cap`` of ``agreed`` conversations at a time, and what bounds it. ``day``: of his soft start, None: it is over
    or he has none. ``speed``: characters a minute, None: too little was measured."""

    cap: int
    agreed: int
    bound: Bound
    day: int | None
    speed: int | None


def plausible(chars: int, ms: int, text_chars: int) -> bool:
    """Whether a message's two numbers can be true: not more typed than was sent, not faster than hands."""
    return 0 < chars <= text_chars and ms > 0 and chars * 60_000 <= ms * CHARS_PER_MINUTE_MAX


def speed(measured: Measured) -> int | None:
    """Characters a minute."""
    if measured.chars < CHARS_LEAST or measured.ms <= 0:
        return None
    return measured.chars * 60_000 // measured.ms


def fit(agreed: int, measured: Measured, *, day: int | None) -> Fit:
    """The load that fits. ``day`` 1 is an agent's first at work; None: he has no soft start. Never below 1."""
    typed = speed(measured)
    cap = agreed
    bound: Bound = "agreed"
    started = day if day is not None and day <= len(RAMP) else None
    if started is not None and (ramp := max(1, agreed * RAMP[started - 1] // 1_000)) < cap:
        cap, bound = ramp, "ramp"
    if typed is not None and measured.handled_ms:
        # So much of the time that his conversations took went into typing them; he can give TYPING_SHARE of his own.
        keeps_up = max(1, TYPING_SHARE * measured.handled_ms // (measured.ms * 1_000))
        if keeps_up < cap:
            cap, bound = keeps_up, "speed"
    return Fit(cap, agreed, bound, started, typed)
