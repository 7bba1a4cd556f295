"""The providers a shop may deal with, and what it keeps of each for itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from wangxin.storage.postgres import Connection

Row = dict[str, Any]


async def providers(conn: Connection, shop: UUID) -> list[Row]:
    """Those that offer themselves to all with their open pools, and those the shop wrote down with every pool; its own
    first. ``state``, ``contacts`` and ``note`` are the shop's view."""
    rows = await conn.fetch(
        """select v.provider_id as id, v.name, v.stars_tenths, v.shop_id is not null as own,
                  coalesce(s.state, 'active') as state, coalesce(s.contacts, '[]') as contacts,
                  coalesce(s.note, '') as note,
                  coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
                              from pool p where p.owner_id = v.provider_id
                               and (p.state = 'open' or v.shop_id is not null)), '[]') as pools
             from provider v left join provider_standing s on s.shop_id = $1 and s.provider_id = v.provider_id
            where v.state <> 'suspended' and (v.shop_id is null or v.shop_id = $1)
            order by v.shop_id is null, v.stars_tenths desc, v.name""",
        shop,
    )
    return [dict(row) for row in rows if row["own"] or row["pools"]]


async def named(conn: Connection, shop: UUID, name: str) -> UUID | None:
    """The provider of this name that the shop knows."""
    found: UUID | None = await conn.fetchval(
        """select provider_id from provider where name = $2 and (shop_id is null or shop_id = $1)
            order by shop_id limit 1""",
        shop, name,
    )  # fmt: skip
    return found


async def written_by(conn: Connection, shop: UUID, provider: UUID) -> bool:
    """Whether the shop wrote the provider down itself."""
    found = await conn.fetchval("select true from provider where provider_id = $2 and shop_id = $1", shop, provider)
    return bool(found)
