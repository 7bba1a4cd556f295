"""What an item answers. Pure: the service reads what :func:`needs` names, then asks :func:`answer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

from menus import components, say
from menus.model import (
    Answer,
    CallOut,
    Coupon,
    FaqGroup,
    Form,
    Human,
    Invoice,
    Item,
    Link,
    Logistics,
    MemberCentre,
    Menu,
    OrderLookup,
    ProductList,
    ReturnExchange,
    StockCheck,
    Submenu,
    Subscribe,
)
from menus.seen import HUMAN as HUMAN
from menus.seen import KEY, or_human
from menus.seen import OrderSeen as OrderSeen
from menus.seen import Outcome as Outcome
from menus.seen import Question as Question
from menus.seen import Seen as Seen
from menus.seen import person_choice as person_choice
from wangxin.model import limits
from wangxin.protocol import bodies
from wangxin.protocol.bodies import Choice

Need = Literal["orders", "products", "questions", "member", "coupon", "call", "media"]
ORDERS_SHOWN = 3
QUESTIONS_SHOWN = 6


def needs(item: Item) -> frozenset[Need]:
    match item.action:
        case OrderLookup() | Logistics() | ReturnExchange() | Invoice():
            return frozenset({"orders"})
        case ProductList() | StockCheck():
            return frozenset({"products"})
        case FaqGroup():
            return frozenset({"questions"})
        case MemberCentre():
            return frozenset({"member"})
        case Coupon():
            return frozenset({"coupon"})
        case CallOut():
            return frozenset({"call"})
        case Answer():
            return frozenset() if item.action.media is None else frozenset({"media"})
        case Link() | Form() | Subscribe() | Human() | Submenu():
            return frozenset()
        case _:
            assert_never(item.action)


def answer(menu: Menu, item: Item, seen: Seen) -> Outcome:
    """The blocks an item answers with. Every one leaves a way on: a button, a card, or words of the merchant."""
    action = item.action
    match action:
        case Answer():
            return components.answer(action, seen.media)
        case FaqGroup():
            return _questions(action, item, seen)
        case Link():
            return Outcome((bodies.Article(title=action.title or item.label, text=action.text, url=action.url),))
        case OrderLookup():
            return _orders(action, seen)
        case Logistics():
            return _logistics(seen)
        case Form():
            return Outcome((_form(item, action),))
        case ReturnExchange():
            return _returns(action, seen)
        case Coupon():
            return components.coupon(action, seen.claimed)
        case MemberCentre():
            return components.member(action, seen)
        case Invoice():
            return components.invoices(action, seen)
        case StockCheck():
            return components.stock_of_which(action, item, seen)
        case Subscribe():
            return components.subscribe(action, item)
        case CallOut():
            return components.spoken(action, seen.spoken)
        case ProductList():
            if not seen.products:
                return or_human(say.NO_PRODUCTS)
            return Outcome((bodies.Cards(title=action.title or item.label, products=seen.products[:10]),))
        case Human():
            return Outcome(human=True, topic=action.topic, solved=False)
        case Submenu():
            shown = tuple(Choice(id=f"item:{c.id}", label=c.label, hint=c.hint) for c in item.items)
            return Outcome(
                (bodies.Choices(text=action.text or say.CHOOSE, choices=shown[: limits.CHOICES_MAX]),), solved=False
            )
        case _:
            assert_never(action)


def _questions(action: FaqGroup, item: Item, seen: Seen) -> Outcome:
    chosen = [q for q in seen.questions if not action.topic or q.topic == action.topic][:QUESTIONS_SHOWN]
    if not chosen:
        return or_human(say.NO_QUESTIONS)
    choices = tuple(Choice(id=f"faq:{q.id}", label=q.label) for q in chosen)
    return Outcome((bodies.Suggestions(text=action.text or item.label, choices=(*choices, person_choice())),))


def _orders(action: OrderLookup, seen: Seen) -> Outcome:
    orders = [o for o in seen.orders if not action.states or o.order.state in action.states]
    if not orders:
        return or_human(say.GUEST_NO_ORDERS if seen.guest else say.NO_ORDERS)
    return Outcome((*(o.order for o in orders[:ORDERS_SHOWN]), _what_about(orders[0])))


def order_choices(order: bodies.Order, deeds: tuple[Choice, ...] = ()) -> tuple[Choice, ...]:
    """What can be done about an order in its state; ``deeds``: what the shop's own system does for it."""
    if not KEY.match(f"logistics:{order.order}"):
        return (person_choice(),)
    by_state = {
        "unpaid": (),
        "paid": () if deeds else (Choice(id=f"remind:{order.order}", label=say.REMIND),),
        "shipped": (Choice(id=f"logistics:{order.order}", label=say.WHERE_IS_IT),),
        "signed": (
            Choice(id=f"return:{order.order}", label=say.RETURN_IT),
            Choice(id=f"logistics:{order.order}", label=say.WHERE_IS_IT),
        ),
    }
    return (*by_state.get(order.state, ()), *deeds, person_choice())


def _what_about(seen: OrderSeen) -> bodies.Choices:
    order = seen.order
    choices = order_choices(order, components.deeds(seen))
    return bodies.Choices(text=say.about_order(order.order, order.state), choices=choices)


def _logistics(seen: Seen) -> Outcome:
    moving = [o for o in seen.orders if o.logistics is not None and o.order.state in ("shipped", "signed")]
    moving.sort(key=lambda o: o.order.state != "shipped")  # what is on its way first; newest first within
    if not moving:
        paid = [o for o in seen.orders if o.order.state == "paid"]
        if paid:
            return Outcome((paid[0].order, _what_about(paid[0])))
        return or_human(say.GUEST_NO_ORDERS if seen.guest else say.NOTHING_SHIPPED)
    first, others = moving[0], moving[1:4]
    assert first.logistics is not None
    choices = [
        Choice(id=f"logistics:{o.order.order}", label=say.other_parcel(o.order))
        for o in others
        if KEY.match(f"logistics:{o.order.order}")
    ]
    return Outcome(
        (first.order, first.logistics, bodies.Choices(text=say.STILL_OPEN, choices=(*choices, person_choice())))
    )


def one_parcel(found: OrderSeen | None) -> Outcome:
    if found is None:
        return or_human(say.NO_SUCH_ORDER)
    if found.logistics is None:
        return Outcome((bodies.BotAnswer(text=say.NOT_SHIPPED_YET, choices=(person_choice(),)),))
    return Outcome((found.logistics,))


def about(kind: str, found: OrderSeen | None) -> Outcome:
    """What a button about one order brings (``logistics``, ``return``, ``remind``), in the order's state."""
    if kind == "return" and found is not None:
        if found.order.state not in _RETURNABLE:
            return or_human(say.NOTHING_TO_RETURN)
        return Outcome((return_form(found.order),))
    if kind == "remind" and found is not None and found.order.state == "paid":
        return Outcome((bodies.BotAnswer(text=say.REMINDED),))
    return one_parcel(found)


def shown_by(outcome: Outcome) -> list[str]:
    """The buttons an outcome gives but the way to a person, and the order it puts on the table, for the log."""
    orders = [body.order for body in outcome.says if isinstance(body, bodies.Order | bodies.Logistics)]
    buttons = [
        choice.id
        for body in outcome.says
        if isinstance(body, bodies.Choices | bodies.Suggestions | bodies.BotAnswer)
        for choice in body.choices
        if choice.id != HUMAN
    ]
    return [*(f"order:{order}" for order in orders[:1]), *buttons]


def _form(item: Item, action: Form) -> bodies.Form:
    fields = tuple(
        bodies.FormField(id=f.id, label=f.label, type=f.type, required=f.required, options=f.options)
        for f in action.fields
    )
    return bodies.Form(form=item.id, title=action.title, fields=fields, submit=say.SUBMIT)


def _returns(action: ReturnExchange, seen: Seen) -> Outcome:
    can = [o.order for o in seen.orders if o.order.state in _RETURNABLE][:ORDERS_SHOWN]
    choices = [Choice(id=f"return:{o.order}", label=say.this_order(o)) for o in can if KEY.match(f"return:{o.order}")]
    policy = (bodies.BotAnswer(text=action.policy),) if action.policy else ()
    if not choices:
        text = say.GUEST_NO_ORDERS if seen.guest else say.NOTHING_TO_RETURN
        return Outcome((*policy, bodies.BotAnswer(text=text, choices=(person_choice(),))))
    return Outcome((*policy, bodies.Choices(text=say.WHICH_ORDER, choices=(*choices, person_choice()))))


RETURN_FORM = "return"
_RETURNABLE = ("paid", "shipped", "signed")


def return_form(order: bodies.Order) -> bodies.Form:
    """The form of the return component; its answer goes to a person."""
    return bodies.Form(
        form=f"{RETURN_FORM}:{order.order}"[:64],
        title=say.return_title(order.order),
        fields=(
            bodies.FormField(id="kind", label=say.RETURN_KIND, type="select", options=say.RETURN_KINDS),
            bodies.FormField(id="reason", label=say.RETURN_REASON, type="select", options=say.RETURN_REASONS),
            bodies.FormField(id="words", label=say.RETURN_WORDS, type="long_text", required=False),
            bodies.FormField(id="picture", label=say.RETURN_PICTURE, type="image", required=False),
            bodies.FormField(id="video", label=say.RETURN_VIDEO, type="video", required=False),
        ),
        submit=say.SUBMIT,
    )


def missing_fields(fields: Sequence[bodies.FormField], values: dict[str, str]) -> list[str]:
    """Ids of fields that are required and empty, unknown, or outside their options; in order."""
    wrong = [f.id for f in fields if f.required and not values.get(f.id, "").strip()]
    wrong += [f.id for f in fields if f.options and values.get(f.id) and values[f.id] not in f.options]
    return wrong + sorted(set(values) - {f.id for f in fields})
