"""Draft, check, publish, go back. Each in the caller's transaction; telling open windows is for after the commit."""

from __future__ import annotations

from uuid import UUID

from menus import record_postgres as record
from menus.check import Known, Problem, problems
from menus.model import Draft, Menu
from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection


async def known(conn: Connection, shop: UUID) -> Known:
    """What items of this shop may refer to."""
    topics = {q.topic for q in await record.questions(conn, shop)}
    products = {row["id"] for row in await conn.fetch("select id from product where shop_id = $1", shop)}
    banned: list[str] = await conn.fetchval(
        "select coalesce(array(select jsonb_array_elements_text(settings->'banned_words')), '{}') from shop"
        " where shop_id = $1 and coalesce(jsonb_typeof(settings->'banned_words'), 'array') = 'array'",
        shop,
    )
    return Known(topics, products, tuple(banned or ()))


async def draft_of(conn: Connection, shop: UUID) -> tuple[Draft, int, int]:
    """(draft, its revision, the published version); without a draft, what is published."""
    desk = await record.desk(conn, shop)
    if desk.draft is not None:
        return desk.draft, desk.draft_revision, desk.published
    menu = await record.published(conn, shop)
    draft = Draft() if menu is None else Draft(greeting=menu.greeting, items=menu.items)
    return draft, desk.draft_revision, desk.published


async def keep(conn: Connection, shop: UUID, draft: Draft, revision: int) -> int:
    """Keeps the draft if nobody changed it since ``revision``. Raises ``menu.changed_meanwhile`` (409)."""
    desk = await record.lock_desk(conn, shop)
    if desk.draft_revision != revision:
        raise ChangedMeanwhile()
    return await record.keep_draft(conn, shop, draft)


class ChangedMeanwhile(Refusal):
    def __init__(self) -> None:
        super().__init__("menu.changed_meanwhile", "somebody else changed the draft; load it again", status=409)


class NotPublishable(Refusal):
    def __init__(self, found: list[Problem]):
        self.problems = found
        first = found[0]
        super().__init__("menu.has_errors", first.code, field=first.item, status=422)


async def publish(conn: Connection, shop: UUID, actor: Actor, *, note: str, revision: int | None = None) -> Menu:
    """Makes the draft the next version and publishes it at once. Raises ``menu.has_errors``, naming the first item, and
    ``menu.changed_meanwhile`` where the draft is no longer the one of ``revision``."""
    desk = await record.lock_desk(conn, shop)
    if revision is not None and desk.draft_revision != revision:
        raise ChangedMeanwhile()
    draft, _, _ = await draft_of(conn, shop)
    errors = [p for p in problems(draft, await known(conn, shop)) if p.level == "error"]
    if errors:
        raise NotPublishable(errors)
    menu = await record.add_version(conn, shop, draft, note=note, by=actor.id)
    await record.set_published(conn, shop, menu.version)
    return menu


async def go_back(conn: Connection, shop: UUID, actor: Actor, version: int) -> Menu:
    """Publishes an old version's content as the next version, and makes it the draft. Raises ``version.not_found``."""
    await record.lock_desk(conn, shop)
    old = await record.menu(conn, shop, version)
    if old is None:
        raise not_found("version")
    draft = Draft(greeting=old.greeting, items=old.items)
    menu = await record.add_version(conn, shop, draft, note=f"= {version}", by=actor.id)
    await record.set_published(conn, shop, menu.version)
    await record.keep_draft(conn, shop, draft)
    return menu
