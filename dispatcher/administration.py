"""Providers and pools as a merchant or a provider writes them down. Pure."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dispatcher.agents import Language, Login, Name, Skill
from dispatcher.contracts import Standing
from dispatcher.hours import Hours
from wangxin.model import limits


class Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(_no_nul)]


class Contact(Written):
    """Whom to call at a provider, and how."""

    name: Name
    role: _Line = ""
    phone: _Line = ""
    email: _Line = ""


class ProviderView(Written):
    """What a shop keeps of a provider for itself: on ``probation`` it comes after all others, ``suspended`` it gets no
    conversation of this shop."""

    state: Standing = "active"
    contacts: tuple[Contact, ...] = Field(default=(), max_length=10)
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_no_nul)] = ""


class NewProvider(ProviderView):
    """A provider that this shop alone knows. ``login``: who leads it."""

    name: Name
    login: Login


class NewPool(Written):
    """``provider``: whose, None: the asker's own. ``waiting_max``: how many may wait for it, None: no bound of its own.
    ``share_weight``: its part among equals, 0: none is kept. ``seats_default``: how many conversations at once a new
    agent starts with. A shop's ``bot`` and ``message_box`` are pools where nobody sits: name, hours, state and bound
    are all there is."""

    name: Name
    kind: Literal["seats", "bot", "message_box"] = "seats"
    provider: UUID | None = None
    hours: Hours | None = None
    state: Literal["open", "draining", "closed"] = "open"
    skills: tuple[Skill, ...] = Field(default=(), max_length=30)
    languages: tuple[Language, ...] = Field(default=(), max_length=20)
    waiting_max: int | None = Field(default=None, ge=0, le=limits.WAITING_PER_SHOP_MAX)
    share_weight: int = Field(default=0, ge=0, le=1_000)
    seats_default: int = Field(default=5, ge=1, le=50)


class PoolChange(NewPool):
    """``provider`` and ``kind`` are what they were: a pool does not change hands, nor what it is."""
