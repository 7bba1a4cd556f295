"""Shoppers as the door meets them: guests, members whom the shop vouches for, and a guest who turns out to be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool


@dataclass(frozen=True, slots=True)
class ShopRow:
    id: UUID
    slug: str
    name: str
    tz: str
    locale: str
    accent: str
    token_secret: str
    token_kid: str
    allowed_origins: tuple[str, ...]
    settings: dict[str, Any]


_SHOP = (
    "shop_id, slug, name, tz, locale, coalesce(accent, '') as accent, token_secret, token_kid, allowed_origins,"
    " settings"
)


def _row(row: asyncpg.Record) -> ShopRow:
    return ShopRow(
        row["shop_id"], row["slug"], row["name"], row["tz"], row["locale"], row["accent"], row["token_secret"],
        row["token_kid"], tuple(row["allowed_origins"]), row["settings"],
    )  # fmt: skip


async def find_shop(conn: Executor, name: str | UUID) -> ShopRow | None:
    """A shop by its slug or its id."""
    id_: UUID | None = None
    if isinstance(name, UUID):
        id_ = name
    else:
        try:
            id_ = UUID(name)
        except ValueError:
            row = await conn.fetchrow(f"select {_SHOP} from shop where slug = $1", name[:40])
            return None if row is None else _row(row)
    row = await conn.fetchrow(f"select {_SHOP} from shop where shop_id = $1", id_)
    return None if row is None else _row(row)


async def all_origins(conn: Executor) -> set[str]:
    """Every origin some shop allows."""
    return {row[0] for row in await conn.fetch("select distinct unnest(allowed_origins) from shop")}


async def keep_origins(conn: Executor, shop: UUID, origins: list[str]) -> None:
    await conn.execute("update shop set allowed_origins = $2 where shop_id = $1", shop, origins)


async def keep_look(conn: Executor, shop: UUID, name: str, greeting: str, accent: str) -> None:
    """What shoppers see of the shop first; an empty greeting or accent is the usual one."""
    await conn.execute(
        """update shop set name = $2, accent = nullif($4, ''), settings = case when $3 = '' then settings - 'greeting'
             else settings || jsonb_build_object('greeting', $3::text) end where shop_id = $1""",
        shop, name, greeting, accent,
    )  # fmt: skip


async def find_guest(conn: Executor, shop: UUID, shopper: UUID) -> str | None:
    """The name of a shopper who came without the shop's word; None: unknown, or merged into a member."""
    name: str | None = await conn.fetchval(
        "select name from shopper where shop_id = $1 and id = $2 and external_id is null and merged_into is null"
        " and erase_asked_at is null",
        shop,
        shopper,
    )
    return name


async def is_known(conn: Executor, shop: UUID, shopper: UUID) -> bool:
    """Whether there is this shopper, and he has not asked to be forgotten."""
    found: bool = await conn.fetchval(
        "select exists (select from shopper where shop_id = $1 and id = $2 and erase_asked_at is null)", shop, shopper
    )
    return found


async def make_guest(conn: Executor, shop: UUID, shopper: UUID, name: str) -> None:
    await conn.execute("insert into shopper (shop_id, id, name) values ($1, $2, $3)", shop, shopper, name)


async def keep_member(conn: Executor, shop: UUID, external_id: str, name: str, new_shopper: UUID) -> UUID:
    """The shopper whom the shop calls ``external_id``, made at the first visit; his name follows the shop's word."""
    row = await conn.fetchrow("select id, name from shopper where shop_id = $1 and external_id = $2", shop, external_id)
    if row is not None and row["name"] == name:
        known: UUID = row["id"]
        return known
    kept: UUID = await conn.fetchval(
        "insert into shopper (shop_id, id, external_id, name) values ($1, $2, $3, $4)"
        " on conflict (shop_id, external_id) do update set name = excluded.name returning id",
        shop, new_shopper, external_id, name,
    )  # fmt: skip
    return kept


async def keep_lang(conn: Executor, shop: UUID, shopper: UUID, lang: str) -> None:
    await conn.execute(
        "update shopper set lang = $3 where shop_id = $1 and id = $2 and lang <> $3", shop, shopper, lang
    )


async def merge_guest(conn: Executor, shop: UUID, guest: UUID, member: UUID) -> None:
    """This guest was the member: his thread is the member's to see. Done once; a second member does not get it."""
    await conn.execute(
        "update shopper set merged_into = $3 where shop_id = $1 and id = $2 and external_id is null"
        " and merged_into is null and id <> $3",
        shop, guest, member,
    )  # fmt: skip


async def names(conn: Executor, people: list[UUID]) -> dict[UUID, str]:
    return {
        row["id"]: row["name"] for row in await conn.fetch("select id, name from shopper where id = any($1)", people)
    }
