"""The shop's library of pictures and short videos, and where they are used. SQL only, no decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from menus import record_postgres as record
from menus.model import Answer, Draft, Menu, everything
from menus.seen import MediaSeen
from wangxin.model import limits
from wangxin.storage.postgres import Connection

Executor = record.Executor


@dataclass(frozen=True, slots=True)
class Shelved:
    id: UUID
    title: str
    kind: str
    added_ms: int


async def shelf(conn: Executor, shop: UUID) -> list[Shelved]:
    """What was added last comes first."""
    rows = await conn.fetch(
        "select m.id, s.title, m.kind, (extract(epoch from s.added_at) * 1000)::bigint as added_ms from media_shelf s"
        " join media m on m.shop_id = s.shop_id and m.id = s.media_id where s.shop_id = $1"
        " order by s.added_at desc, m.id limit $2",
        shop,
        limits.LIBRARY_MAX,
    )
    return [Shelved(*row.values()) for row in rows]


async def count(conn: Executor, shop: UUID) -> int:
    found: int = await conn.fetchval("select count(*) from media_shelf where shop_id = $1", shop)
    return found


async def add(conn: Connection, shop: UUID, media: UUID, title: str, by: UUID) -> bool:
    """Puts an upload of this account on the shelf, or names it anew; False where it is not his and not there yet."""
    done = await conn.fetchval(
        """insert into media_shelf (shop_id, media_id, title, added_by)
           select $1, m.id, $3, $4 from media m where m.shop_id = $1 and m.id = $2 and (m.owner_id = $4
             or exists (select 1 from media_shelf s where s.shop_id = $1 and s.media_id = $2))
           on conflict (shop_id, media_id) do update set title = excluded.title returning true""",
        shop, media, title, by,
    )  # fmt: skip
    return bool(done)


async def drop(conn: Connection, shop: UUID, media: UUID) -> bool:
    """The upload itself stays: it may stand in threads."""
    done: str = await conn.execute("delete from media_shelf where shop_id = $1 and media_id = $2", shop, media)
    return done.endswith(" 1")


async def seen(conn: Executor, shop: UUID, media: UUID) -> MediaSeen | None:
    """An upload of the library as it is sent; None where it is not there."""
    row = await conn.fetchrow(
        "select m.kind, m.width, m.height, coalesce(m.duration_ms, 0) as duration_ms from media m"
        " join media_shelf s on s.shop_id = m.shop_id and s.media_id = m.id where m.shop_id = $1 and m.id = $2",
        shop,
        media,
    )
    return None if row is None else MediaSeen(media, *row.values())


async def known(conn: Executor, shop: UUID) -> set[UUID]:
    return {row["media_id"] for row in await conn.fetch("select media_id from media_shelf where shop_id = $1", shop)}


async def uses_in_menus(conn: Connection, shop: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """(media, {where, label, at_ms}): in the live menu, the draft, and menus that wait for their moment."""
    found: list[tuple[UUID, dict[str, Any]]] = []
    live = await record.published(conn, shop)
    desk = await record.desk(conn, shop)
    if live is not None:
        found += _uses(live, "live")
    if desk.draft is not None:
        found += _uses(desk.draft, "draft")
    plans = await conn.fetch(
        "select document, (extract(epoch from at) * 1000)::bigint as at_ms from menu_plan"
        " where shop_id = $1 and state = 'waiting'",
        shop,
    )
    for plan in plans:
        found += _uses(Draft.model_validate(plan["document"]), "plan", at_ms=plan["at_ms"])
    return found


async def uses_in_questions(conn: Connection, shop: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """(media, {where, label}): answers of the bot that carry a picture or film."""
    rows = await conn.fetch(
        "select media, phrasings[1] as label from faq_entry where shop_id = $1 and media is not null", shop
    )
    return [(row["media"], {"where": "question", "label": row["label"]}) for row in rows]


async def uses_in_replies(conn: Connection, shop: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """(media, {where, label}): canned replies that carry a picture or film."""
    rows = await conn.fetch("select media, title from canned_reply where shop_id = $1 and media is not null", shop)
    return [(row["media"], {"where": "reply", "label": row["title"]}) for row in rows]


def _uses(menu: Draft | Menu, where: str, **more: Any) -> list[tuple[UUID, dict[str, Any]]]:
    return [
        (item.action.media, {"where": where, "label": item.label, **more})
        for _, item in everything(menu)
        if isinstance(item.action, Answer) and item.action.media is not None
    ]
