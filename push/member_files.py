"""A shop's members from a file: read leniently, every wrong cell named. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from push.counting import profile_fields
from wangxin.model import limits
from wangxin.model.sheets import BadCell, Fault, listed, number, read_sheet

HEADINGS = {
    "会员编号": "ref", "编号": "ref", "昵称": "name", "姓名": "name", "等级": "level", "积分": "points",
    "生日": "birthday", "标签": "tags", "城市": "city", "省份": "province", "入会日期": "member_since",
}  # fmt: skip
_WORDS = {"city": 60, "province": 60}
_NUMBERS = {"level": 100, "points": 2**31 - 1}


@dataclass(frozen=True, slots=True)
class Row:
    """A member; ``fields`` are columns of his profile, as events set them."""

    ref: str
    name: str
    fields: dict[str, Any]


def read_members(text: str, zone: ZoneInfo) -> tuple[list[Row], list[Fault]]:
    """Raises ``members.no_columns``, ``members.broken``, ``members.too_many``. Of a number that comes twice the first
    stays; an empty cell changes nothing. Days begin in the shop's ``zone``."""
    rows = read_sheet(text, "members", headings=HEADINGS, needed=("ref",), rows_max=limits.IMPORT_ROWS_MAX)
    good: list[Row] = []
    bad: list[Fault] = []
    seen: set[str] = set()
    for at, cells in rows:
        try:
            row = _row(cells, zone)
            if row.ref in seen:
                raise BadCell("ref", "row.twice", row.ref)
            seen.add(row.ref)
            good.append(row)
        except BadCell as why:
            bad.append(why.at(at))
    return good, bad


def _row(cells: dict[str, str], zone: ZoneInfo) -> Row:
    ref, name = cells.get("ref", ""), cells.get("name", "")
    if not ref:
        raise BadCell("ref", "row.missing")
    for column, value, most in (
        ("ref", ref, 200),
        ("name", name, 60),
        *((c, cells.get(c, ""), m) for c, m in _WORDS.items()),
    ):
        if len(value) > most or "\x00" in value:
            raise BadCell(column, "row.too_long" if len(value) > most else "row.wrong", value)
    told: dict[str, Any] = {column: cells[column] for column in _WORDS if cells.get(column)}
    for column, most in _NUMBERS.items():
        value_ = number({**cells, column: cells.get(column, "").upper().removeprefix("V")}, column)
        if value_ is not None:
            if not 0 <= value_ <= most:
                raise BadCell(column, "row.wrong", cells[column])
            told[column] = value_
    if cells.get("tags"):
        told["tags"] = listed(cells["tags"])
    born = cells.get("birthday", "").replace("/", "-").replace(".", "-")
    if born:
        told["birthday"] = _day(born, "birthday") if born.count("-") == 2 else _day(f"2000-{born}", "birthday")[5:]
    since = cells.get("member_since", "").replace("/", "-").replace(".", "-")
    if since:
        told["member_since"] = datetime.fromisoformat(_day(since, "member_since")).replace(tzinfo=zone).isoformat()
    return Row(ref, name, profile_fields(told))


def _day(text: str, column: str) -> str:
    try:
        year, month, day = (int(part) for part in text.split(" ")[0].split("-"))
        return date(year, month, day).isoformat()
    except ValueError:
        raise BadCell(column, "row.no_date", text) from None
