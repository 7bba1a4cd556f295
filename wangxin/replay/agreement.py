"""Whether the figures the product reports are those that the scripted people measured themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from statistics import median
from uuid import UUID

MEDIAN_MS_MAX = 100
"""The record stamps a line when it is stored, a socket when it arrives: they may differ by the way between."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """First responses by the record and by the shoppers' sockets; messages by the record and by who said them."""

    answered: int
    """Conversations whose first response both know."""
    one_sided: int
    """Conversations whose first response only one of them knows."""
    median_ms: int
    largest_ms: int
    sockets_p50_ms: int | None
    sockets_p95_ms: int | None
    said: int
    counted: int

    @property
    def agrees(self) -> bool:
        return self.one_sided == 0 and self.said == self.counted and self.median_ms <= MEDIAN_MS_MAX


def compare(sockets: Mapping[UUID, int], record: Mapping[UUID, int], *, said: int, counted: int) -> Agreement:
    """``sockets`` and ``record``: thread -> first response in ms."""
    both = sockets.keys() & record.keys()
    apart = sorted(abs(sockets[thread] - record[thread]) for thread in both)
    return Agreement(
        answered=len(both),
        one_sided=len(sockets.keys() ^ record.keys()),
        median_ms=round(median(apart)) if apart else 0,
        largest_ms=apart[-1] if apart else 0,
        sockets_p50_ms=_percentile(sockets.values(), 0.5),
        sockets_p95_ms=_percentile(sockets.values(), 0.95),
        said=said,
        counted=counted,
    )


def _percentile(durations: Iterable[int], share: float) -> int | None:
    ordered = sorted(durations)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
