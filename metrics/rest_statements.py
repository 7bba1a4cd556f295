"""REST of the settlement: daily statements by contract, with the conversations and orders behind every line."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from metrics.agreements import AgreementsOf, none_known
from metrics.csv_out import Cell, csv_text
from metrics.record_postgres import calendars
from metrics.statements import DayStatement, day_statements
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

DAYS_MAX = 62


class Days(BaseModel):
    """Business days of the shop, both inclusive; none: yesterday and today."""

    model_config = ConfigDict(extra="forbid")

    first: date | None = None
    last: date | None = None


def router(deps: Deps, agreements_of: AgreementsOf = none_known) -> APIRouter:
    """Under ``/metrics`` like the other figures. A provider sees his own contracts only."""
    routes = APIRouter(prefix="/metrics", tags=["metrics"])
    signer = deps.require(Role.MERCHANT, Role.PROVIDER)

    async def found(conn: Connection, shop: UUID, actor: Actor, days: Days) -> tuple[date, date, list[DayStatement]]:
        """Raises ``period.wrong``."""
        calendar = (await calendars(conn, [shop]))[shop]
        last = days.last or days.first or calendar.day(clock.now_ms())
        first = days.first or (last if days.last else last.fromordinal(last.toordinal() - 1))
        if first > last or (last - first).days >= DAYS_MAX:
            raise Refusal("period.wrong", f"a period has 1 to {DAYS_MAX} days", field="first")
        agreements = [
            one for one in await agreements_of(conn, shop) if actor.provider is None or one.provider == actor.provider
        ]
        return first, last, await day_statements(conn, shop, agreements, first, last, calendar)

    @routes.get("/{shop}/statements")
    async def statements(shop: UUID, days: Annotated[Days, Query()], actor: Actor = Depends(signer)) -> dict[str, Any]:
        """One statement a contract and day, the newest day first, with how much evidence each line has."""
        async with deps.scope(actor, shop) as conn:
            first, last, rows = await found(conn, shop, actor, days)
        return {
            "first": first,
            "last": last,
            "total_fen": sum(one.statement.total_fen for one in rows),
            "statements": [_json(one) for one in rows],
        }

    @routes.get("/{shop}/statements.csv")
    async def statements_csv(shop: UUID, days: Annotated[Days, Query()], actor: Actor = Depends(signer)) -> Response:
        """One row a line; the last cell lists its evidence."""
        async with deps.scope(actor, shop) as conn:
            first, last, rows = await found(conn, shop, actor, days)
        headings = ["day", "contract", "version", "provider", "kind", "label", "quantity", "unit_fen", "amount_fen",
                    "evidence"]  # fmt: skip
        body: list[list[Cell]] = [
            [one.day.isoformat(), str(one.agreement.contract), one.version.terms.version, one.agreement.provider_name,
             str(line.kind), line.label, line.quantity, line.unit_fen, line.amount_fen, " ".join(line.evidence)]
            for one in rows for line in one.statement.lines
        ]  # fmt: skip
        return Response(
            csv_text(headings, body),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="statements-{first}-{last}.csv"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    @routes.get("/{shop}/statements/{contract}")
    async def statement(shop: UUID, contract: UUID, day: date, actor: Actor = Depends(signer)) -> dict[str, Any]:
        """That day's, with the ids of conversations and orders behind each line. Raises ``statement.not_found``."""
        async with deps.scope(actor, shop) as conn:
            _, _, rows = await found(conn, shop, actor, Days(first=day, last=day))
        for one in rows:
            if one.agreement.contract == contract:
                return _json(one, evidence=True)
        raise not_found("statement")

    return routes


def _json(one: DayStatement, *, evidence: bool = False) -> dict[str, Any]:
    return {
        "contract": one.agreement.contract,
        "version": one.version.terms.version,
        "provider": one.agreement.provider_name,
        "day": one.day,
        "cycle": one.version.cycle,
        "unsettled": one.version.unsettled,
        "total_fen": one.statement.total_fen,
        "lines": [
            {
                "kind": line.kind,
                "label": line.label,
                "quantity": line.quantity,
                "unit_fen": line.unit_fen,
                "amount_fen": line.amount_fen,
                "evidence_n": len(line.evidence),
                **({"evidence": line.evidence} if evidence else {}),
            }
            for line in one.statement.lines
        ],
    }
