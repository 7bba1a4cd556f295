"""REST of how agents spent a day: for a shop's merchant, for a provider, and for the agent himself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends

from dispatcher import shift_record as record
from dispatcher.ability_record import COLUMNS, FIT, fit_of
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import forbidden


def _day(asked: date | None) -> date:
    """The day that was asked for, or today in China."""
    return asked or (datetime.fromtimestamp(now_ms() / 1_000, UTC) + timedelta(hours=8)).date()


def router(deps: Deps) -> APIRouter:
    routes = APIRouter()
    merchant, chief, agent = deps.require(Role.MERCHANT), deps.require(Role.PROVIDER), deps.require(Role.AGENT)

    async def _of(owner: UUID, asked: date | None) -> dict[str, Any]:
        day = _day(asked)
        async with deps.pool.acquire() as conn:
            return {"day": day.isoformat(), "agents": await record.of_owner(conn, owner, day)}

    @routes.get("/dispatch/{shop}/time", tags=["dispatch"])
    async def of_shop(shop: UUID, day: Day | None = None, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The shop's own agents: ms per state on a day (today by default), and the shift they sum to."""
        return await _of(deps.belongs(actor, shop), day)

    @routes.get("/outsourcing/time", tags=["outsourcing"])
    async def of_provider(day: Day | None = None, actor: Actor = Depends(chief)) -> dict[str, Any]:
        if actor.provider is None:
            raise forbidden("provider.missing", "this account belongs to no provider")
        return await _of(actor.provider, day)

    @routes.get("/desk/time", tags=["desk"])
    async def mine(day: Day | None = None, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The asker's own day, the load that fits him, and whether he is protected from comparisons by speed."""
        asked = _day(day)
        async with deps.pool.acquire() as conn:
            found = await record.days(conn, [actor.id], asked)
            seat = await conn.fetchrow(
                f"select s.seats_max, s.protected, {COLUMNS} from seat s {FIT} where s.agent_id = $1", actor.id
            )
        fit = None if seat is None else fit_of(seat)
        return {
            "day": asked.isoformat(),
            "times": {} if actor.id not in found else found[actor.id]["times"],
            "shift_ms": 0 if actor.id not in found else found[actor.id]["shift_ms"],
            "protected": seat is not None and seat["protected"],
            "fit": None
            if fit is None
            else {"cap": fit.cap, "agreed": fit.agreed, "bound": fit.bound, "day": fit.day, "speed": fit.speed},
        }

    return routes
