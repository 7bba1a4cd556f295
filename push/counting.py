"""What an event changes in what is known of a shopper. Pure: a table from event type to changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import JsonValue

from push.dates import lunar_month_day, month_day
from wangxin.model.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Counted:
    """One more in the counter of that day."""

    kind: str
    n: int = 1
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """``counted`` for the daily counters; ``orders`` and ``spent_cents`` are added to the profile; ``moments`` are
    moved forward, never back; ``fields`` are set."""

    counted: tuple[Counted, ...] = ()
    orders: int = 0
    spent_cents: int = 0
    moments: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


def _amount(data: dict[str, JsonValue]) -> int:
    for name in ("amount_fen", "amount_cents"):
        value = data.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**12:
            return value
    return 0


OF_MEMBERS = ("member.updated", "member.joined")
_COUNTERS = {
    "order.created": "order",
    "order.paid": "paid",
    "order.refunded": "refund",
    "page.viewed": "visit",
    "cart.added": "cart",
    "card.viewed": "card_viewed",
    "menu.tapped": "menu_tapped",
    "push.tapped": "push_tapped",
    "conversation.closed": "chat.conversation",
}


def change_of(event_type: str, data: dict[str, JsonValue]) -> Change:
    """What an event of this type changes; nothing for types that are only triggers."""
    match event_type:
        case "order.paid" if data.get("deposit_fen"):
            return Change(moments=("last_order_at", "last_seen_at"))  # it counts with its balance
        case "order.paid":
            amount = _amount(data)
            return Change(
                (Counted("paid", 1, amount),), orders=1, spent_cents=amount, moments=("last_order_at", "last_seen_at")
            )
        case "conversation.closed":
            return Change((Counted("chat.conversation"),), moments=("last_chat_at", "last_seen_at"))
        case "rating.given":
            stars = data.get("stars")
            hundredths = stars * 100 if isinstance(stars, int) else 0
            return Change((Counted("chat.rating", 1, hundredths),))
        case "complaint.made":
            return Change(moments=("last_complaint_at",))
        case _ if event_type in OF_MEMBERS:
            return Change(fields=profile_fields(data))
        case _ if event_type in _COUNTERS:
            return Change((Counted(_COUNTERS[event_type], 1, _amount(data)),), moments=("last_seen_at",))
    return Change()


_WORDS = {"city": 60, "province": 60, "tz": 60, "lang": 20, "source": 60}
_NUMBERS = {"level": 100, "points": 2**31 - 1, "balance_cents": 10**14, "orders_n": 10**9, "spent_cents": 10**15}
_MOMENTS = ("member_since", "first_order_at", "last_order_at", "last_chat_at", "last_seen_at")


def profile_fields(data: dict[str, JsonValue]) -> dict[str, Any]:
    """Columns of the profile named in ``data``; what has the wrong type is left out. ``birthday`` is YYYY-MM-DD or
    MM-DD; the lunar day follows from a full date unless ``lunar_birthday`` (MM-DD) is given."""
    fields: dict[str, Any] = {}
    for name, longest in _WORDS.items():
        word = data.get(name)
        if isinstance(word, str) and 0 < len(word) <= longest:
            fields[name] = word
    for name, most in _NUMBERS.items():
        number = data.get(name)
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most:
            fields[name] = number
    for name in _MOMENTS:
        moment = _moment(data.get(name))
        if moment is not None:
            fields[name] = moment
    tags = data.get("tags")
    if isinstance(tags, list):
        fields["tags"] = sorted({tag for tag in tags if isinstance(tag, str) and 0 < len(tag) <= 60})[:200]
    if isinstance(data.get("blocked"), bool):
        fields["blocked"] = data["blocked"]
    fields.update(_birthday(data))
    for column, moment_name in (("member_md", "member_since"), ("first_order_md", "first_order_at")):
        if moment_name in fields:
            fields[column] = month_day(fields[moment_name].date())
    return fields


def unread(data: dict[str, JsonValue]) -> list[str]:
    """Names of what ``profile_fields`` knows and leaves out of ``data``, for it has the wrong type or says nothing:
    a moment without its zone, a month that is not there. An absent value, and null, are no mistake."""
    read = profile_fields(data)
    known = (*_WORDS, *_NUMBERS, *_MOMENTS, "tags", "blocked")
    missed = [name for name in known if data.get(name) is not None and name not in read]
    tags = data.get("tags")
    if isinstance(tags, list) and len(read.get("tags", ())) != len({str(tag) for tag in tags}):
        missed.append("tags")
    days = {"birthday": "birth_md", "lunar_birthday": "lunar_md"}
    return missed + [
        name
        for name, column in days.items()
        if data.get(name) is not None and column not in _birthday({name: data[name]})
    ]


def check(data: dict[str, JsonValue], at: str) -> None:
    """Refusal ``member.unreadable`` that names, under ``at``, the first of what cannot be read."""
    if missed := unread(data):
        raise Refusal("member.unreadable", ", ".join(missed), field=f"{at}.{missed[0]}", status=422)


def _birthday(data: dict[str, JsonValue]) -> dict[str, int]:
    found: dict[str, int] = {}
    born = data.get("birthday")
    if isinstance(born, str):
        try:
            if len(born) == 5:
                found["birth_md"] = month_day(date.fromisoformat(f"2000-{born}"))
            else:
                day = date.fromisoformat(born)
                found["birth_md"] = month_day(day)
                found["lunar_md"] = lunar_month_day(day)
        except ValueError:
            found = {}
    lunar = data.get("lunar_birthday")
    if isinstance(lunar, str) and len(lunar) == 5 and lunar[:2].isdigit() and lunar[3:].isdigit():
        month, day_of_month = int(lunar[:2]), int(lunar[3:])
        if 1 <= month <= 12 and 1 <= day_of_month <= 30:
            found["lunar_md"] = month * 100 + day_of_month
    return found


def _moment(value: JsonValue) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
