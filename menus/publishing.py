"""Draft, check, publish, go back. Each in the caller's transaction; telling open windows is for after the commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from menus import record_golden, record_library, record_plans, record_shopdata
from menus import record_postgres as record
from menus.check import Known, Problem, problems
from menus.model import Draft, Menu
from wangxin.clock import new_id
from wangxin.model import limits
from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.entries import SYSTEM
from wangxin.storage.postgres import Connection

BROKEN = "menu.golden_broken"


async def known(conn: Connection, shop: UUID) -> Known:
    """What items of this shop may refer to."""
    topics = {q.topic for q in await record.questions(conn, shop)}
    products = {row["id"] for row in await conn.fetch("select id from product where shop_id = $1", shop)}
    banned: list[str] = await conn.fetchval(
        "select coalesce(array(select jsonb_array_elements_text(settings->'banned_words')), '{}') from shop"
        " where shop_id = $1 and coalesce(jsonb_typeof(settings->'banned_words'), 'array') = 'array'",
        shop,
    )
    media = await record_library.known(conn, shop)
    can_call = await record_shopdata.source(conn, shop) is not None
    return Known(topics, products, tuple(banned or ()), can_call, await record.depth(conn, shop), media)


async def draft_of(conn: Connection, shop: UUID) -> tuple[Draft, int, int]:
    """(draft, its revision, the published version); without a draft, what is published."""
    desk = await record.desk(conn, shop)
    if desk.draft is not None:
        return desk.draft, desk.draft_revision, desk.published
    menu = await record.published(conn, shop)
    draft = Draft() if menu is None else menu.draft
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
    await _refuse_errors(conn, shop, draft)
    menu = await record.add_version(conn, shop, draft, note=note, by=actor.id)
    await record.set_published(conn, shop, menu.version)
    return menu


# --- at a set moment -----------------------------------------------------------------------------------------------


async def plan(
    conn: Connection,
    shop: UUID,
    actor: Actor,
    *,
    at_ms: int,
    until_ms: int | None,
    note: str,
    revision: int,
    now_ms: int,
) -> UUID:
    """Freezes the draft to be published at ``at_ms`` and, with ``until_ms``, taken back then.

    Raises ``menu.changed_meanwhile``, ``menu.has_errors``, ``plan.past``, ``plan.ends_before``, ``plan.too_many``.
    """
    desk = await record.lock_desk(conn, shop)
    if desk.draft_revision != revision:
        raise ChangedMeanwhile()
    if at_ms <= now_ms:
        raise Refusal("plan.past", "choose a moment to come", field="at_ms", status=422)
    if until_ms is not None and until_ms <= at_ms:
        raise Refusal("plan.ends_before", "the end must be after the beginning", field="until_ms", status=422)
    if await record_plans.waiting_plans(conn, shop) >= limits.MENU_PLANS_MAX:
        raise Refusal("plan.too_many", f"at most {limits.MENU_PLANS_MAX} at once", status=409)
    draft, _, _ = await draft_of(conn, shop)
    await _refuse_errors(conn, shop, draft)
    id_ = new_id()
    until = None if until_ms is None else _moment(until_ms)
    await record_plans.add_plan(conn, shop, id_, _moment(at_ms), until, draft, note=note, by=actor.id)
    return id_


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


async def _refuse_errors(conn: Connection, shop: UUID, draft: Draft) -> None:
    errors = [p for p in problems(draft, await known(conn, shop)) if p.level == "error"]
    if errors:
        raise NotPublishable(errors)


@dataclass(frozen=True, slots=True)
class Went:
    """A plan was carried out: ``version`` is live now; None: nothing changed."""

    shop: UUID
    version: int | None


Broken = Callable[[Connection, UUID, Draft], Awaitable[bool]]
"""Whether a draft breaks golden questions now."""


async def carry_out_one(conn: Connection, breaks: Broken) -> Went | None:
    """Begins or ends the plan that is due longest; None where none is. One transaction, any number of workers.

    Questions and checks may have changed since it was planned, so both are asked again: an error fails the plan, and so
    do broken golden questions where the shop wants such menus stopped; else they are noted beside it."""
    due = await record_plans.due_plan(conn)
    if due is None:
        return None
    desk = await record.lock_desk(conn, due.shop)
    if due.state == "live":
        if desk.published != due.version or not due.before:
            # somebody has published since: that one stays
            await record_plans.end_plan(conn, due.shop, due.id, "done", reason="plan.published_since")
            return Went(due.shop, None)
        old = await record.menu(conn, due.shop, due.before)
        assert old is not None, "versions are never deleted"
        menu = await record.add_version(conn, due.shop, old.draft, note=f"= {due.before}", by=due.made_by)
        await record.set_published(conn, due.shop, menu.version)
        await record_plans.end_plan(conn, due.shop, due.id, "done")
        return Went(due.shop, menu.version)
    try:
        await _refuse_errors(conn, due.shop, due.draft)
    except NotPublishable as why:
        await record_plans.end_plan(conn, due.shop, due.id, "failed", reason=why.problems[0].code)
        return Went(due.shop, None)
    broken = BROKEN if await breaks(conn, due.shop, due.draft) else ""
    if broken and await record_golden.guard(conn, due.shop) == "block":
        await record_plans.end_plan(conn, due.shop, due.id, "failed", reason=broken)
        return Went(due.shop, None)
    menu = await record.add_version(conn, due.shop, due.draft, note=due.note, by=due.made_by)
    await record.set_published(conn, due.shop, menu.version)
    await record_plans.begin_plan(conn, due.shop, due.id, menu.version, desk.published, lasts=due.lasts, reason=broken)
    await _audit(conn, due.shop, menu.version)
    return Went(due.shop, menu.version)


async def _audit(conn: Connection, shop: UUID, version: int) -> None:
    await conn.execute(
        "insert into audit (shop_id, id, actor_role, actor_id, action, subject)"
        " values ($1, $2, 'system', $3, 'menu.publish', $4)",
        shop, new_id(), SYSTEM, str(version),
    )  # fmt: skip


async def go_back(conn: Connection, shop: UUID, actor: Actor, version: int) -> Menu:
    """Publishes an old version's content as the next version, and makes it the draft. Raises ``version.not_found``."""
    await record.lock_desk(conn, shop)
    old = await record.menu(conn, shop, version)
    if old is None:
        raise not_found("version")
    menu = await record.add_version(conn, shop, old.draft, note=f"= {version}", by=actor.id)
    await record.set_published(conn, shop, menu.version)
    await record.keep_draft(conn, shop, old.draft)
    return menu
