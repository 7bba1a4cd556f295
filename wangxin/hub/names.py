"""What people are called on the wire, remembered so that delivering a line asks nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from uuid import UUID

from wangxin.hub.wire import quoted

NAMES_MAX = 100_000
NAMELESS = '""'


class Names:
    """JSON strings by person id. The system, the bot and pushes have no name of their own."""

    def __init__(self, load: Callable[[list[UUID]], Awaitable[Mapping[UUID, str]]]) -> None:
        self._load = load
        self._known: dict[UUID, str] = {}

    def remember(self, person: UUID, name: str) -> None:
        self.remember_json(person, quoted(name))

    def remember_json(self, person: UUID, name: str) -> None:
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[person] = name

    def get(self, sender_kind: str, sender: UUID) -> str | None:
        """None: not known yet, ``fetch`` it."""
        if sender_kind == "shopper" or sender_kind == "agent":
            return self._known.get(sender)
        return NAMELESS

    async def fetch(self, people: Iterable[UUID]) -> None:
        """Learn the names that are missing; whoever has none is nameless."""
        missing = [person for person in set(people) if person not in self._known]
        if missing:
            found = await self._load(missing)
            for person in missing:
                self.remember(person, found.get(person, ""))
