"""What people are called on the wire, remembered so that delivering a line asks nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from uuid import UUID

from wangxin.hub.wire import quoted

NAMES_MAX = 100_000
NAMELESS = '""'


class Names:
    """JSON strings by person id, and by shop where an agent has a persona of its own there. The system, the bot and
    pushes have no name of their own."""

    def __init__(
        self,
        load: Callable[[list[UUID]], Awaitable[Mapping[UUID, str]]],
        load_personas: Callable[[list[UUID]], Awaitable[Mapping[tuple[UUID, UUID], str]]],
    ) -> None:
        self._load, self._load_personas = load, load_personas
        self._known: dict[UUID, str] = {}
        self._personas: dict[tuple[UUID, UUID], str] = {}

    def remember(self, person: UUID, name: str) -> None:
        self.remember_json(person, quoted(name))

    def remember_json(self, person: UUID, name: str) -> None:
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[person] = name

    def remember_persona_json(self, shop: UUID, agent: UUID, name: str) -> None:
        if len(self._personas) >= NAMES_MAX:
            self._personas.clear()
        self._personas[shop, agent] = name

    def get(self, sender_kind: str, sender: UUID, shop: UUID) -> str | None:
        """None: not known yet, ``fetch`` it."""
        if sender_kind == "shopper":
            return self._known.get(sender)
        if sender_kind == "agent":
            return self._personas.get((shop, sender)) or self._known.get(sender)
        return NAMELESS

    async def learn(self, agent: UUID, name: str) -> None:
        """An agent comes: what he is called, also in single shops, is read anew."""
        personas = await self._load_personas([agent])
        for key in [key for key in self._personas if key[1] == agent]:
            del self._personas[key]
        self._keep(personas)
        self.remember(agent, name)

    async def renew(self, agents: Iterable[UUID]) -> None:
        """As ``fetch``; what these agents are called in single shops is read anew, for the next conversation."""
        wanted = set(agents)
        await self.fetch(wanted)
        if wanted:
            self._keep(await self._load_personas(list(wanted)))

    def _keep(self, personas: Mapping[tuple[UUID, UUID], str]) -> None:
        for (shop, agent), name in personas.items():
            self.remember_persona_json(shop, agent, quoted(name))

    async def fetch(self, people: Iterable[UUID]) -> None:
        """Learn the names that are missing; whoever has none is nameless."""
        missing = [person for person in set(people) if person not in self._known]
        if missing:
            found = await self._load(missing)
            self._keep(await self._load_personas(missing))
            for person in missing:
                self.remember(person, found.get(person, ""))
