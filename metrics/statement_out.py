"""A statement as both sides read it: as JSON for the pages, and as tables for CSV and XLSX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from metrics.csv_out import Cell, csv_text
from metrics.statement_record import Issued
from metrics.statements import DayStatement
from metrics.tables_out import file_response
from metrics.xlsx_out import XLSX, Sheet, workbook


def preview_json(one: DayStatement, *, evidence: bool = False) -> dict[str, Any]:
    """A day that was not issued yet, as it would come to now."""
    return {
        "contract": one.agreement.contract,
        "version": one.version.terms.version,
        "shop": "",
        "provider": one.agreement.provider_name,
        "day": one.day,
        "state": "preview",
        "due_ms": None,
        "signed_ms": None,
        "total_fen": one.statement.total_fen,
        "lines": [_line(line, None, None, evidence=evidence) for line in one.statement.lines],
    }


def issued_json(one: Issued, *, evidence: bool = False) -> dict[str, Any]:
    disputes = {dispute.line: dispute for dispute in one.disputes}
    return {
        "contract": one.contract,
        "version": one.version,
        "shop": one.shop_name,
        "provider": one.provider_name,
        "day": one.day,
        "state": one.state,
        "due_ms": one.due_ms,
        "signed_ms": one.signed_ms,
        "total_fen": one.total_fen,
        "archived": one.archived,
        "lines": [
            {
                **_line(line, one.amount_fen(number), disputes.get(number), evidence=evidence),
                "evidence_n": one.evidence_n[number],
            }
            for number, line in enumerate(one.lines)
        ],
    }


def _line(line: Any, agreed_fen: int | None, dispute: Any, *, evidence: bool) -> dict[str, Any]:
    """``amount_fen`` as issued, ``agreed_fen`` as it counts after a dispute."""
    return {
        "kind": line.kind,
        "label": line.label,
        "quantity": line.quantity,
        "unit_fen": line.unit_fen,
        "amount_fen": line.amount_fen,
        "agreed_fen": line.amount_fen if agreed_fen is None else agreed_fen,
        "of_day": line.of_day,
        "of_kind": line.of_kind,
        "evidence_n": len(line.evidence),
        "dispute": None
        if dispute is None
        else {
            "reason": dispute.reason, "claimed_fen": dispute.claimed_fen, "agreed_fen": dispute.agreed_fen,
            "note": dispute.note,
        },
        **({"evidence": line.evidence} if evidence else {}),
    }  # fmt: skip


_HEADINGS = ("day", "shop", "provider", "contract", "version", "state", "line", "kind", "label", "of_day", "quantity",
             "unit_fen", "amount_fen", "agreed_fen", "dispute", "answer")  # fmt: skip


def _rows(statements: Sequence[dict[str, Any]]) -> list[list[Cell]]:
    return [
        [one["day"].isoformat(), one["shop"], one["provider"], str(one["contract"]), one["version"], one["state"],
         number + 1, str(line["kind"]), line["label"], line["of_day"] and line["of_day"].isoformat(),
         line["quantity"], line["unit_fen"], line["amount_fen"], line["agreed_fen"],
         (line["dispute"] or {}).get("reason", ""), (line["dispute"] or {}).get("note", "")]
        for one in statements for number, line in enumerate(one["lines"])
    ]  # fmt: skip


def csv_response(name: str, statements: Sequence[dict[str, Any]]) -> Response:
    """One row a line; the last cell lists its evidence."""
    evidence = [" ".join(line["evidence"]) for one in statements for line in one["lines"]]
    rows = [[*row, proofs] for row, proofs in zip(_rows(statements), evidence, strict=True)]
    return file_response(csv_text([*_HEADINGS, "evidence"], rows).encode(), "text/csv; charset=utf-8", f"{name}.csv")


def xlsx_response(name: str, statements: Sequence[dict[str, Any]]) -> Response:
    """One sheet of lines, one with a row for each piece of evidence."""
    proofs: list[list[Cell]] = [
        [one["day"].isoformat(), str(one["contract"]), number + 1, str(line["kind"]), proof,
         "archived" if one.get("archived") else ""]
        for one in statements for number, line in enumerate(one["lines"]) for proof in line["evidence"]
    ]  # fmt: skip
    book = workbook(
        [
            Sheet("lines", _HEADINGS, _rows(statements)),
            Sheet("evidence", ("day", "contract", "line", "kind", "evidence", "words"), proofs),
        ]
    )
    return file_response(book, XLSX, f"{name}.xlsx")
