"""REST of a provider's own figures: each shop it serves now, its people there, and the turns and orders behind them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from metrics import drill_postgres
from metrics import report_postgres as read
from metrics.agreements import AgreementsOf, none_known
from metrics.asking import DAYS_MAX, Asking, Orders, Turns
from metrics.figures import Sums, figures_json, without_speed
from metrics.record_postgres import calendars
from metrics.rest_drill import no_hour, page_of
from metrics.teams import Teams, TeamsOf, nobody_known
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage.postgres import Connection

PERIOD_DAYS = 7


def router(deps: Deps, teams_of: TeamsOf = nobody_known, agreements_of: AgreementsOf = none_known) -> APIRouter:
    """All routes lie under ``/outsourcing/figures``; what another team did is in none of them."""
    routes = APIRouter(prefix="/outsourcing/figures", tags=["outsourcing"])
    asking = Asking(deps, teams_of)
    chief = deps.require(Role.PROVIDER)

    async def served(conn: Connection, provider: UUID) -> dict[UUID, str]:
        """The shops that the provider has a contract with now, by name."""
        rows = await conn.fetch(
            """select distinct c.shop_id, h.name from contract c join shop h on h.shop_id = c.shop_id
               where c.provider_id = $1 order by h.name, c.shop_id""",
            provider,
        )  # fmt: skip
        now_ms, found = clock.now_ms(), {}
        for row in rows:
            agreed = await agreements_of(conn, row["shop_id"])
            if any(one.provider == provider and one.version_at(now_ms) for one in agreed):
                found[row["shop_id"]] = row["name"]
        return found

    async def ours(conn: Connection, actor: Actor, shop: UUID) -> None:
        """Raises ``shop.not_found``."""
        if shop not in await served(conn, _provider(actor)):
            raise not_found("shop")

    @routes.get("")
    async def shops(first: Day | None = None, last: Day | None = None, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The provider's people in each shop. Without days the last week, by each shop's own calendar. Raises
        ``period.wrong``."""
        provider = _provider(actor)
        rows = []
        async with deps.pool.acquire() as conn:
            for shop, name in (await served(conn, provider)).items():
                teams = await teams_of(conn, shop)
                asked = await _asked(conn, shop, provider, first, last)
                sums = (await read.sums(conn, asked, "all", teams)).get(None, Sums())
                rows.append({"key": shop, "name": name, "protected": False, "figures": figures_json(sums)})
        return {"rows": rows}

    @routes.get("/{shop}")
    async def agents(
        shop: UUID, first: Day | None = None, last: Day | None = None, actor: Actor = Depends(chief)
    ) -> dict[str, Any]:
        """Each of the provider's people in a shop; the speed of protected ones is not compared."""
        async with deps.pool.acquire() as conn:
            await ours(conn, actor, shop)
            teams = await teams_of(conn, shop)
            asked = await _asked(conn, shop, _provider(actor), first, last)
            found = await read.sums(conn, asked, "agent", teams)
        rows = [agent_row(UUID(key), sums, teams) for key, sums in sorted(found.items(), key=str) if key]
        return {"first": asked.first, "last": asked.last, "rows": rows}

    @routes.get("/{shop}/turns")
    async def turns(shop: UUID, wanted: Annotated[Turns, Query()], actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The very turns behind a figure."""
        async with deps.pool.acquire() as conn:
            await ours(conn, actor, shop)
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(conn, asked, teams, outcome=wanted.outcome, cut=wanted.cut,
                                              key=wanted.key, offset=wanted.offset)  # fmt: skip
        return page_of(rows, teams, wanted.offset)

    @routes.get("/{shop}/orders")
    async def orders(shop: UUID, wanted: Annotated[Orders, Query()], actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The orders credited to the provider's people."""
        async with deps.pool.acquire() as conn:
            await ours(conn, actor, shop)
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.orders(conn, asked, teams, kind=wanted.kind, cut=no_hour(wanted.cut),
                                               key=wanted.key, offset=wanted.offset)  # fmt: skip
        return page_of(rows, teams, wanted.offset)

    return routes


def agent_row(agent: UUID, sums: Sums, teams: Teams) -> dict[str, Any]:
    """An agent's figures; of a protected one without speed."""
    figures, protected = figures_json(sums), agent in teams.protected
    if protected:
        figures = without_speed(figures)
    return {"key": str(agent), "name": teams.agents.get(agent, ""), "figures": figures, "protected": protected}


async def _asked(conn: Connection, shop: UUID, provider: UUID, first: date | None, last: date | None) -> read.Asked:
    last = last or first or (await calendars(conn, [shop]))[shop].day(clock.now_ms())
    first = first or last - timedelta(days=PERIOD_DAYS - 1)
    if first > last or (last - first).days >= DAYS_MAX:
        raise Refusal("period.wrong", f"a period has 1 to {DAYS_MAX} days", field="first")
    return read.Asked(shop, first, last, team=str(provider))


def _provider(actor: Actor) -> UUID:
    if actor.provider is None:
        raise forbidden("provider.missing", "this account belongs to no provider")
    return actor.provider
