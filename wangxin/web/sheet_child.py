"""Reads one workbook, shut in. Run as ``python -m wangxin.web.sheet_child`` (``wangxin.web.cage``)."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from datetime import date, datetime
from typing import Any

from openpyxl import load_workbook

from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.web.cage import Bounds, main

BOUNDS = Bounds(
    limits.SHEET_CHILD_BYTES_MAX, limits.SHEET_CHILD_MS_MAX, "sheet.broken", "sheet.too_large",
    "no XLSX that can be read",
)  # fmt: skip


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


def to_csv(content: bytes) -> tuple[str, int]:
    """(text, rows with the heading row).

    Raises ``sheet.broken`` (no XLSX), ``sheet.too_large`` (unpacked, or too many rows or columns)."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if len(packed.infolist()) > limits.SHEET_FILES_MAX:
                raise Refusal("sheet.too_large", f"at most {limits.SHEET_FILES_MAX} files in it", status=422)
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
        return out.getvalue(), rows
    except (Refusal, MemoryError):
        raise
    except Exception as why:  # a broken workbook breaks the reader in a hundred ways
        raise Refusal("sheet.broken", f"no XLSX that can be read ({type(why).__name__})", status=422) from None


def work(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    text, rows = to_csv(content)
    return {"rows": rows}, [text.encode()]


if __name__ == "__main__":
    "".encode("cp437")  # what names in a ZIP may be written in: once shut in, nothing can be loaded
    sys.exit(main(work, BOUNDS))
