"""What a shop's server is asked and what it answers: JSON over one address. docs/shop-data.md tells it to its authors.

Answers may hold more than is read here; what is read must have its form, or the answer counts as none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wangxin.protocol import bodies
from wangxin.protocol.base import Fen, MaybeText, Ms, ShortText

INTERFACE = 1
Call = Literal["orders", "order", "products", "stock", "member", "claim", "invoice", "act"]
CALLS: tuple[Call, ...] = get_args(Call)
EFFECTS: frozenset[Call] = frozenset({"claim", "invoice", "act"})
"""Calls that change something. They carry a ``request`` that is the same when we ask again."""
Deed = Literal["remind", "cancel", "confirm", "address"]
DEEDS: tuple[Deed, ...] = get_args(Deed)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one
SKEW_S = 300
"""A server should refuse a call whose time lies further away than this."""


class Read(BaseModel):
    """Frozen; unknown members are passed over, so that a shop may say more than we read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Hello(Read):
    interface: Literal[1]
    calls: tuple[str, ...] = Field(max_length=50)


class ShopOrder(Read):
    order: ShortText
    state: Literal["unpaid", "paid", "shipped", "signed", "refunding", "refunded", "cancelled"]
    amount_fen: Fen
    created_ms: Ms
    lines: tuple[Line, ...] = Field(default=(), max_length=20)
    logistics: Parcel | None = None
    actions: tuple[str, ...] = Field(default=(), max_length=10)
    """Deeds that the shop would do for this order now; those we do not know are passed over."""


class Line(Read):
    product: MaybeText = ""
    title: ShortText
    sku: MaybeText = ""
    count: int = Field(default=1, ge=1, le=10_000)
    price_fen: Fen = 0
    picture: MaybeText = ""


class Step(Read):
    at_ms: Ms
    text: ShortText


class Parcel(Read):
    carrier: MaybeText = ""
    parcel: MaybeText = ""
    steps: tuple[Step, ...] = Field(default=(), max_length=30)


class Orders(Read):
    orders: tuple[ShopOrder, ...] = Field(max_length=50)


class OneOrder(Read):
    order: ShopOrder | None


class ShopProduct(Read):
    product: ShortText
    title: ShortText
    price_fen: Fen
    picture: MaybeText = ""


class Products(Read):
    products: tuple[ShopProduct, ...] = Field(max_length=50)


class Sku(Read):
    sku: ShortText
    left: int = Field(ge=0, le=10**9)


class Stock(Read):
    """``title`` empty: there is no such product."""

    title: MaybeText
    skus: tuple[Sku, ...] = Field(default=(), max_length=60)


class Said(Read):
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    value: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class ShopCoupon(Read):
    coupon: ShortText
    title: ShortText
    value_fen: Fen
    least_fen: Fen = 0
    expires_ms: Ms | None = None


class Member(Read):
    level: Annotated[str, StringConstraints(max_length=40)] = ""
    points: int | None = Field(default=None, ge=0, le=10**12)
    lines: tuple[Said, ...] = Field(default=(), max_length=10)
    coupons: tuple[ShopCoupon, ...] = Field(default=(), max_length=20)
    url: MaybeText = ""


class OneMember(Read):
    member: Member | None


class Done(Read):
    """``text`` is shown to the shopper, whether it was done or not."""

    done: bool
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Spoken(Read):
    """The answer of an item that calls the merchant's own address: words, and perhaps a link below them."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    title: MaybeText = ""
    url: MaybeText = ""


ShopOrder.model_rebuild()
Parcel.model_rebuild()


def signed(secret: str, id_: str, now_s: int, body: bytes) -> dict[str, str]:
    """The headers that prove a call is ours, as Standard Webhooks 1.0 puts them: HMAC-SHA256 over id, time and body."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature(secret, id_, now_s, body),
    }


def signature(secret: str, id_: str, now_s: int, body: bytes) -> str:
    mac = hmac.new(key_of(secret), f"{id_}.{now_s}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def key_of(secret: str) -> bytes:
    """The bytes a secret stands for. Raises ValueError where it is none."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError("a secret begins with whsec_")
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def secret_of(key: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(key).decode()


def order_of(order: ShopOrder) -> tuple[bodies.Order, bodies.Logistics | None]:
    """The cards that a shopper is shown."""
    lines = tuple(bodies.OrderLine(**line.model_dump()) for line in order.lines)
    card = bodies.Order(order=order.order, state=order.state, amount_fen=order.amount_fen, lines=lines)
    if order.logistics is None or not (order.logistics.parcel or order.logistics.steps):
        return card, None
    steps = tuple(bodies.LogisticsStep(at_ms=step.at_ms, text=step.text) for step in order.logistics.steps)
    parcel = bodies.Logistics(
        order=order.order, carrier=order.logistics.carrier, parcel=order.logistics.parcel, steps=steps
    )
    return card, parcel
