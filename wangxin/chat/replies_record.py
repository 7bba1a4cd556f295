"""Canned replies in the record: of one agent, of a shop, of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from wangxin.model import limits
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

Row = dict[str, Any]


async def replies(conn: Connection, owner: UUID) -> list[Row]:
    """The shops' canned replies and the agent's own, most used first."""
    rows = await conn.fetch(
        """select r.shop_id as shop, r.id, (r.owner_id is not null) as own, r.code, r.title, r.body, r.topic,
                  r.initials, case when m.id is not null then jsonb_build_object('media', m.id, 'kind', m.kind,
                    'width', m.width, 'height', m.height, 'duration_ms', m.duration_ms) end as media
           from canned_reply r left join media m on m.shop_id = r.shop_id and m.id = r.media
           where r.owner_id is null or r.owner_id = $1 order by r.used desc, r.code limit 2000""",
        owner,
    )
    return [dict(row) for row in rows]


async def pool_replies(conn: Connection, pools: Sequence[UUID]) -> list[Row]:
    """Those of these pools, most used first."""
    rows = await conn.fetch(
        """select pool_id as pool, id, false as own, code, title, body, topic, initials, null as media
           from pool_reply where pool_id = any($1) order by used desc, code limit 2000""",
        list(pools),
    )
    return [dict(row) for row in rows]


def _full() -> Refusal:
    return Refusal("reply.too_many", f"{limits.REPLIES_MAX} canned replies at most", status=409)


def _taken() -> Refusal:
    return Refusal("reply.code_taken", "another canned reply has this code", field="code", status=409)


async def keep_reply(
    conn: Connection, *, shop: UUID, id: UUID, owner: UUID | None, code: str, title: str, body: str, topic: str,
    initials: str, media: UUID | None = None, by: UUID | None = None,
) -> None:  # fmt: skip
    """Add a canned reply, or write it anew if ``id`` is the same owner's. ``media``: a picture or video of ``by``, or
    the one that is there already. Raises ``reply.code_taken``, ``reply.not_found``, ``reply.too_many``,
    ``media.not_found``."""
    if media is not None and not await conn.fetchval(
        "select true from media m where m.shop_id = $1 and m.id = $2 and m.kind in ('image', 'video')"
        " and (m.owner_id = $3 or exists ("
        "  select 1 from canned_reply r where r.shop_id = $1 and r.id = $4 and r.media = $2))",
        shop, media, by, id,
    ):  # fmt: skip
        raise not_found("media")
    if await conn.fetchval(
        "select count(*) from canned_reply where shop_id = $1 and owner_id is not distinct from $2 and id <> $3",
        shop, owner, id,
    ) >= limits.REPLIES_MAX:  # fmt: skip
        raise _full()
    try:
        kept = await conn.fetchval(
            """insert into canned_reply (shop_id, id, owner_id, code, title, body, topic, initials, media)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               on conflict (shop_id, id) do update set code = excluded.code, title = excluded.title,
                 body = excluded.body, topic = excluded.topic, initials = excluded.initials, media = excluded.media,
                 changed_at = clock_timestamp()
               where canned_reply.owner_id is not distinct from excluded.owner_id returning id""",
            shop, id, owner, code, title, body, topic, initials, media,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise _taken() from None
    if kept is None:
        raise not_found("reply")


async def keep_pool_reply(
    conn: Connection, *, owner: UUID, pool: UUID, id: UUID, code: str, title: str, body: str, topic: str,
    initials: str, by: UUID,
) -> None:  # fmt: skip
    """Add one, or write it anew. Raises ``reply.code_taken``, ``reply.too_many``."""
    others = await conn.fetchval("select count(*) from pool_reply where pool_id = $1 and id <> $2", pool, id)
    if others >= limits.REPLIES_MAX:
        raise _full()
    try:
        await conn.execute(
            """insert into pool_reply (owner_id, pool_id, id, code, title, body, topic, initials, changed_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               on conflict (pool_id, id) do update set code = excluded.code, title = excluded.title,
                 body = excluded.body, topic = excluded.topic, initials = excluded.initials,
                 changed_by = excluded.changed_by, changed_at = clock_timestamp()""",
            owner, pool, id, code, title, body, topic, initials, by,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise _taken() from None


async def use_reply(conn: Connection, shop: UUID, id: UUID) -> None:
    await conn.execute("update canned_reply set used = used + 1 where shop_id = $1 and id = $2", shop, id)


async def use_pool_reply(conn: Connection, pool: UUID, id: UUID) -> None:
    await conn.execute("update pool_reply set used = used + 1 where pool_id = $1 and id = $2", pool, id)


async def drop_reply(conn: Connection, shop: UUID, id: UUID, owner: UUID | None) -> None:
    """Raises ``reply.not_found``."""
    gone = await conn.fetchval(
        "delete from canned_reply where shop_id = $1 and id = $2 and owner_id is not distinct from $3 returning id",
        shop, id, owner,
    )  # fmt: skip
    if gone is None:
        raise not_found("reply")


async def drop_pool_reply(conn: Connection, pool: UUID, id: UUID) -> None:
    """It is gone afterwards, whether it was there or not."""
    await conn.execute("delete from pool_reply where pool_id = $1 and id = $2", pool, id)
