"""The official components that the shop's own system may answer: coupon, member centre, invoice, stock, deeds. Pure."""

from __future__ import annotations

from menus import say
from menus.model import Answer, CallOut, Coupon, Invoice, Item, MemberCentre, StockCheck, Subscribe
from menus.seen import (
    KEY,
    DoneSeen,
    MediaSeen,
    OrderSeen,
    Outcome,
    Seen,
    SpokenSeen,
    StockSeen,
    or_human,
    person_choice,
)
from wangxin.protocol import bodies
from wangxin.protocol.bodies import AnyBody, Choice

ORDERS_SHOWN = 3
PRODUCTS_SHOWN = 10
COUPONS_SHOWN = 5
INVOICE_FORM = "invoice"
ADDRESS_FORM = "address"


def answer(action: Answer, media: MediaSeen | None) -> Outcome:
    """The merchant's words, and what he put below them; gone from his library, the words alone."""
    return Outcome(with_media(bodies.BotAnswer(text=action.text), media))


def question(text: str, id_: str, media: MediaSeen | None) -> tuple[AnyBody, ...]:
    """The answer to a question of the shop, and what goes below it."""
    return with_media(bodies.BotAnswer(text=text, faq=id_), media)


def with_media(said: bodies.BotAnswer, media: MediaSeen | None) -> tuple[AnyBody, ...]:
    if media is None:
        return (said,)
    if media.kind == "image":
        return said, bodies.Image(media=media.id, width=media.width, height=media.height)
    film = bodies.Video(media=media.id, width=media.width, height=media.height, duration_ms=media.duration_ms)
    return said, film


def coupon(action: Coupon, claimed: DoneSeen | None) -> Outcome:
    """The coupon as a card; where the shop's system gives it, its words too. Refused, there is no card."""
    if claimed is not None and not claimed.done:
        return or_human(claimed.text)
    card = bodies.Coupon(
        coupon=action.coupon, title=action.title, value_fen=action.value_fen, least_fen=action.least_fen,
        claimed=claimed is not None,
    )  # fmt: skip
    text = claimed.text if claimed is not None else action.text
    said = (bodies.BotAnswer(text=text),) if text else ()
    return Outcome((*said, card))


def member(action: MemberCentre, seen: Seen) -> Outcome:
    if seen.guest:
        return or_human(say.GUEST_NO_MEMBER)
    if seen.member is None:
        return or_human(say.NO_MEMBER)
    found = seen.member
    lines = [action.text] if action.text else []
    if found.level:
        lines.append(say.MEMBER_LEVEL + found.level)
    if found.points is not None:
        lines.append(f"{say.MEMBER_POINTS}{found.points}")
    lines += [f"{name}：{value}" for name, value in found.lines]
    says: list[AnyBody] = [bodies.BotAnswer(text="\n".join(lines) or say.MEMBER_NOTHING)]
    says += found.coupons[:COUPONS_SHOWN]
    if found.url:
        says.append(bodies.Article(title=say.MEMBER_PAGE, url=found.url))
    return Outcome(tuple(says))


def invoices(action: Invoice, seen: Seen) -> Outcome:
    """Which order the invoice is for."""
    can = [o.order for o in seen.orders if o.order.state in ("paid", "shipped", "signed")][:ORDERS_SHOWN]
    choices = [
        Choice(id=f"{INVOICE_FORM}:{o.order}", label=say.this_order(o))
        for o in can
        if KEY.match(f"{INVOICE_FORM}:{o.order}")
    ]
    said = (bodies.BotAnswer(text=action.text),) if action.text else ()
    if not choices:
        text = say.GUEST_NO_ORDERS if seen.guest else say.NOTHING_TO_INVOICE
        return Outcome((*said, bodies.BotAnswer(text=text, choices=(person_choice(),))), solved=False)
    return Outcome((*said, bodies.Choices(text=say.WHICH_INVOICE, choices=(*choices, person_choice()))))


def invoice_form(order: str) -> Outcome:
    form = bodies.Form(
        form=f"{INVOICE_FORM}:{order}", title=say.invoice_title(order), submit=say.SUBMIT,
        fields=(
            bodies.FormField(id="head", label=say.INVOICE_HEAD),
            bodies.FormField(id="tax", label=say.INVOICE_TAX, required=False),
            bodies.FormField(id="mail", label=say.INVOICE_MAIL),
        ),
    )  # fmt: skip
    return Outcome((form,))


def address_form(order: str) -> Outcome:
    form = bodies.Form(
        form=f"{ADDRESS_FORM}:{order}", title=say.address_title(order), submit=say.SUBMIT,
        fields=(bodies.FormField(id="words", label=say.NEW_ADDRESS, type="long_text"),),
    )  # fmt: skip
    return Outcome((form,))


def stock_of_which(action: StockCheck, item: Item, seen: Seen) -> Outcome:
    choices = [
        Choice(id=f"stock:{one.product}", label=one.title)
        for one in seen.products[:PRODUCTS_SHOWN]
        if KEY.match(f"stock:{one.product}")
    ]
    if not choices:
        return or_human(say.NO_PRODUCTS)
    return Outcome((bodies.Choices(text=action.title or item.label, choices=(*choices, person_choice())),))


def stock(found: StockSeen | None) -> Outcome:
    if found is None:
        return or_human(say.NO_SUCH_PRODUCT)
    there = [f"{sku}：{say.left(left)}" for sku, left in found.skus if left > 0]
    if not there:
        return or_human(f"{found.title}{say.NOTHING_LEFT}")
    return Outcome((bodies.BotAnswer(text="\n".join((found.title, *there))),))


def subscribe(action: Subscribe, item: Item) -> Outcome:
    choices = (Choice(id=f"subscribe:{item.id}", label=say.SUBSCRIBE), Choice(id=f"leave:{item.id}", label=say.LEAVE))
    return Outcome((bodies.Choices(text=action.text, choices=choices),))


def subscribed(action: Subscribe, on: bool) -> Outcome:
    return Outcome((bodies.BotAnswer(text=(action.thanks or say.SUBSCRIBED) if on else say.LEFT),))


def spoken(action: CallOut, found: SpokenSeen | None) -> Outcome:
    """What the merchant's address answered; its fallback, with a way to a person, where it did not."""
    if found is None:
        return or_human(action.fallback)
    said: tuple[AnyBody, ...] = (bodies.BotAnswer(text=found.text),)
    if found.url:
        said = (*said, bodies.Article(title=found.title or found.url[:200], url=found.url))
    return Outcome(said)


def deed(done: DoneSeen | None, otherwise: Outcome) -> Outcome:
    """What the shop's system made of a wish about an order; ``otherwise`` where it takes no such wishes."""
    if done is None:
        return otherwise
    return Outcome(
        (bodies.BotAnswer(text=done.text, choices=() if done.done else (person_choice(),)),), solved=done.done
    )


def taken_up(topic: str) -> Outcome:
    """A filled form that no machine takes: a person of the topic does."""
    return Outcome((bodies.BotAnswer(text=say.FORM_TO_PERSON),), human=True, topic=topic)


def deeds(seen: OrderSeen) -> tuple[Choice, ...]:
    """Buttons for what the shop's system would do for the order now."""
    named = {
        "remind": say.REMIND,
        "cancel": say.CANCEL_ORDER,
        "confirm": say.CONFIRM_ORDER,
        "address": say.CHANGE_ADDRESS,
    }
    order = seen.order.order
    return tuple(
        Choice(id=f"{one}:{order}", label=named[one])
        for one in dict.fromkeys(seen.actions)
        if one in named and KEY.match(f"{one}:{order}")
    )


def silent() -> Outcome:
    """The shop's system gave no answer that can be used."""
    return or_human(say.SHOP_SILENT)
