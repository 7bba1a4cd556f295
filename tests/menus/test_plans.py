"""Menus that go live at a set moment and back at another."""

from __future__ import annotations

import pytest

from menus import examine, golden, publishing, record_golden, record_plans
from menus import record_postgres as record
from menus.model import Draft
from menus.service import Planner
from tests.menus.conftest import Window
from wangxin.clock import new_id, now_ms
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.storage.hints import Hints

HOUR_MS = 3_600_000


class Studio:
    """A merchant who plans, and a clock that is moved by moving the plans."""

    def __init__(self, window: Window, hints: Hints):
        self.pool, self.shop = window.pool, window.chat.shop
        self.actor = Actor(Role.MERCHANT, new_id(), frozenset({self.shop}), "何")
        self.breaks = examine.breaker(window.bot.brains)
        self.planner = Planner(window.pool, hints, self.breaks)

    async def draft(self, greeting: str) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            kept, revision, _ = await publishing.draft_of(conn, self.shop)
            await publishing.keep(conn, self.shop, Draft(greeting=greeting, items=kept.items), revision)

    async def plan(self, at_ms: int, until_ms: int | None = None, revision: int | None = None) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            _, now, _ = await publishing.draft_of(conn, self.shop)
            await publishing.plan(
                conn, self.shop, self.actor, at_ms=at_ms, until_ms=until_ms, note="双十一",
                revision=now if revision is None else revision, now_ms=now_ms(),
            )  # fmt: skip

    async def hours_pass(self, hours: int) -> int:
        await self.pool.execute(
            "update menu_plan set at = at - make_interval(hours => $1), until = until - make_interval(hours => $1)",
            hours,
        )
        return await self.planner.tick()

    async def live(self) -> tuple[int, str]:
        menu = await record.published(self.pool, self.shop)
        assert menu is not None
        return menu.version, menu.greeting

    async def states(self) -> list[str]:
        async with self.pool.acquire() as conn:
            return [plan["state"] for plan in await record_plans.plans(conn, self.shop, 9)]


@pytest.fixture
async def studio(window: Window, hints: Hints) -> Studio:
    return Studio(window, hints)


async def test_a_planned_menu_goes_live_once_at_its_moment_and_what_was_before_comes_back(studio: Studio) -> None:
    _, before = await studio.live()
    await studio.draft("双十一来了")
    await studio.plan(now_ms() + HOUR_MS, now_ms() + 3 * HOUR_MS)
    await studio.draft("之后又改了草稿")
    assert await studio.hours_pass(0) == 0
    assert await studio.live() == (1, before)
    assert await studio.hours_pass(2) == 1
    assert await studio.live() == (2, "双十一来了")
    assert await studio.states() == ["live"]
    assert await studio.hours_pass(0) == 0
    assert await studio.hours_pass(2) == 1
    assert await studio.live() == (3, before)
    assert await studio.states() == ["done"]
    assert await studio.hours_pass(9) == 0


async def test_what_somebody_published_meanwhile_is_not_taken_back(studio: Studio) -> None:
    await studio.draft("双十一来了")
    await studio.plan(now_ms() + HOUR_MS, now_ms() + 3 * HOUR_MS)
    await studio.hours_pass(2)
    await studio.draft("临时改的")
    async with studio.pool.acquire() as conn, conn.transaction():
        await publishing.publish(conn, studio.shop, studio.actor, note="")
    await studio.hours_pass(2)
    assert await studio.live() == (3, "临时改的")
    assert await studio.states() == ["done"]


async def test_a_menu_that_has_become_wrong_does_not_go_live_and_says_why(studio: Studio) -> None:
    await studio.draft("全 网 最 低")
    await studio.plan(now_ms() + HOUR_MS)
    async with studio.pool.acquire() as conn, conn.transaction():
        await record.keep_banned(conn, studio.shop, ["全网最低"])
    assert await studio.hours_pass(2) == 1
    assert (await studio.live())[0] == 1
    reason = await studio.pool.fetchval("select reason from menu_plan where state = 'failed'")
    assert reason == "menu.banned_words"


async def test_two_workers_begin_a_plan_once(studio: Studio, hints: Hints) -> None:
    await studio.draft("双十一来了")
    await studio.plan(now_ms() + HOUR_MS)
    async with studio.pool.acquire() as conn, conn.transaction():
        await conn.execute("update menu_plan set at = now() - interval '1 second'")
    async with studio.pool.acquire() as conn, conn.transaction():
        assert await publishing.carry_out_one(conn, studio.breaks) is not None
        assert await Planner(studio.pool, hints, studio.breaks).tick() == 0
    assert await studio.live() == (2, "双十一来了")


async def test_moments_that_make_no_sense_are_refused(studio: Studio) -> None:
    await studio.draft("双十一来了")
    for at, until, code in (
        (now_ms() - HOUR_MS, None, r"plan\.past"),
        (now_ms() + HOUR_MS, now_ms() + HOUR_MS // 2, r"plan\.ends_before"),
    ):
        with pytest.raises(Refusal, match=code):
            await studio.plan(at, until)
    with pytest.raises(Refusal, match=r"menu\.changed_meanwhile"):
        await studio.plan(now_ms() + HOUR_MS, revision=0)


@pytest.mark.parametrize("guard", ["block", "warn"])
async def test_a_plan_is_judged_again_by_the_golden_questions_of_its_moment(
    studio: Studio, window: Window, guard: golden.Guard
) -> None:
    await studio.draft("双十一来了")
    await studio.plan(now_ms() + HOUR_MS)
    async with studio.pool.acquire() as conn, conn.transaction():
        # Planned without any question; by its moment one expects an item that the live menu has, and the plan has not.
        kept, _, _ = await publishing.draft_of(conn, studio.shop)
        await record_golden.keep(conn, studio.shop, new_id(), "查一下我的包裹物流到哪里了", "item", "logistics")
        await record_golden.keep_guard(conn, studio.shop, guard)
        await conn.execute(
            "update menu_plan set document = jsonb_set(document, '{items}', $1)",
            [item.model_dump(mode="json") for item in kept.items[-1:]],
        )
    assert await studio.hours_pass(2) == 1
    assert (await studio.live())[0] == (1 if guard == "block" else 2)
    plan = await studio.pool.fetchrow("select state, reason from menu_plan")
    assert dict(plan) == {"state": "failed" if guard == "block" else "done", "reason": "menu.golden_broken"}
