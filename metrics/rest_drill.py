"""REST of what is behind the figures: the very turns, conversations and orders, as pages and as exports."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from metrics import drill_postgres
from metrics.asking import Asking, Conversations, Orders, Turns
from metrics.drill_postgres import EXPORT_MAX, TURNS_PAGE, Cut
from metrics.rows import Row
from metrics.tables_out import csv_response, exported, named
from metrics.teams import Teams, TeamsOf, nobody_known
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found


class Void(BaseModel):
    """Why a turn is to count no longer; empty: it counts again."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=200)]


def router(deps: Deps, teams_of: TeamsOf = nobody_known) -> APIRouter:
    """Under ``/metrics`` like the figures themselves."""
    routes = APIRouter(prefix="/metrics", tags=["metrics"])
    asking = Asking(deps, teams_of)
    overseer, merchant = asking.overseer, deps.require(Role.MERCHANT)

    @routes.get("/{shop}/turns")
    async def turns(shop: UUID, wanted: Annotated[Turns, Query()], actor: Actor = Depends(overseer)) -> dict[str, Any]:
        """The very turns behind a figure, the unanswered and slowest first."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(conn, asked, teams, outcome=wanted.outcome, cut=wanted.cut,
                                              key=wanted.key, offset=wanted.offset)  # fmt: skip
        return page_of(rows, teams, wanted.offset)

    @routes.get("/{shop}/turns.csv")
    async def turns_csv(shop: UUID, wanted: Annotated[Turns, Query()], actor: Actor = Depends(overseer)) -> Response:
        """One row a turn."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.turns(
                conn, asked, teams, outcome=wanted.outcome, cut=wanted.cut, key=wanted.key, limit=EXPORT_MAX
            )
        columns = ["thread_id", "first_seq", "conversation_id", "day", "opened_at", "human_at", "assigned_at",
                   "answered_at", "answered_by", "agent", "pool", "questions", "transfers", "wait_ms", "agent_wait_ms",
                   "response_ms", "business_ms", "excluded", "void_reason", "left_message"]  # fmt: skip
        return csv_response(f"turns-{asked.first}-{asked.last}", columns, exported(rows, columns, teams, calendar))

    @routes.get("/{shop}/conversations")
    async def conversations(
        shop: UUID, wanted: Annotated[Conversations, Query()], actor: Actor = Depends(overseer)
    ) -> dict[str, Any]:
        """The very conversations behind a figure, by opening."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.conversations(conn, asked, teams, which=wanted.which, cut=wanted.cut,
                                                      key=wanted.key, offset=wanted.offset)  # fmt: skip
        return page_of(rows, teams, wanted.offset)

    @routes.get("/{shop}/conversations.csv")
    async def conversations_csv(
        shop: UUID, wanted: Annotated[Conversations, Query()], actor: Actor = Depends(overseer)
    ) -> Response:
        """One row a conversation."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.conversations(conn, asked, teams, which=wanted.which, cut=wanted.cut,
                                                      key=wanted.key, limit=EXPORT_MAX)  # fmt: skip
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
            asked, teams, _ = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.orders(conn, asked, teams, kind=wanted.kind, cut=no_hour(wanted.cut),
                                               key=wanted.key, offset=wanted.offset)  # fmt: skip
        return page_of(rows, teams, wanted.offset)

    @routes.get("/{shop}/orders.csv")
    async def orders_csv(shop: UUID, wanted: Annotated[Orders, Query()], actor: Actor = Depends(overseer)) -> Response:
        """One row a part of an order; the parts of an order add up to what was paid."""
        async with deps.scope(actor, shop) as conn:
            asked, teams, calendar = await asking.asked(conn, shop, actor, wanted)
            rows = await drill_postgres.orders(conn, asked, teams, kind=wanted.kind, cut=no_hour(wanted.cut),
                                               key=wanted.key, limit=EXPORT_MAX)  # fmt: skip
        columns = ["order_id", "kind", "created_at", "converted_at", "agent", "pool", "orders", "paid_fen",
                   "refunded_fen", "conversation_id"]  # fmt: skip
        return csv_response(f"orders-{asked.first}-{asked.last}", columns, exported(rows, columns, teams, calendar))

    return routes


def page_of(rows: list[Row], teams: Teams, offset: int) -> dict[str, Any]:
    more = len(rows) == TURNS_PAGE
    return {"rows": [named(row, teams) for row in rows], "next_offset": offset + len(rows) if more else None}


def no_hour(cut: Cut | None) -> Cut | None:
    """Raises ``cut.wrong``: money belongs to a day, not to an hour."""
    if cut == "hour":
        raise Refusal("cut.wrong", "orders have no hour", field="cut")
    return cut
