"""The shop's products as they are offered in chats and cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Product:
    """``price_fen`` in fen; None of ``stock``, ``on_sale`` and ``picture``: as it was, or the default of a new one."""

    id: str
    title: str
    price_fen: int
    stock: int | None = None
    on_sale: bool | None = None


async def known(conn: Connection, shop: UUID, ids: Sequence[str]) -> set[str]:
    rows = await conn.fetch("select id from product where shop_id = $1 and id = any($2)", shop, list(ids))
    return {row["id"] for row in rows}


async def keep(conn: Connection, shop: UUID, products: Sequence[Product]) -> None:
    await conn.executemany(
        """insert into product (shop_id, id, title, price_fen, stock, on_sale)
           values ($1, $2, $3, $4, coalesce($5, 0), coalesce($6, true))
           on conflict (shop_id, id) do update set title = excluded.title, price_fen = excluded.price_fen,
             stock = coalesce($5, product.stock), on_sale = coalesce($6, product.on_sale)""",
        [(shop, one.id, one.title, one.price_fen, one.stock, one.on_sale) for one in products],
    )


async def start(conn: Connection, shop: UUID) -> dict[str, int]:
    """How far a shop is with what it needs before it opens."""
    row = await conn.fetchrow(
        """select (select count(*) from faq_entry where shop_id = $1) as questions,
             (select count(*) from product where shop_id = $1) as products,
             (select count(*) from shopper where shop_id = $1 and external_id is not null) as members,
             (select count(*) from account_shop x join account a on a.id = x.account_id
               where x.shop_id = $1 and a.role = 'agent' and a.disabled_at is null) as agents,
             (select coalesce(max(version), 0) from menu_version where shop_id = $1) as menu,
             (select count(*) from (select 1 from conversation where shop_id = $1 limit 1) as begun) as talks""",
        shop,
    )
    assert row is not None
    return dict(row)
