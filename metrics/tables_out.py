"""Rows of the figures as tables that leave the house: names for ids, moments in the shop's zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from metrics.clocks import Calendar
from metrics.csv_out import Cell, csv_text
from metrics.teams import Teams


def named(row: dict[str, Any], teams: Teams) -> dict[str, Any]:
    pool = teams.pools.get(row["pool_id"])
    return {**row, "agent": teams.agents.get(row["agent_id"], ""), "pool": pool.name if pool else ""}


FIGURE_COLUMNS = (
    "conversations", "served", "turns", "first_response_p50_ms", "first_response_p95_ms", "first_response_mean_ms",
    "response_mean_ms", "reply_3min", "reply_3min_n", "answered_in_time", "abandonment", "overflow", "conversion",
    "conversion_n", "conversion_low", "conversion_high", "orders", "paid_fen", "rating_mean", "rating_n",
)  # fmt: skip


def cells(figures: dict[str, Any]) -> list[Cell]:
    first, conversion = figures["first_response"], figures["conversion"]
    return [
        figures["conversations"], figures["served"], figures["turns"], first["p50"], first["p95"], first["mean"],
        figures["response"]["mean"], figures["reply_3min"]["share"], figures["reply_3min"]["n"],
        figures["service_all"]["share"], figures["abandonment"]["share"], figures["overflow"]["share"],
        conversion["share"], conversion["n"], conversion["low"], conversion["high"], figures["orders"],
        figures["paid_fen"], figures["rating"]["mean"], figures["rating"]["n"],
    ]  # fmt: skip


def exported(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], teams: Teams, calendar: Calendar
) -> list[list[Cell]]:
    """Moments in the shop's zone, names for ids."""

    def cell(row: dict[str, Any], column: str) -> Cell:
        value = row[column]
        if column.endswith("_at") and value is not None:
            return calendar.local(value).isoformat(timespec="milliseconds")
        return value if isinstance(value, (int, float, str, bool)) or value is None else str(value)

    return [[cell(one, column) for column in columns] for one in (named(row, teams) for row in rows)]


def csv_response(name: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Response:
    return file_response(csv_text(headings, rows).encode(), "text/csv; charset=utf-8", f"{name}.csv")


def file_response(content: bytes, media_type: str, name: str) -> Response:
    """A file to be kept, never shown as a page."""
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )
