"""What menus read of a shop's own things: orders, parcels, products. One interface, for a shop may answer itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from menus import lookup, say
from menus.seen import DoneSeen, MemberSeen, OrderSeen, SpokenSeen, StockSeen
from wangxin.protocol import bodies
from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool
ORDERS_READ = 10
PRODUCTS_COMPARED = 2_000


class ShopData(Protocol):
    """Whatever is not the shopper's own does not exist.

    Wishes carry a ``request``: asked again with the same one, nothing happens twice. None: nobody here does such a
    thing, and the caller goes on without."""

    async def orders(self, conn: Executor, shop: UUID, shopper: UUID) -> tuple[OrderSeen, ...]:
        """The shopper's newest orders, newest first."""
        ...

    async def order(self, conn: Executor, shop: UUID, shopper: UUID, order: str) -> OrderSeen | None: ...

    async def products(
        self, conn: Executor, shop: UUID, ids: Sequence[str], words: str
    ) -> tuple[bodies.ProductCard, ...]:
        """The named products, or those on sale whose title holds ``words``."""
        ...

    async def stock(self, conn: Executor, shop: UUID, product: str) -> StockSeen | None: ...

    async def member(self, conn: Executor, shop: UUID, shopper: UUID) -> MemberSeen | None: ...

    async def claim(self, conn: Executor, shop: UUID, shopper: UUID, coupon: str, request: UUID) -> DoneSeen | None:
        """Gives the shopper the coupon."""
        ...

    async def invoice(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, form: Mapping[str, str], request: UUID
    ) -> DoneSeen | None:
        """Asks for the invoice of an order; ``form``: ``head``, ``tax``, ``mail``."""
        ...

    async def act(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, deed: str, words: str, request: UUID
    ) -> DoneSeen | None:
        """Does something about an order: ``remind``, ``cancel``, ``confirm``, ``address``."""
        ...

    async def speak(
        self, conn: Executor, shop: UUID, shopper: UUID, item: str, url: str, request: UUID
    ) -> SpokenSeen | None:
        """What the merchant's own address answers for a menu item."""
        ...


_ORDER = """select o.id, o.state, o.amount_fen, o.lines, o.logistics,
 (extract(epoch from o.created_at) * 1000)::bigint as created_ms from shop_order o
 where o.shop_id = $1 and o.shopper_id = $2"""


class StoredShopData:
    """The orders and products that the shop keeps in the record."""

    async def orders(self, conn: Executor, shop: UUID, shopper: UUID) -> tuple[OrderSeen, ...]:
        rows = await conn.fetch(_ORDER + " order by o.created_at desc, o.id limit $3", shop, shopper, ORDERS_READ)
        return tuple(_seen(row) for row in rows)

    async def order(self, conn: Executor, shop: UUID, shopper: UUID, order: str) -> OrderSeen | None:
        row = await conn.fetchrow(_ORDER + " and o.id = $3", shop, shopper, order)
        return None if row is None else _seen(row)

    async def products(
        self, conn: Executor, shop: UUID, ids: Sequence[str], words: str
    ) -> tuple[bodies.ProductCard, ...]:
        if ids:
            rows = await conn.fetch(
                "select id, title, price_fen, picture from product where shop_id = $1 and id = any($2)"
                " order by array_position($2, id)",
                shop,
                list(ids),
            )
        else:
            rows = await conn.fetch(
                "select id, title, price_fen, picture from product where shop_id = $1 and on_sale and stock > 0"
                " and strpos(title, $2) > 0 order by id limit 10",
                shop,
                words,
            ) or await self._near(conn, shop, words)
        return tuple(
            bodies.ProductCard(
                product=row["id"][:200],
                title=row["title"][:200],
                price_fen=row["price_fen"],
                picture=_short(row["picture"]),
            )
            for row in rows
        )

    @staticmethod
    async def _near(conn: Executor, shop: UUID, words: str) -> list[asyncpg.Record]:
        """Where no title holds the words: titles that come near to them."""
        rows = await conn.fetch(
            "select id, title, price_fen, picture from product where shop_id = $1 and on_sale and stock > 0"
            " order by id limit $2",
            shop,
            PRODUCTS_COMPARED,
        )
        return lookup.near(words, [(row["title"], row) for row in rows], 10)

    async def stock(self, conn: Executor, shop: UUID, product: str) -> StockSeen | None:
        row = await conn.fetchrow("select title, stock from product where shop_id = $1 and id = $2", shop, product)
        return None if row is None else StockSeen(str(row["title"])[:200], ((say.ALL_KINDS, row["stock"]),))

    async def member(self, conn: Executor, shop: UUID, shopper: UUID) -> MemberSeen | None:
        row = await conn.fetchrow(
            "select level, points from profile where shop_id = $1 and shopper_id = $2", shop, shopper
        )
        if row is None:
            return None
        return MemberSeen("" if row["level"] is None else f"V{row['level']}", row["points"])

    async def claim(self, conn: Executor, shop: UUID, shopper: UUID, coupon: str, request: UUID) -> DoneSeen | None:
        return None

    async def invoice(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, form: Mapping[str, str], request: UUID
    ) -> DoneSeen | None:
        return None

    async def act(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, deed: str, words: str, request: UUID
    ) -> DoneSeen | None:
        return None

    async def speak(
        self, conn: Executor, shop: UUID, shopper: UUID, item: str, url: str, request: UUID
    ) -> SpokenSeen | None:
        return None


def _short(value: Any) -> str:
    """Text that fits a card; a longer address would be a broken one, so it is left out."""
    text = str(value or "")
    return text if len(text) <= 200 else ""


def _seen(row: asyncpg.Record) -> OrderSeen:
    lines = tuple(
        bodies.OrderLine(
            product=_short(line.get("product")),
            title=str(line.get("title") or row["id"])[:200],
            sku=_short(line.get("sku")),
            count=max(1, int(line.get("count") or 1)),
            price_fen=max(0, int(line.get("price_fen") or 0)),
            picture=_short(line.get("picture")),
        )
        for line in row["lines"][:20]
    )
    order = bodies.Order(order=row["id"][:200], state=row["state"], amount_fen=row["amount_fen"], lines=lines)
    return OrderSeen(order, _logistics(row["id"], row["logistics"] or {}), row["created_ms"])


def _logistics(order: str, kept: dict[str, Any]) -> bodies.Logistics | None:
    if not kept.get("parcel") and not kept.get("steps"):
        return None
    steps = tuple(
        bodies.LogisticsStep(at_ms=int(step.get("at_ms") or 0), text=str(step.get("text") or "…")[:200])
        for step in kept.get("steps", [])[:30]
    )
    return bodies.Logistics(
        order=order[:200], carrier=_short(kept.get("carrier")), parcel=_short(kept.get("parcel")), steps=steps
    )
