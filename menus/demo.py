"""Fills a demo shop with a menu and questions."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from uuid import UUID

from menus import record_postgres as record
from menus.model import Draft
from menus.record_postgres import FaqEntry
from wangxin.clock import new_id
from wangxin.storage.entries import SYSTEM
from wangxin.storage.postgres import Connection


def menu_of(slug: str) -> Draft:
    """The demo menu of a shop; the small shop's where there is none of that name."""
    written: dict[str, Any] = json.loads((files("menus") / "demo.json").read_text(encoding="utf-8"))
    return Draft.model_validate(written.get(slug, written["tea"]))


def questions() -> list[dict[str, Any]]:
    """The demo's questions: id, topic, phrasings, answer."""
    found: list[dict[str, Any]] = json.loads((files("wangxin.demo") / "faq.json").read_text(encoding="utf-8"))
    return found


async def seed(conn: Connection, shop: UUID) -> None:
    """Menu and questions for a shop that has none yet; doing it twice changes nothing."""
    slug: str = await conn.fetchval("select slug from shop where shop_id = $1", shop)
    known = await record.keys(conn, shop)
    for one in questions():
        entry = FaqEntry(
            known.get(one["id"]) or new_id(), one["id"], one["topic"], tuple(one["phrasings"]), one["answer"]
        )
        await record.keep_entry(conn, shop, entry)
    await record.faq_changed(conn, shop)
    desk = await record.lock_desk(conn, shop)
    if desk.published == 0:
        draft = menu_of(slug)
        await record.keep_draft(conn, shop, draft)
        menu = await record.add_version(conn, shop, draft, note="开店", by=SYSTEM)
        await record.set_published(conn, shop, menu.version)
