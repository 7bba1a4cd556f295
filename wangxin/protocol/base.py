"""The base of every frame and body, and the types of their fields."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from wangxin.model import limits


class Closed(BaseModel):
    """A closed model: an undeclared field is a mistake, found when it is made. Types are not coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


def text(most: int, *, least: int = 0) -> object:
    """A string type of ``least`` to ``most`` characters without U+0000 (lone surrogates are refused by the parser)."""
    return Annotated[str, StringConstraints(min_length=least, max_length=most), AfterValidator(_no_nul)]


ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_nul)]
MaybeText = Annotated[str, StringConstraints(max_length=200), AfterValidator(_no_nul)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=limits.TEXT_CHARS_MAX), AfterValidator(_no_nul)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
Ref = Annotated[str, StringConstraints(max_length=64), AfterValidator(_no_nul)]
Url = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^(https?://|/)[^\s]*$"), AfterValidator(_no_nul)
]
Id = Annotated[UUID, Field(strict=False)]
Seq = Annotated[int, Field(ge=0, le=2**53)]
Fen = Annotated[int, Field(ge=0, le=2**53)]
Ms = Annotated[int, Field(ge=0, le=2**53)]
