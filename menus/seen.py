"""What was read for an answer, and what the answer is. Plain values, shared by everything that answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import UUID

from menus import say
from wangxin.protocol import bodies
from wangxin.protocol.bodies import AnyBody, Choice

HUMAN = "human"
"""The choice that asks for a person, wherever it is shown."""
KEY = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the shop that may be shown as a button."""

    id: str
    label: str
    topic: str


@dataclass(frozen=True, slots=True)
class OrderSeen:
    order: bodies.Order
    logistics: bodies.Logistics | None
    created_ms: int
    actions: tuple[str, ...] = ()
    """What the shop's own system would do for it now, of ``remind``, ``cancel``, ``confirm``, ``address``."""


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A member's standing; ``lines`` are further things the shop tells him, as (name, value)."""

    level: str = ""
    points: int | None = None
    lines: tuple[tuple[str, str], ...] = ()
    coupons: tuple[bodies.Coupon, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class StockSeen:
    title: str
    skus: tuple[tuple[str, int], ...]
    """(size and colour, how many are left); without any: nothing is left."""


@dataclass(frozen=True, slots=True)
class DoneSeen:
    """What the shop's own system made of a wish, and its words to the shopper."""

    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class SpokenSeen:
    """What the merchant's own address answered."""

    text: str
    title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class MediaSeen:
    """An upload of the shop's library."""

    id: UUID
    kind: str
    width: int
    height: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for an answer: the shopper's orders newest first, products, questions most asked first."""

    orders: tuple[OrderSeen, ...] = ()
    products: tuple[bodies.ProductCard, ...] = ()
    questions: tuple[Question, ...] = ()
    guest: bool = False
    media: MediaSeen | None = None
    member: MemberSeen | None = None
    claimed: DoneSeen | None = None
    """What the shop's system made of the coupon; None: nobody was asked, the coupon is just shown."""
    spoken: SpokenSeen | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the bot says, and whether the conversation now asks for a person (and about what)."""

    says: tuple[AnyBody, ...] = ()
    human: bool = False
    topic: str = ""
    solved: bool = field(default=True)
    """Whether this counts as an answer at all (a person's turn, a dead order list do not)."""


def person_choice() -> Choice:
    return Choice(id=HUMAN, label=say.TO_A_PERSON)


def or_human(text: str) -> Outcome:
    return Outcome((bodies.BotAnswer(text=text, choices=(person_choice(),)),), solved=False)
