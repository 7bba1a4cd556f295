"""REST of quality checks: graders grade blind, the shop has the last word, agents and providers read and appeal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from random import Random
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from metrics.asking import DAYS_MAX, Asking
from metrics.figures import rate_json
from metrics.intervals import Rate
from metrics.quality import checking, record
from metrics.quality.model import APPEAL_DAYS, PROPOSED, Closed, Graded, Mark, Sheet, agreement
from metrics.quality.rules import Rule
from metrics.record_postgres import calendars
from metrics.tables_out import named
from metrics.teams import OWN, Teams, TeamsOf, nobody_known
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage.postgres import Connection
from wangxin.visibility import Viewer, visible

PERIOD_DAYS = 35
_Words = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]


class Week(Closed):
    """A day of the week that is drawn."""

    day: date


class Given(Closed):
    marks: dict[Annotated[str, Field(max_length=20)], Mark] = Field(max_length=20)
    fatal: tuple[Annotated[str, Field(max_length=20)], ...] = Field(default=(), max_length=10)
    note: _Words = ""


class Decided(Closed):
    score: int = Field(ge=0, le=100)
    passed: bool
    note: _Words = ""


class Appealed(Closed):
    reason: Annotated[_Words, StringConstraints(min_length=1)]


class Days(Closed):
    first: Day | None = None
    last: Day | None = None


class Hinted(Days):
    rule: Rule | None = None


def router(deps: Deps, teams_of: TeamsOf = nobody_known) -> APIRouter:
    """All routes lie under ``/quality``. Graders are merchants and their own supervisors."""
    routes = APIRouter(prefix="/quality", tags=["quality"])
    grader = Asking(deps, teams_of).shopside
    merchant, agent = deps.require(Role.MERCHANT), deps.require(Role.AGENT)
    chief, judged = deps.require(Role.PROVIDER), deps.require(Role.AGENT, Role.PROVIDER)

    # --- whom it is about --------------------------------------------------------------------------------------------

    @routes.get("/mine")
    async def mine(actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The agent's graded conversations in all shops, with marks and notes; who graded is not said."""
        async with deps.pool.acquire() as conn:
            rows = [row for row in await record.of_agent(conn, actor.id) if row["shop_id"] in actor.shops]
            return {"rows": rows, "sheets": await _sheets(conn, rows), "appeal_days": APPEAL_DAYS,
                    **_sums(rows)}  # fmt: skip

    @routes.get("/provided")
    async def provided(actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The graded conversations of a provider's people in all shops."""
        async with deps.pool.acquire() as conn:
            rows = await record.of_provider(conn, _provider(actor))
            teams = {shop: await teams_of(conn, shop) for shop in {row["shop_id"] for row in rows}}
            rows = [named(row, teams[row["shop_id"]]) for row in rows]
            return {"rows": rows, "sheets": await _sheets(conn, rows), "appeal_days": APPEAL_DAYS,
                    **_sums(rows)}  # fmt: skip

    async def theirs(conn: Connection, shop: UUID, sample: UUID, actor: Actor) -> Any:
        """A graded sample of the agent himself, or of the provider's people. Raises ``sample.not_found``."""
        one = await record.sample(conn, shop, sample)
        mine = one["agent_id"] == actor.id if actor.role is Role.AGENT else one["provider_id"] == actor.provider
        if not mine or (actor.role is Role.AGENT and shop not in actor.shops):
            raise not_found("sample")
        return one

    @routes.post("/{shop}/samples/{sample}/appeal", status_code=204)
    async def appeal(shop: UUID, sample: UUID, said: Appealed, actor: Actor = Depends(judged)) -> None:
        """Once a sample. Raises ``sample.ungraded``, ``sample.appealed``, ``sample.decided``, ``appeal.late``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            one = await theirs(conn, shop, sample, actor)
            await record.appeal(conn, one, str(actor.role), actor.id, said.reason, clock.now_ms())
            await deps.audit(conn, actor, shop, "quality.appealed", str(sample), {"reason": said.reason})

    @routes.get("/{shop}/samples/{sample}/words")
    async def words(shop: UUID, sample: UUID, actor: Actor = Depends(judged)) -> dict[str, Any]:
        """The conversation itself, for the agent and his provider, personal fields masked."""
        async with deps.pool.acquire() as conn:
            one = await theirs(conn, shop, sample, actor)
            if one["graded_at"] is None:
                raise not_found("sample")
            return {"lines": _blind(await record.lines(conn, one), ())}

    # --- the shop's graders ------------------------------------------------------------------------------------------

    @routes.get("/{shop}/sheet")
    async def sheet(shop: UUID, actor: Actor = Depends(grader)) -> dict[str, Any]:
        """The sheet in force; version 0: a proposal to begin with."""
        async with deps.scope(actor, shop) as conn:
            version, how = await record.sheet(conn, shop) or (0, PROPOSED)
        return {"version": version, "sheet": how.model_dump(mode="json")}

    @routes.put("/{shop}/sheet")
    async def write_sheet(shop: UUID, new: Sheet, actor: Actor = Depends(merchant)) -> dict[str, int]:
        """The next version; from then on each week is drawn by itself."""
        async with deps.scope(actor, shop) as conn:
            version = await record.write_sheet(conn, shop, new, actor.id)
            await deps.audit(conn, actor, shop, "quality.sheet", str(version))
        return {"version": version}

    @routes.post("/{shop}/draw")
    async def draw(shop: UUID, week: Week, actor: Actor = Depends(merchant)) -> dict[str, int]:
        """Draw what a week still lacks, also of one that is not over. Raises ``sheet.none``, ``week.future``."""
        monday = week.day - timedelta(days=week.day.weekday())
        async with deps.scope(actor, shop) as conn:
            if await record.sheet(conn, shop) is None:
                raise Refusal("sheet.none", "write a sheet first", status=409)
            if monday > (await calendars(conn, [shop]))[shop].day(clock.now_ms()):
                raise Refusal("week.future", "this week has not begun", field="day")
            n = await record.draw_week(conn, shop, monday, Random(clock.new_secret()))
            await deps.audit(conn, actor, shop, "quality.drawn", monday.isoformat(), {"n": n})
        return {"drawn": n}

    @routes.get("/{shop}/queue")
    async def queue(shop: UUID, actor: Actor = Depends(grader)) -> dict[str, Any]:
        """What this person may still grade, in an order that says nothing."""
        async with deps.scope(actor, shop) as conn:
            return {"rows": await record.queue(conn, shop, actor.id)}

    @routes.get("/{shop}/samples/{sample}/blind")
    async def blind(shop: UUID, sample: UUID, actor: Actor = Depends(grader)) -> dict[str, Any]:
        """The conversation without names: agent, provider and earlier grades stay hidden."""
        async with deps.scope(actor, shop) as conn:
            one = await record.sample(conn, shop, sample)
            if one["agent_id"] == actor.id:
                raise not_found("sample")
            names = (await teams_of(conn, shop)).agents
            lines = await record.lines(conn, one)
        return {"lines": _blind(lines, set(names.values()))}

    @routes.post("/{shop}/samples/{sample}/grade")
    async def grade(shop: UUID, sample: UUID, given: Given, actor: Actor = Depends(grader)) -> dict[str, Any]:
        """Raises ``grade.own``, ``grade.given``, ``grade.full``, ``grade.incomplete``, ``grade.unknown``,
        ``sheet.none``."""
        async with deps.scope(actor, shop) as conn:
            done = await record.grade(conn, shop, sample, actor.id, dict(given.marks), given.fatal, given.note)
            await deps.audit(conn, actor, shop, "quality.graded", str(sample), {"score": done.score})
        return {"score": done.score, "passed": done.passed}

    @routes.get("/{shop}/results")
    async def results(shop: UUID, days: Annotated[Days, Query()], actor: Actor = Depends(grader)) -> dict[str, Any]:
        """What was graded, by team and agent, how far two graders agree, and what waits for a last word. Raises
        ``period.wrong``."""
        async with deps.scope(actor, shop) as conn:
            first, last = await _period(conn, shop, days)
            teams = await teams_of(conn, shop)
            rows = await record.of_shop(conn, shop, first, last, actor.id)
            both = agreement(await record.pairs(conn, shop, first, last))
            sheets = await _sheets(conn, rows)
        return {
            "first": first, "last": last, "rows": [named(row, teams) for row in rows], "sheets": sheets, **_sums(rows),
            "teams": _by_team(rows, teams), "double": {**rate_json(both.same), "kappa": both.kappa},
        }  # fmt: skip

    @routes.get("/{shop}/hints")
    async def hints(shop: UUID, asked: Annotated[Hinted, Query()], actor: Actor = Depends(grader)) -> dict[str, Any]:
        """What the rules found in every ended conversation of the period, by rule, and the newest of them. Raises
        ``period.wrong``."""
        async with deps.scope(actor, shop) as conn:
            first, last = await _period(conn, shop, asked)
            teams = await teams_of(conn, shop)
            found = await checking.found(conn, shop, first, last, asked.rule)
        return {"first": first, "last": last, **found, "rows": [named(row, teams) for row in found["rows"]]}

    @routes.post("/{shop}/samples/{sample}/decide", status_code=204)
    async def decide(shop: UUID, sample: UUID, last: Decided, actor: Actor = Depends(merchant)) -> None:
        """The last word. Raises ``sample.undisputed``, ``sample.decided``."""
        async with deps.scope(actor, shop) as conn:
            await record.decide(conn, shop, sample, actor.id, Graded(last.score, last.passed), last.note)
            await deps.audit(conn, actor, shop, "quality.decided", str(sample), last.model_dump())

    return routes


async def _period(conn: Connection, shop: UUID, days: Days) -> tuple[date, date]:
    today = (await calendars(conn, [shop]))[shop].day(clock.now_ms())
    last = days.last or days.first or today
    first = days.first or last - timedelta(days=PERIOD_DAYS)
    if first > last or (last - first).days >= DAYS_MAX:
        raise Refusal("period.wrong", f"a period has 1 to {DAYS_MAX} days", field="first")
    return first, last


def _provider(actor: Actor) -> UUID:
    if actor.provider is None:
        raise forbidden("provider.missing", "this account belongs to no provider")
    return actor.provider


async def _sheets(conn: Connection, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """``{shop}/{version}`` -> the sheet, of every grade among the rows."""
    found = {}
    for shop, version in {(row["shop_id"], grade["version"]) for row in rows for grade in row["grades"]}:
        known = await record.sheet(conn, shop, version)
        assert known is not None, "a grade names its sheet"
        found[f"{shop}/{version}"] = known[1].model_dump(mode="json")
    return found


def _rate(rows: Iterable[dict[str, Any]]) -> Rate:
    judged = [row["passed"] for row in rows if row["stratum"] == "random" and row["passed"] is not None]
    return Rate(sum(judged), len(judged))


def _sums(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The share that passes among those drawn by chance; the others were drawn because something was odd."""
    return {"passed": rate_json(_rate(rows))}


def _by_team(rows: list[dict[str, Any]], teams: Teams) -> list[dict[str, Any]]:
    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by.setdefault(OWN if row["provider_id"] is None else str(row["provider_id"]), []).append(row)
    names = {pool.team: pool.provider_name for pool in teams.pools.values()}
    return [
        {"team": team, "name": "" if team == OWN else names.get(team, ""), "passed": rate_json(_rate(some))}
        for team, some in sorted(by.items(), key=lambda one: (one[0] != OWN, one[0]))
    ]


def _blind(lines: Iterable[Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Lines as ``EntryView`` without anybody's name; names that stand in the words are hidden too."""
    hidden = sorted((name for name in names if len(name) > 1), key=len, reverse=True)
    found = []
    for line in lines:
        body = line["body"]
        for name in hidden:
            body = body.replace(name, "*" * len(name))
        shown = visible(
            Viewer.OUTSOURCED, lane="public", kind=line["kind"], body=body, recalled=line["recalled"],
            sender_kind=line["sender_kind"], sender_name="",
        )  # fmt: skip
        assert shown is not None, "a public line shows something"
        found.append(
            {
                "thread": "", "lane": "public", "seq": line["seq"], "at_ms": line["at_ms"],
                "sender": {"kind": line["sender_kind"], "name": "", "id": None, "me": line["sender_kind"] == "agent"},
                "conversation": None, "body": None if shown.body is None else orjson.loads(shown.body),
            }
        )  # fmt: skip
    return found
