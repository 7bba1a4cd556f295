"""What the menu brought, item by item. Pure: the counts are read by record_figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from menus.model import Item, Menu, Submenu


@dataclass(frozen=True, slots=True)
class Count:
    """Taps of one item; of them, after how many a person was asked for, or an order was paid, within 24 hours."""

    taps: int = 0
    people: int = 0
    handed_over: int = 0
    ordered: int = 0

    def __add__(self, other: Count) -> Count:
        """``people`` are not added: the same shopper may stand in both."""
        return Count(
            self.taps + other.taps, 0, self.handed_over + other.handed_over, self.ordered + other.ordered
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemFigures:
    """``level`` 1 is the top; 0 an item that the menu no longer has. A sub-menu's counts are those below it.
    ``variant`` "": the default menu.

    ``never``: nobody tapped it in the time looked at, though somebody saw the menu.
    """

    id: str
    label: str
    kind: str
    level: int
    count: Count
    never: bool
    variant: str = ""

    @property
    def solved(self) -> int:
        return self.count.taps - self.count.handed_over


def report(menu: Menu | None, counts: Mapping[str, Count], shown: int) -> list[ItemFigures]:
    """The published menu's items in their order with their counts, then what was tapped and is gone. The taps of all
    rows but sub-menus add up to all taps."""
    rows: list[ItemFigures] = []

    def add(item: Item, level: int, variant: str) -> Count:
        place = len(rows)
        below = [add(child, level + 1, variant) for child in item.items]
        own = counts.get(item.id, Count())
        total = sum(below, Count()) if isinstance(item.action, Submenu) else own
        never = shown > 0 and total.taps == 0
        figures = ItemFigures(item.id, item.label, item.action.kind, level, total, never, variant)
        rows.insert(place, figures)
        return total

    for item in () if menu is None else menu.items:
        add(item, 1, "")
    for variant in () if menu is None else menu.variants:
        for item in variant.items:
            add(item, 1, variant.name)
    known = {row.id for row in rows if row.kind != "submenu"}
    gone = sorted((id_ for id_ in counts if id_ not in known), key=lambda id_: -counts[id_].taps)
    return rows + [ItemFigures(id_, id_, "", 0, counts[id_], False) for id_ in gone]
