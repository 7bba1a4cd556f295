"""The report as a workbook that leaves the house: the teams, each day (or hour) with its pictures, and the money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from metrics import report
from metrics import report_postgres as read
from metrics.conversion_sql import By
from metrics.csv_out import Cell
from metrics.figures import Sums, figures_json
from metrics.tables_out import FIGURE_COLUMNS, cells
from metrics.teams import Teams
from metrics.xlsx_out import Chart, Sheet, workbook
from wangxin.storage.postgres import Connection


async def sheets(conn: Connection, asked: read.Asked, teams: Teams) -> tuple[dict[str, Any], bytes]:
    """(the report's document, its workbook). Times are milliseconds, money fen, shares 0 to 1."""
    found = await report.document(conn, asked, teams)
    by: By = "hour" if asked.first == asked.last else "day"
    sums = await read.sums(conn, asked, by, teams)
    if by == "hour":
        keys = [str(hour) for hour in range(24)]
    else:
        days = (asked.last - asked.first).days + 1
        keys = [(asked.first + timedelta(days=number)).isoformat() for number in range(days)]
    series: list[list[Cell]] = [[key, *cells(figures_json(sums.get(key, Sums())))] for key in keys]
    headings = [by, *FIGURE_COLUMNS]

    def places(*names: str) -> list[int]:
        return [headings.index(name) for name in names]

    pictures = [
        Chart("First response, ms", places("first_response_mean_ms", "first_response_p50_ms")),
        Chart("Reply in 3 min and conversion", places("reply_3min", "conversion"), share=True),
    ]
    rows: list[list[Cell]] = [[report.label(row), row["kind"], *cells(row["figures"])] for row in found["rows"]]
    money: list[list[Cell]] = [[kind, one["orders"], one["fen"]] for kind, one in found["revenue"].items()]
    book = workbook(
        [
            Sheet("teams", ["team", "kind", *FIGURE_COLUMNS], rows),
            Sheet(f"by {by}", headings, series, pictures),
            Sheet("money", ["kind", "orders", "paid_fen"], money),
        ]
    )
    return found, book
