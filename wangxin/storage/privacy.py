"""What is kept of one shopper, table by table: all of it to hand out, and what of it goes when he asks to be erased.

Words, names, files and behaviour go; numbers and times without words stay, for figures, bills and the order of lines
rest on them. Lines keep their numbers, so nothing in the record moves.
"""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson

from wangxin import clock
from wangxin.model.refusals import Refusal
from wangxin.storage import archive as archived
from wangxin.storage import retention
from wangxin.storage.archive import Archive
from wangxin.storage.objects import Objects
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

log = logging.getLogger("wangxin.privacy")

DELETE = "delete"
SHUT_S = 20
"""Seconds between the question and the erasing: by then every hub has closed the shopper's lines."""
DONE_S = 60
"""By then the words are gone, while a worker runs."""
SWEEP_S = 5.0
SWEEP_MAX = 100
EXPORT_ROWS_MAX = 200_000
"""Of one table in one hand-out."""


Whose = Literal["people", "threads", "cases"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A table with something of a shopper. ``whose``: what ``by`` holds. ``erase``: the assignments that take the
    words out, or DELETE; empty: the row stays as it is, because ``why``. ``shown``: the columns handed out."""

    table: str
    by: str
    whose: Whose = "people"
    erase: str = ""
    why: str = ""
    shown: str = "*"


KEPT: tuple[Kept, ...] = (
    Kept("shopper", "id", erase="name = '—'", shown="id, external_id, name, merged_into, created_at"),
    Kept("profile", "shopper_id", erase=DELETE),
    Kept("shopper_day", "shopper_id", erase=DELETE),
    Kept("shopper_remark", "shopper_id", erase=DELETE),
    Kept("push_contact", "shopper_id", erase=DELETE),
    Kept("push_crowd_member", "shopper_id", erase=DELETE),
    Kept("push_recipient", "shopper_id", erase=DELETE),
    Kept("shopper_device", "shopper_id", erase=DELETE, shown="id, endpoint, made_at"),
    Kept("shop_event", "shopper_id", erase="subject = null, data = '{}'"),
    Kept("shop_order", "shopper_id", erase="lines = '[]', logistics = '{}'"),
    Kept("aftersale", "shopper_id", erase="words = '', note = '', media = '[]'"),
    Kept("aftersale_step", "case_id", "cases", erase="note = ''"),
    Kept("media", "owner_id", erase=DELETE, shown="id, kind, mime, bytes, name, created_at"),
    Kept("thread", "shopper_id", erase="last_public = null", shown="id, last_at, state"),
    Kept("entry", "thread_id", "threads", shown="thread_id, seq, at, sender_kind, kind, body"),
    Kept("bot_turn", "thread_id", "threads", erase="said = ''", shown="thread_id, seq, at, how, said, topic"),
    Kept("consent_log", "shopper_id", why="the proof of what he agreed to and refused"),
    Kept("points_ledger", "shopper_id", why="the shop's books"),
    Kept("benefit_grant", "shopper_id", why="the shop's books"),
    Kept("order_credit", "shopper_id", why="bills rest on it"),
    Kept("conversation", "shopper_id", why="times and states; bills rest on it"),
    Kept("assignment", "shopper_id", why="who served; bills rest on it", shown="conversation_id, assigned_at"),
    Kept("slow_turn", "thread_id", "threads", why="times of service"),
    Kept("receipt", "thread_id", "threads", why="numbers of lines"),
    Kept("tally", "shopper_id", why="figures"),
    Kept("touch", "shopper_id", why="figures"),
    Kept("turn", "shopper_id", why="figures"),
    Kept("menu_shown", "shopper_id", why="figures"),
    Kept("push_delivery", "shopper_id", why="what was sent, once; no words"),
    Kept("push_reach", "shopper_id", erase="line = ''", why="whether another way reached him"),
    Kept("quality_sample", "thread_id", "threads", why="how the agent was graded", shown="conversation_id, drawn_at"),
    Kept("quality_check", "thread_id", "threads", why="what rules found in the agent's lines", shown="day, hints"),
    Kept("person_number", "shopper_id", why="a number in place of a name"),
    Kept("archive_thread", "thread_id", "threads", why="where his archived lines lie; their words go from the files"),
    Kept("fold_cursor", "thread_id", "threads", why="where the figures stand", shown="folded_at"),
)  # fmt: skip

UNLINED = frozenset({"dispatch_journal", "offer", "outbox"})
"""Tables that name a shopper for a while and hold none of his words."""

_IN_SERVICE = ("waiting", "assigned", "parked", "wrap_up", "message_box")

_BLANK = """update entry set
    body = case when kind in ('event', 'routing') then body - '{text,note}'::text[]
                when kind = 'rating' then body - '{text,reasons}'::text[]
                else case when body ? 'assisted' then '{"assisted": true}'::jsonb else '{}'::jsonb end end,
    recalled_at = case when kind in ('event', 'routing', 'rating') then recalled_at
                       else coalesce(recalled_at, clock_timestamp()) end
  where shop_id = $1 and thread_id = any($2)"""


async def find_shopper(conn: Connection, shop: UUID, named: str) -> UUID | None:
    """A shopper by the shop's own number of him, or by his id here; None: not known, or erased."""
    row = await conn.fetchrow(
        "select id from shopper where shop_id = $1 and (external_id = $2 or id::text = lower($2))"
        " and erase_asked_at is null order by external_id is null limit 1",
        shop,
        named,
    )
    return None if row is None else row["id"]


async def summary(conn: Connection, shop: UUID, shopper: UUID) -> dict[str, Any]:
    """``id``, ``name``, ``ref`` and how many ``lines``, ``orders`` and ``media`` are kept."""
    ids = await _ids(conn, shop, shopper)
    row = await conn.fetchrow(
        """select s.id, s.name, s.external_id as ref,
             (select count(*) from entry where shop_id = $1 and thread_id = any($4) and lane = 0)
             + (select coalesce(sum(public_n), 0) from archive_thread where shop_id = $1 and thread_id = any($4))
               as lines,
             (select count(*) from shop_order where shop_id = $1 and shopper_id = any($3)) as orders,
             (select count(*) from media where shop_id = $1 and owner_id = any($3)) as media
           from shopper s where s.shop_id = $1 and s.id = $2""",
        shop, shopper, ids["people"], ids["threads"],
    )  # fmt: skip
    assert row is not None, "the caller found him"
    return dict(row)


async def same_person(conn: Connection, shop: UUID, shopper: UUID) -> list[UUID]:
    """He and the guests who turned out to be he."""
    rows = await conn.fetch(
        "select id from shopper where shop_id = $1 and (id = $2 or merged_into = $2) order by id", shop, shopper
    )
    return [row["id"] for row in rows]


async def threads_of(conn: Connection, shop: UUID, shopper: UUID) -> list[UUID]:
    """His threads, and those of the guests who turned out to be he."""
    return (await _ids(conn, shop, shopper))["threads"]


async def hand_out(conn: Connection, shop: UUID, shopper: UUID, archive: Archive) -> dict[str, list[dict[str, Any]]]:
    """Every row that is kept of a shopper, by table, at most EXPORT_ROWS_MAX each; words that were recalled too.

    ``archived``: his lines in the archive. Raises ArchiveDamaged.
    """
    ids = await _ids(conn, shop, shopper)
    lines = await archived.lines_of(conn, archive, shop, ids["threads"])
    return {"archived": [archived.shown(line) for line in lines]} | {
        kept.table: [
            dict(row)
            for row in await conn.fetch(
                f"select {kept.shown} from {kept.table} where {_which(kept)} limit {EXPORT_ROWS_MAX}",
                shop,
                ids[kept.whose],
            )
        ]
        for kept in KEPT
    }


def bundle(target: Path, shop: UUID, rows: dict[str, list[dict[str, Any]]], objects: Objects) -> None:
    """Write what was handed out to the zip file ``target``: data.json, and every upload beside it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2))
        for media in rows["media"]:
            path = objects.path(shop, media["id"], "original")
            if path.is_file():
                kind = media["mime"].split("/")[-1]
                archive.write(path, f"media/{media['id']}.{kind}", zipfile.ZIP_STORED)


async def ask_erasing(conn: Connection, shop: UUID, shopper: UUID) -> list[UUID]:
    """Shut the door to a shopper, in the caller's transaction; returns whose lines are to be closed.

    Refused with ``privacy.in_service`` while people wait for him or serve him.
    """
    ids = await _ids(conn, shop, shopper)
    await _lock(conn, shop, ids["threads"])
    if await conn.fetchval(
        "select exists (select from conversation where shop_id = $1 and thread_id = any($2) and state = any($3))",
        shop,
        ids["threads"],
        _IN_SERVICE,
    ):
        raise Refusal("privacy.in_service", "a conversation with this shopper is open; close it first", status=409)
    await conn.execute(
        # Without the shop's number of him, his next visit is a stranger's.
        "update shopper set erase_asked_at = clock_timestamp(), external_id = null where shop_id = $1 and id = any($2)"
        " and erase_asked_at is null",
        shop,
        ids["people"],
    )
    return ids["people"]


async def to_erase(conn: Connection, limit: int, *, after_s: float = SHUT_S) -> list[tuple[UUID, UUID]]:
    """(shop, shopper) whose door has been shut for long enough, oldest first."""
    rows = await conn.fetch(
        "select shop_id, id from shopper where erase_asked_at < clock_timestamp() - $2 * interval '1 second'"
        " and erased_at is null order by erase_asked_at limit $1",
        limit,
        after_s,
    )
    return [(row["shop_id"], row["id"]) for row in rows]


async def gone(conn: Connection | Pool) -> set[UUID]:
    """Shoppers whose door was shut of late; hubs close their lines."""
    rows = await conn.fetch("select id from shopper where erase_asked_at is not null and erased_at is null")
    return {row["id"] for row in rows}


async def erase(conn: Connection, shop: UUID, shopper: UUID, archive: Archive) -> list[UUID]:
    """Take a shopper's words out of every table, in the caller's transaction, and out of the archive at once; returns
    the media whose files go too. Raises ArchiveDamaged."""
    ids = await _ids(conn, shop, shopper)
    await retention.lock(conn, shop)  # before the threads: whoever archives takes it first, too
    await _lock(conn, shop, ids["threads"])
    media = await conn.fetch("select id from media where shop_id = $1 and owner_id = any($2)", shop, ids["people"])
    for kept in KEPT:
        if kept.erase:
            what = f"delete from {kept.table}" if kept.erase == DELETE else f"update {kept.table} set {kept.erase}"
            await conn.execute(f"{what} where {_which(kept)}", shop, ids[kept.whose])
    await conn.execute(_BLANK, shop, ids["threads"])
    await retention.blank(conn, archive, shop, ids["threads"], clock.now_ms())
    await conn.execute(
        "update shopper set erased_at = clock_timestamp() where shop_id = $1 and id = any($2)", shop, ids["people"]
    )
    return [row["id"] for row in media]


async def sweep(pool: Pool, objects: Objects, *, after_s: float = SHUT_S) -> int:
    """Erase whoever has waited ``after_s`` seconds, each in a transaction of his own; returns how many."""
    done = 0
    async with pool.acquire() as conn:
        for shop, shopper in await to_erase(conn, SWEEP_MAX, after_s=after_s):
            try:
                async with conn.transaction():
                    for media in await erase(conn, shop, shopper, Archive(objects.folder)):
                        # Before the commit: a file without its row is found by nobody and would stay for ever.
                        await objects.drop(shop, media)
                done += 1
            except TRANSIENT:
                raise
            except Exception:
                log.exception("shopper %s could not be erased; the others do not wait for him", shopper)
    return done


async def _ids(conn: Connection, shop: UUID, shopper: UUID) -> dict[Whose, list[UUID]]:
    people = await same_person(conn, shop, shopper)
    threads, cases = [
        [row["id"] for row in await conn.fetch(query, shop, people)]
        for query in (
            "select id from thread where shop_id = $1 and shopper_id = any($2) order by id",
            "select id from aftersale where shop_id = $1 and shopper_id = any($2)",
        )
    ]
    return {"people": people, "threads": threads, "cases": cases}


async def _lock(conn: Connection, shop: UUID, threads: list[UUID]) -> None:
    """In id order, as every append takes them."""
    await conn.execute("select 1 from thread where shop_id = $1 and id = any($2) order by id for update", shop, threads)


def _which(kept: Kept) -> str:
    return f"shop_id = $1 and {kept.by} = any($2)"
