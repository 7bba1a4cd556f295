"""What is wrong with a draft, named by item, before anyone sees it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never
from urllib.parse import urlsplit
from uuid import UUID

from menus import wording
from menus.model import (
    Action,
    Answer,
    CallOut,
    Coupon,
    Draft,
    FaqGroup,
    Form,
    Human,
    Invoice,
    Item,
    Link,
    Logistics,
    MemberCentre,
    OrderLookup,
    ProductList,
    ReturnExchange,
    StockCheck,
    Submenu,
    Subscribe,
    Variant,
    When,
    walk,
)
from wangxin.model import limits


@dataclass(frozen=True, slots=True)
class Problem:
    """``item`` is the id it is about ("": the menu as a whole); ``code`` never changes; an error blocks publishing."""

    item: str
    code: str
    level: Literal["error", "warning"] = "error"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What items may refer to."""

    topics: Collection[str] = ()
    """Topics with at least one question."""
    products: Collection[str] = ()
    banned: tuple[str, ...] = ()
    can_call: bool = True
    """Whether there is a secret to sign calls to the shop's own addresses with."""
    depth_max: int = limits.MENU_DEPTH_MAX
    media: Collection[UUID] = ()
    """What the shop's library holds."""


def problems(draft: Draft, known: Known) -> list[Problem]:
    """Everything that is wrong, in the order of the items. Without errors the draft may be published."""
    seen: set[str] = set()
    found = _of_menu("", draft.greeting, draft.items, seen, known)
    names = [variant.id for variant in draft.variants]
    for variant in draft.variants:
        found += _of_variant(variant, names.count(variant.id) > 1)
        found += _of_menu(place_of(variant.id), variant.greeting, variant.items, seen, known)
    return found


def place_of(variant: str) -> str:
    """How problems name a variant: no item can be called so."""
    return f"variant:{variant}"


def _of_menu(place: str, greeting: str, items: tuple[Item, ...], seen: set[str], known: Known) -> list[Problem]:
    """One tree of items; ``seen`` grows: an item's id is its name over all variants."""
    found: list[Problem] = []
    if not items:
        found.append(Problem(place, "menu.empty"))
    if len(items) > limits.MENU_TOP_ITEMS_MAX:
        found.append(Problem(place, "menu.too_many_items", detail=str(limits.MENU_TOP_ITEMS_MAX)))
    for depth, item in walk(items):
        if item.id in seen:
            found.append(Problem(item.id, "item.id_twice"))
        seen.add(item.id)
        found += _of_item(item, depth, known)
    if items and not any(isinstance(item.action, Human) for _, item in walk(items)):
        found.append(Problem(place, "menu.no_way_to_a_person"))
    if items and not any(isinstance(item.action, Human) for item in items):
        found.append(Problem(place, "menu.person_not_on_top", "warning"))
    found += _wording(place, "menu", (greeting,), known)
    return found


def _of_variant(variant: Variant, twice: bool) -> list[Problem]:
    place, when = place_of(variant.id), variant.when
    found = [Problem(place, "variant.no_name")] * (not variant.name) + [Problem(place, "variant.id_twice")] * twice
    if when == When() and variant.share == 100:
        found.append(Problem(place, "variant.hides_the_rest"))
    if when.level_from is not None and when.level_to is not None and when.level_from > when.level_to:
        found.append(Problem(place, "variant.no_level"))
    if when.who == "guests" and (when.tags or when.level_from is not None or when.level_to is not None or when.orders):
        found.append(Problem(place, "variant.guests_have_none", "warning"))
    if any(hours.begins == hours.ends for hours in when.hours):
        found.append(Problem(place, "variant.no_hours"))
    return found


def _of_item(item: Item, depth: int, known: Known) -> list[Problem]:
    found: list[Problem] = []
    if not item.label:
        found.append(Problem(item.id, "item.no_label"))
    if len(item.label) > limits.MENU_LABEL_CHARS_MAX:
        found.append(Problem(item.id, "item.label_too_long", detail=str(limits.MENU_LABEL_CHARS_MAX)))
    if depth > known.depth_max:
        found.append(Problem(item.id, "item.too_deep", detail=str(known.depth_max)))
    if isinstance(item.action, Submenu):
        if not item.items:
            found.append(Problem(item.id, "item.dead_end"))
        if len(item.items) > limits.MENU_CHILDREN_MAX:
            found.append(Problem(item.id, "item.too_many_children", detail=str(limits.MENU_CHILDREN_MAX)))
    elif item.items:
        found.append(Problem(item.id, "item.children_unreachable"))
    labels = [child.label for child in item.items]
    found += [Problem(child.id, "item.label_twice", "warning") for child in item.items if labels.count(child.label) > 1]
    found += _wording(item.id, "item", _texts(item), known)
    found += [Problem(item.id, code, detail=detail) for code, detail in _of_action(item.action, known)]
    return found


def _wording(item: str, noun: str, texts: Sequence[str], known: Known) -> list[Problem]:
    """The shop's own banned words block; claims the law forbids and ways off the platform are pointed out."""
    banned = [Problem(item, f"{noun}.banned_words", detail=word) for word in wording.found_in(texts, known.banned)]
    claims = [Problem(item, f"{noun}.claim", "warning", w) for w in wording.found_in(texts, wording.CLAIMS)]
    away = [Problem(item, f"{noun}.elsewhere", "warning", w) for w in wording.found_in(texts, wording.ELSEWHERE)]
    return banned + claims + away[:1]


def _texts(item: Item) -> tuple[str, ...]:
    """Everything of an item that a shopper may read."""
    action = item.action
    fields = action.fields if isinstance(action, Form) else ()
    said = action.model_dump(include={"text", "title", "policy", "thanks", "fallback"}).values()
    asked = (text for field in fields for text in (field.label, *field.options))
    return (item.label, item.hint, *said, *asked)


def _of_action(action: Action, known: Known) -> list[tuple[str, str]]:
    match action:
        case Answer():
            gone = action.media is not None and action.media not in known.media
            return [("item.dead_end", "")] * (not action.text) + [("item.media_gone", "")] * gone
        case FaqGroup():
            return [] if not action.topic or action.topic in known.topics else [("item.no_questions", action.topic)]
        case Link():
            return _of_link(action)
        case Form():
            twice = len({f.id for f in action.fields}) < len(action.fields)
            empty = [f.label for f in action.fields if f.type == "select" and not f.options]
            return [("form.field_twice", "")] * twice + [("form.no_options", label) for label in empty]
        case ProductList():
            return [("item.unknown_product", p) for p in action.products if p not in known.products]
        case Coupon():
            least_too_small = 0 < action.least_fen < action.value_fen
            return [("coupon.worth_more_than_least", "")] if least_too_small else []
        case StockCheck():
            return [("item.unknown_product", p) for p in action.products if p not in known.products]
        case Subscribe():
            return [] if action.text else [("item.dead_end", "")]
        case CallOut():
            return _of_call(action, known)
        case OrderLookup() | Logistics() | ReturnExchange() | MemberCentre() | Invoice() | Human() | Submenu():
            return []
        case _:
            assert_never(action)


def _of_call(action: CallOut, known: Known) -> list[tuple[str, str]]:
    """An address of the merchant's that can be called, and words for when it does not answer."""
    found = [] if action.fallback else [("call.no_fallback", "")]
    try:
        parts = urlsplit(action.url)
        good = parts.scheme == "https" and bool(parts.hostname) and not any(c.isspace() for c in action.url)
    except ValueError:
        good = False
    found += [] if good else [("call.address", action.url[:80])]
    return found + [("call.no_secret", "")] * (not known.can_call)


def _of_link(link: Link) -> list[tuple[str, str]]:
    if not link.url:
        return [("link.missing", "")]
    try:
        parts = urlsplit(link.url)
    except ValueError:
        return [("link.broken", link.url[:80])]
    inside = link.url.startswith("/") and not link.url.startswith("//")
    if any(c.isspace() for c in link.url) or not (inside or (parts.scheme in ("http", "https") and parts.hostname)):
        return [("link.broken", link.url[:80])]
    return [] if link.title else [("link.no_title", "")]
