"""Menus as the merchant writes them: nested items, each with one action of a closed set. Versions never change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from wangxin.model import limits


def no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


class Closed(BaseModel):
    """Frozen and closed; JSON lists become tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Key = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(no_nul)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000), AfterValidator(no_nul)]
Topic = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(no_nul)]
"""A shop's own heading for questions, or what a person is asked about: any words."""
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(no_nul)]


class Answer(Closed):
    """A text of the merchant, and perhaps a picture or a short video of his library below it."""

    kind: Literal["answer"] = "answer"
    text: Words
    media: UUID | None = None


class FaqGroup(Closed):
    """The questions of one topic, as buttons; empty ``topic``: the most asked of all."""

    kind: Literal["faq_group"] = "faq_group"
    text: Line = ""
    topic: Topic = ""


class Link(Closed):
    kind: Literal["link"] = "link"
    title: Line
    url: Annotated[str, StringConstraints(max_length=2_000)]
    text: Line = ""


class OrderLookup(Closed):
    """The shopper's newest orders as cards."""

    kind: Literal["order_lookup"] = "order_lookup"
    states: tuple[Literal["unpaid", "paid", "shipped", "signed", "refunding", "refunded", "cancelled"], ...] = ()


class Logistics(Closed):
    """Where the newest parcel is; buttons for the other ones."""

    kind: Literal["logistics"] = "logistics"


class Field_(Closed):
    id: Key
    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    type: Literal["text", "long_text", "number", "phone", "date", "select", "image", "video"] = "text"
    required: bool = True
    options: tuple[Annotated[str, StringConstraints(min_length=1, max_length=40)], ...] = Field(
        default=(), max_length=20
    )


class Form(Closed):
    """Questions to fill in; afterwards a word of thanks, or a person who takes it up."""

    kind: Literal["form"] = "form"
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    fields: tuple[Field_, ...] = Field(min_length=1, max_length=limits.FORM_FIELDS_MAX)
    thanks: Line = ""
    then: Literal["thanks", "human"] = "thanks"
    topic: Topic = ""


class ReturnExchange(Closed):
    """The official component for returns: pick the order, say why, and a person of the topic takes it up.

    Without a topic it is after-sale."""

    kind: Literal["return_exchange"] = "return_exchange"
    policy: Words = ""
    topic: Topic = ""


class Coupon(Closed):
    kind: Literal["coupon"] = "coupon"
    coupon: Key
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    value_fen: int = Field(gt=0, le=10_000_000)
    least_fen: int = Field(default=0, ge=0, le=10_000_000)
    text: Line = ""


class ProductList(Closed):
    """Products of the shop as cards: the named ones, or the newest on sale whose title holds ``words``."""

    kind: Literal["product_list"] = "product_list"
    title: Line = ""
    products: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...] = Field(
        default=(), max_length=10
    )
    words: Line = ""


class MemberCentre(Closed):
    """The shopper's level, points and coupons; ``text`` is said above them."""

    kind: Literal["member_centre"] = "member_centre"
    text: Line = ""


class Invoice(Closed):
    """The official component for invoices: pick the order, fill in the heading, and the shop's system takes it.

    Where that one does not, a person of the topic does; without a topic it is the invoice's."""

    kind: Literal["invoice"] = "invoice"
    text: Words = ""
    topic: Topic = ""


class StockCheck(Closed):
    """How many are left of each size and colour: of the named products, or those whose title holds ``words``."""

    kind: Literal["stock"] = "stock"
    title: Line = ""
    products: tuple[Annotated[str, StringConstraints(min_length=1, max_length=50)], ...] = Field(
        default=(), max_length=10
    )
    words: Line = ""


class Subscribe(Closed):
    """The shopper says that he wants to hear of something: ``tag`` is put on him, or taken off again."""

    kind: Literal["subscribe"] = "subscribe"
    tag: Tag
    text: Words
    thanks: Line = ""


class CallOut(Closed):
    """Calls the merchant's own address, signed, and says what it answers; ``fallback`` where it does not in time."""

    kind: Literal["call"] = "call"
    url: Annotated[str, StringConstraints(max_length=2_000)]
    fallback: Words


class Human(Closed):
    """A person. ``topic`` helps the dispatcher choose."""

    kind: Literal["human"] = "human"
    topic: Topic = ""


class Submenu(Closed):
    """Opens its children; ``text`` is said above them when they are shown as buttons in the chat."""

    kind: Literal["submenu"] = "submenu"
    text: Line = ""


Action = Annotated[
    Answer
    | FaqGroup
    | Link
    | OrderLookup
    | Logistics
    | Form
    | ReturnExchange
    | Coupon
    | MemberCentre
    | Invoice
    | ProductList
    | StockCheck
    | Subscribe
    | CallOut
    | Human
    | Submenu,
    Field(discriminator="kind"),
]


class Item(Closed):
    """One entry of the menu. ``topics`` let words lead here: a message clearly about one of them is answered by it."""

    id: Key
    label: Line
    hint: Line = ""
    icon: Key | None = None
    topics: tuple[Topic, ...] = Field(default=(), max_length=6)
    action: Action
    items: tuple[Item, ...] = Field(default=(), max_length=50)


Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class Hours(Closed):
    """Hours of the shop's clock on some days of the week (1 = Monday). ``ends`` before ``begins``: past midnight."""

    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field(
        default=(1, 2, 3, 4, 5, 6, 7), min_length=1, max_length=7
    )
    begins: Clock
    ends: Clock


class When(Closed):
    """For whom and when a variant is shown: all conditions that are set must hold.

    ``orders``: the state of the newest order; ``waiting_from``: so many wait for a person in the shop; ``channels``:
    how the window was opened ("page", "embed", or a name its address gives).
    """

    who: Literal["everyone", "members", "guests"] = "everyone"
    level_from: int | None = Field(default=None, ge=0, le=100)
    level_to: int | None = Field(default=None, ge=0, le=100)
    tags: tuple[Tag, ...] = Field(default=(), max_length=20)
    orders: tuple[Literal["none", "unpaid", "paid", "shipped", "signed", "refunding", "refunded", "cancelled"], ...] = (
        Field(default=(), max_length=8)
    )
    hours: tuple[Hours, ...] = Field(default=(), max_length=14)
    waiting_from: int | None = Field(default=None, ge=1, le=limits.WAITING_PER_SHOP_MAX)
    channels: tuple[Key, ...] = Field(default=(), max_length=10)
    languages: tuple[Literal["zh-CN", "zh-TW", "en"], ...] = Field(default=(), max_length=3)


class Variant(Closed):
    """A menu for some shoppers. ``share`` below 100 makes it a trial: of those it is for, so many percent see it,
    always the same ones, and the others are what it is compared with."""

    id: Key
    name: Line
    when: When = When()
    share: int = Field(default=100, ge=1, le=100)
    greeting: Words = ""
    items: tuple[Item, ...] = Field(default=(), max_length=50)


class Draft(Closed):
    """A menu that may still be wrong: what the editor keeps. :func:`menus.check.problems` says what is wrong.

    ``variants`` stand in their order: the first that fits a shopper is his menu, ``items`` where none fits.
    """

    greeting: Words = ""
    items: tuple[Item, ...] = Field(default=(), max_length=50)
    variants: tuple[Variant, ...] = Field(default=(), max_length=limits.MENU_VARIANTS_MAX)


class Menu(Closed):
    """A published version. It never changes; publishing makes the next number."""

    version: int = Field(ge=1)
    greeting: Words = ""
    items: tuple[Item, ...]
    variants: tuple[Variant, ...] = ()

    @classmethod
    def of(cls, version: int, draft: Draft) -> Menu:
        return cls(version=version, greeting=draft.greeting, items=draft.items, variants=draft.variants)

    @property
    def draft(self) -> Draft:
        """The same content, to be worked on."""
        return Draft(greeting=self.greeting, items=self.items, variants=self.variants)

    def find(self, id_: str) -> Item | None:
        """The item of the default menu or of any variant."""
        return next((item for _, item in everything(self) if item.id == id_), None)


def everything(menu: Draft | Menu) -> Iterator[tuple[int, Item]]:
    """Every item with its depth: the default menu's, then those of the variants in their order."""
    yield from walk(menu.items)
    for variant in menu.variants:
        yield from walk(variant.items)


def walk(items: tuple[Item, ...], depth: int = 1) -> Iterator[tuple[int, Item]]:
    """Every item with its depth (1 = top), parents first, in the order shown."""
    for item in items:
        yield depth, item
        yield from walk(item.items, depth + 1)
