"""Agents' first and last lines on this node, reported in order and until it worked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from wangxin.clock import monotonic_ms
from wangxin.model.actor import Actor
from wangxin.storage.postgres import TRANSIENT

if TYPE_CHECKING:
    from wangxin.hub.hub import Hub

Told = Callable[[Actor], Awaitable[None]]
Lost = Callable[[Actor, int], Awaitable[None]]
"""With for how many ms nothing has been heard of him."""
RETRY_S = 0.5


class Seats:
    """``on_connected`` hears once when an agent's first line here is live, ``on_disconnected`` when his last one is
    gone. Who is on which other node is not asked here: the listener keeps that by node."""

    def __init__(self, hub: Hub, on_connected: Told | None, on_disconnected: Lost | None) -> None:
        self._hub = hub
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._reported: set[UUID] = set()
        self._busy: set[UUID] = set()
        self._heard_ms: dict[UUID, int] = {}

    def heard(self, agent: UUID, at_ms: int) -> None:
        """A line of his was lost, and had brought something at this moment (monotonic) for the last time."""
        self._heard_ms[agent] = max(at_ms, self._heard_ms.get(agent, at_ms))

    async def changed(self, actor: Actor) -> None:
        """Report until what was said is what is so; one report of an agent at a time."""
        agent = actor.id
        if agent in self._busy:
            return
        self._busy.add(agent)
        try:
            while (here := agent in self._hub.people) != (agent in self._reported):
                try:
                    if here and self._on_connected is not None:
                        await self._on_connected(actor)
                    elif not here and self._on_disconnected is not None:
                        now_ms = monotonic_ms()
                        await self._on_disconnected(actor, now_ms - self._heard_ms.get(agent, now_ms))
                except TRANSIENT:
                    await asyncio.sleep(RETRY_S)
                    continue
                if not here:
                    self._heard_ms.pop(agent, None)
                (self._reported.add if here else self._reported.discard)(agent)
        finally:
            self._busy.discard(agent)
