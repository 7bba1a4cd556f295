"""Uploads in the record, and who may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from wangxin.model.actor import Actor, Role
from wangxin.storage.postgres import Connection, Pool

Executor = Connection | Pool


Plays = Literal["yes", "no", "waiting", "converted"]
"""Whether a video plays on every desk: as it is; not; not yet, for it waits to be converted or is; as converted."""


@dataclass(frozen=True, slots=True)
class Media:
    """An upload. ``duration_ms`` is None for a picture, ``width`` and ``height`` are 0 for a voice."""

    shop: UUID
    id: UUID
    kind: str
    mime: str
    bytes: int
    width: int
    height: int
    duration_ms: int | None
    name: str
    codecs: str = ""
    plays: Plays = "yes"
    progress: int = 0
    """Of a conversion, in percent."""


_COLUMNS = (
    "m.shop_id, m.id, m.kind, m.mime, m.bytes, m.width, m.height, m.duration_ms, m.name, m.codecs, m.plays, m.progress"
)


async def keep(conn: Connection, media: Media, owner: UUID, digest: bytes) -> None:
    await conn.execute(
        "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, duration_ms, name, digest, codecs,"
        " plays) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        media.shop, media.id, owner, media.kind, media.mime, media.bytes, media.width, media.height, media.duration_ms,
        media.name, digest, media.codecs, media.plays,
    )  # fmt: skip


# An upload stands in a line if its sender uploaded it himself, or a machine of the shop sent it: otherwise anybody
# could write down somebody else's id and would be given the link. What was recalled shows nothing any more.
_IN_A_LINE = """exists (
  select 1 from entry e join thread t on t.shop_id = e.shop_id and t.id = e.thread_id
    left join shopper s on s.shop_id = t.shop_id and s.id = t.shopper_id
   where e.shop_id = m.shop_id and e.body ? 'media' and e.body->>'media' = m.id::text and e.recalled_at is null
     and (e.sender_id = m.owner_id or e.sender_kind in ('bot', 'push', 'system') or exists (
       select 1 from canned_reply r where r.shop_id = m.shop_id and r.media = m.id and r.owner_id is null))
     and {mine})"""
# What goes with a canned reply is seen by who may use it; the shop's own is anybody's to send, as its words are.
_IN_A_REPLY = """exists (select 1 from canned_reply r where r.shop_id = m.shop_id and r.media = m.id
     and (r.owner_id is null or r.owner_id = $2))"""
_MINE = {
    "shopper": "e.lane = 0 and (t.shopper_id = $2 or s.merged_into = $2)",
    "own": "true",
    # As long as the conversation is his: after a transfer its pictures are the next agent's to see.
    "outsourced": "(t.agent_id = $2 or exists (select 1 from conversation c where c.shop_id = e.shop_id"
    " and c.id = e.conversation_id and c.agent_id = $2))",
}


_ON_THE_SHELF = "exists (select 1 from media_shelf f where f.shop_id = m.shop_id and f.media_id = m.id)"


async def visible(conn: Connection, actor: Actor, wanted: Sequence[UUID]) -> list[Media]:
    """Those of ``wanted`` that the actor uploaded, that stand in a line he may see, or in the library of his own shop.
    Runs within his shops' scope."""
    viewer = "shopper" if actor.role is Role.SHOPPER else "own" if actor.provider is None else "outsourced"
    mine = _MINE[viewer]
    reply = "" if actor.role is Role.SHOPPER else f" or {_IN_A_REPLY}"
    shelved = f" or {_ON_THE_SHELF}" if viewer == "own" else ""
    line = _IN_A_LINE.format(mine=mine)
    rows = await conn.fetch(
        f"select {_COLUMNS} from media m where m.id = any($1) and (m.owner_id = $2 or {line}{reply}{shelved})",
        list(wanted),
        actor.id,
    )
    return [Media(*row.values()) for row in rows]


# --- conversion ------------------------------------------------------------------------------------------------------
async def waiting(conn: Executor) -> bool:
    """Whether a video waits to be converted and nobody is at it."""
    found: bool = await conn.fetchval(f"select exists (select 1 from media where {_FREE})")
    return found


_FREE = "plays = 'waiting' and (taken_at is null or taken_at < clock_timestamp() - interval '5 minutes')"
"""A worker that died in the middle is followed by another one."""


async def take_one(conn: Connection) -> Media | None:
    """The video that waits longest, taken by the caller."""
    row = await conn.fetchrow(
        f"""update media m set taken_at = clock_timestamp(), progress = 0 where (m.shop_id, m.id) in (
             select shop_id, id from media where {_FREE} order by created_at limit 1 for update skip locked)
            returning {_COLUMNS}"""
    )
    return None if row is None else Media(*row.values())


async def keep_progress(conn: Executor, media: Media, percent: int) -> None:
    await conn.execute(
        "update media set progress = $3, taken_at = clock_timestamp() where shop_id = $1 and id = $2",
        media.shop, media.id, percent,
    )  # fmt: skip


async def keep_outcome(conn: Executor, media: Media, plays: Plays, failure: str) -> None:
    """``failure``: why it could not be converted, in a word; empty: it is. The owner of the shop reads it."""
    await conn.execute(
        "update media set plays = $3, progress = $4, taken_at = null, failure = nullif($5, ''),"
        " failed_at = case when $5 <> '' then clock_timestamp() end where shop_id = $1 and id = $2",
        media.shop, media.id, plays, 100 if plays == "converted" else 0, failure,
    )  # fmt: skip
