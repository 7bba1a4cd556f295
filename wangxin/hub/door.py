"""What the hub asks of whoever knows people: the composition root hands it in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from wangxin.model.actor import Actor
from wangxin.storage.threads import Party, ThreadRow


class Door(Protocol):
    async def admit(self, token: str, guest_token: str, origin: str | None) -> Party:
        """Who this is. Raises Refusal ``token.*`` (retry ``reauth``: expired), ``session.ended``, ``origin.wrong``."""

    async def threads_of(self, party: Party) -> Sequence[ThreadRow]:
        """The threads that are this party's to follow now."""

    async def names(self, people: list[UUID]) -> Mapping[UUID, str]:
        """What shoppers and accounts are called."""

    async def personas(self, people: list[UUID]) -> Mapping[tuple[UUID, UUID], str]:
        """What agents are called in single shops, by (shop, agent)."""

    async def speaks(self, actor: Actor, locale: str) -> None:
        """A shopper's window is in this language."""

    async def parties(self, before: Sequence[Party], *, fields: bool) -> Mapping[UUID, Party]:
        """Who these accounts are now, by session; whose login is over is absent. Without ``fields`` what contracts
        open of shoppers is read anew only of those whose shops changed."""

    async def secrets(self, shops: Collection[UUID]) -> set[tuple[UUID, str]]:
        """(shop, kid) of every signing secret of these shops that counts."""

    async def gone(self) -> set[UUID]:
        """Shoppers who asked of late not to be known any longer."""

    async def origins(self) -> set[str]:
        """Every origin any shop allows beside our own."""


class Said(Protocol):
    """Looks at what agents write before it is stored."""

    def asks(self, shop: UUID) -> bool:
        """Whether this shop wants it. Asked for each message: no question to anybody."""

    async def out(self, shop: UUID, text: str) -> str:
        """The text as it goes out; raises a Refusal."""
