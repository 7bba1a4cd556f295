"""REST of the figures: live overview, reports with all that is behind them, exports, and an agent's own day.

A merchant and the shop's supervisors see everything of their shops; a provider's people see their own team's part.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from metrics import (
    cards_postgres,
    change_report,
    definitions,
    drill_postgres,
    live,
    profile_rows,
    reach_postgres,
    report,
    report_out,
)
from metrics import report_postgres as read
from metrics.asking import Asking, Period, Wanted
from metrics.figures import Sums, figures_json, without_speed
from metrics.profiles import PROFILES
from metrics.record_postgres import calendars
from metrics.scorecards import WEIGHTS
from metrics.tables_out import FIGURE_COLUMNS, cells, csv_response, file_response
from metrics.teams import NamesOf, Teams, TeamsOf, no_names, nobody_known
from metrics.xlsx_out import XLSX
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import Connection

PROFILE_TURNS_MAX = 50_000
By = Literal["team", "pool", "agent", "topic", "day", "hour", "menu", "push"]


class Grouped(Period):
    by: By


class Since(BaseModel):
    """``team``: the provider whose people are set beside the own ones."""

    model_config = ConfigDict(extra="forbid")

    since: Day
    days: Annotated[int, Field(ge=1, le=92)] = 28
    team: Annotated[str, Field(max_length=40)] | None = None


class Profiles(BaseModel):
    """Definitions by name; none: all of them."""

    model_config = ConfigDict(extra="forbid")

    names: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=40)]


def router(deps: Deps, teams_of: TeamsOf = nobody_known, names_of: NamesOf = no_names) -> APIRouter:
    """All routes lie under ``/metrics``; the composition root mounts them under ``/api/v1`` and lends all names."""
    routes = APIRouter(prefix="/metrics", tags=["metrics"])
    anyone = deps.require(Role.MERCHANT, Role.AGENT, Role.PROVIDER)
    agent = deps.require(Role.AGENT)
    asking = Asking(deps, teams_of)
    overseer, shopside = asking.overseer, asking.shopside

    async def merchant(actor: Actor = Depends(deps.require(Role.MERCHANT))) -> Actor:
        return actor

    @routes.get("/definitions")
    async def all_definitions(actor: Actor = Depends(anyone)) -> dict[str, Any]:
        """What every figure, profile and attribution rule means."""
        return definitions.as_json()

    @routes.get("/mine")
    async def mine(actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The agent's own figures of today, in all his shops and in each: the same numbers that the contract uses."""
        total = Sums()
        shops = []
        for shop in sorted(actor.shops):
            async with deps.scope(actor, shop) as conn:
                calendar = (await calendars(conn, [shop]))[shop]
                today = calendar.day(clock.now_ms())
                one = read.Asked(shop, today, today, agent=actor.id)
                sums = (await read.sums(conn, one, "all", Teams())).get(None, Sums())
            total.add(sums)
            total.conversion = _added(total.conversion, sums.conversion)
            shops.append({"shop": shop, "figures": figures_json(sums)})
        return {"figures": figures_json(total), "shops": shops, "definitions": definitions.as_json()["figures"]}

    @routes.get("/card")
    async def card(actor: Actor = Depends(deps.require(Role.PROVIDER))) -> dict[str, Any]:
        """A provider's stars, month by month, with its score's parts and its peers' averages."""
        async with deps.pool.acquire() as conn:
            months = [] if actor.provider is None else await cards_postgres.card(conn, actor.provider)
        return {"months": months, "weights": WEIGHTS, "definitions": definitions.STARS}

    @routes.get("/{shop}/overview")
    async def overview(shop: UUID, actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """The live board, and today so far."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, Period())
            now = await live.board(conn, shop, teams)
            if actor.provider is not None:
                now["pools"] = [pool for pool in now["pools"] if pool["team"] == str(actor.provider)]
            hours, today = await read.with_whole(conn, asked, "hour", teams)
        return {
            "day": asked.first,
            "board": now,
            "today": figures_json(today),
            "hours": [{"hour": hour, "figures": figures_json(hours.get(str(hour), Sums()))} for hour in range(24)],
        }

    @routes.get("/{shop}/report")
    async def team_report(shop: UUID, wanted: Wanted, actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """Own team beside each pool, and where all the money of the period came from."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            found = await report.document(conn, asked, teams)
        if actor.provider is not None:
            found["rows"] = [row for row in found["rows"] if row["kind"] == "all" or row["key"] in _keys(asked, teams)]
            found["revenue"] = {}
        return found

    @routes.get("/{shop}/reach")
    async def human_reach(shop: UUID, wanted: Wanted, actor: Actor = Depends(shopside)) -> dict[str, Any]:
        """How long it took to reach a person, from the wish for one and from the first words. The whole shop's."""
        async with deps.scope(actor, shop) as conn:
            asked, _, _ = await asking.asked(conn, shop, actor, wanted)
            return await reach_postgres.reach(conn, asked)

    @routes.get("/{shop}/report.xlsx")
    async def report_xlsx(shop: UUID, wanted: Wanted, actor: Actor = Depends(shopside)) -> Response:
        """The report as a workbook: teams, each day or hour with its pictures, the money."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            _, book = await report_out.sheets(conn, asked, teams)
        return file_response(book, XLSX, f"report-{asked.first}-{asked.last}.xlsx")

    @routes.get("/{shop}/series")
    async def series(
        shop: UUID, wanted: Annotated[Grouped, Query()], actor: Actor = Depends(overseer)
    ) -> dict[str, Any]:
        """The figures by day, hour, pool, team or agent; days without anything are there too."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await _series(conn, asked, teams, wanted.by, await names_of(conn, shop, wanted.by))
        return {"by": wanted.by, "first": asked.first, "last": asked.last, "rows": rows}

    @routes.get("/{shop}/series.csv")
    async def series_csv(shop: UUID, wanted: Annotated[Grouped, Query()], actor: Actor = Depends(overseer)) -> Response:
        """Exactly the table that the page shows."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await _series(conn, asked, teams, wanted.by, await names_of(conn, shop, wanted.by))
        headings = [wanted.by, "name", *FIGURE_COLUMNS]
        body = [[row["key"] or "", row["name"], *cells(row["figures"])] for row in rows]
        return csv_response(f"{wanted.by}-{asked.first}-{asked.last}", headings, body)

    @routes.get("/{shop}/change")
    async def changed(
        shop: UUID, wanted: Annotated[Since, Query()], actor: Actor = Depends(shopside)
    ) -> dict[str, Any]:
        """What changed since a day, the same number of days before and after it; and the team in the same hours as
        the own people. Raises ``period.wrong``."""
        async with deps.scope(actor, shop) as conn:
            return await change_report.document(conn, shop, wanted.since, wanted.days, wanted.team,
                                                await teams_of(conn, shop))  # fmt: skip

    @routes.get("/{shop}/directory")
    async def directory(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Providers that take shops, with stars and dimensions, and whether they fill this shop's busiest hour."""
        async with deps.scope(actor, shop) as conn:
            return await cards_postgres.directory(conn, shop)

    @routes.get("/{shop}/profiles")
    async def profiles(shop: UUID, wanted: Wanted, actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """The same turns by the platforms' definitions that the shop chose (none: all). At most 50,000 turns; ``cut``
        says that there were more."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(conn, asked, teams, outcome="with_bot", limit=PROFILE_TURNS_MAX)
            chosen = await profile_rows.chosen(conn, shop)
        return {
            "profiles": profile_rows.evaluated(rows, chosen, calendar),
            "known": profile_rows.known(chosen),
            "cut": len(rows) == PROFILE_TURNS_MAX,
        }

    @routes.put("/{shop}/profiles", status_code=204)
    async def choose_profiles(shop: UUID, wanted: Profiles, actor: Actor = Depends(merchant)) -> None:
        """Which definitions the shop reads side by side. Raises ``profile.unknown``."""
        if unknown := sorted(set(wanted.names) - set(PROFILES)):
            raise Refusal("profile.unknown", f"no such definition: {', '.join(unknown)[:100]}", field="names")
        async with deps.scope(actor, shop) as conn:
            await profile_rows.choose(conn, shop, wanted.names)
            await deps.audit(conn, actor, shop, "profiles.chosen", str(shop), {"names": list(wanted.names)})

    return routes


def _added(one: Any, other: Any) -> Any:
    """A shopper of two shops is two shoppers."""
    return replace(one, hits=one.hits + other.hits, n=one.n + other.n)


def _keys(asked: read.Asked, teams: Teams) -> set[str]:
    return {str(asked.team)} | {str(pool.id) for pool in teams.pools.values() if pool.team == asked.team}


async def _series(
    conn: Connection, asked: read.Asked, teams: Teams, by: By, names: dict[str, str]
) -> list[dict[str, Any]]:
    found = await read.sums(conn, asked, by, teams)
    keys: list[str | None] = sorted(found, key=lambda key: key or "")
    if by == "day":
        days = (asked.last - asked.first).days + 1
        keys = [(asked.first + timedelta(days=number)).isoformat() for number in range(days)]
    elif by == "hour":
        keys = [str(hour) for hour in range(24)]
    rows = []
    for key in keys:
        figures = figures_json(found.get(key, Sums()))
        protected = by == "agent" and key is not None and UUID(key) in teams.protected
        if protected:
            figures = without_speed(figures)
        name = names.get(key or "") or _name(by, key, teams)
        rows.append({"key": key, "name": name, "figures": figures, "protected": protected})
    return rows


def _name(by: By, key: str | None, teams: Teams) -> str:
    if key is None or by in ("topic", "day", "hour", "menu", "push"):
        return ""
    if by == "team":
        return next((pool.provider_name for pool in teams.pools.values() if pool.team == key), "")
    if by == "pool":
        pool = teams.pools.get(UUID(key))
        return pool.name if pool else ""
    return teams.agents.get(UUID(key), "")
