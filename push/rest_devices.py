"""A shopper's device asks to be told of the shop's words while its window is closed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from push.record import devices
from wangxin import clock, outbound, webpush
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.outbound import Unreachable

Endpoint = Annotated[str, Field(min_length=1, max_length=outbound.URL_CHARS_MAX)]


class CallKey(BaseModel):
    """``key`` is what the browser's push service is told: base64url of a P-256 point."""

    key: str


class DeviceAsk(BaseModel):
    """As the browser's subscription says it: the push service's address, and the device's two keys in base64url."""

    model_config = ConfigDict(extra="forbid", strict=True)

    endpoint: Endpoint
    p256dh: Annotated[str, Field(max_length=120)]
    auth: Annotated[str, Field(max_length=40)]


def add(routes: APIRouter, deps: Deps) -> None:
    shopper = Depends(deps.require(Role.SHOPPER))

    @routes.get("/shopper/calls")
    async def key(actor: Actor = shopper) -> CallKey:
        return CallKey(key=webpush.voice(deps.settings.signing_key()).public)

    @routes.put("/shopper/calls", status_code=204)
    async def keep(ask: DeviceAsk, actor: Actor = shopper) -> None:
        """This device is told of the shop's words while no window takes them. Refusal ``device.wrong``."""
        try:
            outbound.split(ask.endpoint, plain=bool(deps.settings.outbound_networks))
        except Unreachable as why:
            raise Refusal("device.wrong", why.detail, field="endpoint", status=422) from None
        try:
            webpush.device(ask.p256dh, ask.auth)
        except ValueError as why:
            raise Refusal("device.wrong", str(why)[:200], field="p256dh", status=422) from None
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            await devices.keep(
                conn, shop, actor.id, clock.new_id(), ask.endpoint, ask.p256dh, ask.auth, limits.DEVICES_MAX
            )

    @routes.delete("/shopper/calls", status_code=204)
    async def forget(endpoint: Endpoint, actor: Actor = shopper) -> None:
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            await devices.forget(conn, shop, actor.id, endpoint.replace("\x00", ""))
