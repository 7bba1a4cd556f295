"""REST of the settlement: what was issued and what today would come to, disputes and signatures, with all evidence.

A merchant reads his shop's statements and answers disputes; a provider reads his own of all shops, disputes and signs.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from metrics import statement_record as record
from metrics.agreements import AgreementsOf, none_known
from metrics.record_postgres import calendars
from metrics.statement_out import csv_response, issued_json, preview_json, xlsx_response
from metrics.statements import day_statements
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.days import Day
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage.postgres import Connection

DAYS_MAX = 62
PROVIDER_DAYS = 31  # shown where a provider names no days
Line = Annotated[int, Path(ge=0, le=10_000)]
_Fen = Annotated[int, Field(ge=-(10**12), le=10**12)]


class Days(BaseModel):
    """Business days of the shop, both inclusive; none: yesterday and today."""

    model_config = ConfigDict(extra="forbid")

    first: Day | None = None
    last: Day | None = None


class Disputed(BaseModel):
    """What the line should come to, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    claimed_fen: _Fen


class Answered(BaseModel):
    """What the line comes to after all; none: it stays as issued."""

    model_config = ConfigDict(extra="forbid")

    agreed_fen: _Fen | None = None
    note: Annotated[str, Field(max_length=500)] = ""


Asked = Annotated[Days, Query()]


def router(deps: Deps, agreements_of: AgreementsOf = none_known) -> APIRouter:
    """The merchant's side, under ``/metrics`` like the other figures."""
    routes = APIRouter(prefix="/metrics", tags=["metrics"])
    merchant = deps.require(Role.MERCHANT)

    async def found(
        conn: Connection, shop: UUID, days: Days, *, evidence: bool = False
    ) -> tuple[date, date, list[dict[str, Any]]]:
        """Issued statements as they stand, the other days as they would come to now. Raises ``period.wrong``."""
        calendar = (await calendars(conn, [shop]))[shop]
        last = days.last or days.first or calendar.day(clock.now_ms())
        first = days.first or (last if days.last else last - timedelta(days=1))
        _checked(first, last)
        issued = await record.of_shop(conn, shop, first, last, evidence=evidence)
        stands = {(one.contract, one.day): one.fee_fen for one in issued}
        agreements = await agreements_of(conn, shop)
        rows = [issued_json(one, evidence=evidence) for one in issued]
        days_asked = (first + timedelta(days=number) for number in range((last - first).days + 1))
        open_days = [day for day in days_asked if any((one.contract, day) not in stands for one in agreements)]
        if open_days:
            some = await day_statements(conn, shop, agreements, open_days[0], open_days[-1], calendar, stands)
            rows += [preview_json(one, evidence=evidence) for one in some
                     if (one.agreement.contract, one.day) not in stands]  # fmt: skip
        rows.sort(key=lambda one: (-one["day"].toordinal(), str(one["contract"])))
        return first, last, rows

    @routes.get("/{shop}/statements")
    async def statements(shop: UUID, days: Asked, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """One statement a contract and day, the newest day first, with how much evidence each line has."""
        async with deps.scope(actor, shop) as conn:
            first, last, rows = await found(conn, shop, days)
        return _listed(first, last, rows)

    @routes.get("/{shop}/statements.csv")
    async def statements_csv(shop: UUID, days: Asked, actor: Actor = Depends(merchant)) -> Response:
        """One row a line; the last cell lists its evidence."""
        async with deps.scope(actor, shop) as conn:
            first, last, rows = await found(conn, shop, days, evidence=True)
        return csv_response(f"statements-{first}-{last}", rows)

    @routes.get("/{shop}/statements.xlsx")
    async def statements_xlsx(shop: UUID, days: Asked, actor: Actor = Depends(merchant)) -> Response:
        """A sheet of lines and one of their evidence."""
        async with deps.scope(actor, shop) as conn:
            first, last, rows = await found(conn, shop, days, evidence=True)
        return xlsx_response(f"statements-{first}-{last}", rows)

    @routes.get("/{shop}/statements/{contract}")
    async def statement(shop: UUID, contract: UUID, day: Day, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """That day's, with the ids of conversations and orders behind each line. Raises ``statement.not_found``."""
        async with deps.scope(actor, shop) as conn:
            _, _, rows = await found(conn, shop, Days(first=day, last=day), evidence=True)
        for one in rows:
            if one["contract"] == contract:
                return one
        raise not_found("statement")

    @routes.post("/{shop}/statements/{contract}/{day}/lines/{line}/answer", status_code=204)
    async def answer(
        shop: UUID, contract: UUID, day: Day, line: Line, said: Answered, actor: Actor = Depends(merchant)
    ) -> None:
        """The last word on a line. Raises ``dispute.not_found``, ``dispute.answered``, ``statement.signed``."""
        async with deps.scope(actor, shop) as conn:
            one = await record.answer(
                conn, shop, contract, day, line, agreed_fen=said.agreed_fen, note=said.note, by=actor.id,
                now_ms=clock.now_ms(),
            )  # fmt: skip
            detail = {"day": day.isoformat(), "line": line, **said.model_dump()}
            await deps.audit(conn, actor, one.shop, "dispute.answered", str(contract), detail)

    return routes


def provider_router(deps: Deps) -> APIRouter:
    """The provider's side: his own statements of all shops and nobody else's."""
    routes = APIRouter(prefix="/outsourcing/statements", tags=["outsourcing"])
    chief = deps.require(Role.PROVIDER)

    async def found(actor: Actor, days: Days, *, evidence: bool = False) -> tuple[date, date, list[dict[str, Any]]]:
        """Raises ``period.wrong``, ``provider.missing``."""
        last = days.last or days.first or date.fromtimestamp(clock.now_ms() / 1000) + timedelta(days=1)
        first = days.first or last - timedelta(days=PROVIDER_DAYS)
        _checked(first, last)
        async with deps.pool.acquire() as conn:
            issued = await record.of_provider(conn, _provider(actor), first, last, evidence=evidence)
        return first, last, [issued_json(one, evidence=evidence) for one in issued]

    @routes.get("")
    async def statements(days: Asked, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Every statement that was issued for this provider, the newest day first."""
        return _listed(*await found(actor, days))

    @routes.get(".csv")
    async def statements_csv(days: Asked, actor: Actor = Depends(chief)) -> Response:
        first, last, rows = await found(actor, days, evidence=True)
        return csv_response(f"statements-{first}-{last}", rows)

    @routes.get(".xlsx")
    async def statements_xlsx(days: Asked, actor: Actor = Depends(chief)) -> Response:
        first, last, rows = await found(actor, days, evidence=True)
        return xlsx_response(f"statements-{first}-{last}", rows)

    @routes.get("/{contract}")
    async def statement(contract: UUID, day: Day, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """With all evidence. Raises ``statement.not_found``."""
        _, _, rows = await found(actor, Days(first=day, last=day), evidence=True)
        for one in rows:
            if one["contract"] == contract:
                return one
        raise not_found("statement")

    @routes.put("/{contract}/{day}/lines/{line}/dispute", status_code=204)
    async def dispute(contract: UUID, day: Day, line: Line, said: Disputed, actor: Actor = Depends(chief)) -> None:
        """Raises ``statement.not_found``, ``statement.signed``, ``statement.due``, ``line.not_found``,
        ``dispute.answered``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            one = await record.dispute(
                conn, _provider(actor), contract, day, line, reason=said.reason, claimed_fen=said.claimed_fen,
                by=actor.id, now_ms=clock.now_ms(),
            )  # fmt: skip
            detail = {"day": day.isoformat(), "line": line, **said.model_dump()}
            for book in (one.shop, one.provider):
                await deps.audit(conn, actor, book, "statement.disputed", str(contract), detail)

    @routes.post("/{contract}/{day}/sign", status_code=204)
    async def sign(contract: UUID, day: Day, actor: Actor = Depends(chief)) -> None:
        """Nothing of it changes any more. Raises ``statement.not_found``, ``statement.signed``,
        ``statement.disputed``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            one = await record.sign(conn, _provider(actor), contract, day, by=actor.id)
            detail = {"day": day.isoformat(), "total_fen": one.total_fen}
            for book in (one.shop, one.provider):
                await deps.audit(conn, actor, book, "statement.signed", str(contract), detail)

    return routes


def _provider(actor: Actor) -> UUID:
    if actor.provider is None:
        raise forbidden("provider.missing", "this account belongs to no provider")
    return actor.provider


def _checked(first: date, last: date) -> None:
    if first > last or (last - first).days >= DAYS_MAX:
        raise Refusal("period.wrong", f"a period has 1 to {DAYS_MAX} days", field="first")


def _listed(first: date, last: date, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"first": first, "last": last, "total_fen": sum(one["total_fen"] for one in rows), "statements": rows}
