"""Agents as their owner writes them down: one by one, or as a CSV whose every wrong row is named. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from wangxin.model import limits
from wangxin.model.refusals import Refusal

COLUMNS = ("login", "name", "pools", "seats_max", "ability", "skills", "daily_max")
HEADINGS = {
    "账号": "login", "昵称": "name", "客服池": "pools", "接待上限": "seats_max", "能力": "ability", "技能": "skills",
    "每日上限": "daily_max",
}  # fmt: skip
"""What a heading row may say instead of :data:`COLUMNS`."""
_APART = str.maketrans({"；": ";", "、": ";", "|": ";"})


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


Login = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,59}$")
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_no_nul)]
Skill = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_no_nul)]


class SeatTerms(BaseModel):
    """An agent's seat: ``name`` is what shoppers see, ``pools`` his favourite first, ``ability_per_mille`` 1,000 is
    usual."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    pools: tuple[UUID, ...] = Field(max_length=20)
    seats_max: int = Field(default=5, ge=1, le=50)
    ability_per_mille: int = Field(default=1_000, ge=100, le=3_000)
    skills: tuple[Skill, ...] = Field(default=(), max_length=30)
    daily_max: int | None = Field(default=None, ge=0, le=100_000)


class NewAgent(SeatTerms):
    login: Login


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row; ``row`` counts as the file's reader does, the heading row is 1. ``code`` never
    changes."""

    row: int
    field: str
    code: str
    words: str = ""


def read_agents(text: str, pools: Mapping[str, UUID]) -> tuple[list[tuple[int, NewAgent]], list[Fault]]:
    """The agents of a CSV with their rows, and what is wrong with the others. ``pools`` are the owner's, by name;
    several stand in one cell with ; between them. ``ability`` is in percent. Raises ``agents.no_columns``,
    ``agents.broken``, ``agents.too_many``."""
    first = text.removeprefix("\ufeff").splitlines()[:1]
    cut = max(",;\t", key=first[0].count) if first else ","
    try:
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=cut, strict=True))
    except csv.Error as why:
        raise Refusal("agents.broken", str(why), field="csv") from None
    heads = [HEADINGS.get(cell.strip(), cell.strip().lower()) for cell in rows[0]] if rows else []
    if not {"login", "name", "pools"} <= set(heads):
        raise Refusal("agents.no_columns", "the heading row needs login, name and pools", field="csv")
    if len(rows) - 1 > limits.AGENTS_PER_FILE_MAX:
        raise Refusal("agents.too_many", f"at most {limits.AGENTS_PER_FILE_MAX} agents at once", field="csv")
    found: list[tuple[int, NewAgent]] = []
    faults: list[Fault] = []
    logins: set[str] = set()
    for number, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        one = _agent(number, dict(zip(heads, (cell.strip() for cell in cells), strict=False)), pools)
        if isinstance(one, Fault):
            faults.append(one)
        elif one.login in logins:
            faults.append(Fault(number, "login", "row.twice", one.login))
        else:
            logins.add(one.login)
            found.append((number, one))
    return found, faults


def _agent(number: int, cells: Mapping[str, str], pools: Mapping[str, UUID]) -> NewAgent | Fault:
    names = _listed(cells.get("pools", ""))
    if not names:
        return Fault(number, "pools", "row.missing")
    for name in names:
        if name not in pools:
            return Fault(number, "pools", "row.no_pool", name)
    value: dict[str, Any] = {"login": cells.get("login", ""), "name": cells.get("name", "")}
    value["pools"] = [pools[name] for name in names]
    value["skills"] = _listed(cells.get("skills", ""))
    try:
        if cells.get("seats_max"):
            value["seats_max"] = int(cells["seats_max"])
        if cells.get("ability"):
            value["ability_per_mille"] = int(cells["ability"].removesuffix("%")) * 10
        if cells.get("daily_max"):
            value["daily_max"] = int(cells["daily_max"])
    except ValueError as why:
        return Fault(number, "seats_max, ability, daily_max", "row.no_number", str(why).rpartition(": ")[2][:60])
    try:
        return NewAgent.model_validate(value)
    except ValidationError as why:
        problem = why.errors(include_url=False, include_context=False)[0]
        field = str(problem["loc"][0])
        missing = value.get(field) == ""
        return Fault(number, field, "row.missing" if missing else "row.wrong", str(problem["input"])[:60])


def _listed(cell: str) -> list[str]:
    return [part.strip() for part in cell.translate(_APART).split(";") if part.strip()]


def faults_of(taken: Iterable[tuple[int, str]]) -> list[Fault]:
    """Logins that belong to somebody else."""
    return [Fault(row, "login", "row.taken", login) for row, login in taken]
