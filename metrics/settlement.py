"""What a provider is owed: lines from immutable terms, each with the very conversations and orders behind it.

All money is whole fen; every rounding is half up on one line's smallest part, so both sides recompute to the fen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Tier:
    """Up to and including ``up_to`` (None: without end) one conversation costs ``fen``."""

    up_to: int | None
    fen: int


@dataclass(frozen=True, slots=True)
class PerConversation:
    """Each effective conversation of the period by its place in the tiers: the dearer first ones stay dear."""

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        assert self.tiers, "a price has at least one tier"
        assert self.tiers[-1].up_to is None, "the last tier has no end"
        ends = [tier.up_to for tier in self.tiers[:-1]]
        assert all(end is not None for end in ends), "only the last tier has no end"
        assert ends == sorted(set(ends), key=lambda end: end or 0), "tiers ascend"


@dataclass(frozen=True, slots=True)
class PerSeat:
    """Each committed seat for a whole month, by the days of the month it was committed."""

    fen: int


@dataclass(frozen=True, slots=True)
class PerOrder:
    """A share of the net paid amount of each order credited to the contract's pools; silent orders earn nothing."""

    per_mille: int


Price = PerConversation | PerSeat | PerOrder


@dataclass(frozen=True, slots=True)
class Band:
    """If the measured figure is at least ``from_value``, the fee changes by ``per_mille`` (minus: penalty)."""

    from_value: float
    per_mille: int


@dataclass(frozen=True, slots=True)
class ServiceTerm:
    """A promised figure. The band with the highest reached ``from_value`` applies; below ``n_min`` cases none does."""

    figure: str
    bands: tuple[Band, ...]
    n_min: int


@dataclass(frozen=True, slots=True)
class Terms:
    """One immutable version of a contract. New terms are a new version."""

    contract: UUID
    version: int
    pools: frozenset[UUID]
    prices: tuple[Price, ...]
    service: tuple[ServiceTerm, ...] = ()
    penalty_per_mille_max: int = 200
    fee_fen_max: int | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A conversation as it counts for money: who asked, when, and which pool's people wrote in it."""

    conversation: UUID
    shopper: UUID
    day: date
    shopper_messages: int
    replies_by_pool: tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True)
class Sold:
    """An order's part credited to a pool; ``net_fen`` as known when the period is settled."""

    order: str
    pool: UUID
    net_fen: int


@dataclass(frozen=True, slots=True)
class SeatDays:
    """A committed seat, for how many days of the period, and for how many of the same month it was settled before."""

    seat: UUID
    days: int
    days_of_month: int
    days_before: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    figure: str
    value: float
    n: int


class LineKind(StrEnum):
    CONVERSATIONS = "conversations"
    SEATS = "seats"
    COMMISSION = "commission"
    SERVICE = "service"
    CAP = "cap"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """``amount_fen`` with all it rests on; ``unit_fen`` is 0 where there is no one unit price."""

    kind: LineKind
    label: str
    quantity: int
    unit_fen: int
    amount_fen: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    contract: UUID
    version: int
    first: date
    last: date
    lines: tuple[StatementLine, ...]

    @property
    def total_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class Happened:
    """Everything a statement is computed from. ``before``: effective conversations earlier in the settlement cycle,
    which have taken their places in the tiers."""

    served: Sequence[Served] = ()
    sold: Sequence[Sold] = ()
    seats: Sequence[SeatDays] = ()
    measured: Sequence[Measured] = ()
    before: int = 0


def half_up(numerator: int, denominator: int) -> int:
    """Integer division rounding halves away from zero."""
    assert denominator > 0
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def effective(served: Iterable[Served], pools: frozenset[UUID]) -> list[Served]:
    """One per shopper and business day: words of the shopper, and a reply by the contract's people. Oldest first."""
    kept: dict[tuple[UUID, date], Served] = {}
    for one in sorted(served, key=lambda one: (one.day, str(one.conversation))):
        if one.shopper_messages and any(pool in pools and n > 0 for pool, n in one.replies_by_pool):
            kept.setdefault((one.shopper, one.day), one)
    return list(kept.values())


def settle(terms: Terms, first: date, last: date, happened: Happened) -> Statement:
    """The statement of a period under one version of the terms."""
    lines: list[StatementLine] = []
    for price in terms.prices:
        match price:
            case PerConversation():
                lines += _by_conversation(price, effective(happened.served, terms.pools), happened.before)
            case PerSeat():
                lines += _by_seat(price, happened.seats)
            case PerOrder():
                lines += _by_order(price, [one for one in happened.sold if one.pool in terms.pools])
    fee = sum(line.amount_fen for line in lines)
    lines += _service_lines(terms, fee, {one.figure: one for one in happened.measured})
    total = sum(line.amount_fen for line in lines)
    if terms.fee_fen_max is not None and total > terms.fee_fen_max:
        lines.append(StatementLine(LineKind.CAP, "cap", 1, 0, terms.fee_fen_max - total, ()))
    return Statement(terms.contract, terms.version, first, last, tuple(lines))


def _by_conversation(price: PerConversation, conversations: Sequence[Served], before: int) -> list[StatementLine]:
    lines, place, last = [], before, before + len(conversations)
    for tier in price.tiers:
        end = last if tier.up_to is None else min(tier.up_to, last)
        if end > place:
            taken = tuple(str(one.conversation) for one in conversations[place - before : end - before])
            label, n = f"conversations {place + 1}-{end}", len(taken)
            lines.append(StatementLine(LineKind.CONVERSATIONS, label, n, tier.fen, n * tier.fen, taken))
        place = max(place, end)
    return lines


def _by_seat(price: PerSeat, seats: Sequence[SeatDays]) -> list[StatementLine]:
    return [
        StatementLine(
            LineKind.SEATS,
            f"seat, {one.days} of {one.days_of_month} days",
            one.days,
            0,
            # The difference of two sums since the month began: so single days add up to the month.
            half_up(price.fen * (one.days_before + one.days), one.days_of_month)
            - half_up(price.fen * one.days_before, one.days_of_month),
            (str(one.seat),),
        )
        for one in sorted(seats, key=lambda one: str(one.seat))
        if one.days
    ]


def _by_order(price: PerOrder, sold: Sequence[Sold]) -> list[StatementLine]:
    if not sold:
        return []
    ordered = sorted(sold, key=lambda one: (one.order, str(one.pool)))
    amount = sum(commission_fen(price, one.net_fen) for one in ordered)
    label = f"commission {price.per_mille / 10:g} %"
    evidence = tuple(one.order for one in ordered)
    return [StatementLine(LineKind.COMMISSION, label, len(ordered), 0, amount, evidence)]


def commission_fen(price: PerOrder, net_fen: int) -> int:
    return half_up(net_fen * price.per_mille, 1000)


def _service_lines(terms: Terms, fee_fen: int, measured: dict[str, Measured]) -> list[StatementLine]:
    lines: list[StatementLine] = []
    penalty = 0
    for term in terms.service:
        one = measured.get(term.figure)
        if one is None or one.n < term.n_min:
            continue
        reached = [band for band in term.bands if one.value >= band.from_value]
        if not reached:
            continue
        per_mille = max(reached, key=lambda band: band.from_value).per_mille
        if per_mille < 0:
            per_mille = -min(-per_mille, terms.penalty_per_mille_max - penalty)
            penalty -= per_mille
        if per_mille:
            label = f"{term.figure} = {one.value:g} (n = {one.n})"
            amount = half_up(fee_fen * per_mille, 1000)
            lines.append(StatementLine(LineKind.SERVICE, label, 1, 0, amount, (term.figure,)))
    return lines


def correct(price: PerOrder, before: Sequence[Sold], now: Sequence[Sold]) -> list[StatementLine]:
    """What a settled period would come to today, as lines of the next one: nothing settled is ever rewritten."""
    lines = []
    settled = {(one.order, one.pool): one.net_fen for one in before}
    today = {(one.order, one.pool): one.net_fen for one in now}
    for key in sorted(settled.keys() | today.keys(), key=lambda key: (key[0], str(key[1]))):
        change = commission_fen(price, today.get(key, 0)) - commission_fen(price, settled.get(key, 0))
        if change:
            lines.append(StatementLine(LineKind.CORRECTION, f"order {key[0]}", 1, 0, change, (key[0],)))
    return lines
