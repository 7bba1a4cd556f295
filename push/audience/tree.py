"""The closed condition tree of an audience. Nothing a merchant writes here ever becomes SQL text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from wangxin.model import limits

Word = Annotated[str, Field(min_length=1, max_length=60)]
Words = Annotated[tuple[Word, ...], Field(min_length=1, max_length=limits.AUDIENCE_WORDS_MAX)]
Compare = Literal["ge", "gt", "le", "lt", "eq"]
Threshold = Annotated[int, Field(ge=-(2**53), le=2**53)]
Days = Annotated[int, Field(ge=1, le=180)]
Moment = Literal["member_since", "first_order_at", "last_order_at", "last_chat_at", "last_seen_at", "last_complaint_at"]
LeapPolicy = Literal["feb28", "mar1", "leap_only"]
ShortPolicy = Literal["last_day", "next_day"]
LunarLeapPolicy = Literal["regular", "leap_if_exists", "both"]
AnniversaryField = Literal["birth", "member_since", "first_order"]


class Closed(BaseModel):
    """Frozen, and an undeclared field is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class All(Closed):
    """Every one of ``of`` holds; with nothing in it: everyone."""

    k: Literal["all"] = "all"
    of: tuple[Node, ...] = ()


class AnyOf(Closed):
    """At least one of ``of`` holds; with nothing in it: no one."""

    k: Literal["any"] = "any"
    of: tuple[Node, ...] = ()


class Not(Closed):
    k: Literal["not"] = "not"
    of: Node


class Level(Closed):
    k: Literal["level"] = "level"
    op: Compare
    value: Annotated[int, Field(ge=0, le=100)]


class Num(Closed):
    k: Literal["num"] = "num"
    field: Literal["points", "balance_cents", "orders_n", "spent_cents", "avg_order_cents"]
    op: Compare
    value: Threshold


class Text(Closed):
    k: Literal["text"] = "text"
    field: Literal["city", "province", "tz", "lang", "source"]
    op: Literal["in", "prefix"]
    values: Words


class Tags(Closed):
    k: Literal["tags"] = "tags"
    op: Literal["any", "all"]
    values: Words


class Flag(Closed):
    k: Literal["flag"] = "flag"
    field: Literal["is_member", "blocked"]


class Within(Closed):
    """``field`` lies at most ``seconds`` before the instant of evaluation (or after it)."""

    k: Literal["within"] = "within"
    field: Moment
    seconds: Annotated[int, Field(ge=60, le=10 * 366 * 86_400)]


class Before(Closed):
    k: Literal["before"] = "before"
    field: Moment
    at: AwareDatetime

    @field_validator("at")
    @classmethod
    def _bounded(cls, at: datetime) -> datetime:
        if not 1990 <= at.year <= 2200:
            raise ValueError("a date between 1990 and 2200")
        return at


class Missing(Closed):
    k: Literal["missing"] = "missing"
    field: Moment | Literal["birth_md", "lunar_md", "city", "province", "level"]


class Anniversary(Closed):
    """The yearly day of ``field`` falls on one of the days ``first`` .. ``first + days - 1`` from the shop's today."""

    k: Literal["anniversary"] = "anniversary"
    field: AnniversaryField = "birth"
    calendar: Literal["solar", "lunar"] = "solar"
    first: Annotated[int, Field(ge=-30, le=60)] = 0
    days: Annotated[int, Field(ge=1, le=60)] = 1
    leap_policy: LeapPolicy = "feb28"
    short_policy: ShortPolicy = "last_day"
    lunar_leap_policy: LunarLeapPolicy = "leap_if_exists"

    @model_validator(mode="after")
    def _lunar_only_for_birth(self) -> Self:
        if self.calendar == "lunar" and self.field != "birth":
            raise ValueError("only birthdays are kept in the lunar calendar")
        return self


class Behaved(Closed):
    """What happened in the last ``days`` days of the shop's calendar, today included."""

    k: Literal["behaved"] = "behaved"
    event: Literal["order", "paid", "refund", "visit", "cart", "card_viewed", "menu_tapped", "push_tapped"]
    metric: Literal["n", "cents", "distinct_days"] = "n"
    days: Days
    op: Literal["ge", "lt"]
    value: Annotated[int, Field(ge=1, le=2**53)]


class Chatted(Closed):
    """The same for conversations. ``csat`` is a mean in hundredths of a star, ``waiting_ms`` a mean."""

    k: Literal["chatted"] = "chatted"
    metric: Literal["conversations", "messages", "waiting_ms", "csat", "refund_asked", "human_asked"]
    days: Days
    op: Literal["ge", "lt"]
    value: Annotated[int, Field(ge=1, le=2**53)]


class Bucket(Closed):
    """Shoppers whose sticky bucket (0..9999 under ``salt``) lies in ``start`` .. ``end - 1``."""

    k: Literal["bucket"] = "bucket"
    salt: Word
    start: Annotated[int, Field(ge=0, le=10_000)]
    end: Annotated[int, Field(ge=0, le=10_000)]


class InCrowd(Closed):
    k: Literal["in_crowd"] = "in_crowd"
    crowd_id: UUID


Leaf = Level | Num | Text | Tags | Flag | Within | Before | Missing | Anniversary | Behaved | Chatted | Bucket | InCrowd
Node = Annotated[
    All
    | AnyOf
    | Not
    | Level
    | Num
    | Text
    | Tags
    | Flag
    | Within
    | Before
    | Missing
    | Anniversary
    | Behaved
    | Chatted
    | Bucket
    | InCrowd,
    Field(discriminator="k"),
]

for _branch in (All, AnyOf, Not):
    _branch.model_rebuild()

EVERYONE = All()


def depth(node: Node) -> int:
    match node:
        case All(of=of) | AnyOf(of=of):
            return 1 + max((depth(child) for child in of), default=0)
        case Not(of=child):
            return 1 + depth(child)
    return 1


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    match node:
        case All(of=of) | AnyOf(of=of):
            for child in of:
                yield from leaves(child)
        case Not(of=child):
            yield from leaves(child)
        case _:
            yield node


def size(node: Node) -> int:
    match node:
        case All(of=of) | AnyOf(of=of):
            return 1 + sum(size(child) for child in of)
        case Not(of=child):
            return 1 + size(child)
    return 1
