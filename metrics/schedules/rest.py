"""REST of reports that leave by themselves: schedules, sending one now, and the log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends

from metrics.schedules import record
from metrics.schedules.model import Schedule
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal


def router(deps: Deps) -> APIRouter:
    """Under ``/metrics/{shop}/schedules``."""
    routes = APIRouter(prefix="/metrics/{shop}/schedules", tags=["metrics"])
    merchant = deps.require(Role.MERCHANT)
    by_mail = deps.settings.smtp_url is not None

    def possible(new: Schedule) -> None:
        """Raises ``mail.off``."""
        if new.by == "mail" and not by_mail:
            raise Refusal("mail.off", "this installation has no mail server (WANGXIN_SMTP_URL)", status=409)

    @routes.get("")
    async def schedules(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """With the log of what was sent, the newest first; ``mail``: whether mails can be sent here."""
        async with deps.scope(actor, shop) as conn:
            return {
                "mail": by_mail, "schedules": await record.schedules(conn, shop), "log": await record.log(conn, shop)
            }  # fmt: skip

    @routes.post("")
    async def add(shop: UUID, new: Schedule, actor: Actor = Depends(merchant)) -> dict[str, UUID]:
        """Raises ``mail.off``, ``schedule.too_many``."""
        possible(new)
        async with deps.scope(actor, shop) as conn:
            id_ = await record.write(conn, shop, None, new, actor.id)
            await deps.audit(conn, actor, shop, "schedule.added", str(id_), new.model_dump(mode="json"))
        return {"id": id_}

    @routes.put("/{schedule}", status_code=204)
    async def change(shop: UUID, schedule: UUID, new: Schedule, actor: Actor = Depends(merchant)) -> None:
        """Raises ``mail.off``, ``schedule.not_found``."""
        possible(new)
        async with deps.scope(actor, shop) as conn:
            await record.write(conn, shop, schedule, new, actor.id)
            await deps.audit(conn, actor, shop, "schedule.changed", str(schedule), new.model_dump(mode="json"))

    @routes.delete("/{schedule}", status_code=204)
    async def remove(shop: UUID, schedule: UUID, actor: Actor = Depends(merchant)) -> None:
        """Raises ``schedule.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await record.remove(conn, shop, schedule)
            await deps.audit(conn, actor, shop, "schedule.removed", str(schedule))

    @routes.post("/{schedule}/send", status_code=204)
    async def send(shop: UUID, schedule: UUID, actor: Actor = Depends(merchant)) -> None:
        """Its newest whole period, now; the log says what became of it. Raises ``schedule.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await record.send_now(conn, shop, schedule)
            await deps.audit(conn, actor, shop, "schedule.sent", str(schedule))

    return routes
