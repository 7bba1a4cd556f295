"""Which menu a shopper sees: variants in the merchant's order, each with its conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

from menus.model import Hours, Item, Menu, Variant, When

Condition = Literal["who", "level", "tags", "orders", "hours", "waiting", "channels", "languages"]
SOON_MS = 60_000
LATER_MS = 300_000
"""How long an open window may go on with a menu whose conditions may change unannounced."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a shopper at a moment. ``now`` is the shop's own clock; ``order`` "none" where he has none."""

    now: datetime
    guest: bool = True
    level: int | None = None
    tags: frozenset[str] = frozenset()
    order: str = "none"
    waiting: int = 0
    channel: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Considered:
    """A variant that was looked at. ``held``: it fits, but the trial's lot fell on the next menu that fits."""

    variant: str
    unmet: tuple[Condition, ...]
    held: bool = False

    @property
    def taken(self) -> bool:
        return not self.unmet and not self.held


@dataclass(frozen=True, slots=True)
class Chosen:
    """The menu a shopper sees, and why: every variant before it with what it lacked. ``variant`` "": the default.

    ``trials``: arm by variant ("shown" or "held") of every trial whose conditions he met.
    """

    variant: str
    greeting: str
    items: tuple[Item, ...]
    considered: tuple[Considered, ...] = ()
    trials: Mapping[str, Literal["shown", "held"]] | None = None


def choose(menu: Menu, facts: Facts, shop: UUID, shopper: UUID) -> Chosen:
    """The first variant in order whose conditions all hold (and whose lot fell on him); else the default menu."""
    considered: list[Considered] = []
    trials: dict[str, Literal["shown", "held"]] = {}
    for variant in menu.variants:
        missing = unmet(variant.when, facts)
        held = not missing and bucket(shop, variant.id, shopper) >= variant.share
        considered.append(Considered(variant.id, missing, held))
        if missing:
            continue
        if variant.share < 100:
            trials[variant.id] = "held" if held else "shown"
        if not held:
            return Chosen(variant.id, variant.greeting or menu.greeting, variant.items, tuple(considered), trials)
    return Chosen("", menu.greeting, menu.items, tuple(considered), trials)


def unmet(when: When, facts: Facts) -> tuple[Condition, ...]:
    """The conditions that do not hold, in the order of the form. An empty condition always holds."""
    level = facts.level
    holds: dict[Condition, bool] = {
        "who": when.who == "everyone" or (when.who == "guests") == facts.guest,
        "level": (when.level_from is None or (level is not None and level >= when.level_from))
        and (when.level_to is None or (level is not None and level <= when.level_to)),
        "tags": not when.tags or not facts.tags.isdisjoint(when.tags),
        "orders": not when.orders or facts.order in when.orders,
        "hours": not when.hours or any(within(hours, facts.now) for hours in when.hours),
        "waiting": when.waiting_from is None or facts.waiting >= when.waiting_from,
        "channels": not when.channels or facts.channel in when.channels,
        "languages": not when.languages or facts.language in when.languages,
    }
    return tuple(name for name, held in holds.items() if not held)


def within(hours: Hours, now: datetime) -> bool:
    """Whether the shop's clock stands in these hours. Hours past midnight belong to the day they begin on."""
    begins, ends, minute = minute_of(hours.begins), minute_of(hours.ends), now.hour * 60 + now.minute
    today, yesterday = now.isoweekday(), (now.isoweekday() - 2) % 7 + 1
    if begins < ends:
        return today in hours.days and begins <= minute < ends
    return (today in hours.days and minute >= begins) or (yesterday in hours.days and minute < ends)


def minute_of(clock: str) -> int:
    """Minutes since midnight of "HH:MM"; "24:00" is the end of the day."""
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def bucket(shop: UUID, variant: str, shopper: UUID) -> int:
    """0–99, the same for a shopper at every look, and independent between variants."""
    return int.from_bytes(sha256(f"{shop}/{variant}/{shopper}".encode()).digest()[:8]) % 100


def look_again_ms(menu: Menu, now: datetime) -> int | None:
    """After how many milliseconds an open window should ask again; None where nothing can change by itself."""
    waits: list[int] = []
    for variant in menu.variants:
        when = variant.when
        if when.waiting_from is not None:
            waits.append(SOON_MS)
        if when.orders or when.tags or when.level_from is not None or when.level_to is not None:
            waits.append(LATER_MS)
        waits += [_until(now, minute_of(edge)) for hours in when.hours for edge in (hours.begins, hours.ends)]
    return min(waits, default=None)


def _until(now: datetime, minute: int) -> int:
    """Milliseconds to the next time the clock shows this minute."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + timedelta(minutes=minute % 1440)
    if due <= now:
        due += timedelta(days=1)
    return max(1, int((due - now).total_seconds() * 1000))


def variant_of(menu: Menu, id_: str) -> Variant | None:
    return next((variant for variant in menu.variants if variant.id == id_), None)
