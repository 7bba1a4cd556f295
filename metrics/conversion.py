"""Which order follows from whose words: attribution by rules as data, and conversion of enquiring shoppers.

Every paid order ends in exactly one kind, with one agent and pool at most (money may be shared by turns, to the fen):
all parts add up to the shop's total.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from metrics.clocks import Calendar, midnight_ms
from metrics.intervals import Rate
from metrics.model import DAY, HOUR, Tally, Touch

PAY_WITHIN_MS = 72 * HOUR
AFTER_SALES_MS = 21 * DAY


@dataclass(frozen=True, slots=True)
class Payment:
    """A part of the price that came in: the whole, or the deposit first and the balance later."""

    at_ms: int
    fen: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the shop reported it. No payment: unpaid."""

    id: str
    shopper: UUID | None
    created_ms: int
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Payment, ...] = ()

    @property
    def paid_ms(self) -> int | None:
        """Converted with the first payment, the deposit included."""
        return min((one.at_ms for one in self.payments), default=None)

    @property
    def paid_fen(self) -> int:
        return sum(one.fen for one in self.payments)

    def net_fen(self, until_ms: int | None = None) -> int:
        """Paid less refunded, as far as known at ``until_ms`` (None: all)."""

        def known(parts: tuple[Payment, ...]) -> int:
            return sum(one.fen for one in parts if until_ms is None or one.at_ms < until_ms)

        return known(self.payments) - known(self.refunds)


class Kind(StrEnum):
    TOUCHED = "touched"  # ordered after a person's words
    RESCUED = "rescued"  # ordered before, paid after a person's words (催付)
    BOT = "bot"  # after the bot's words alone
    SILENT = "silent"  # no words at all
    LATE = "late"  # paid more than 72 h after it was made


class Window(StrEnum):
    """Until when an order may follow words."""

    SAME_DAY = "same_day"  # the business day of the words
    NEXT_DAY = "next_day"  # until 24:00 of the day after
    H24 = "24h"
    H48 = "48h"
    H72 = "72h"

    def until_ms(self, said_ms: int, calendar: Calendar) -> int:
        """The last moment (exclusive) of the window that words at ``said_ms`` open."""
        hours = {Window.H24: 24, Window.H48: 48, Window.H72: 72}
        if self in hours:
            return said_ms + hours[self] * HOUR
        zone, _ = calendar.at(said_ms)
        days = 1 if self is Window.SAME_DAY else 2
        return midnight_ms(calendar.day(said_ms) + timedelta(days=days), zone)


class Credit(StrEnum):
    LAST = "last"
    FIRST = "first"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Rule:
    """An attribution rule as a contract names it."""

    name: str
    credit: Credit
    window: Window
    says: str


_RULES = (
    Rule(
        "last_touch",
        Credit.LAST,
        Window.NEXT_DAY,
        "The last agent who wrote before the order, until the next day 24:00.",
    ),
    Rule("last_touch_same_day", Credit.LAST, Window.SAME_DAY, "The last agent who wrote before it on the same day."),
    Rule("last_48h", Credit.LAST, Window.H48, "The last agent who wrote within 48 hours before the order."),
    Rule("last_72h", Credit.LAST, Window.H72, "The last agent who wrote within 72 hours before the order."),
    Rule("first_24h", Credit.FIRST, Window.H24, "The first agent who wrote within 24 hours before the order."),
    Rule("share_by_turns", Credit.SHARE, Window.NEXT_DAY, "Shared among all who wrote, by the turns each answered."),
)
RULES: dict[str, Rule] = {rule.name: rule for rule in _RULES}
DEFAULT_RULE = RULES["last_touch"]


@dataclass(frozen=True, slots=True)
class Part:
    """What one agent gets of an order. Exactly one part of an order counts it (``orders`` 1)."""

    agent: UUID
    pool: UUID | None
    provider: UUID | None
    orders: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class Attribution:
    order: str
    shopper: UUID | None
    kind: Kind
    converted_ms: int
    paid_fen: int
    parts: tuple[Part, ...]
    conversation: UUID | None  # whose words decided; of the first part


@dataclass(frozen=True, slots=True)
class Said:
    """What a shopper's conversations amounted to: runs of people's words, and when the bot wrote last in each."""

    touches: tuple[Touch, ...] = ()
    bot_ms: tuple[int, ...] = ()


def attribute(order: Order, said: Said, rule: Rule, calendar: Calendar) -> Attribution | None:
    """The one attribution of a paid order; None while it is unpaid. Pure: the same inputs always give the same."""
    converted_ms = order.paid_ms
    if converted_ms is None:
        return None
    kind, touches = _kind(order, converted_ms, said, rule, calendar)
    parts = _parts(touches, order.paid_fen, rule.credit)
    return Attribution(
        order.id,
        order.shopper,
        kind,
        converted_ms,
        order.paid_fen,
        parts,
        _decisive(touches, rule.credit).conversation if touches else None,
    )


def _kind(
    order: Order, converted_ms: int, said: Said, rule: Rule, calendar: Calendar
) -> tuple[Kind, tuple[Touch, ...]]:
    if converted_ms - order.created_ms > PAY_WITHIN_MS:
        return Kind.LATE, ()
    before = _standing(said.touches, order.created_ms, rule, calendar)
    if before:
        return Kind.TOUCHED, before
    between = tuple(
        touch for touch in _standing(said.touches, converted_ms, rule, calendar) if touch.last_ms > order.created_ms
    )
    if between:
        return Kind.RESCUED, between
    if any(at <= order.created_ms < rule.window.until_ms(at, calendar) for at in said.bot_ms):
        return Kind.BOT, ()
    return Kind.SILENT, ()


def _standing(touches: Sequence[Touch], at_ms: int, rule: Rule, calendar: Calendar) -> tuple[Touch, ...]:
    """The runs begun by ``at_ms`` whose window is still open then, oldest first."""
    found = []
    for touch in touches:
        if touch.first_ms > at_ms:
            continue
        said_ms = touch.first_ms if rule.credit is Credit.FIRST else min(touch.last_ms, at_ms)
        if at_ms < rule.window.until_ms(said_ms, calendar):
            found.append(touch)
    return tuple(sorted(found, key=_place))


def _place(touch: Touch) -> tuple[int, str, int]:
    return touch.first_ms, str(touch.conversation), touch.number


def _decisive(touches: Sequence[Touch], credit: Credit) -> Touch:
    if credit is Credit.FIRST:
        return touches[0]
    if credit is Credit.LAST:
        return touches[-1]
    weights = _weights(touches)
    return max(reversed(touches), key=lambda touch: weights[touch.agent, touch.pool])


def _weights(touches: Sequence[Touch]) -> dict[tuple[UUID, UUID | None], int]:
    """Turns answered by each (agent, pool); one who answered none but wrote counts one, so that nobody is lost."""
    weights: dict[tuple[UUID, UUID | None], int] = {}
    for touch in touches:
        key = touch.agent, touch.pool
        weights[key] = weights.get(key, 0) + touch.turns
    return {key: max(1, weight) for key, weight in weights.items()}


def _parts(touches: Sequence[Touch], fen: int, credit: Credit) -> tuple[Part, ...]:
    if not touches:
        return ()
    decisive = _decisive(touches, credit)
    if credit is not Credit.SHARE:
        return (Part(decisive.agent, decisive.pool, decisive.provider, 1, fen),)
    weights = _weights(touches)
    providers = {(touch.agent, touch.pool): touch.provider for touch in touches}
    shares = split(fen, list(weights.values()))
    first = (decisive.agent, decisive.pool)
    order = sorted(zip(weights, shares, strict=True), key=lambda one: one[0] != first)
    return tuple(Part(key[0], key[1], providers[key], int(key == first), share) for key, share in order)


def split(fen: int, weights: Sequence[int]) -> list[int]:
    """Shares ``fen`` by weight and adds up to the fen: the largest remainders get the odd ones, then the first."""
    total = sum(weights)
    assert total > 0
    shares = [fen * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(fen * weights[i] % total), i))
    for i in by_remainder[: fen - sum(shares)]:
        shares[i] += 1
    return shares


# --- conversion of enquiring shoppers -------------------------------------------------------------------------------


def is_enquiry(opened_ms: int, orders: Iterable[Order], topic: str, window: Window, calendar: Calendar) -> bool:
    """Whether a conversation was pre-sales: by its topic if it has one, else by what the shopper had bought.

    One who paid within 21 days before it and made no new order within the window after it came for after-sales.
    """
    if topic:
        return topic != "after_sales"
    bought = ordered_after = False
    for order in orders:
        if order.paid_ms is not None and opened_ms - AFTER_SALES_MS <= order.paid_ms < opened_ms:
            bought = True
        if opened_ms <= order.created_ms < window.until_ms(opened_ms, calendar):
            ordered_after = True
    return ordered_after or not bought


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A pre-sales conversation and who asked."""

    shopper: UUID
    tally: Tally
    touches: tuple[Touch, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Distinct shoppers who bought, of distinct shoppers who enquired."""

    served: Rate  # of those a person answered: the agents' figure
    all: Rate  # of all who asked for a person: the honest one
    orders: int
    paid_fen: int


def shop_conversion(enquiries: Sequence[Enquiry], attributions: Iterable[Attribution]) -> Conversion:
    asked = {one.shopper for one in enquiries if one.tally.enqueued_ms is not None or one.tally.served}
    served = {one.shopper for one in enquiries if one.tally.served}
    return _conversion(asked, served, [one for one in attributions if one.kind is Kind.TOUCHED], None)


def pool_conversion(enquiries: Sequence[Enquiry], attributions: Iterable[Attribution], pool: UUID | None) -> Conversion:
    """For one pool (None: the shop's own people outside any pool): those it served, and the orders credited to it."""
    served = {one.shopper for one in enquiries if one.tally.served and any(t.pool == pool for t in one.touches)}
    asked = served | {one.shopper for one in enquiries if one.tally.pool == pool and one.tally.assigned_ms is not None}
    mine = [one for one in attributions if one.kind is Kind.TOUCHED]
    return _conversion(asked, served, mine, (pool,))


def _conversion(
    asked: set[UUID], served: set[UUID], attributions: Sequence[Attribution], pool: tuple[UUID | None] | None
) -> Conversion:
    buyers: set[UUID] = set()
    orders = paid_fen = 0
    for one in attributions:
        parts = [part for part in one.parts if pool is None or part.pool == pool[0]]
        orders += sum(part.orders for part in parts)
        paid_fen += sum(part.paid_fen for part in parts)
        if one.shopper is not None and any(part.orders for part in parts):
            buyers.add(one.shopper)
    return Conversion(Rate(len(buyers & served), len(served)), Rate(len(buyers & asked), len(asked)), orders, paid_fen)


def revenue_by_kind(attributions: Iterable[Attribution]) -> dict[Kind, tuple[int, int]]:
    """(orders, paid fen) of each kind: together the shop's total."""
    sums = {kind: (0, 0) for kind in Kind}
    for one in attributions:
        orders, fen = sums[one.kind]
        sums[one.kind] = orders + 1, fen + one.paid_fen
    return sums
