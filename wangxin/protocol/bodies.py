"""Message bodies, one class a kind. ``kind`` is the discriminator; the bytes of a body never change once stored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from wangxin.model import limits
from wangxin.protocol.base import Closed, Fen, Id, Key, LongText, MaybeText, Ms, Seq, ShortText, Url


class Body(Closed):
    quote: Seq | None = Field(default=None, description="seq of the public line that is quoted")


class Text(Body):
    kind: Literal["text"] = "text"
    text: LongText
    assisted: Literal[True] | None = Field(
        default=None, description="set by the hub: an agent sent the bot's suggestion unchanged; shoppers never see it"
    )


class Image(Body):
    kind: Literal["image"] = "image"
    media: Id = Field(description="id of an upload; links are made when it is shown and expire")
    alt: MaybeText = Field(default="", description="what it shows, for who cannot see it")
    width: int = Field(default=0, ge=0, le=100_000)
    height: int = Field(default=0, ge=0, le=100_000)


class Video(Body):
    kind: Literal["video"] = "video"
    media: Id
    duration_ms: int = Field(default=0, ge=0, le=limits.VIDEO_MS_MAX)
    width: int = Field(default=0, ge=0, le=100_000)
    height: int = Field(default=0, ge=0, le=100_000)


class Voice(Body):
    kind: Literal["voice"] = "voice"
    media: Id
    duration_ms: int = Field(default=0, ge=0, le=limits.VOICE_MS_MAX)


class File(Body):
    kind: Literal["file"] = "file"
    media: Id
    name: ShortText
    bytes: int = Field(ge=0)


class Location(Body):
    kind: Literal["location"] = "location"
    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)
    name: MaybeText = ""


class Product(Body):
    kind: Literal["product"] = "product"
    product: ShortText
    title: ShortText
    price_fen: Fen
    picture: MaybeText = ""
    url: MaybeText = ""


class OrderLine(Closed):
    product: MaybeText = ""
    title: ShortText
    sku: MaybeText = ""
    count: int = Field(default=1, ge=1, le=10_000)
    price_fen: Fen = 0
    picture: MaybeText = ""


class Order(Body):
    kind: Literal["order"] = "order"
    order: ShortText
    state: Literal["unpaid", "paid", "shipped", "signed", "refunding", "refunded", "cancelled"]
    amount_fen: Fen
    lines: tuple[OrderLine, ...] = Field(default=(), max_length=20)


class Logistics(Body):
    kind: Literal["logistics"] = "logistics"
    order: ShortText
    carrier: MaybeText = ""
    parcel: MaybeText = ""
    steps: tuple[LogisticsStep, ...] = Field(default=(), max_length=30)


class LogisticsStep(Closed):
    at_ms: Ms
    text: ShortText


class Refund(Body):
    kind: Literal["refund"] = "refund"
    order: ShortText
    amount_fen: Fen
    state: MaybeText = ""


class AfterSale(Body):
    """A step of an after-sale case; ``note`` is what the shop says with it."""

    kind: Literal["aftersale"] = "aftersale"
    case: Id
    order: ShortText
    wants: MaybeText = ""
    reason: MaybeText = ""
    state: Literal["open", "approved", "refused", "received", "done", "withdrawn"]
    note: MaybeText = ""


class PayReminder(Body):
    kind: Literal["pay_reminder"] = "pay_reminder"
    order: ShortText
    amount_fen: Fen
    text: MaybeText = ""


class Coupon(Body):
    kind: Literal["coupon"] = "coupon"
    coupon: ShortText
    title: ShortText
    value_fen: Fen
    least_fen: Fen = 0
    expires_ms: Ms | None = None
    claimed: bool = False
    tap: bool = Field(default=False, description="the shopper claims it by a tap")


class Choice(Closed):
    id: Key
    label: ShortText
    hint: MaybeText = ""


class Choices(Body):
    """Buttons under a text. A tap answers with ``choice.submit``. ``human`` among the ids asks for a person."""

    kind: Literal["choices"] = "choices"
    text: LongText
    choices: tuple[Choice, ...] = Field(min_length=1, max_length=limits.CHOICES_MAX)


class FormField(Closed):
    id: Key
    label: ShortText
    type: Literal["text", "long_text", "number", "phone", "date", "select", "image", "video"] = "text"
    required: bool = True
    options: tuple[ShortText, ...] = Field(default=(), max_length=20)


class Form(Body):
    kind: Literal["form"] = "form"
    form: Key
    title: ShortText
    fields: tuple[FormField, ...] = Field(min_length=1, max_length=limits.FORM_FIELDS_MAX)
    submit: MaybeText = ""


class FormAnswer(Body):
    """What a shopper filled in; made by the server from ``form.submit``. ``labels``: what the form calls each field.
    ``hidden``: the reader's contract hides the values, which are masked."""

    kind: Literal["form_answer"] = "form_answer"
    form: Key
    title: MaybeText = ""
    values: dict[Key, LongText] = Field(max_length=limits.FORM_FIELDS_MAX)
    labels: dict[Key, ShortText] = Field(default={}, max_length=limits.FORM_FIELDS_MAX)
    hidden: bool = False


class Article(Body):
    kind: Literal["article"] = "article"
    title: ShortText
    text: MaybeText = ""
    picture: MaybeText = ""
    url: Url


class Suggestions(Body):
    """Questions the shopper may have meant; a tap answers with ``choice.submit``."""

    kind: Literal["suggestions"] = "suggestions"
    text: LongText
    choices: tuple[Choice, ...] = Field(min_length=1, max_length=limits.CHOICES_MAX)


class Cards(Body):
    kind: Literal["cards"] = "cards"
    title: MaybeText = ""
    products: tuple[ProductCard, ...] = Field(min_length=1, max_length=10)


class ProductCard(Closed):
    product: ShortText
    title: ShortText
    price_fen: Fen
    picture: MaybeText = ""


class RatingInvite(Body):
    kind: Literal["rating_invite"] = "rating_invite"
    conversation: Id


class Rating(Body):
    """A shopper's rating; made by the server from ``rating.submit``."""

    kind: Literal["rating"] = "rating"
    conversation: Id
    stars: int = Field(ge=1, le=5)
    reasons: tuple[ShortText, ...] = Field(default=(), max_length=3)
    text: MaybeText = ""


class Sticker(Body):
    kind: Literal["sticker"] = "sticker"
    sticker: Key


class BotAnswer(Body):
    """A text the bot wrote; ``faq`` names the entry it comes from. Followed by choices, where there are any."""

    kind: Literal["bot_answer"] = "bot_answer"
    text: LongText
    faq: MaybeText = ""
    choices: tuple[Choice, ...] = Field(default=(), max_length=limits.CHOICES_MAX)


class Event(Body):
    """A state event. ``event`` names it; the other fields are set where they mean something."""

    kind: Literal["event"] = "event"
    event: Literal[
        "conversation.opened",
        "handoff.requested",
        "conversation.assigned",
        "conversation.transferred",
        "conversation.reclaimed",
        "conversation.parked",
        "conversation.resumed",
        "conversation.wrapped_up",
        "conversation.closed",
        "conversation.message_box",
        "queue.left",
        "queue.callback",
        "queue.stayed",
        "reply.late",
        "message.recalled",
        "supervisor.joined",
        "supervisor.left",
        "benefit.granted",
        "benefit.withdrawn",
    ]
    conversation: Id | None = None
    agent_name: MaybeText = ""
    seq: Seq | None = Field(default=None, description="the line that was recalled")
    text: MaybeText = ""
    topic: MaybeText = ""
    reason: MaybeText = ""
    wait_ms: Ms | None = Field(default=None, description="how long the shopper has waited")


class Note(Body):
    """A line only agents see."""

    kind: Literal["note"] = "note"
    text: LongText


class Routing(Body):
    """Why a conversation went where it went; internal lane only."""

    kind: Literal["routing"] = "routing"
    decision: ShortText
    reason: MaybeText = ""
    agent: Id | None = None
    pool: Id | None = None
    wait_ms: Ms | None = None
    note: MaybeText = ""


Logistics.model_rebuild()
Cards.model_rebuild()

AnyBody = Annotated[
    Text
    | Image
    | Video
    | Voice
    | File
    | Location
    | Product
    | Order
    | Logistics
    | Refund
    | AfterSale
    | PayReminder
    | Coupon
    | Choices
    | Form
    | FormAnswer
    | Article
    | Suggestions
    | Cards
    | RatingInvite
    | Rating
    | Sticker
    | BotAnswer
    | Event
    | Note
    | Routing,
    Field(discriminator="kind"),
]

BODY: TypeAdapter[AnyBody] = TypeAdapter(AnyBody)

MAY_SEND: dict[str, frozenset[str]] = {
    "shopper": frozenset({"text", "image", "video", "voice", "file", "location", "product", "order", "sticker"}),
    "agent": frozenset(
        {
            "text", "image", "video", "voice", "file", "location", "product", "order", "logistics", "refund",
            "pay_reminder", "coupon", "choices", "form", "article", "cards", "rating_invite", "sticker",
        }
    ),
}  # fmt: skip
"""The kinds a person may put into ``message.send``; the others are made by the server."""


def stored_body(body: AnyBody) -> str:
    """The JSON text kept in the record: without the kind (a column) and without absent fields."""
    return body.model_dump_json(exclude={"kind"}, exclude_none=True)
