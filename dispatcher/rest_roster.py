"""REST of a provider's roster and project groups, and an agent's own shifts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from dispatcher import agents_record, roster
from dispatcher import roster_record as record
from dispatcher.admin_record import routing_changed
from dispatcher.agents import Name
from dispatcher.agents_record import Owner
from dispatcher.preview import Asked
from dispatcher.training.record import people, served
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, forbidden, not_found

_Day = Annotated[date, Query(ge=roster.FIRST_DAY, le=roster.LAST_DAY)]


class DayAsked(Asked):
    """``hours`` as ``roster.read_hours`` takes them; empty: a day off."""

    agent: UUID
    day: date = Field(ge=roster.FIRST_DAY, le=roster.LAST_DAY)
    hours: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]


class WeekAsked(Asked):
    week: date = Field(ge=roster.FIRST_DAY, le=roster.LAST_DAY)


class RosterFile(Asked):
    """Without ``apply`` the rows are only judged."""

    csv: str = Field(max_length=limits.AGENTS_CSV_CHARS_MAX)
    apply: bool = False


class GroupAsked(Asked):
    name: Name
    agents: tuple[UUID, ...] = Field(max_length=1_000)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def router(deps: Deps) -> APIRouter:
    """Routes under ``/outsourcing``, each about the asker's own provider."""
    routes = APIRouter(prefix="/outsourcing", tags=["outsourcing"])
    chief = deps.require(Role.PROVIDER)
    agent = deps.require(Role.AGENT)

    def _owner(actor: Actor) -> Owner:
        if actor.provider is None:
            raise forbidden("provider.missing", "this account belongs to no provider")
        return Owner(actor.provider, outsourced=True)

    @routes.get("/roster")
    async def week(week: _Day, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The week of that day: everybody's spans as written and as published, and the seats each contract is owed."""
        owner, monday = _owner(actor), _monday(week)
        async with deps.pool.acquire() as conn:
            team = await agents_record.agents(conn, owner)
            drafts, published = await record.days(
                conn, owner.id, monday - timedelta(days=1), monday + timedelta(days=roster.WEEK)
            )
            needs = await record.needs(conn, owner.id, now_ms())
        dates = [monday + timedelta(days=n) for n in range(roster.WEEK)]
        cells = [(one["agent"], day) for one in team for day in dates]
        return {
            "days": dates,
            "agents": [
                {
                    "agent": one["agent"], "login": one["login"], "name": one["name"],
                    "days": [
                        {
                            "hours": roster.write_hours(drafts.get((one["agent"], day), ())),
                            "published": roster.write_hours(published.get((one["agent"], day), ())),
                        }
                        for day in dates
                    ],
                }
                for one in team
            ],
            "unpublished": sum(drafts.get(cell, ()) != published.get(cell, ()) for cell in cells),
            "contracts": [
                {
                    "contract": need.contract, "shop_name": need.shop_name, "seats": need.seats,
                    "days": [asdict(one) for one in roster.coverage(drafts, need, monday)],
                }
                for need in needs
            ],
        }  # fmt: skip

    @routes.put("/roster", status_code=204)
    async def put_day(asked: DayAsked, actor: Actor = Depends(chief)) -> None:
        """Write one day of one agent; he sees it once the week is published. Raises ``seat.not_found``,
        ``hours.wrong``, ``hours.overlap``, ``hours.too_many``."""
        owner = _owner(actor)
        try:
            spans = roster.read_hours(asked.hours)
        except roster.Wrong as why:
            raise Refusal(why.code, why.words, field="hours") from None
        async with deps.pool.acquire() as conn, conn.transaction():
            if asked.agent not in {row["agent"] for row in await agents_record.agents(conn, owner)}:
                raise not_found("seat")
            around = timedelta(days=1)
            drafts, _ = await record.days(conn, owner.id, asked.day - around, asked.day + around)
            if roster.collides({**drafts, (asked.agent, asked.day): spans}, asked.agent, asked.day):
                raise Refusal("hours.overlap", "it overlaps the day before or after", field="hours")
            await record.put_days(conn, owner.id, {(asked.agent, asked.day): spans})
            await deps.audit(conn, actor, owner.id, "roster.changed", str(asked.agent), asked.model_dump(mode="json"))

    @routes.post("/roster/publish")
    async def publish(asked: WeekAsked, actor: Actor = Depends(chief)) -> dict[str, int]:
        """The week of that day as it is written: every agent sees his own."""
        owner, monday = _owner(actor), _monday(asked.week)
        async with deps.pool.acquire() as conn, conn.transaction():
            changed = await record.publish(conn, owner.id, monday)
            await deps.audit(conn, actor, owner.id, "roster.published", monday.isoformat(), {"days": changed})
        return {"days": changed}

    @routes.post("/roster/import")
    async def import_roster(asked: RosterFile, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Days from a CSV: every wrong row is named, and nothing is taken unless all are right. Raises
        ``roster.no_columns``, ``roster.broken``, ``roster.too_many``."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 4))", str(owner.id))
            logins = {row["login"]: row["agent"] for row in await agents_record.agents(conn, owner) if row["login"]}
            before, _ = await record.days(conn, owner.id, roster.FIRST_DAY, roster.LAST_DAY)
            found, faults = roster.read_file(asked.csv, logins, before)
            applied = asked.apply and not faults
            if applied:
                await record.put_days(conn, owner.id, found)
                await deps.audit(conn, actor, owner.id, "roster.imported", "", {"days": len(found)})
        return {"rows": len(found), "applied": applied, "faults": [asdict(fault) for fault in faults]}

    @routes.get("/shifts")
    async def shifts(actor: Actor = Depends(agent)) -> list[dict[str, Any]]:
        """The agent's own published shifts of the next two weeks."""
        today = datetime.fromtimestamp(now_ms() / 1_000, UTC).astimezone(ZoneInfo(roster.TZ)).date()
        async with deps.pool.acquire() as conn:
            found = await record.mine(conn, actor.id, today - timedelta(days=1), today + timedelta(days=13))
        return [{"day": one["day"], "hours": roster.write_hours(map(tuple, one["spans"]))} for one in found]

    # --- project groups ----------------------------------------------------------------------------------------------

    @routes.get("/groups")
    async def groups(actor: Actor = Depends(chief)) -> list[dict[str, Any]]:
        """For each shop under contract: its project group, and who may be in it."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn:
            shops = await served(conn, owner.id)
            kept = await record.groups(conn, owner.id, [one.shop for one in shops])
            return [
                {
                    "shop": one.shop, "shop_name": one.name, "dedicated": one.dedicated,
                    **kept.get(one.shop, {"name": "", "agents": []}),
                    "people": await people(conn, owner.id, one.shop),
                }
                for one in shops
            ]  # fmt: skip

    @routes.put("/groups/{shop}", status_code=204)
    async def put_group(shop: UUID, asked: GroupAsked, actor: Actor = Depends(chief)) -> None:
        """Who is kept for the shop; it counts at once. Raises ``shop.not_found``, ``seat.not_found``."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            if shop not in {one.shop for one in await served(conn, owner.id)}:
                raise not_found("shop")
            if not set(asked.agents) <= {row["agent"] for row in await people(conn, owner.id, shop)}:
                raise not_found("seat")
            await record.put_group(conn, owner.id, shop, asked.name, sorted(set(asked.agents)))
            for book in (shop, owner.id):
                await deps.audit(conn, actor, book, "group.changed", str(owner.id), asked.model_dump(mode="json"))
            await routing_changed(conn, shop)
        await deps.hints.wake("dispatcher")

    return routes
