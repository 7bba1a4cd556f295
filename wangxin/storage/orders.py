"""Orders as the shop reports them: one row an order, its state moved by each event."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from wangxin.storage.postgres import Connection

STATES: dict[str, str] = {
    "order.created": "unpaid",
    "order.paid": "paid",
    "order.shipped": "shipped",
    "order.signed": "signed",
    "order.refunding": "refunding",
    "order.refunded": "refunded",
    "order.cancelled": "cancelled",
}
"""Types of shop event that speak of an order, and the state each brings it to."""

_RANK = ["unpaid", "cancelled", "paid", "shipped", "signed", "refunding", "refunded"]


async def keep_order(
    conn: Connection, shop: UUID, shopper: UUID | None, event_type: str, fields: dict[str, Any], at: datetime
) -> bool:
    """Make or move the order that the event's ``fields`` name (``order_id``, ``amount_fen``, ``refunded_fen``,
    ``lines``, ``logistics``). Events may arrive out of order: a state never moves back. False: it names no order.

    ``order.paid`` with ``deposit_fen`` is the deposit alone: the order is bought from then on, and paid when an
    ``order.paid`` without it tells of the balance.
    """
    state, order = STATES.get(event_type), fields.get("order_id")
    if state is None or not isinstance(order, str | int) or isinstance(order, bool) or not 0 < len(str(order)) <= 64:
        return False
    deposit = _fen(fields.get("deposit_fen")) if state == "paid" else 0
    if deposit:
        state = "unpaid"
    paid = event_type == "order.paid"
    lines, logistics = fields.get("lines"), fields.get("logistics")
    await conn.execute(
        """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, refunded_fen, lines, logistics,
             created_at, paid_at, deposit_fen, settled_at)
           values ($1, $2, $3, $4::text, $5, $6, $7, $8, $9::timestamptz, case when $11 then $9 end, $12::bigint,
             case when $11 and $12 = 0 then $9 end)
           on conflict (shop_id, id) do update set
             shopper_id = coalesce(shop_order.shopper_id, excluded.shopper_id),
             state = case when array_position($10::text[], excluded.state)
                                >= array_position($10::text[], shop_order.state)
                          then excluded.state else shop_order.state end,
             amount_fen = case when excluded.amount_fen > 0 then excluded.amount_fen else shop_order.amount_fen end,
             refunded_fen = greatest(shop_order.refunded_fen, excluded.refunded_fen),
             lines = case when excluded.lines = '[]'::jsonb then shop_order.lines else excluded.lines end,
             logistics = shop_order.logistics || excluded.logistics,
             created_at = least(shop_order.created_at, excluded.created_at),
             paid_at = case when excluded.deposit_fen > 0 then least(shop_order.paid_at, excluded.paid_at)
                            else coalesce(shop_order.paid_at, excluded.paid_at) end,
             deposit_fen = greatest(shop_order.deposit_fen, excluded.deposit_fen),
             settled_at = coalesce(shop_order.settled_at, excluded.settled_at), changed_at = clock_timestamp()""",
        shop, str(order), shopper, state, _fen(fields.get("amount_fen")), _fen(fields.get("refunded_fen")),
        lines if isinstance(lines, list) else [], logistics if isinstance(logistics, dict) else {}, at, _RANK,
        paid, deposit,
    )  # fmt: skip
    return True


def _fen(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**12 else 0
