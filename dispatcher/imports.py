"""Pools and contracts out of a CSV: every wrong row is named. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from dispatcher.administration import NewPool
from dispatcher.contracts import HOURS, Penalty, Target, Terms, check_terms
from dispatcher.hours_text import read_hours
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.model.sheets import BadCell, Fault, listed, number, read_sheet

POOL_HEADINGS = {
    "名称": "name", "服务商": "provider", "状态": "state", "服务时间": "hours", "技能": "skills", "语言": "languages",
    "最多排队": "waiting_max", "份额": "share_weight", "默认接待上限": "seats_default",
}  # fmt: skip
CONTRACT_HEADINGS = {
    "名称": "name", "服务商": "provider", "客服池": "pools", "开始": "starts", "结束": "ends", "顺位": "rank",
    "话题": "topics", "技能": "skills", "服务时间": "hours", "计价方式": "price_model", "价格": "price",
    "基础费": "base", "包含会话": "included", "阶梯": "tiers", "佣金": "commission", "承诺坐席": "seats",
    "每日保底": "daily_min", "每日上限": "daily_max", "份额": "share_weight", "每日最高占比": "share_max",
    "服务标准": "targets", "违约扣费": "penalties", "扣费上限": "penalty_cap", "可见信息": "visible",
    "结算周期": "settlement", "异议天数": "dispute_days", "店铺": "shops",
}  # fmt: skip
OPS = ("<=", ">=")


@dataclass(frozen=True, slots=True)
class Known:
    """A provider by name, with its pools by name."""

    id: UUID
    pools: Mapping[str, UUID]
    written: bool = True
    """Whether its pools are the reader's to write."""


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract as a row says; it is a new version where one of this name stands already."""

    provider: UUID
    pools: tuple[UUID, ...]
    starts_ms: int
    ends_ms: int | None
    terms: Terms
    shops: tuple[UUID, ...] = ()


def read_pools(text: str, providers: Mapping[str, Known], tz: str) -> tuple[list[tuple[int, NewPool]], list[Fault]]:
    """Raises ``sheet.no_columns``, ``sheet.broken``, ``sheet.too_many``."""
    rows = read_sheet(
        text, "sheet", headings=POOL_HEADINGS, needed=("name",), rows_max=limits.AGENTS_PER_FILE_MAX
    )  # fmt: skip
    found: list[tuple[int, NewPool]] = []
    faults: list[Fault] = []
    seen: set[tuple[UUID | None, str]] = set()
    for row, cells in rows:
        try:
            pool = _pool(cells, providers, tz)
            if (pool.provider, pool.name) in seen:
                raise BadCell("name", "row.twice", pool.name)
        except BadCell as why:
            faults.append(why.at(row))
            continue
        seen.add((pool.provider, pool.name))
        found.append((row, pool))
    return found, faults


def _pool(cells: Mapping[str, str], providers: Mapping[str, Known], tz: str) -> NewPool:
    provider = None
    if cells.get("provider"):
        provider = providers.get(cells["provider"])
        if provider is None or not provider.written:
            raise BadCell("provider", "row.no_provider", cells["provider"])
    value: dict[str, Any] = {
        "name": cells.get("name", ""), "provider": None if provider is None else provider.id,
        "skills": listed(cells.get("skills", "")), "languages": listed(cells.get("languages", "")),
        "waiting_max": number(cells, "waiting_max"), "hours": _hours(cells, tz),
    }  # fmt: skip
    for column in ("share_weight", "seats_default"):
        if (given := number(cells, column)) is not None:
            value[column] = given
    if cells.get("state"):
        value["state"] = cells["state"].lower()
    pool: NewPool = _made(NewPool, value)
    return pool


def read_contracts(
    text: str, providers: Mapping[str, Known], tz: str, now_ms: int, shops: Mapping[str, UUID] | None = None
) -> tuple[list[tuple[int, ContractRow]], list[Fault]]:
    """Money is in yuan, shares in percent; ``shops`` are the reader's by name. Raises ``sheet.no_columns``,
    ``sheet.broken``, ``sheet.too_many``."""
    rows = read_sheet(
        text, "sheet", headings=CONTRACT_HEADINGS, needed=("name", "provider", "pools"),
        rows_max=limits.AGENTS_PER_FILE_MAX,
    )  # fmt: skip
    found: list[tuple[int, ContractRow]] = []
    faults: list[Fault] = []
    names: set[str] = set()
    for row, cells in rows:
        try:
            one = _contract(cells, providers, tz, now_ms, shops or {})
            if one.terms.name in names:
                raise BadCell("name", "row.twice", one.terms.name)
        except BadCell as why:
            faults.append(why.at(row))
            continue
        names.add(one.terms.name)
        found.append((row, one))
    return found, faults


def _contract(
    cells: Mapping[str, str], providers: Mapping[str, Known], tz: str, now_ms: int, shops: Mapping[str, UUID]
) -> ContractRow:
    if not cells.get("name"):
        raise BadCell("name", "row.missing")
    provider = providers.get(cells.get("provider", ""))
    if provider is None:
        raise BadCell("provider", "row.no_provider", cells.get("provider", ""))
    names = listed(cells.get("pools", ""))
    if not names:
        raise BadCell("pools", "row.missing")
    for name in names:
        if name not in provider.pools:
            raise BadCell("pools", "row.no_pool", name)
    for name in listed(cells.get("shops", "")):
        if name not in shops:
            raise BadCell("shops", "row.no_shop", name)
    starts, ends = _day(cells, "starts", tz), _day(cells, "ends", tz)
    starts_ms = now_ms if starts is None else starts
    ends_ms = None if ends is None else ends + 86_399_000
    if ends_ms is not None and ends_ms <= starts_ms:
        raise BadCell("ends", "row.wrong", cells["ends"])
    terms: Terms = _made(Terms, _terms(cells, tz))
    try:
        check_terms(terms)
    except Refusal as why:
        raise BadCell(why.field.removeprefix("terms."), why.code) from None
    pools = tuple(provider.pools[name] for name in names)
    members = tuple(shops[name] for name in listed(cells.get("shops", "")))
    return ContractRow(provider.id, pools, starts_ms, ends_ms, terms, members)


_NUMBERS = {
    "rank": ("rank", 1), "seats": ("seats_committed", 1), "daily_min": ("daily_min", 1), "daily_max": ("daily_max", 1),
    "share_weight": ("share_weight", 1), "share_max": ("share_max_per_mille", 10),
    "penalty_cap": ("penalty_cap_per_mille", 10), "dispute_days": ("dispute_days", 1),
}  # fmt: skip
_PRICES = {"price": ("price_fen", 100), "base": ("base_fen", 100), "included": ("included", 1)}


def _terms(cells: Mapping[str, str], tz: str) -> dict[str, Any]:
    value: dict[str, Any] = {
        "name": cells["name"], "topics": listed(cells.get("topics", "")), "skills": listed(cells.get("skills", "")),
        "hours": _hours(cells, tz), "targets": [_target(one) for one in listed(cells.get("targets", ""))],
        "penalties": [_penalty(one) for one in listed(cells.get("penalties", ""))],
    }  # fmt: skip
    price: dict[str, Any] = {"tiers": [_tier(one) for one in listed(cells.get("tiers", ""))]}
    for table, into in ((_NUMBERS, value), (_PRICES, price)):
        for column, (field, per) in table.items():
            if (given := number(cells, column, per)) is not None:
                into[field] = given
    if cells.get("price_model"):
        price["model"] = cells["price_model"]
    value["price"] = price
    if (commission := number(cells, "commission", 10)) is not None:
        value["commission"] = {"per_mille": commission}
    if cells.get("settlement"):
        value["settlement"] = cells["settlement"]
    if "visible" in cells:
        value["visible_fields"] = listed(cells["visible"])
    return value


def _tier(text: str) -> dict[str, int]:
    """``above:yuan``"""
    above, _, yuan = text.replace("：", ":").partition(":")
    try:
        return {"above": int(above), "price_fen": round(float(yuan) * 100)}
    except (ValueError, OverflowError):
        raise BadCell("tiers", "row.wrong", text) from None


def _target(text: str) -> Target:
    """``metric<=value`` or ``metric>=value``"""
    for op in OPS:
        metric, sign, value = text.partition(op)
        if sign:
            try:
                return Target(metric=metric.strip(), op=op, value=int(value))
            except ValueError:
                break
    raise BadCell("targets", "row.wrong", text)


def _penalty(text: str) -> Penalty:
    """``metric:off%:fee%``"""
    try:
        metric, off, fee = text.replace("：", ":").split(":")
        return Penalty(
            metric=metric.strip(), off_per_mille=round(float(off.removesuffix("%")) * 10),
            fee_per_mille=round(float(fee.removesuffix("%")) * 10),
        )  # fmt: skip
    except (ValueError, OverflowError):
        raise BadCell("penalties", "row.wrong", text) from None


def _hours(cells: Mapping[str, str], tz: str) -> Any:
    try:
        hours = read_hours(cells.get("hours", ""), tz)
    except ValueError as why:
        raise BadCell("hours", "row.wrong", str(why)) from None
    return None if hours is None else HOURS.dump_python(hours, mode="json")


def _day(cells: Mapping[str, str], column: str, tz: str) -> int | None:
    """The beginning of a day of the shop, in ms."""
    cell = cells.get(column, "")
    if not cell:
        return None
    try:
        day = date.fromisoformat(cell.replace("/", "-"))
        return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        raise BadCell(column, "row.wrong", cell) from None


def _made(kind: Any, value: dict[str, Any]) -> Any:
    try:
        return kind.model_validate(value)
    except ValidationError as why:
        problem = why.errors(include_url=False, include_context=False)[0]
        field = _COLUMN.get(".".join(str(part) for part in problem["loc"][:2]), str(problem["loc"][0]))
        missing = problem["input"] == ""
        raise BadCell(field, "row.missing" if missing else "row.wrong", str(problem["input"])) from None


_COLUMN = {
    "price.model": "price_model", "price.price_fen": "price", "price.base_fen": "base", "price.included": "included",
    "price.tiers": "tiers", "seats_committed": "seats", "share_max_per_mille": "share_max",
    "penalty_cap_per_mille": "penalty_cap", "commission.per_mille": "commission",
    **{f"visible_fields.{n}": "visible" for n in range(20)},
}  # fmt: skip
