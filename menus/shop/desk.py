"""A shopper's orders for the agent who serves him, as the shop's own server tells them now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from menus import record_shopdata
from menus.seen import OrderSeen
from menus.shop.caller import Caller
from menus.shop.remote import RemoteShopData
from wangxin.storage.postgres import Pool


async def orders(pool: Pool, caller: Caller, shop: UUID, shopper: UUID) -> list[dict[str, Any]] | None:
    """None where the shop's server answers no orders, or knows nobody by this shopper. Raises ShopSilent."""
    async with pool.acquire() as conn:
        source = await record_shopdata.source(conn, shop)
        member = await record_shopdata.member_ref(conn, shop, shopper)
    if source is None or not source.url or "orders" not in source.calls or member is None:
        return None
    found = await RemoteShopData(caller, source, member).orders(pool, shop, shopper)
    return [_row(one) for one in found]


def _row(seen: OrderSeen) -> dict[str, Any]:
    parcel = seen.logistics.model_dump(mode="json", include={"carrier", "parcel", "steps"}) if seen.logistics else {}
    return {
        "id": seen.order.order, "state": seen.order.state, "amount_fen": seen.order.amount_fen,
        "lines": [line.model_dump(mode="json") for line in seen.order.lines], "logistics": parcel,
        "created_ms": seen.created_ms,
    }  # fmt: skip
