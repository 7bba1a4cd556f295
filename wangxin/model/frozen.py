"""Values that are made by the ten thousand a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """A frozen dataclass to the type checker, which refuses to change one.

    At run time it is a plain one with slots: those of ``dataclass(frozen=True)`` take four times as long to make.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
