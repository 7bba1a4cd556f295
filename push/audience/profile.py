"""One shopper as both compilers see him: the same columns, the same types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from wangxin.model.frozen import frozen

COLUMNS: tuple[str, ...] = (
    "shopper_id", "level", "points", "balance_cents", "orders_n", "spent_cents", "avg_order_cents", "tags", "city",
    "province", "tz", "lang", "source", "is_member", "blocked", "birth_md", "lunar_md", "member_md", "first_order_md",
    "member_since", "first_order_at", "last_order_at", "last_chat_at", "last_seen_at", "last_complaint_at",
)  # fmt: skip
"""Columns of table ``profile`` that conditions may read, in the order of :class:`Profile`."""


SPOKEN: tuple[str, ...] = (
    "level", "points", "balance_cents", "orders_n", "spent_cents", "city", "province", "tz", "blocked", "member_since",
    "last_complaint_at",
)  # fmt: skip
"""What words and decisions read of somebody whose conditions were tested already."""


@frozen
class Day:
    """A counter of one calendar day in the shop's zone; ``amount`` is fen, milliseconds or stars × 100 by kind."""

    day: date
    n: int
    amount: int


@frozen
class Profile:
    """``days`` by kind of counter; ``crowds`` are the uploaded crowds the shopper is in."""

    shopper_id: UUID
    level: int | None = None
    points: int | None = None
    balance_cents: int | None = None
    orders_n: int | None = None
    spent_cents: int | None = None
    avg_order_cents: int | None = None
    tags: frozenset[str] = frozenset()
    city: str | None = None
    province: str | None = None
    tz: str | None = None
    lang: str | None = None
    source: str | None = None
    is_member: bool = False
    blocked: bool = False
    birth_md: int | None = None
    lunar_md: int | None = None
    member_md: int | None = None
    first_order_md: int | None = None
    member_since: datetime | None = None
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    last_chat_at: datetime | None = None
    last_seen_at: datetime | None = None
    last_complaint_at: datetime | None = None
    days: Mapping[str, tuple[Day, ...]] = field(default_factory=dict)
    crowds: frozenset[UUID] = frozenset()


def from_row(
    row: Mapping[str, Any], days: Mapping[str, tuple[Day, ...]], crowds: frozenset[UUID] = frozenset()
) -> Profile:
    values: list[Any] = [*_BEFORE(row), frozenset(row["tags"]), *_AFTER(row), days, crowds]
    return Profile(*values)


def spoken_to(row: Mapping[str, Any]) -> Profile:
    """Of a row with the columns of ``SPOKEN`` alone: for nobody to test conditions on."""
    if row["blocked"] is None:  # no profile yet
        return Profile(row["shopper_id"])
    return Profile(row["shopper_id"], **dict(zip(SPOKEN, _SPOKEN(row), strict=True)))


_SPOKEN = itemgetter(*SPOKEN)
_TAGS = COLUMNS.index("tags")
_BEFORE, _AFTER = itemgetter(*COLUMNS[:_TAGS]), itemgetter(*COLUMNS[_TAGS + 1 :])
