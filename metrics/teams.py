"""Names and room of the people who answer: lent by whoever keeps pools and seats, for the report and the live board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from wangxin.storage.postgres import Connection

OWN = "own"
"""The key of the shop's own team; a provider's key is its id as text."""


@dataclass(frozen=True, slots=True)
class PoolName:
    """A pool, and whose it is (no provider: the shop's own). ``room``: slots of those who are ready now."""

    id: UUID
    name: str
    provider: UUID | None = None
    provider_name: str = ""
    ready: int = 0
    room: int = 0

    @property
    def team(self) -> str:
        return OWN if self.provider is None else str(self.provider)


@dataclass(frozen=True, slots=True)
class Teams:
    pools: dict[UUID, PoolName] = field(default_factory=dict)
    agents: dict[UUID, str] = field(default_factory=dict)
    protected: frozenset[UUID] = frozenset()
    """Agents whose speed is not compared with others': beside their names stands none."""

    def team_of(self, pool: UUID | None) -> str:
        """What no pool or an unknown pool did is the shop's own."""
        known = self.pools.get(pool) if pool else None
        return OWN if known is None else known.team

    @property
    def outsourced(self) -> list[UUID]:
        return [pool.id for pool in self.pools.values() if pool.provider is not None]


TeamsOf = Callable[[Connection, UUID], Awaitable[Teams]]
"""(connection, shop) -> the teams that serve the shop."""


async def nobody_known(conn: Connection, shop: UUID) -> Teams:
    return Teams()


NamesOf = Callable[[Connection, UUID, str], Awaitable[dict[str, str]]]
"""(connection, shop, ``menu`` or ``push``) -> names of the shop's menu items or push rules by their key."""


async def no_names(conn: Connection, shop: UUID, of: str) -> dict[str, str]:
    return {}
