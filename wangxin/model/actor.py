"""Who acts: the verified person behind a socket or a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    SHOPPER = "shopper"
    AGENT = "agent"
    MERCHANT = "merchant"
    PROVIDER = "provider"
    BOT = "bot"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person after authentication. ``shops`` is the wall: nothing outside it exists for this actor.

    ``id`` is the shopper id for shoppers and the account id for everyone else. An agent's shops come from
    PostgreSQL (the shops his pools serve), never from the token.
    """

    role: Role
    id: UUID
    shops: frozenset[UUID]
    name: str
    device: str = ""
    guest: bool = False
    provider: UUID | None = None
    supervisor: bool = False
    """May watch and take over conversations that are not his, within his shops."""
