"""REST of the figures: live overview, reports with all that is behind them, exports, and an agent's own day.

A merchant and the shop's supervisors see everything of their shops; a provider's people see their own team's part.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from metrics import cards_postgres, change_report, definitions, drill_postgres, live, profile_rows, report
from metrics import report_postgres as read
from metrics.clocks import Calendar
from metrics.conversion import DEFAULT_RULE, RULES
from metrics.drill_postgres import Outcome
from metrics.figures import SERVICE_MS, Sums, figures_json
from metrics.profiles import PROFILES
from metrics.record_postgres import calendars
from metrics.tables_out import FIGURE_COLUMNS, cells, csv_response, exported, named
from metrics.teams import NamesOf, Teams, TeamsOf, no_names, nobody_known
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage.postgres import Connection

DAYS_MAX = 400
PROFILE_TURNS_MAX = 50_000
By = Literal["team", "pool", "agent", "topic", "day", "hour", "menu", "push"]


class Period(BaseModel):
    """Business days of the shop, both inclusive; none: today. ``team`` is ``own`` or a provider's id."""

    model_config = ConfigDict(extra="forbid")

    first: date | None = None
    last: date | None = None
    pool: UUID | None = None
    agent: UUID | None = None
    team: Annotated[str, Field(max_length=40)] | None = None
    rule: str = DEFAULT_RULE.name
    service_ms: Annotated[int, Field(ge=1_000, le=3_600_000)] = SERVICE_MS


class Grouped(Period):
    by: By


class Turns(Period):
    outcome: Outcome = "all"
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Orders(Period):
    kind: Literal["touched", "rescued", "bot", "silent", "late"] | None = None
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Since(BaseModel):
    """``team``: the provider whose people are set beside the own ones."""

    model_config = ConfigDict(extra="forbid")

    since: date
    days: Annotated[int, Field(ge=1, le=92)] = 28
    team: Annotated[str, Field(max_length=40)] | None = None


class Profiles(BaseModel):
    """Definitions by name; none: all of them."""

    model_config = ConfigDict(extra="forbid")

    names: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=40)]


class Void(BaseModel):
    """Why a turn is to count no longer; empty: it counts again."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=200)]


Wanted = Annotated[Period, Query()]


def router(deps: Deps, teams_of: TeamsOf = nobody_known, names_of: NamesOf = no_names) -> APIRouter:
    """All routes lie under ``/metrics``; the composition root mounts them under ``/api/v1`` and lends all names."""
    routes = APIRouter(prefix="/metrics", tags=["metrics"])
    anyone = deps.require(Role.MERCHANT, Role.AGENT, Role.PROVIDER)
    agent = deps.require(Role.AGENT)

    async def overseer(actor: Actor = Depends(anyone)) -> Actor:
        if actor.role is Role.AGENT and not actor.supervisor:
            raise forbidden("role.wrong", "reports are for merchants, providers and supervisors")
        return actor

    async def shopside(actor: Actor = Depends(deps.require(Role.MERCHANT, Role.AGENT))) -> Actor:
        if actor.role is Role.AGENT and (actor.provider is not None or not actor.supervisor):
            raise forbidden("role.wrong", "this is for merchants and their supervisors")
        return actor

    async def merchant(actor: Actor = Depends(deps.require(Role.MERCHANT))) -> Actor:
        return actor

    async def asked_of(
        conn: Connection, shop: UUID, actor: Actor, wanted: Period
    ) -> tuple[read.Asked, Teams, Calendar]:
        """What is asked for, cut to what this actor may see. Raises ``period.wrong``, ``rule.unknown``."""
        calendar = (await calendars(conn, [shop]))[shop]
        today = calendar.day(clock.now_ms())
        last = wanted.last or wanted.first or today
        first = wanted.first or last
        if first > last or (last - first).days >= DAYS_MAX:
            raise Refusal("period.wrong", f"a period has 1 to {DAYS_MAX} days", field="first")
        if wanted.rule not in RULES:
            raise Refusal("rule.unknown", f"one of {', '.join(RULES)}", field="rule")
        team = wanted.team if actor.provider is None else str(actor.provider)
        asked = read.Asked(shop, first, last, wanted.pool, wanted.agent, team, wanted.rule, wanted.service_ms)
        return asked, await teams_of(conn, shop), calendar

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

    @routes.get("/{shop}/overview")
    async def overview(shop: UUID, actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """The live board, and today so far."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asked_of(conn, shop, actor, Period())
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
            asked, teams, _ = await asked_of(conn, shop, actor, wanted)
            found = await report.document(conn, asked, teams)
        if actor.provider is not None:
            found["rows"] = [row for row in found["rows"] if row["kind"] == "all" or row["key"] in _keys(asked, teams)]
            found["revenue"] = {}
        return found

    @routes.get("/{shop}/series")
    async def series(
        shop: UUID, wanted: Annotated[Grouped, Query()], actor: Actor = Depends(overseer)
    ) -> dict[str, Any]:
        """The figures by day, hour, pool, team or agent; days without anything are there too."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asked_of(conn, shop, actor, wanted)
            rows = await _series(conn, asked, teams, wanted.by, await names_of(conn, shop, wanted.by))
        return {"by": wanted.by, "first": asked.first, "last": asked.last, "rows": rows}

    @routes.get("/{shop}/series.csv")
    async def series_csv(shop: UUID, wanted: Annotated[Grouped, Query()], actor: Actor = Depends(overseer)) -> Response:
        """Exactly the table that the page shows."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asked_of(conn, shop, actor, wanted)
            rows = await _series(conn, asked, teams, wanted.by, await names_of(conn, shop, wanted.by))
        headings = [wanted.by, "name", *FIGURE_COLUMNS]
        body = [[row["key"] or "", row["name"], *cells(row["figures"])] for row in rows]
        return csv_response(f"{wanted.by}-{asked.first}-{asked.last}", headings, body)

    @routes.get("/{shop}/turns")
    async def turns(shop: UUID, wanted: Annotated[Turns, Query()], actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """The very turns behind a figure, the unanswered and slowest first."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asked_of(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(conn, asked, teams, outcome=wanted.outcome, offset=wanted.offset)
        more = len(rows) == drill_postgres.TURNS_PAGE
        return {
            "rows": [named(row, teams) for row in rows],
            "next_offset": wanted.offset + len(rows) if more else None,
        }

    @routes.get("/{shop}/turns.csv")
    async def turns_csv(shop: UUID, wanted: Annotated[Turns, Query()], actor: Actor = Depends(overseer)) -> Response:
        """One row a turn."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asked_of(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(
                conn, asked, teams, outcome=wanted.outcome, limit=drill_postgres.EXPORT_MAX
            )
        columns = ["thread_id", "first_seq", "conversation_id", "day", "opened_at", "human_at", "assigned_at",
                   "answered_at", "answered_by", "agent", "pool", "questions", "transfers", "wait_ms", "agent_wait_ms",
                   "response_ms", "business_ms", "excluded", "void_reason", "left_message"]  # fmt: skip
        return csv_response(f"turns-{asked.first}-{asked.last}", columns, exported(rows, columns, teams, calendar))

    @routes.get("/{shop}/conversations.csv")
    async def conversations_csv(shop: UUID, wanted: Wanted, actor: Actor = Depends(overseer)) -> Response:
        """One row a conversation."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asked_of(conn, shop, actor, wanted)
            rows = await drill_postgres.conversations(conn, asked, teams)
        columns = ["conversation_id", "thread_id", "day", "opened_at", "enqueued_at", "assigned_at", "first_human_at",
                   "closed_at", "close_reason", "agent", "pool", "topic", "shopper_messages", "human_messages",
                   "bot_messages", "transfers", "left_message", "abandoned", "score"]  # fmt: skip
        return csv_response(
            f"conversations-{asked.first}-{asked.last}", columns, exported(rows, columns, teams, calendar)
        )

    @routes.put("/{shop}/turns/{thread}/{first_seq}/void", status_code=204)
    async def void(shop: UUID, thread: UUID, first_seq: int, why: Void, actor: Actor = Depends(merchant)) -> None:
        """Takes a turn out of every figure (spam, a test), or puts it back; audited. Raises ``turn.not_found``."""
        async with deps.scope(actor, shop) as conn:
            if not await drill_postgres.void(conn, shop, thread, first_seq, why.reason):
                raise not_found("turn")
            await deps.audit(conn, actor, shop, "turn.void", f"{thread}/{first_seq}", {"reason": why.reason})

    @routes.get("/{shop}/orders")
    async def orders(
        shop: UUID, wanted: Annotated[Orders, Query()], actor: Actor = Depends(overseer)
    ) -> dict[str, Any]:
        """The orders behind the money, each with whom it is credited to."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asked_of(conn, shop, actor, wanted)
            rows = await drill_postgres.orders(conn, asked, teams, kind=wanted.kind, offset=wanted.offset)
        more = len(rows) == drill_postgres.TURNS_PAGE
        return {
            "rows": [named(row, teams) for row in rows],
            "next_offset": wanted.offset + len(rows) if more else None,
        }

    @routes.get("/{shop}/orders.csv")
    async def orders_csv(shop: UUID, wanted: Annotated[Orders, Query()], actor: Actor = Depends(overseer)) -> Response:
        """One row a part of an order; the parts of an order add up to what was paid."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asked_of(conn, shop, actor, wanted)
            rows = await drill_postgres.orders(conn, asked, teams, kind=wanted.kind, limit=drill_postgres.EXPORT_MAX)
        columns = ["order_id", "kind", "created_at", "converted_at", "agent", "pool", "orders", "paid_fen",
                   "refunded_fen", "conversation_id"]  # fmt: skip
        return csv_response(f"orders-{asked.first}-{asked.last}", columns, exported(rows, columns, teams, calendar))

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
            asked, teams, calendar = await asked_of(conn, shop, actor, wanted)
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
            for speed in ("first_response", "response"):
                figures[speed] = {of: value if of == "n" else None for of, value in figures[speed].items()}
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
