"""How an agent spent a day: ms per state, which sum to his shift. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[int, int]
"""(from, to) in ms."""
STATES = ("ready", "busy", "wrap_up", "hold", "break", "training", "draining", "offline")
_AT_WORK = frozenset({"ready", "busy", "draining"})


def account(stretches: Sequence[tuple[int, int, str]], wraps: Sequence[Span], held: Sequence[Span]) -> dict[str, int]:
    """ms per state, of those that occur. ``stretches``: (from, to, state) one after the other; ``wraps``: while he
    wrote up a conversation; ``held``: while he had one with a shopper. Wrapping up counts where nothing else was at
    hand, as part of the stretch it lies in, which is then the less: the sum is that of the stretches."""
    only_wraps = _without(_joined(wraps), _joined(held))
    found: dict[str, int] = {}
    for begin, end, state in stretches:
        wrapped = 0
        if state in _AT_WORK:
            wrapped = sum(max(0, min(end, b) - max(begin, a)) for a, b in only_wraps)
            if wrapped:
                found["wrap_up"] = found.get("wrap_up", 0) + wrapped
        found[state] = found.get(state, 0) + end - begin - wrapped
    return {state: found[state] for state in STATES if state in found}


def shift_ms(times: dict[str, int]) -> int:
    """The time between coming and going, breaks included."""
    return sum(ms for state, ms in times.items() if state != "offline")


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    left: list[Span] = []
    for begin, end in spans:
        for a, b in holes:
            if b <= begin or a >= end:
                continue
            if a > begin:
                left.append((begin, a))
            begin = max(begin, b)
        if begin < end:
            left.append((begin, end))
    return left
