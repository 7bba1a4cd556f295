"""What a tapped item, a button or a filled form brings, whoever has the data: the record, or the shop's own server.

Only what a shop may answer itself goes through here; the caller says the outcome in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from menus import components, lookup, navigate, record_library, say
from menus import record_postgres as record
from menus.model import Answer, CallOut, Coupon, Item, Menu
from menus.navigate import Outcome, Seen, needs
from menus.record_postgres import Executor
from menus.seen import OrderSeen, or_human
from menus.shop.caller import Source
from menus.shopdata import ShopData

_CALL_OF = {"orders": "orders", "products": "products", "member": "member", "coupon": "claim"}
_CALLS_OF_CHOICE = {
    "logistics": "order", "return": "order", "stock": "stock", "remind": "act", "cancel": "act", "confirm": "act",
}  # fmt: skip
_CALL_OF_FORM = {components.INVOICE_FORM: "invoice", components.ADDRESS_FORM: "act"}
ABOUT_ORDERS = frozenset({"logistics", "return", "remind", "cancel", "confirm", "address", "invoice"})


def item_goes_out(source: Source | None, item: Item) -> bool:
    """Whether the shop's own server answers the item."""
    if source is None:
        return False
    wanted = needs(item)
    return "call" in wanted or (bool(source.url) and any(_CALL_OF.get(one) in source.calls for one in wanted))


def choice_goes_out(source: Source | None, kind: str) -> bool:
    return source is not None and bool(source.url) and _CALLS_OF_CHOICE.get(kind) in source.calls


def form_goes_out(source: Source | None, form: str) -> bool:
    return source is not None and bool(source.url) and _CALL_OF_FORM.get(form.partition(":")[0]) in source.calls


async def look(
    conn: Executor,
    data: ShopData,
    shop: UUID,
    shopper: UUID,
    item: Item,
    *,
    guest: bool,
    request: UUID | None,
    words: str = "",
) -> Seen:
    """Reads what the item needs; without a ``request`` (a preview) nothing is wished for. ``words``: what the shopper
    wrote, which may name one of his orders. Raises ShopSilent."""
    wanted, action = needs(item), item.action
    orders = await data.orders(conn, shop, shopper) if "orders" in wanted else ()
    return Seen(
        orders=tuple(lookup.named_first(words, [(_titles(one), one) for one in orders])),
        products=await data.products(conn, shop, action.products, action.words)
        if action.kind in ("product_list", "stock")
        else (),
        questions=await record.questions(conn, shop) if "questions" in wanted else (),
        guest=guest,
        media=await record_library.seen(conn, shop, action.media)
        if isinstance(action, Answer) and action.media is not None
        else None,
        member=await data.member(conn, shop, shopper) if "member" in wanted else None,
        claimed=await data.claim(conn, shop, shopper, action.coupon, request)
        if isinstance(action, Coupon) and request is not None
        else None,
        spoken=await data.speak(conn, shop, shopper, item.id, action.url, request)
        if isinstance(action, CallOut) and request is not None
        else None,
    )


def _titles(seen: OrderSeen) -> str:
    return " ".join(line.title for line in seen.order.lines)


async def of_item(
    conn: Executor,
    data: ShopData,
    menu: Menu,
    item: Item,
    shop: UUID,
    shopper: UUID,
    *,
    guest: bool,
    request: UUID | None,
    words: str = "",
) -> Outcome:
    """Raises ShopSilent."""
    seen = await look(conn, data, shop, shopper, item, guest=guest, request=request, words=words)
    return navigate.answer(menu, item, seen)


async def of_choice(
    conn: Executor, data: ShopData, shop: UUID, shopper: UUID, kind: str, rest: str, request: UUID
) -> Outcome | None:
    """What a button about an order or a product brings; None: it is another kind of button. Raises ShopSilent."""
    match kind:
        case "stock":
            return components.stock(await data.stock(conn, shop, rest))
        case "invoice":
            return components.invoice_form(rest)
        case "address":
            return components.address_form(rest)
        case "remind":
            done = await data.act(conn, shop, shopper, rest, kind, "", request)
            if done is not None:
                return components.deed(done, or_human(say.NOT_BY_MYSELF))
            return navigate.about(kind, await data.order(conn, shop, shopper, rest))
        case "cancel" | "confirm":
            done = await data.act(conn, shop, shopper, rest, kind, "", request)
            return components.deed(done, or_human(say.NOT_BY_MYSELF))
        case "logistics" | "return":
            return navigate.about(kind, await data.order(conn, shop, shopper, rest))
        case _:
            return None


async def of_form(
    conn: Executor,
    data: ShopData,
    shop: UUID,
    shopper: UUID,
    form: str,
    values: Mapping[str, str],
    topic: str,
    request: UUID,
) -> Outcome | None:
    """What a form of an official component brings; where nobody takes it up by machine, a person does. None: it is
    another form. Raises ShopSilent."""
    kind, _, order = form.partition(":")
    match kind:
        case components.INVOICE_FORM:
            done = await data.invoice(conn, shop, shopper, order, values, request)
        case components.ADDRESS_FORM:
            done = await data.act(conn, shop, shopper, order, "address", values.get("words", ""), request)
        case _:
            return None
    return components.deed(done, components.taken_up(topic or say.INVOICE if kind == "invoice" else say.AFTERSALE))
