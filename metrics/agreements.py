"""What the figures must know of a contract to settle it: lent by whoever keeps contracts."""

from __future__ import annotations

import calendar
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from metrics.terms import Terms
from wangxin.storage.postgres import Connection


def _always(from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    return [(from_ms, to_ms)]


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version, in force from ``starts_ms`` until the next one or ``ends_ms``."""

    terms: Terms
    starts_ms: int
    ends_ms: int | None
    seats: int
    cycle: Literal["week", "month"]
    refunds_kept: bool
    dispute_days: int = 7
    open_spans: Callable[[int, int], list[tuple[int, int]]] = _always
    """The parts of [from, to) in which the committed seats are due, in ms."""

    def cycle_start(self, day: date) -> date:
        return day.replace(day=1) if self.cycle == "month" else day - timedelta(days=day.weekday())

    def cycle_days(self, day: date) -> int:
        return calendar.monthrange(day.year, day.month)[1] if self.cycle == "month" else 7


@dataclass(frozen=True, slots=True)
class Agreement:
    """``versions``: the newest first."""

    contract: UUID
    provider: UUID
    provider_name: str
    versions: tuple[Version, ...]

    def version_at(self, at_ms: int) -> Version | None:
        """The version in force at that moment."""
        started = (one for one in self.versions if one.starts_ms <= at_ms)
        newest = max(started, key=lambda one: (one.starts_ms, one.terms.version), default=None)
        return None if newest is None or (newest.ends_ms is not None and newest.ends_ms <= at_ms) else newest


AgreementsOf = Callable[[Connection, UUID], Awaitable[list[Agreement]]]
"""(connection, shop) -> its contracts with all their versions that both sides agreed on."""


async def none_known(conn: Connection, shop: UUID) -> list[Agreement]:
    return []
