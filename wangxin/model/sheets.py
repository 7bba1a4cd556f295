"""A CSV as rows of named cells, and what is wrong with a row. Pure."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from wangxin.model.refusals import Refusal

_APART = str.maketrans({"；": ";", "、": ";", "|": ";"})
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠﹦﹢﹣﹫−")
YES = frozenset({"1", "yes", "y", "true", "是"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row; ``row`` counts as the file's reader does, the heading row is 1. ``code`` never
    changes."""

    row: int
    field: str
    code: str
    words: str = ""


class BadCell(Exception):
    """A cell that cannot be read: its column, a code as in :class:`Fault`, and what stands there."""

    def __init__(self, field: str, code: str, words: str = "") -> None:
        super().__init__(field, code, words)
        self.field, self.code, self.words = field, code, words[:60]

    def at(self, row: int) -> Fault:
        return Fault(row, self.field, self.code, self.words)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may take this text for a formula: in half or full width, behind blanks or marks that nobody
    sees. Who writes a file puts an apostrophe in front of it."""
    for c in cell:
        if c in _FORMULA:
            return True
        if not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc", "Mn"):
            return False
    return False


def read_sheet(
    text: str, noun: str, *, headings: Mapping[str, str], needed: Collection[str], rows_max: int
) -> list[tuple[int, dict[str, str]]]:
    """Rows that are not empty, with their numbers; cells by column. The comma may be a semicolon or a tab. Raises
    ``<noun>.no_columns``, ``<noun>.broken``, ``<noun>.too_many``."""
    text = text.removeprefix("\ufeff")
    first = text.splitlines()[:1]
    cut = max(",;\t", key=first[0].count) if first else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=cut, strict=True))
    except csv.Error as why:
        raise Refusal(f"{noun}.broken", str(why), field="csv") from None
    heads = [headings.get(cell.strip(), cell.strip().lower()) for cell in rows[0]] if rows else []
    if not set(needed) <= set(heads):
        raise Refusal(f"{noun}.no_columns", f"the heading row needs {', '.join(needed)}", field="csv")
    if len(rows) - 1 > rows_max:
        raise Refusal(f"{noun}.too_many", f"at most {rows_max} rows at once", field="csv")
    return [
        (number, dict(zip(heads, (cell.strip() for cell in cells), strict=False)))
        for number, cells in enumerate(rows[1:], 2)
        if any(cell.strip() for cell in cells)
    ]


def listed(cell: str) -> list[str]:
    """Several in one cell, with ; between them."""
    return [part.strip() for part in cell.translate(_APART).split(";") if part.strip()]


def number(cells: Mapping[str, str], column: str, per: int = 1) -> int | None:
    """A number times ``per`` (a percent is 10 per mille, a yuan 100 fen); None: nothing stands there."""
    cell = cells.get(column, "")
    if not cell:
        return None
    try:
        value = float(cell.removesuffix("%")) * per
        if value != value or abs(value) > 10**12 or abs(value - round(value)) > 1e-6:
            raise ValueError(cell)
    except ValueError:
        raise BadCell(column, "row.no_number", cell) from None
    return round(value)
