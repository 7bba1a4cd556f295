"""A shop that answers itself: the interface of docs/shop-data.md behind the same promises as the record's own data.

What the shop's server does not answer (``Source.calls``) is read from the record, as CloudEvents brought it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from menus.seen import DoneSeen, MemberSeen, OrderSeen, SpokenSeen, StockSeen
from menus.shop import wire
from menus.shop.caller import A, Caller, ShopSilent, Source
from menus.shopdata import ORDERS_READ, Executor, ShopData, StoredShopData
from wangxin.protocol import bodies

PRODUCTS_READ = 10


@dataclass(frozen=True, slots=True)
class RemoteShopData:
    """For one shopper: ``member`` is what the shop calls him, None for a guest, of whom it knows nothing.

    Every method may raise ShopSilent."""

    caller: Caller
    source: Source
    member_ref: str | None
    stored: ShopData = field(default_factory=StoredShopData)

    def _has(self, call: wire.Call) -> bool:
        return call in self.source.calls and bool(self.source.url)

    async def _ask(self, call: wire.Call, answer: type[A], asked: Mapping[str, Any], request: UUID | None = None) -> A:
        return await self.caller.ask(self.source, call, answer, asked, request=request)

    async def orders(self, conn: Executor, shop: UUID, shopper: UUID) -> tuple[OrderSeen, ...]:
        if not self._has("orders"):
            return await self.stored.orders(conn, shop, shopper)
        if self.member_ref is None:
            return ()
        found = await self._ask("orders", wire.Orders, {"member": self.member_ref, "limit": ORDERS_READ})
        newest = sorted(found.orders, key=lambda one: -one.created_ms)
        return tuple(_seen(one) for one in newest[:ORDERS_READ])

    async def order(self, conn: Executor, shop: UUID, shopper: UUID, order: str) -> OrderSeen | None:
        if not self._has("order"):
            return await self.stored.order(conn, shop, shopper, order)
        if self.member_ref is None:
            return None
        found = await self._ask("order", wire.OneOrder, {"member": self.member_ref, "order": order})
        if found.order is not None and found.order.order != order:
            raise ShopSilent("answer.wrong", "another order than the one that was asked for")
        return None if found.order is None else _seen(found.order)

    async def products(
        self, conn: Executor, shop: UUID, ids: Sequence[str], words: str
    ) -> tuple[bodies.ProductCard, ...]:
        if not self._has("products"):
            return await self.stored.products(conn, shop, ids, words)
        asked = {"products": list(ids), "words": words, "limit": PRODUCTS_READ}
        found = await self._ask("products", wire.Products, asked)
        return tuple(bodies.ProductCard(**one.model_dump()) for one in found.products[:PRODUCTS_READ])

    async def stock(self, conn: Executor, shop: UUID, product: str) -> StockSeen | None:
        if not self._has("stock"):
            return await self.stored.stock(conn, shop, product)
        found = await self._ask("stock", wire.Stock, {"product": product})
        return StockSeen(found.title, tuple((one.sku, one.left) for one in found.skus)) if found.title else None

    async def member(self, conn: Executor, shop: UUID, shopper: UUID) -> MemberSeen | None:
        if not self._has("member"):
            return await self.stored.member(conn, shop, shopper)
        if self.member_ref is None:
            return None
        found = (await self._ask("member", wire.OneMember, {"member": self.member_ref})).member
        if found is None:
            return None
        coupons = tuple(bodies.Coupon(**one.model_dump(), claimed=True) for one in found.coupons)
        return MemberSeen(
            found.level, found.points, tuple((one.label, one.value) for one in found.lines), coupons, found.url
        )

    async def claim(self, conn: Executor, shop: UUID, shopper: UUID, coupon: str, request: UUID) -> DoneSeen | None:
        return await self._wish("claim", {"coupon": coupon}, request)

    async def invoice(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, form: Mapping[str, str], request: UUID
    ) -> DoneSeen | None:
        named = {name: form.get(name, "") for name in ("head", "tax", "mail")}
        return await self._wish("invoice", {"order": order, **named}, request)

    async def act(
        self, conn: Executor, shop: UUID, shopper: UUID, order: str, deed: str, words: str, request: UUID
    ) -> DoneSeen | None:
        return await self._wish("act", {"order": order, "action": deed, "words": words}, request)

    async def _wish(self, call: wire.Call, asked: Mapping[str, Any], request: UUID) -> DoneSeen | None:
        if not self._has(call) or self.member_ref is None:
            return None
        done = await self._ask(call, wire.Done, {"member": self.member_ref, **asked}, request)
        return DoneSeen(done.done, done.text)

    async def speak(
        self, conn: Executor, shop: UUID, shopper: UUID, item: str, url: str, request: UUID
    ) -> SpokenSeen | None:
        asked = {
            "call": "item",
            "shop": self.source.slug,
            "item": item,
            "member": self.member_ref,
            "request": str(request),
        }
        said = await self.caller.post(shop, url, self.source.secret, asked, wire.Spoken, id_=str(request))
        return SpokenSeen(said.text, said.title, said.url)


def _seen(order: wire.ShopOrder) -> OrderSeen:
    card, parcel = wire.order_of(order)
    known = tuple(one for one in order.actions if one in wire.DEEDS)
    return OrderSeen(card, parcel, order.created_ms, known)
