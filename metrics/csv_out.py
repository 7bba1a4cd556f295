"""Tables as CSV that a spreadsheet may open without running anything that a shopper wrote."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from wangxin.model.sheets import is_formula

_BOM = "﻿"  # or Excel takes Chinese for Latin

Cell = str | int | float | bool | None


def safe(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers."""
    if isinstance(cell, str) and is_formula(cell):
        return f"'{cell}"
    return cell


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow([safe(heading) for heading in headings])
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return _BOM + out.getvalue()
