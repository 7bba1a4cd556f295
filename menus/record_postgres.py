"""The tables of menus: versions, drafts, questions, and the log of the bot's turns. SQL only, no decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from menus.dialogue import Turn
from menus.model import Draft, Menu
from menus.navigate import Question
from menus.seen import MediaSeen
from wangxin.model import limits
from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """A question of the shop: ``key`` is its name in files, the first phrasing is shown on buttons. ``media`` goes out
    below the answer: a picture or short video of the library."""

    id: UUID
    key: str
    topic: str
    phrasings: tuple[str, ...]
    answer: str
    active: bool = True
    asked: int = 0
    media: MediaSeen | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a shop's menus stand. ``published`` 0: nothing yet."""

    published: int
    draft: Draft | None
    draft_revision: int
    faq_revision: int


NO_DESK = Desk(0, None, 0, 0)


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: int
    note: str
    made_by: UUID
    made_at_ms: int
    items: int


async def desk(conn: Executor, shop: UUID) -> Desk:
    row = await conn.fetchrow(
        "select published, draft, draft_revision, faq_revision from menu_desk where shop_id = $1", shop
    )
    if row is None:
        return NO_DESK
    draft = None if row["draft"] is None else Draft.model_validate(row["draft"])
    return Desk(row["published"], draft, row["draft_revision"], row["faq_revision"])


async def lock_desk(conn: Connection, shop: UUID) -> Desk:
    """The desk, made if it is not there, locked until the transaction ends."""
    await conn.execute("insert into menu_desk (shop_id) values ($1) on conflict do nothing", shop)
    await conn.execute("select 1 from menu_desk where shop_id = $1 for update", shop)
    return await desk(conn, shop)


async def keep_draft(conn: Connection, shop: UUID, draft: Draft) -> int:
    """Stores the draft; returns its new revision."""
    revision: int = await conn.fetchval(
        "update menu_desk set draft = $2, draft_revision = draft_revision + 1, drafted_at = clock_timestamp()"
        " where shop_id = $1 returning draft_revision",
        shop,
        draft.model_dump(mode="json"),
    )
    return revision


async def add_version(conn: Connection, shop: UUID, draft: Draft, *, note: str, by: UUID) -> Menu:
    """A new version under the desk's lock; it is published with :func:`set_published`."""
    version: int = await conn.fetchval(
        "insert into menu_version (shop_id, version, document, note, made_by)"
        " select $1, coalesce(max(version), 0) + 1, $2, $3, $4 from menu_version where shop_id = $1 returning version",
        shop,
        draft.model_dump(mode="json"),
        note,
        by,
    )
    return Menu.of(version, draft)


async def set_published(conn: Connection, shop: UUID, version: int) -> None:
    await conn.execute("update menu_desk set published = $2 where shop_id = $1", shop, version)


async def menu(conn: Executor, shop: UUID, version: int) -> Menu | None:
    document = await conn.fetchval(
        "select document from menu_version where shop_id = $1 and version = $2", shop, version
    )
    return None if document is None else Menu.model_validate({"version": version, **document})


async def published(conn: Executor, shop: UUID) -> Menu | None:
    row = await conn.fetchrow(
        "select v.version, v.document from menu_desk d join menu_version v on v.shop_id = d.shop_id"
        " and v.version = d.published where d.shop_id = $1",
        shop,
    )
    return None if row is None else Menu.model_validate({"version": row["version"], **row["document"]})


async def versions(conn: Executor, shop: UUID, most: int) -> list[VersionRow]:
    rows = await conn.fetch(
        "select version, note, made_by, (extract(epoch from made_at) * 1000)::bigint as made_at_ms,"
        " jsonb_array_length(document->'items') as items from menu_version where shop_id = $1"
        " order by version desc limit $2",
        shop,
        most,
    )
    return [VersionRow(*row.values()) for row in rows]


async def keep_banned(conn: Connection, shop: UUID, words: list[str]) -> None:
    await conn.execute(
        "update shop set settings = settings || jsonb_build_object('banned_words', $2::jsonb) where shop_id = $1",
        shop,
        words,
    )


async def depth(conn: Executor, shop: UUID) -> int:
    """How many levels the shop's menus may have."""
    kept = await conn.fetchval("select settings->'menu_depth' from shop where shop_id = $1", shop)
    return limits.MENU_DEPTH_MOST if kept == limits.MENU_DEPTH_MOST else limits.MENU_DEPTH_MAX


async def keep_depth(conn: Connection, shop: UUID, levels: int) -> None:
    await conn.execute(
        "update shop set settings = settings || jsonb_build_object('menu_depth', $2::int) where shop_id = $1",
        shop,
        levels,
    )


# --- questions ---------------------------------------------------------------------------------------------------

_FAQ = """select f.id, f.key, f.topic, f.phrasings, f.answer, f.active, f.asked, m.id as media, m.kind,
  m.width, m.height, coalesce(m.duration_ms, 0) as duration_ms from faq_entry f
  left join media_shelf s on s.shop_id = f.shop_id and s.media_id = f.media
  left join media m on m.shop_id = s.shop_id and m.id = s.media_id where f.shop_id = $1"""


def _entry(row: asyncpg.Record) -> FaqEntry:
    media = None
    if row["media"] is not None:
        media = MediaSeen(row["media"], row["kind"], row["width"], row["height"], row["duration_ms"])
    return FaqEntry(
        row["id"], row["key"], row["topic"], tuple(row["phrasings"]), row["answer"], row["active"], row["asked"], media
    )


async def faq(conn: Executor, shop: UUID) -> list[FaqEntry]:
    """All questions of a shop, the most asked first."""
    rows = await conn.fetch(f"{_FAQ} order by f.asked desc, f.id", shop)
    return [_entry(row) for row in rows]


async def one_entry(conn: Executor, shop: UUID, id_: UUID) -> FaqEntry | None:
    row = await conn.fetchrow(f"{_FAQ} and f.id = $2", shop, id_)
    return None if row is None else _entry(row)


async def questions(conn: Executor, shop: UUID) -> tuple[Question, ...]:
    rows = await conn.fetch(
        "select id, phrasings[1] as label, topic from faq_entry where shop_id = $1 and active order by asked desc, id",
        shop,
    )
    return tuple(Question(str(row["id"]), row["label"][:200], row["topic"]) for row in rows)


async def keep_entry(conn: Connection, shop: UUID, entry: FaqEntry) -> None:
    """Adds or changes one question (by id)."""
    await conn.execute(
        """insert into faq_entry (shop_id, id, key, topic, phrasings, answer, active, media)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (shop_id, id) do update set key = excluded.key, topic = excluded.topic,
             phrasings = excluded.phrasings, answer = excluded.answer, active = excluded.active,
             media = excluded.media, changed_at = clock_timestamp()""",
        shop, entry.id, entry.key, entry.topic, list(entry.phrasings), entry.answer, entry.active,
        entry.media and entry.media.id,
    )  # fmt: skip


async def keys(conn: Executor, shop: UUID) -> dict[str, UUID]:
    rows = await conn.fetch("select key, id from faq_entry where shop_id = $1", shop)
    return {row["key"]: row["id"] for row in rows}


async def phrasings_known(conn: Executor, shop: UUID, phrasings: Sequence[str]) -> dict[str, tuple[UUID, str]]:
    """Those of the phrasings that a question of the shop has, with that question's id and key."""
    rows = await conn.fetch(
        "select p, id, key from faq_entry, unnest(phrasings) p where shop_id = $1 and p = any($2)",
        shop,
        list(phrasings),
    )
    return {row["p"]: (row["id"], row["key"]) for row in rows}


async def drop_entry(conn: Connection, shop: UUID, id_: UUID) -> bool:
    dropped: str = await conn.execute("delete from faq_entry where shop_id = $1 and id = $2", shop, id_)
    return dropped.endswith(" 1")


async def faq_changed(conn: Connection, shop: UUID) -> None:
    """Everyone who keeps the questions in memory reads them again."""
    await conn.execute(
        "insert into menu_desk (shop_id, faq_revision) values ($1, 1)"
        " on conflict (shop_id) do update set faq_revision = menu_desk.faq_revision + 1",
        shop,
    )


async def count_asked(conn: Connection, shop: UUID, id_: UUID) -> None:
    await conn.execute("update faq_entry set asked = asked + 1 where shop_id = $1 and id = $2", shop, id_)


# --- the log of turns --------------------------------------------------------------------------------------------


async def taken_up(conn: Executor, shop: UUID, thread: UUID, seq: int) -> bool:
    """Whether this line has its answer already (a menu tap answers in its own transaction)."""
    found: int | None = await conn.fetchval(
        "select 1 from bot_turn where shop_id = $1 and thread_id = $2 and seq = $3", shop, thread, seq
    )
    return found is not None


async def earlier_turns(conn: Executor, shop: UUID, conversation: UUID, most: int = 8) -> list[Turn]:
    """The newest turns of a conversation, oldest first."""
    rows = await conn.fetch(
        "select how, said, entry, item, shown from bot_turn where shop_id = $1 and conversation_id = $2"
        " order by seq desc limit $3",
        shop,
        conversation,
        most,
    )
    return [
        Turn(
            row["how"],
            row["said"],
            None if row["entry"] is None else str(row["entry"]),
            row["item"],
            tuple(row["shown"]),
        )
        for row in reversed(rows)
    ]


@dataclass(frozen=True, slots=True)
class TurnRow:
    """``shown``: the buttons given, by id, and ``order:NUMBER`` for an order put on the table."""

    shop: UUID
    thread: UUID
    seq: int
    conversation: UUID | None
    how: str
    said: str = ""
    entry: UUID | None = None
    item: str | None = None
    version: int | None = None
    topic: str = ""
    confidence: float = 0.0
    shown: Sequence[str] = ()


async def log_turn(conn: Connection, turn: TurnRow) -> None:
    await conn.execute(
        """insert into bot_turn (shop_id, thread_id, seq, conversation_id, how, said, entry, item, version, topic,
             confidence, shown) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing""",
        turn.shop,
        turn.thread,
        turn.seq,
        turn.conversation,
        turn.how,
        turn.said[:200],
        turn.entry,
        turn.item,
        turn.version,
        turn.topic,
        turn.confidence,
        list(turn.shown),
    )


async def log_shown(conn: Connection, shop: UUID, thread: UUID, seq: int, shown: Sequence[str]) -> None:
    """What a logged turn put before the shopper, known only once it was said."""
    await conn.execute(
        "update bot_turn set shown = $4 where shop_id = $1 and thread_id = $2 and seq = $3",
        shop,
        thread,
        seq,
        list(shown),
    )


async def unknown(conn: Executor, shop: UUID, days: int, most: int) -> list[dict[str, Any]]:
    """What shoppers asked lately and the bot could not answer, the most frequent first."""
    rows = await conn.fetch(
        """select said, count(*) as times, (extract(epoch from max(at)) * 1000)::bigint as last_ms from bot_turn
            where shop_id = $1 and how in ('ask', 'suggest', 'handoff') and said <> '' and confidence < 0.9
              and at > clock_timestamp() - make_interval(days => $2)
            group by said order by times desc, last_ms desc limit $3""",
        shop,
        days,
        most,
    )
    return [dict(row) for row in rows]


async def set_aside(conn: Executor, shop: UUID) -> set[str]:
    """Normalised texts that the merchant does not want to see among the unknown ones again."""
    return {row["said"] for row in await conn.fetch("select said from unknown_set_aside where shop_id = $1", shop)}


async def keep_set_aside(conn: Connection, shop: UUID, sayings: Sequence[str]) -> None:
    await conn.executemany(
        "insert into unknown_set_aside (shop_id, said) values ($1, $2) on conflict do nothing",
        [(shop, said) for said in sayings if said],
    )


async def drop_set_aside(conn: Connection, shop: UUID, sayings: Sequence[str]) -> None:
    await conn.execute(
        "delete from unknown_set_aside where shop_id = $1 and said = any($2::text[])", shop, list(sayings)
    )


async def outcomes(conn: Executor, shop: UUID, days: int) -> dict[str, int]:
    """How many turns ended how."""
    rows = await conn.fetch(
        "select how, count(*) as times from bot_turn where shop_id = $1"
        " and at > clock_timestamp() - make_interval(days => $2) group by how",
        shop,
        days,
    )
    return {row["how"]: row["times"] for row in rows}


async def owns_thread(conn: Executor, shop: UUID, thread: UUID, shopper: UUID) -> bool:
    """Whether the thread is this shopper's, or a guest's who turned out to be this shopper."""
    found = await conn.fetchval(
        "select 1 from thread t join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id"
        " where t.shop_id = $1 and t.id = $2 and (t.shopper_id = $3 or p.merged_into = $3)",
        shop,
        thread,
        shopper,
    )
    return found is not None


@dataclass(frozen=True, slots=True)
class Upload:
    width: int
    height: int
    duration_ms: int


async def own_upload(conn: Executor, shop: UUID, owner: UUID, media: str, kind: str) -> Upload | None:
    """A picture ("image") or "video" that this person uploaded; None where there is no such upload of his."""
    try:
        id_ = UUID(media)
    except ValueError:
        return None
    row = await conn.fetchrow(
        "select width, height, coalesce(duration_ms, 0) as duration_ms from media"
        " where shop_id = $1 and id = $2 and owner_id = $3 and kind = $4",
        shop,
        id_,
        owner,
        kind,
    )
    return None if row is None else Upload(*row.values())


async def last_words(conn: Executor, thread: UUID) -> str:
    """The shopper's newest text in a thread the connection may see; "" where there is none."""
    body = await conn.fetchval(
        "select body::text from entry where thread_id = $1 and lane = 0 and sender_kind = 'shopper' and kind = 'text'"
        " and recalled_at is null and shop_id = (select shop_id from thread where id = $1) order by seq desc limit 1",
        thread,
    )
    return "" if body is None else str(json.loads(body).get("text", ""))
