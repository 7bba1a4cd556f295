"""Tables as a workbook. Text stays text: nothing that a shopper wrote is taken for a formula or a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

from metrics.csv_out import Cell

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CELL_MAX = 32_767  # characters that a cell may hold


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    import xlsxwriter  # only who exports one needs it

    out = BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    strong = book.add_format({"bold": True})
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        for column, heading in enumerate(sheet.headings):
            page.write_string(0, column, heading, strong)
            page.set_column(column, column, max(10, min(40, len(heading) + 4)))
        for number, row in enumerate(sheet.rows, 1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(number, column, cell[:_CELL_MAX])
                elif isinstance(cell, bool):
                    page.write_boolean(number, column, cell)
                elif cell is not None:
                    page.write_number(number, column, cell)
    book.close()
    return out.getvalue()
