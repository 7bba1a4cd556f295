"""How busy people were: exact integrals over spans of time, none of them sampled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span [from, to) in ms."""

    from_ms: int
    to_ms: int

    def __post_init__(self) -> None:
        assert self.from_ms <= self.to_ms, "a span does not end before it begins"


@dataclass(frozen=True, slots=True)
class Busy:
    """One agent's time: ``load_ms`` the integral of the load, ``busy_ms`` the time with at least one conversation."""

    load_ms: int
    busy_ms: int
    most: int

    @property
    def concurrency(self) -> float | None:
        return self.load_ms / self.busy_ms if self.busy_ms else None


def busy(handled: Iterable[Span]) -> Busy:
    """From the spans in which conversations were assigned and not parked."""
    load = load_ms = busy_ms = most = 0
    before_ms = 0
    for at_ms, change in _steps(handled):
        load_ms += load * (at_ms - before_ms)
        busy_ms += (at_ms - before_ms) if load else 0
        load += change
        most = max(most, load)
        before_ms = at_ms
    return Busy(load_ms, busy_ms, most)


def occupancy(handled: Sequence[Span], ready: Sequence[Span]) -> float | None:
    """Busy time within ready time, of ready time; None without any. Hold and break are in neither."""
    available = _length(ready)
    return _length(_meet(_union(handled), _union(ready))) / available if available else None


def slot_use(handled: Sequence[Span], ready: Sequence[tuple[Span, int]]) -> float | None:
    """The integral of the load of the integral of the room, where ``ready`` says how many seats were open when."""
    room = sum((span.to_ms - span.from_ms) * seats for span, seats in ready)
    open_spans = _union([span for span, _ in ready])
    used = sum(_length(_meet([span], open_spans)) for span in handled)
    return used / room if room else None


def active_handle_ms(handled: dict[K, list[Span]]) -> dict[K, Fraction]:
    """Each conversation's share of its agent's time: while L are open, each gets 1/L; exactly the busy time in sum."""
    edges = sorted({edge for spans in handled.values() for span in spans for edge in (span.from_ms, span.to_ms)})
    shares: dict[K, Fraction] = dict.fromkeys(handled, Fraction(0))
    open_now: dict[K, int] = {}
    begins: dict[int, list[K]] = {}
    ends: dict[int, list[K]] = {}
    for key, spans in handled.items():
        for span in spans:
            if span.from_ms < span.to_ms:
                begins.setdefault(span.from_ms, []).append(key)
                ends.setdefault(span.to_ms, []).append(key)
    for number, edge in enumerate(edges):
        for key in ends.get(edge, ()):
            open_now[key] -= 1
            if not open_now[key]:
                del open_now[key]
        for key in begins.get(edge, ()):
            open_now[key] = open_now.get(key, 0) + 1
        if open_now and number + 1 < len(edges):
            share = Fraction(edges[number + 1] - edge, len(open_now))
            for key in open_now:
                shares[key] += share
    return shares


def _steps(spans: Iterable[Span]) -> list[tuple[int, int]]:
    steps = [step for span in spans for step in ((span.from_ms, 1), (span.to_ms, -1)) if span.from_ms < span.to_ms]
    return sorted(steps)


def _union(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda one: one.from_ms):
        if merged and span.from_ms <= merged[-1].to_ms:
            merged[-1] = Span(merged[-1].from_ms, max(merged[-1].to_ms, span.to_ms))
        elif span.from_ms < span.to_ms:
            merged.append(span)
    return merged


def _meet(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The common parts of two lists of disjoint ascending spans."""
    met: list[Span] = []
    for one in some:
        for other in others:
            from_ms, to_ms = max(one.from_ms, other.from_ms), min(one.to_ms, other.to_ms)
            if from_ms < to_ms:
                met.append(Span(from_ms, to_ms))
    return met


def _length(spans: Iterable[Span]) -> int:
    return sum(span.to_ms - span.from_ms for span in _union(spans))
