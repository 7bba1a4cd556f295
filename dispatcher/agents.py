"""Agents as their owner writes them down: one by one, or as a CSV whose every wrong row is named. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from wangxin.model import limits
from wangxin.model.sheets import YES, BadCell, Fault, listed, read_sheet
from wangxin.model.sheets import number as sheet_number

COLUMNS = ("login", "name", "pools", "seats_max", "ability", "skills", "languages", "daily_max", "protected")
HEADINGS = {
    "账号": "login", "昵称": "name", "客服池": "pools", "接待上限": "seats_max", "能力": "ability", "技能": "skills",
    "语言": "languages", "每日上限": "daily_max", "受保护": "protected",
}  # fmt: skip
"""What a heading row may say instead of :data:`COLUMNS`."""


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


Login = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,59}$")
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_no_nul)]


def _plain(value: str) -> str:
    if any(sign in value for sign in "@:：;；"):
        raise ValueError("a skill's name holds none of @ : ;")
    return _no_nul(value)


Skill = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_plain)]
Level = Annotated[int, Field(ge=1, le=5)]
Language = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class SeatTerms(BaseModel):
    """An agent's seat: ``name`` is what shoppers see, ``pools`` his favourite first, ``ability_per_mille`` 1,000 is
    usual. ``skills`` have level 1 unless ``skill_levels`` names another. ``protected``: never ranked by speed alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    pools: tuple[UUID, ...] = Field(max_length=20)
    seats_max: int = Field(default=5, ge=1, le=50)
    ability_per_mille: int = Field(default=1_000, ge=100, le=3_000)
    skills: tuple[Skill, ...] = Field(default=(), max_length=30)
    skill_levels: dict[Skill, Level] = Field(default_factory=dict, max_length=30)
    languages: tuple[Language, ...] = Field(default=(), max_length=20)
    daily_max: int | None = Field(default=None, ge=0, le=100_000)
    protected: bool = False
    ramp: bool | None = Field(
        default=None, description="a soft start: his load rises over his first days at work; null: as it is"
    )

    curve_set: list[Annotated[int, Field(ge=0, le=1_000_000)]] | None = Field(
        default=None, max_length=20,
        description="conversations that he ends in 1,000 hours with 1, 2, 3 … at once, where the owner knows better"
        " than the record; null: as it is learnt; left out: as it is",
    )  # fmt: skip

    @field_validator("curve_set")
    @classmethod
    def _never_falls(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and (not value or value != sorted(value)):
            raise ValueError("more at once ends no fewer")
        return value

    def levels(self) -> dict[str, int]:
        return {**dict.fromkeys(self.skills, 1), **self.skill_levels}


class NewAgent(SeatTerms):
    login: Login


@dataclass(frozen=True, slots=True)
class NamedPool:
    """A pool of the file's owner, and how many conversations at once a new agent starts with there."""

    id: UUID
    seats_default: int = 5


def read_agents(text: str, pools: Mapping[str, NamedPool]) -> tuple[list[tuple[int, NewAgent]], list[Fault]]:
    """The agents of a CSV with their rows, and what is wrong with the others. ``pools`` are the owner's, by name;
    several stand in one cell with ; between them, and so do skills, each with its level behind a colon. ``ability`` is
    in percent. Raises ``agents.no_columns``,
    ``agents.broken``, ``agents.too_many``."""
    rows = read_sheet(
        text, "agents", headings=HEADINGS, needed=("login", "name", "pools"), rows_max=limits.AGENTS_PER_FILE_MAX
    )
    found: list[tuple[int, NewAgent]] = []
    faults: list[Fault] = []
    logins: set[str] = set()
    for number, cells in rows:
        one = _agent(number, cells, pools)
        if isinstance(one, Fault):
            faults.append(one)
        elif one.login in logins:
            faults.append(Fault(number, "login", "row.twice", one.login))
        else:
            logins.add(one.login)
            found.append((number, one))
    return found, faults


def _leveled(cell: str) -> tuple[str, int]:
    """``name`` or ``name:level``."""
    name, _, level = cell.replace("：", ":").partition(":")
    return name.strip(), int(level) if level else 1


_NUMBERS = {"seats_max": ("seats_max", 1), "ability": ("ability_per_mille", 10), "daily_max": ("daily_max", 1)}


def _agent(number: int, cells: Mapping[str, str], pools: Mapping[str, NamedPool]) -> NewAgent | Fault:
    names = listed(cells.get("pools", ""))
    if not names:
        return Fault(number, "pools", "row.missing")
    for name in names:
        if name not in pools:
            return Fault(number, "pools", "row.no_pool", name)
    value: dict[str, Any] = {"login": cells.get("login", ""), "name": cells.get("name", "")}
    value["pools"] = [pools[name].id for name in names]
    value["seats_max"] = pools[names[0]].seats_default
    value["languages"] = listed(cells.get("languages", ""))
    value["protected"] = cells.get("protected", "").lower() in YES
    try:
        for column, (field, per) in _NUMBERS.items():
            if (given := sheet_number(cells, column, per)) is not None:
                value[field] = given
    except BadCell as why:
        return why.at(number)
    try:
        value["skill_levels"] = dict(_leveled(skill) for skill in listed(cells.get("skills", "")))
    except ValueError:
        return Fault(number, "skills", "row.no_number", cells["skills"][:60])
    try:
        return NewAgent.model_validate(value)
    except ValidationError as why:
        problem = why.errors(include_url=False, include_context=False)[0]
        field = str(problem["loc"][0])
        missing = value.get(field) == ""
        return Fault(number, field, "row.missing" if missing else "row.wrong", str(problem["input"])[:60])


def faults_of(taken: Iterable[tuple[int, str]]) -> list[Fault]:
    """Logins that belong to somebody else."""
    return [Fault(row, "login", "row.taken", login) for row, login in taken]
