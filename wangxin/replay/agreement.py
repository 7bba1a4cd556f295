"""Whether the figures the product reports are those that the scripted people measured themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from statistics import median
from uuid import UUID

from wangxin.replay.moments import Moments


@dataclass(frozen=True, slots=True)
class Agreement:
    """First responses by the record and by the people's sockets; messages by the record and by who said them."""

    answered: int
    """Conversations whose first response both know."""
    within: int
    """Of these, those whose recorded time lies between what the people on both sides saw."""
    one_sided: int
    """Conversations whose first response only one of them knows."""
    apart_ms: int
    """Median difference between the record and the shopper's socket."""
    sockets_p50_ms: int | None
    sockets_p95_ms: int | None
    said: int
    counted: int

    @property
    def agrees(self) -> bool:
        return self.one_sided == 0 and self.within == self.answered and self.said == self.counted


def compare(sockets: Mapping[UUID, Moments], record: Mapping[UUID, int], *, said: int, counted: int) -> Agreement:
    """``record``: thread -> first response in ms."""
    measured = {thread: ms for thread, seen in sockets.items() if (ms := seen.measured_ms) is not None}
    both = measured.keys() & record.keys()
    return Agreement(
        answered=len(both),
        within=sum(sockets[thread].allows(record[thread]) for thread in both),
        one_sided=len(measured.keys() ^ record.keys()),
        apart_ms=round(median(abs(measured[thread] - record[thread]) for thread in both)) if both else 0,
        sockets_p50_ms=_percentile(measured.values(), 0.5),
        sockets_p95_ms=_percentile(measured.values(), 0.95),
        said=said,
        counted=counted,
    )


def _percentile(durations: Iterable[int], share: float) -> int | None:
    ordered = sorted(durations)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
