"""What a provider is owed: lines from immutable terms, each with the very conversations and orders behind it.

All money is whole fen; every rounding is half up on one line's smallest part, so both sides recompute to the fen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from metrics.terms import Base, PerConversation, PerMinute, PerOnlineHour, PerOrder, PerSeat, Promise, Terms


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
    """An order's part credited to a pool (a silent one: to none); ``net_fen`` as known when the period is settled."""

    order: str
    pool: UUID | None
    net_fen: int


@dataclass(frozen=True, slots=True)
class SeatDays:
    """A committed seat, for how many days of the period, and for how many of the same month it was settled before."""

    seat: UUID
    days: int
    days_of_month: int
    days_before: int = 0


@dataclass(frozen=True, slots=True)
class Online:
    """How long a seat was ready or busy, and by how many shops that time is shared."""

    seat: UUID
    ms: int
    shops: int = 1


@dataclass(frozen=True, slots=True)
class Handled:
    """How long a conversation was with the contract's people; ``lost_ms``: for how much longer it stood with somebody
    whose line was lost, which nobody pays."""

    conversation: UUID
    ms: int
    lost_ms: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of a whole cycle as a fraction, in the unit of its promise (ms, per mille, hundredths of a star), and
    each case it is made of."""

    figure: str
    numerator: int
    denominator: int
    n: int
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cycle:
    """Where a day lies in its settlement cycle. ``ends``: it is the last day; ``fee_fen``: of the days before."""

    day_number: int  # from 1
    days: int
    ends: bool = False
    fee_fen: int = 0


class LineKind(StrEnum):
    CONVERSATIONS = "conversations"
    SEATS = "seats"
    ONLINE = "online"
    HANDLED = "handled"
    BASE = "base"
    COMMISSION = "commission"
    SILENT = "silent"
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
    of_day: date | None = None  # which settled day and kind a correction is about
    of_kind: LineKind | None = None


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
    silent: Sequence[Sold] = ()
    seats: Sequence[SeatDays] = ()
    online: Sequence[Online] = ()
    handled: Sequence[Handled] = ()
    measured: Sequence[Measured] = ()
    cycle: Cycle = Cycle(1, 1, ends=True)
    before: int = 0


def half_up(numerator: int, denominator: int) -> int:
    """Integer division rounding halves away from zero."""
    assert denominator > 0
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def share_of(whole: int, place: int, among: int) -> int:
    """The part of ``whole`` that the ``place``-th of ``among`` bears (from 0), as equal as whole numbers can be: the
    parts add up to it exactly."""
    assert 0 <= place < among
    return half_up(whole * (place + 1), among) - half_up(whole * place, among)


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
            case PerOnlineHour():
                lines += _by_hour(price, happened.online)
            case PerMinute():
                lines += _by_minute(price, happened.handled)
            case Base():
                lines.append(_base(price, happened.cycle))
            case PerOrder():
                credited = [one for one in happened.sold if one.pool in terms.pools]
                lines += _by_order(price, credited, LineKind.COMMISSION)
                if price.silent:
                    lines += _by_order(price, happened.silent, LineKind.SILENT)
    lines = [line for line in lines if line.quantity or line.amount_fen]
    fee = happened.cycle.fee_fen + sum(line.amount_fen for line in lines)
    if happened.cycle.ends:
        lines += _service_lines(terms, fee, {one.figure: one for one in happened.measured})
    total = happened.cycle.fee_fen + sum(line.amount_fen for line in lines)
    if terms.fee_fen_max is not None and total > terms.fee_fen_max:
        # Never more than this day brings: what earlier days of the cycle came to stands.
        over = min(total - terms.fee_fen_max, max(0, total - happened.cycle.fee_fen))
        proof = f"{total} - {terms.fee_fen_max} fen"
        lines.append(StatementLine(LineKind.CAP, "cap", 1, 0, -over, (proof,)))
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


HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def _by_hour(price: PerOnlineHour, online: Sequence[Online]) -> list[StatementLine]:
    some = sorted((one for one in online if one.ms), key=lambda one: str(one.seat))
    amount = sum(half_up(price.fen * one.ms, HOUR_MS * one.shops) for one in some)
    minutes = sum(half_up(one.ms, MINUTE_MS * one.shops) for one in some)
    return [StatementLine(LineKind.ONLINE, f"{len(some)} seats", minutes, 0, amount, tuple(str(o.seat) for o in some))]


def _by_minute(price: PerMinute, handled: Sequence[Handled]) -> list[StatementLine]:
    some = sorted((one for one in handled if one.ms), key=lambda one: str(one.conversation))
    amount = sum(half_up(price.fen * one.ms, MINUTE_MS) for one in some)
    minutes = sum(half_up(one.ms, MINUTE_MS) for one in some)
    evidence = tuple(str(one.conversation) for one in some)
    lost = [one for one in sorted(handled, key=lambda one: str(one.conversation)) if one.lost_ms]
    evidence += tuple(f"{one.conversation}: {one.lost_ms} ms after the last sign of a lost line" for one in lost)
    return [StatementLine(LineKind.HANDLED, f"{len(some)} conversations", minutes, 0, amount, evidence)]


def _base(price: Base, cycle: Cycle) -> StatementLine:
    amount = share_of(price.fen, cycle.day_number - 1, cycle.days)
    label = f"day {cycle.day_number} of {cycle.days}"
    return StatementLine(LineKind.BASE, label, 1, 0, amount, (f"{price.fen} fen, {label}",))


def _by_order(price: PerOrder, sold: Sequence[Sold], kind: LineKind) -> list[StatementLine]:
    if not sold:
        return []
    ordered = sorted(sold, key=lambda one: (one.order, str(one.pool)))
    amount = sum(commission_fen(price, one.net_fen) for one in ordered)
    label = f"commission {price.per_mille / 10:g} %"
    evidence = tuple(one.order for one in ordered)
    return [StatementLine(kind, label, len(ordered), 0, amount, evidence)]


def commission_fen(price: PerOrder, net_fen: int) -> int:
    return half_up(net_fen * price.per_mille, 1000)


def off_per_mille(promise: Promise, measured: Measured) -> Fraction:
    """How far off the promised value, in thousandths of it, exactly; minus: better."""
    assert measured.denominator > 0
    worse = promise.value * measured.denominator - measured.numerator
    if not promise.at_least:
        worse = -worse
    return Fraction(worse * 1000, max(1, promise.value * measured.denominator))


def judgement(one: Measured, per_mille: int, fee_fen: int) -> tuple[str, str]:
    """What a promise came to: how a service line, and each correction of one, begins its evidence."""
    return f"{one.figure} = {one.numerator} / {one.denominator}", f"{per_mille} ‰ of {fee_fen} fen"


def judged(evidence: Sequence[str]) -> tuple[str, int, int]:
    """(figure, per mille, of how many fen) as :func:`judgement` wrote it."""
    per_mille, _, fee_fen = evidence[1].partition(" ‰ of ")
    return evidence[0].partition(" = ")[0], int(per_mille), int(fee_fen.removesuffix(" fen"))


def _service_lines(terms: Terms, fee_fen: int, measured: dict[str, Measured]) -> list[StatementLine]:
    lines: list[StatementLine] = []
    penalty = 0
    for promise in terms.promises:
        one = measured.get(promise.figure)
        if one is None or one.n < promise.n_min or not one.denominator:
            continue
        off = off_per_mille(promise, one)
        if off > 0:
            missed = [band for band in promise.penalties if off >= band.off_per_mille]
            per_mille = max((band.fee_per_mille for band in missed), default=0)
            per_mille = -min(per_mille, terms.penalty_per_mille_max - penalty)
            penalty -= per_mille
        else:
            per_mille = max((b.fee_per_mille for b in promise.bonuses if -off >= b.off_per_mille), default=0)
        if per_mille:
            label = f"{promise.figure} = {one.numerator / one.denominator:.1f} (n = {one.n})"
            amount = half_up(fee_fen * per_mille, 1000)
            proofs = (*judgement(one, per_mille, fee_fen), *one.cases)
            lines.append(StatementLine(LineKind.SERVICE, label, 1, 0, amount, proofs))
    return lines
