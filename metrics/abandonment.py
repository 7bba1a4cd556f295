"""Who gave up waiting: openly, silently, or so fast that it says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from metrics.intervals import Patience, Rate, patience
from metrics.model import SECOND, Tally

SHORT_MS = 5 * SECOND
LEFT_REASONS = frozenset({"shopper", "shopper_left", "left", "abandoned", "queue_left", "presence_lost"})
"""Reasons of closing that say the shopper went, rather than an agent or a timer ending a finished conversation."""


class Abandoned(StrEnum):
    NO = "no"
    EXPLICIT = "explicit"  # left the line, or closed before the first human reply
    SILENT = "silent"  # assigned, and gone before the first human reply was there
    SHORT = "short"  # within 5 s of asking: reported, outside the rate


def judge(tally: Tally) -> Abandoned:
    """How the conversation's wait for a person ended."""
    if tally.enqueued_ms is None or tally.left_message:
        return Abandoned.NO
    if tally.gave_up_ms is not None:
        left_ms: int | None = tally.gave_up_ms
    elif tally.first_human_ms is None and tally.closed_ms is not None:
        left_ms = tally.closed_ms
    else:
        left_ms = None
    if left_ms is None or (tally.first_human_ms is not None and tally.first_human_ms <= left_ms):
        return Abandoned.NO
    if left_ms - tally.enqueued_ms < SHORT_MS:
        return Abandoned.SHORT
    if tally.gave_up_ms is not None or tally.assigned_ms is None or tally.close_reason in LEFT_REASONS:
        return Abandoned.EXPLICIT
    return Abandoned.SILENT


@dataclass(frozen=True, slots=True)
class Loss:
    explicit: int
    silent: int
    short: int
    rate: Rate  # (explicit + silent) of those who asked for a person, less the short ones
    patience: Patience


def loss(tallies: Iterable[Tally]) -> Loss:
    counts = dict.fromkeys(Abandoned, 0)
    gave_up: list[int] = []
    served: list[int] = []
    for tally in tallies:
        if tally.enqueued_ms is None:
            continue
        verdict = judge(tally)
        counts[verdict] += 1
        end_ms = tally.gave_up_ms or tally.closed_ms
        if verdict in (Abandoned.EXPLICIT, Abandoned.SILENT) and end_ms is not None:
            gave_up.append(end_ms - tally.enqueued_ms)
        elif verdict is Abandoned.NO and tally.first_human_ms is not None:
            served.append(max(0, tally.first_human_ms - tally.enqueued_ms))
    lost = counts[Abandoned.EXPLICIT] + counts[Abandoned.SILENT]
    return Loss(
        counts[Abandoned.EXPLICIT],
        counts[Abandoned.SILENT],
        counts[Abandoned.SHORT],
        Rate(lost, lost + counts[Abandoned.NO]),
        patience(gave_up, served),
    )
