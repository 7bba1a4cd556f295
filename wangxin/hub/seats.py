"""Agents come and go: reported once, however many lines and nodes they have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from wangxin.model.actor import Actor, Role
from wangxin.storage.postgres import TRANSIENT

if TYPE_CHECKING:
    from wangxin.hub.hub import Hub

Told = Callable[[Actor], Awaitable[None]]


class Seats:
    def __init__(self, hub: Hub, on_connected: Told | None, on_disconnected: Told | None) -> None:
        self._hub = hub
        self._told = (on_connected, on_disconnected)
        self._unreported: dict[UUID, Actor] = {}

    async def came(self, actor: Actor) -> None:
        await self._hub.links.agent(actor.id, True)
        await self._report(0, actor)
        if actor.id not in self._hub.people:  # gone again meanwhile
            await self.left(actor)

    async def _report(self, which: int, actor: Actor) -> None:
        told = self._told[which]
        if told is not None:
            try:
                await told(actor)
            except TRANSIENT:
                await asyncio.sleep(1)
                self._hub.spawn(self._report(which, actor))

    async def left(self, actor: Actor) -> None:
        elsewhere = await self._hub.links.agent(actor.id, False)
        if not self._hub.links.up:
            self._unreported[actor.id] = actor  # whether he is elsewhere cannot be known now
        elif not elsewhere and actor.id not in self._hub.people:
            await self._gone(actor)

    async def _gone(self, actor: Actor) -> None:
        await self._report(1, actor)
        # He may have come in elsewhere while we wrote that he left; the last word must be that he is here.
        if await self._hub.links.agent(actor.id, actor.id in self._hub.people):
            await self._report(0, actor)

    async def lost(self, agents: list[UUID]) -> None:
        for agent in agents:
            if agent not in self._hub.people:
                await self._gone(Actor(Role.AGENT, agent, frozenset(), ""))

    def link_up(self) -> None:
        unreported, self._unreported = self._unreported, {}
        for actor in unreported.values():
            if actor.id not in self._hub.people:
                self._hub.spawn(self.left(actor))
        for here in self._hub.people.values():
            if here and here[0].actor.role is Role.AGENT:
                self._hub.spawn(self._report(0, here[0].actor))
