"""Hints between processes over Valkey: "look now". A lost hint costs a second, never a message.

Channels: ``{wx}:hint`` (to every hub), ``{wx}:wake:<consumer>`` (to whoever follows up that consumer's facts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson

from wangxin.storage.valkey import VALKEY_DOWN

HINT = "{wx}:hint"


def wake_channel(consumer: str) -> str:
    return f"{{wx}}:wake:{consumer}"


def telling(
    frame: dict[str, Any],
    *,
    threads: Sequence[tuple[UUID, UUID]] = (),
    people: Sequence[UUID] = (),
    shops: Sequence[UUID] = (),
    roles: Sequence[str] = ("shopper", "agent", "merchant"),
) -> bytes:
    """What ``Hints.tell`` publishes, for whoever has many to publish at once."""
    return orjson.dumps(
        {
            "frame": frame,
            "threads": [[str(shop), str(thread)] for shop, thread in threads],
            "people": [str(person) for person in people],
            "shops": [str(shop) for shop in shops],
            "roles": list(roles),
        }
    )


def growing(threads: Iterable[tuple[UUID, UUID]], *, agents: Sequence[UUID] = ()) -> bytes:
    """What ``Hints.grown`` publishes."""
    pairs = sorted({(str(shop), str(thread)) for shop, thread in threads})
    return orjson.dumps({"grown": pairs, "agents": [str(agent) for agent in agents]})


class Hints:
    """Publishes hints; when Valkey is away it stays silent, for sweeps find what was not announced."""

    def __init__(self, valkey: Any) -> None:
        self._valkey = valkey

    async def _publish(self, channel: str, message: bytes) -> None:
        try:
            await self._valkey.publish(channel, message)
        except VALKEY_DOWN:
            return

    async def grown(self, threads: Iterable[tuple[UUID, UUID]], *, agents: Sequence[UUID] = ()) -> None:
        """These (shop, thread) have new lines. ``agents`` should attach them if they have not yet."""
        pairs = list(threads)
        if pairs or agents:
            await self._publish(HINT, growing(pairs, agents=agents))

    async def tell(
        self,
        frame: dict[str, Any],
        *,
        threads: Sequence[tuple[UUID, UUID]] = (),
        people: Sequence[UUID] = (),
        shops: Sequence[UUID] = (),
        roles: Sequence[str] = ("shopper", "agent", "merchant"),
    ) -> None:
        """An unnumbered frame (queue.position, menu.updated, offer, presence …) for whoever is attached to one of the
        threads, is one of the people, or belongs to one of the shops, and has one of the roles."""
        await self._publish(HINT, telling(frame, threads=threads, people=people, shops=shops, roles=roles))

    async def gone(self, shoppers: Sequence[UUID]) -> None:
        """These shoppers are no longer known; their lines are closed."""
        await self._publish(HINT, orjson.dumps({"gone": [str(shopper) for shopper in shoppers]}))

    async def rights(self) -> None:
        """Somebody's login, membership, contract or secret changed: hubs look at once who may still be on the line."""
        await self._publish(HINT, b'{"rights":true}')

    async def wake(self, consumer: str) -> None:
        await self._publish(wake_channel(consumer), b"{}")
