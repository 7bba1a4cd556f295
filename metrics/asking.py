"""Who may ask for figures, and for which: shared by the routers of the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from metrics import report_postgres as read
from metrics.clocks import Calendar
from metrics.conversion import DEFAULT_RULE, RULES
from metrics.drill_postgres import Cut, Outcome, Those
from metrics.figures import SERVICE_MS
from metrics.record_postgres import calendars
from metrics.teams import Teams, TeamsOf
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import Refusal, forbidden
from wangxin.storage.postgres import Connection

DAYS_MAX = 400


class Period(BaseModel):
    """Business days of the shop, both inclusive; none: today. ``team`` is ``own`` or a provider's id."""

    model_config = ConfigDict(extra="forbid")

    first: Day | None = None
    last: Day | None = None
    pool: UUID | None = None
    agent: UUID | None = None
    team: Annotated[str, Field(max_length=40)] | None = None
    rule: str = DEFAULT_RULE.name
    service_ms: Annotated[int, Field(ge=1_000, le=3_600_000)] = SERVICE_MS


class Drill(Period):
    """One row of a table by topic, menu item, push rule or hour; an empty ``key`` is the row of those without one."""

    cut: Cut | None = None
    key: Annotated[str, Field(max_length=80)] = ""
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Turns(Drill):
    outcome: Outcome = "all"


class Conversations(Drill):
    which: Those = "all"


class Orders(Drill):
    kind: Literal["touched", "rescued", "bot", "silent", "late"] | None = None


Wanted = Annotated[Period, Query()]


@dataclass(frozen=True, slots=True)
class Asking:
    """The dependencies of a route: ``Depends(asking.overseer)``."""

    deps: Deps
    teams_of: TeamsOf

    async def overseer(self, request: Request) -> Actor:
        """Merchants, providers and supervisors. Raises ``role.wrong``."""
        actor = await self.deps.require(Role.MERCHANT, Role.AGENT, Role.PROVIDER)(request)
        if actor.role is Role.AGENT and not actor.supervisor:
            raise forbidden("role.wrong", "reports are for merchants, providers and supervisors")
        return actor

    async def shopside(self, request: Request) -> Actor:
        """Merchants and their own supervisors. Raises ``role.wrong``."""
        actor = await self.deps.require(Role.MERCHANT, Role.AGENT)(request)
        if actor.role is Role.AGENT and (actor.provider is not None or not actor.supervisor):
            raise forbidden("role.wrong", "this is for merchants and their supervisors")
        return actor

    async def asked(
        self, conn: Connection, shop: UUID, actor: Actor, wanted: Period
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
        return asked, await self.teams_of(conn, shop), calendar
