"""REST of a shop's own server: its address and secret, and the check that it keeps the interface."""

from __future__ import annotations

import base64
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from menus import record_shopdata as record
from menus.model import Closed
from menus.shop import conformance, wire
from menus.shop.caller import Caller
from wangxin import outbound
from wangxin.clock import new_secret
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.outbound import Unreachable


class Written(Closed):
    """``url`` "": no server; the secret then signs the calls of menu items only. ``secret`` null: the one that is kept,
    or a new one."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=outbound.URL_CHARS_MAX)] = ""
    secret: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = None


class Check(Closed):
    """``member``: one of the shop's members who has orders, by the shop's own name for him."""

    member: str = Field(default="", max_length=200)


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/settings``, which are an owner's; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/settings", tags=["settings"])
    caller = Caller(outbound.networks(deps.settings.outbound_networks), deps.settings.demo_shop)
    merchant = deps.require(Role.MERCHANT)

    def shown(kept: record.Kept | None) -> dict[str, Any]:
        if kept is None:
            return {"url": "", "secret": "", "calls": [], "checked_ms": None, "checked": None}
        return {
            "url": kept.url, "secret": kept.secret, "calls": kept.calls, "checked_ms": kept.checked_ms,
            "checked": kept.checked,
        }  # fmt: skip

    @routes.get("/{shop}/shopdata")
    async def read(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The shop's server, its secret, and its last check. Nothing is called before there is a secret."""
        async with deps.scope(actor, shop) as conn:
            return shown(await record.kept(conn, shop))

    @routes.put("/{shop}/shopdata")
    async def keep(shop: UUID, asked: Written, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Keeps address and secret; the address answers nothing until it was checked.

        Raises ``shopdata.url`` and ``shopdata.secret`` (422)."""
        if asked.url:
            try:
                outbound.split(asked.url, plain=bool(caller.networks(asked.url)))
            except Unreachable as why:
                raise Refusal("shopdata.url", why.detail, field="url", status=422) from None
        async with deps.scope(actor, shop) as conn:
            before = await record.kept(conn, shop)
            secret = asked.secret or (before.secret if before else _new_secret())
            try:
                wire.key_of(secret)
            except ValueError:
                detail = "whsec_ and base64 after it"
                raise Refusal("shopdata.secret", detail, field="secret", status=422) from None
            await record.keep(conn, shop, asked.url, secret)
            await deps.audit(conn, actor, shop, "shopdata.change", str(shop), {"url": asked.url})
            return shown(await record.kept(conn, shop))

    @routes.delete("/{shop}/shopdata", status_code=204)
    async def drop(shop: UUID, actor: Actor = Depends(merchant)) -> None:
        async with deps.scope(actor, shop) as conn:
            await record.drop(conn, shop)
            await deps.audit(conn, actor, shop, "shopdata.drop", str(shop))

    @routes.post("/{shop}/shopdata/check")
    async def check(shop: UUID, asked: Check, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Asks the server everything of the interface, changing nothing; if it is good, it answers from now on.

        Raises ``shopdata.no_address`` where none is kept."""
        async with deps.scope(actor, shop) as conn:
            source = await record.source(conn, shop)
        if source is None or not source.url:
            raise Refusal("shopdata.no_address", "keep an address first", status=409)
        report = await conformance.check(caller, source, asked.member or conformance.NOBODY)
        async with deps.scope(actor, shop) as conn:
            calls = report.calls if report.good else []
            await record.keep_check(conn, shop, source.url, calls, conformance.shown(report))
            await deps.audit(conn, actor, shop, "shopdata.check", str(shop), {"good": report.good})
            return {"good": report.good, **shown(await record.kept(conn, shop))}

    return routes


def _new_secret() -> str:
    return wire.secret_of(base64.b64encode(new_secret().encode())[:32])
