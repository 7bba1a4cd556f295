"""A spreadsheet's first sheet as CSV text, so that every import takes both. Bounded before anything is unpacked, and
read by a process that is shut in."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.web.cage import Bounds, caged
from wangxin.web.login import Asked

_BOUNDS = Bounds(
    limits.SHEET_CHILD_BYTES_MAX, limits.SHEET_CHILD_MS_MAX, "sheet.broken", "sheet.too_large",
    "no XLSX that can be read",
)  # fmt: skip


class Workbook(Asked):
    """``xlsx``: the file in base64."""

    xlsx: str


class SheetText(BaseModel):
    """``rows`` with the heading row."""

    csv: str
    rows: int


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
        found, text = await caged("wangxin.web.sheet_child", content, _BOUNDS)
        return SheetText(csv=text.decode(), rows=found["rows"])

    return routes
