"""Tables as a workbook. Text stays text: nothing that a shopper wrote is taken for a formula or a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from metrics.csv_out import Cell

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CELL_MAX = 32_767  # characters that a cell may hold


@dataclass(frozen=True, slots=True)
class Chart:
    """A line for each of ``columns``, over the sheet's first column."""

    title: str
    columns: Sequence[int]
    share: bool = False  # of values from 0 to 1


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    charts: Sequence[Chart] = ()


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
        last = 0
        for number, row in enumerate(sheet.rows, 1):
            last = number
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(number, column, cell[:_CELL_MAX])
                elif isinstance(cell, bool):
                    page.write_boolean(number, column, cell)
                elif cell is not None:
                    page.write_number(number, column, cell)
        for place, chart in enumerate(sheet.charts if last else ()):
            page.insert_chart(1 + place * 20, len(sheet.headings) + 1, _drawn(book, sheet, chart, last))
    book.close()
    return out.getvalue()


_MARKERS = ("circle", "square", "triangle", "diamond")


def _drawn(book: Any, sheet: Sheet, chart: Chart, last: int) -> Any:
    drawn = book.add_chart({"type": "line"})
    for place, column in enumerate(chart.columns):
        drawn.add_series(
            {
                "name": [sheet.name, 0, column],
                "categories": [sheet.name, 1, 0, last, 0],
                "values": [sheet.name, 1, column, last, column],
                "marker": {"type": _MARKERS[place % len(_MARKERS)]},
            }
        )
    drawn.set_title({"name": chart.title, "name_font": {"size": 12}})
    drawn.set_y_axis({"min": 0, **({"num_format": "0%"} if chart.share else {})})
    drawn.set_legend({"position": "bottom"})
    drawn.set_size({"width": 640, "height": 380})
    return drawn
