"""REST of studies: what a changed policy, or more agents, would have brought on days like this shop's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, ValidationError

from dispatcher import admin_read as read
from dispatcher import preview_read
from dispatcher.contracts import check_policy
from dispatcher.model import Policy
from dispatcher.preview import Asked, LoadAsked, SeatsFor, StaffAsked, StudyAsked, midnight_ms, preview
from dispatcher.record_load import load_routing
from dispatcher.whatif import of_shop
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal


class PreviewAsked(Asked):
    """``policy``: the changed one; None: only the present one is looked at."""

    policy: dict[str, Any] | None = None
    staff: tuple[StaffAsked, ...] = Field(min_length=1, max_length=50)
    load: LoadAsked = LoadAsked()
    seats_for: SeatsFor | None = None


def policy_of(asked: dict[str, Any]) -> Policy:
    """Raises ``policy.wrong`` with the field that is."""
    try:
        return check_policy(asked)
    except ValidationError as why:
        problem = why.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise Refusal("policy.wrong", problem["msg"], field=field) from None


def add_routes(routes: APIRouter, deps: Deps) -> None:
    merchant = deps.require(Role.MERCHANT)

    @routes.get("/{shop}/preview")
    async def start(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """What a study starts from: pools with their agents, how long conversations take, how many requests came."""
        async with deps.scope(actor, shop) as conn:
            pools = [pool for pool in await read.pools(conn, shop) if pool["serves"]]
            seats = await read.seats(conn, shop)
            return preview_read.start(pools, seats, await preview_read.seen(conn, shop))

    @routes.post("/{shop}/preview")
    async def study(shop: UUID, asked: PreviewAsked, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Simulate the present policy beside the changed one. Raises ``policy.wrong``, ``pool.not_found``,
        ``preview.no_record`` (recorded days were asked for, and there are fewer than two), ``preview.busy``,
        ``preview.too_slow``, ``preview.too_much``."""
        changed = None if asked.policy is None else policy_of(asked.policy)
        async with deps.scope(actor, shop) as conn:
            now = await read.policy(conn, shop)
            days = await preview_read.recorded(conn, shop) if asked.load.source == "recorded" else ()
        async with deps.pool.acquire() as conn:
            routing = of_shop(await load_routing(conn), str(shop))
        known = {pool.id for pool in routing.pools}
        named = {one.pool for one in asked.staff} | ({asked.seats_for.pool} if asked.seats_for else set())
        if not named <= known:
            raise Refusal("pool.not_found", "one of the pools does not serve this shop", field="staff", status=404)
        if asked.load.source == "recorded" and len(days) < 2:
            raise Refusal("preview.no_record", "fewer than two days with requests are on record", status=409)
        policies = {"now": now} if changed is None else {"now": now, "then": changed}
        return await preview(
            StudyAsked(
                routing=routing, shop=str(shop), policies=policies, staff=asked.staff, load=asked.load,
                midnight_ms=midnight_ms(routing.shops[0].tz, clock.now_ms()), days=days[: asked.load.days],
                seats_for=asked.seats_for,
            )
        )  # fmt: skip
