"""The orders of whom an agent serves, as the shop's own server tells them now, and what it does for them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from menus import record_shopdata
from menus.seen import DoneSeen, OrderSeen
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


async def act(
    pool: Pool, caller: Caller, shop: UUID, shopper: UUID, order: str, deed: str, words: str, request: UUID
) -> DoneSeen | None:
    """What the shop's server made of an agent's wish about an order; None where it takes none. A ``request`` is done
    once. Raises ShopSilent."""
    async with pool.acquire() as conn:
        source = await record_shopdata.source(conn, shop)
        member = await record_shopdata.member_ref(conn, shop, shopper)
    if source is None or not source.url or member is None:
        return None
    return await RemoteShopData(caller, source, member).act(pool, shop, shopper, order, deed, words, request)


def _row(seen: OrderSeen) -> dict[str, Any]:
    parcel = seen.logistics.model_dump(mode="json", include={"carrier", "parcel", "steps"}) if seen.logistics else {}
    return {
        "id": seen.order.order, "state": seen.order.state, "amount_fen": seen.order.amount_fen,
        "lines": [line.model_dump(mode="json") for line in seen.order.lines], "logistics": parcel,
        "created_ms": seen.created_ms, "actions": list(dict.fromkeys(seen.actions)),
    }  # fmt: skip
