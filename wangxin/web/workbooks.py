"""A spreadsheet's first sheet as CSV text, so that every import takes both. Bounded before anything is unpacked."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import zipfile
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.web.login import Asked

_one = asyncio.Semaphore(1)


class Workbook(Asked):
    """``xlsx``: the file in base64."""

    xlsx: str


class SheetText(BaseModel):
    """``rows`` with the heading row."""

    csv: str
    rows: int


def cell(value: Any) -> str:
    """As somebody would have typed it: dates as YYYY-MM-DD, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time().isoformat() != "00:00:00" else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def to_csv(content: bytes) -> SheetText:
    """Raises ``sheet.broken`` (no XLSX), ``sheet.too_large`` (unpacked, or too many rows or columns)."""
    from openpyxl import load_workbook  # slow to load, and rarely needed

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > limits.SHEET_BYTES_MAX:
                raise Refusal("sheet.too_large", f"unpacked at most {limits.SHEET_BYTES_MAX} bytes", status=422)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        out, rows = io.StringIO(), 0
        writer = csv.writer(out)
        for values in sheet.iter_rows(max_col=limits.SHEET_COLUMNS_MAX, values_only=True):
            cells = [cell(value) for value in values]
            while cells and not cells[-1]:  # rows are as wide as the widest
                cells.pop()
            if not any(cells):
                continue
            rows += 1
            if rows > limits.SHEET_ROWS_MAX:
                raise Refusal("sheet.too_large", f"at most {limits.SHEET_ROWS_MAX} rows", status=422)
            writer.writerow(cells)
        return SheetText(csv=out.getvalue(), rows=rows)
    except Refusal:
        raise
    except Exception as why:  # a broken workbook breaks the reader in a hundred ways
        raise Refusal("sheet.broken", f"no XLSX that can be read ({type(why).__name__})", status=422) from None


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(tags=["files"])
    staff = Depends(deps.require(Role.MERCHANT, Role.PROVIDER))

    @routes.post("/sheets")
    async def sheet(asked: Workbook, actor: Actor = staff) -> SheetText:
        """The first sheet of an XLSX as CSV, which every import takes. Nothing is kept. Raises ``sheet.broken``,
        ``sheet.too_large``."""
        try:
            content = base64.b64decode(asked.xlsx, validate=True)
        except ValueError:
            raise Refusal("sheet.broken", "no base64", field="xlsx", status=422) from None
        async with _one:
            return await asyncio.to_thread(to_csv, content)

    return routes
