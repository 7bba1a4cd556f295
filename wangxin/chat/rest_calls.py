"""An agent's phone is called while the console sleeps: what a browser needs for it, and the calls themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from wangxin import clock, outbound, webpush
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.facts import RoutingChanged
from wangxin.model.refusals import Refusal
from wangxin.outbound import Network, Unreachable
from wangxin.storage import devices, outbox
from wangxin.storage.devices import Due
from wangxin.storage.postgres import Pool

CALL_AFTER_S = 15.0
"""A shopper waits so long before a phone rings: whoever sits at the page answers sooner."""
AT_ONCE = 50
TTL_S = 60
GONE = (404, 410)
CONTACT = "mailto:wangxin@localhost"


class Key(BaseModel):
    """``key`` is what the browser's push service is told: base64url of a P-256 point."""

    key: str


class DeviceAsked(BaseModel):
    """``endpoint`` is the address that the browser's push service gave it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    endpoint: Annotated[str, Field(min_length=1, max_length=outbound.URL_CHARS_MAX)]


@dataclass(frozen=True, slots=True)
class Calls:
    """Rings the devices of agents whose shoppers wait. ``key`` signs; ``allowed``: private networks it may reach."""

    pool: Pool
    key: str
    allowed: Sequence[Network] = ()

    async def ring(self) -> int:
        async with self.pool.acquire() as conn, conn.transaction():
            due = await devices.claim(conn, CALL_AFTER_S, AT_ONCE)
        if not due:
            return 0
        own = webpush.voice(self.key)
        given_up = [one.id for one, gone in zip(due, await self._all(own, due), strict=True) if gone]
        if given_up:
            async with self.pool.acquire() as conn:
                await devices.gone(conn, given_up)
        return len(due)

    async def _all(self, own: webpush.Voice, due: Sequence[Due]) -> list[bool]:
        return list(await asyncio.gather(*(self._call(own, one) for one in due)))

    async def _call(self, own: webpush.Voice, due: Due) -> bool:
        """Whether the device is no more."""
        told = webpush.headers(own, due.endpoint, CONTACT, clock.now_ms(), ttl_s=TTL_S, topic="waiting")
        try:
            answer = await outbound.call("POST", due.endpoint, told, allowed=self.allowed, timeout_s=10)
        except Unreachable:
            return False
        return answer.status in GONE


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/desk/calls", tags=["desk"])
    agent = Depends(deps.require(Role.AGENT))

    @routes.get("")
    async def key(actor: Actor = agent) -> Key:
        return Key(key=webpush.voice(deps.settings.signing_key()).public)

    @routes.put("", status_code=204)
    async def keep(asked: DeviceAsked, actor: Actor = agent) -> None:
        """This device rings when a shopper of the agent waits and no page is looked at. Raises ``device.wrong``."""
        try:
            outbound.split(asked.endpoint, plain=bool(deps.settings.outbound_networks))
        except Unreachable as why:
            raise Refusal("device.wrong", why.detail, field="endpoint", status=422) from None
        async with deps.pool.acquire() as conn, conn.transaction():
            new = await devices.keep(conn, actor.id, clock.new_id(), asked.endpoint, limits.DEVICES_MAX)
            if new:  # who can be rung keeps his conversations longer when his page sleeps
                await outbox.write(conn, [RoutingChanged(shop=UUID(int=0))])
        if new:
            await deps.hints.wake("dispatcher")

    @routes.delete("", status_code=204)
    async def forget(endpoint: Annotated[str, Field(max_length=outbound.URL_CHARS_MAX)], actor: Actor = agent) -> None:
        async with deps.pool.acquire() as conn:
            await devices.forget(conn, actor.id, endpoint.replace("\x00", ""))

    return routes
