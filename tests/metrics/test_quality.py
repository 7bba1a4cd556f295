"""Quality checks: who is drawn, what marks come to, how far graders agree, and where the verdicts count."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, cast
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import admin_record
from metrics import cards_postgres as cards
from metrics.agreements import Agreement, Version
from metrics.intervals import Rate
from metrics.quality import checking, record
from metrics.quality.model import PROPOSED, Graded, Mark, Served, agreement, draw, graded, result
from metrics.quality.rest import router
from metrics.quality.rules import Line, hints
from metrics.record_postgres import calendars
from metrics.service import Figures
from metrics.settlement import LineKind
from metrics.statements import day_statements
from metrics.terms import Band as Step
from metrics.terms import PerConversation, PerOrder, Promise, Terms, Tier
from tests.conftest import Shop
from tests.metrics.conftest import NIGHT_CONTRACT, agreements_of, serve, teams_of
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN, PROVIDER, who
from tests.metrics.test_rest import OpenGate
from wangxin.clock import new_id, now_ms
from wangxin.config import Settings
from wangxin.edge import Deps, Gate
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal

FULL: dict[str, Mark] = {item.id: "full" for item in PROPOSED.items}
POOR: dict[str, Mark] = {**FULL, "correct": "none"}


# --- purely ---------------------------------------------------------------------------------------------------------


def test_marks_are_weighed_and_what_had_no_occasion_is_left_out() -> None:
    assert graded(PROPOSED, FULL, ()) == Graded(100, True)
    assert graded(PROPOSED, {**FULL, "correct": "half"}, ()) == Graded(88, True)
    assert graded(PROPOSED, POOR, ()) == Graded(75, False)
    assert graded(PROPOSED, {**POOR, "correct": "na"}, ()) == Graded(100, True)


def test_rules_find_what_is_odd_in_a_conversation_and_nothing_in_a_good_one() -> None:
    def found(*said: Line, waits: tuple[int | None, ...] = ()) -> list[tuple[str, int]]:
        return [(one.rule, one.seq) for one in hints(said, waits, lambda text: ["最便宜"] if "最便宜" in text else [])]

    def agent(seq: int, text: str) -> Line:
        return Line(seq, "agent", text)

    good = agent(2, "亲，您好，这款 199.00 元，今天发")
    card = Line(3, "agent", price_fen=18_900)
    assert found(Line(1, "shopper", "加我微信 abc123"), good, card, waits=(5_000, 130_000)) == []
    assert found(agent(1, "不知道")) == [("no_greeting", 1)]
    assert found(good, waits=(130_000, 125_000, 121_000)) == [("slow", 2)]
    assert found(good, waits=(None,)) == [("no_answer", 2)]
    assert found(good, agent(3, "全网最便宜")) == [("forbidden", 3)]
    assert found(good, agent(3, "加我微信 abc12345")) == [("contact", 3)]
    assert found(good, agent(3, "打 13812345678 找我")) == [("contact", 3)]
    assert found(good, agent(3, "订单 2026111113812345678 已发出")) == []
    again = "请您耐心等待我们的仓库发货"
    assert found(good, *(agent(seq, again) for seq in (3, 4, 5))) == [("copy_paste", 5)]
    assert found(good, card, agent(4, "这件 169 元")) == [("price", 4)]
    assert found(good, card, agent(4, "这件 ¥189"), agent(5, "原价 299 元"), agent(6, "用 20 元券")) == []


def test_a_fatal_item_fails_whatever_else_was_right() -> None:
    assert graded(PROPOSED, FULL, ("abuse",)) == Graded(0, False)


def test_a_sheet_with_holes_or_strange_items_is_refused() -> None:
    for marks, fatal, code in (({}, (), "grade.incomplete"), (FULL, ("nonsense",), "grade.unknown")):
        with pytest.raises(Refusal) as refused:
            graded(PROPOSED, marks, fatal)
        assert refused.value.code == code


def test_two_graders_who_differ_split_a_sample_until_the_shop_decides() -> None:
    good, bad = Graded(90, True), Graded(60, False)
    assert result([], None).state == "waiting"
    assert result([good], None).passed is True
    assert (result([good, Graded(85, True)], None).score, result([good, bad], None)) == (88, result([bad, good], None))
    assert result([good, bad], None).state == "split"
    assert result([good, bad], bad).passed is False


def week(*sizes: int) -> list[Served]:
    return [Served(who(100 * agent + n), who(agent + 1)) for agent, size in enumerate(sizes) for n in range(size)]


@given(st.lists(st.integers(0, 400), max_size=4), st.integers(0, 2**32))
def test_every_agent_is_drawn_by_his_share_and_drawing_again_brings_nothing(sizes: list[int], seed: int) -> None:
    all_of = [Served(who(1_000 * agent + n), who(agent + 1)) for agent, size in enumerate(sizes) for n in range(size)]
    drawn = draw(all_of, Random(seed))
    by = Counter(next(one.agent for one in all_of if one.conversation == got.conversation) for got in drawn)
    for agent, size in enumerate(sizes):
        assert by[who(agent + 1)] == min(size, max(5, -(-size * 3 // 100)))
    assert sum(one.double for one in drawn) == -(-len(drawn) // 10)
    taken = {one.conversation: one.stratum for one in drawn}
    again = [replace(one, taken=taken.get(one.conversation, "")) for one in all_of]
    assert draw(again, Random(seed + 1)) == []


def test_bad_ratings_and_what_was_taken_back_are_drawn_beside_chance() -> None:
    some = [replace(one, low_rating=n == 7, reclaimed=n == 8, disputed=n > 8) for n, one in enumerate(week(60))]
    strata = Counter(one.stratum for one in draw(some, Random(1)))
    assert strata["random"] == 5
    assert strata["low_rating"] + strata["reclaimed"] in (1, 2)
    assert strata["disputed"] == 20, "bounded"


def test_kappa_is_cohens() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert agreement(pairs).kappa == pytest.approx(0.4)
    assert agreement(pairs).same == Rate(35, 50)
    assert agreement([(True, True)] * 9).kappa is None
    assert agreement([]).kappa is None


# --- with everybody -------------------------------------------------------------------------------------------------


class Room:
    def __init__(self, shop: UUID) -> None:
        self.shop, self.gate = shop, OpenGate()
        self.http: httpx.AsyncClient

    def sits(self, role: Role, id_: UUID | None = None, **more: Any) -> Room:
        self.gate.now = Actor(role, id_ or new_id(), frozenset({self.shop}), "何", **more)
        return self

    async def does(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"/quality/{path.format(shop=self.shop)}", json=body)
        return answer.json() if answer.content else None


@pytest.fixture
async def room(pool: asyncpg.Pool, busy_shop: Shop) -> AsyncIterator[Room]:
    """The busy shop's conversations are over."""
    for agent, team in ((ANNA, OWN), (BEN, NIGHT)):
        counter = await serve(pool, busy_shop, agent, team)
        await counter.replies(agent, "我是小本，亲请看 13812345678")
    await Figures(pool).catch_up()
    await pool.execute("update tally set closed_at = clock_timestamp()")
    await pool.execute(
        "insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id,"
        " provider_id, stage, reason, level, waited_ms, predicted_ms, explanation)"
        " select shop_id, conversation_id, 1, thread_id, shopper_id, agent_id, pool_id, $2, 1, 'ring', 0, 0, 0, '{}'"
        " from tally where pool_id = $1",
        NIGHT, PROVIDER,
    )  # fmt: skip
    room = Room(busy_shop.id)
    deps = Deps(Settings(), pool, None, cast(Any, None), cast(Gate, room.gate))
    app = FastAPI()

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"code": refusal.code}, status_code=refusal.status)

    app.include_router(router(deps, teams_of))
    headers = {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as http:
        room.http = http
        yield room


async def test_a_week_is_drawn_graded_blind_doubly_and_appealed(room: Room, pool: asyncpg.Pool) -> None:
    boss, colleague = new_id(), new_id()
    room.sits(Role.MERCHANT, boss)
    today = (await pool.fetchval("select max(day) from tally")).isoformat()
    assert (await room.does("POST", "{shop}/draw", {"day": today}))["code"] == "sheet.none"
    proposed = await room.does("GET", "{shop}/sheet")
    assert proposed["version"] == 0
    assert await room.does("PUT", "{shop}/sheet", proposed["sheet"]) == {"version": 1}
    assert await room.does("POST", "{shop}/draw", {"day": "2100-01-01"}) == {"code": "week.future"}
    assert await room.does("POST", "{shop}/draw", {"day": today}) == {"drawn": 7}
    assert await room.does("POST", "{shop}/draw", {"day": today}) == {"drawn": 0}

    queue = (await room.does("GET", "{shop}/queue"))["rows"]
    assert len(queue) == 7
    assert {*queue[0]} == {"id", "week", "day", "double"}, "nothing says whose it is"
    theirs = {row["id"]: row["agent_id"] for row in await pool.fetch("select id, agent_id from quality_sample")}
    words = ""
    for row in queue:
        shown = await room.does("GET", f"{{shop}}/samples/{row['id']}/blind")
        assert {line["sender"]["name"] for line in shown["lines"]} == {""}
        words += str(shown)
    assert "小本" not in words
    assert "我是**" in words
    double = next(row["id"] for row in queue if row["double"])
    others = [row["id"] for row in queue if not row["double"]]
    good, poor = {"marks": FULL}, {"marks": POOR, "note": "价格说错了"}
    assert await room.does("POST", f"{{shop}}/samples/{double}/grade", good) == {"score": 100, "passed": True}
    assert (await room.does("POST", f"{{shop}}/samples/{double}/grade", good))["code"] == "grade.given"
    room.sits(Role.AGENT, theirs[UUID(double)], supervisor=True)
    assert (await room.does("POST", f"{{shop}}/samples/{double}/grade", good))["code"] == "grade.own"
    assert double not in str(await room.does("GET", "{shop}/queue"))
    room.sits(Role.AGENT, colleague, supervisor=True)
    assert double not in str((await room.does("GET", "{shop}/results"))["rows"]), "he is still to grade it himself"
    assert await room.does("POST", f"{{shop}}/samples/{double}/grade", poor) == {"score": 75, "passed": False}
    room.sits(Role.MERCHANT, new_id())
    assert (await room.does("POST", f"{{shop}}/samples/{double}/grade", good))["code"] == "grade.full"
    found = await room.does("GET", "{shop}/results")
    assert (found["rows"][0]["id"], found["rows"][0]["state"], found["passed"]["n"]) == (double, "split", 0)
    assert (found["double"]["n"], found["double"]["kappa"]) == (1, 0)
    last = {"score": 90, "passed": True, "note": "按活动价，没有错"}
    assert (await room.does("POST", f"{{shop}}/samples/{others[0]}/decide", last))["code"] == "sample.undisputed"
    await room.does("POST", f"{{shop}}/samples/{double}/decide", last)
    assert (await room.does("POST", f"{{shop}}/samples/{double}/decide", last))["code"] == "sample.decided"

    bens = next(id_ for id_ in others if theirs[UUID(id_)] == BEN)
    appeal = f"{{shop}}/samples/{bens}/appeal"
    room.sits(Role.AGENT, BEN, provider=PROVIDER)
    assert (await room.does("POST", appeal, {"reason": "急"}))["code"] == "sample.ungraded"
    assert (await room.does("GET", f"{{shop}}/samples/{bens}/words"))["code"] == "sample.not_found"
    room.sits(Role.MERCHANT, boss)
    await room.does("POST", f"{{shop}}/samples/{bens}/grade", {**poor, "fatal": ["off_platform"]})
    room.sits(Role.AGENT, ANNA)
    assert (await room.does("POST", appeal, {"reason": "不是我"}))["code"] == "sample.not_found"
    room.sits(Role.AGENT, BEN, provider=PROVIDER)
    mine = await room.does("GET", "mine")
    assert [(row["id"], row["score"]) for row in mine["rows"] if row["id"] == bens] == [(bens, 0)]
    assert str(boss) not in str(mine), "who graded is not said"
    assert mine["sheets"][f"{room.shop}/1"]["pass_mark"] == 80
    room.sits(Role.PROVIDER, provider=PROVIDER)
    assert "小本" in str((await room.does("GET", "provided"))["rows"])
    assert await room.does("POST", appeal, {"reason": "买家自己留的电话"}) is None
    assert (await room.does("POST", appeal, {"reason": "再说一次"}))["code"] == "sample.appealed"
    room.sits(Role.MERCHANT, boss)
    await room.does("POST", f"{{shop}}/samples/{bens}/decide", last)
    assert (await room.does("POST", appeal, {"reason": "再说"}))["code"] == "role.wrong"
    audited = Counter(row["action"] for row in await pool.fetch("select action from audit"))
    assert audited["quality.graded"] == 3
    assert audited["quality.decided"] == 2
    assert audited["quality.appealed"] == 1
    await pool.execute("update quality_sample set graded_at = graded_at - interval '8 days', state = 'graded'")
    room.sits(Role.PROVIDER, provider=PROVIDER)
    assert (await room.does("POST", appeal, {"reason": "太晚"}))["code"] == "appeal.late"


async def test_what_passes_counts_in_statements_and_stars_beside_seats_and_silent_orders(
    room: Room, pool: asyncpg.Pool
) -> None:
    """The night pool: one of its conversations fails; its contract promises 90 % and pays silent orders."""
    async with pool.acquire() as conn:
        await record.write_sheet(conn, room.shop, PROPOSED, who(1))
        day = await conn.fetchval("select max(day) from tally")
        async with conn.transaction():
            await record.draw_week(conn, room.shop, day - timedelta(days=day.weekday()), Random(1))
        samples = await conn.fetch("select id, pool_id from quality_sample where stratum = 'random' order by pool_id")
        nights = [row["id"] for row in samples if row["pool_id"] == NIGHT]
        for number, id_ in enumerate(nights):
            await record.grade(conn, room.shop, id_, who(1), POOR if number == 0 else FULL, (), "")
        calendar = (await calendars(conn, [room.shop]))[room.shop]
        promise = Promise("qa_pass", True, 900, 1, (Step(100, 50),))
        prices = (PerConversation((Tier(None, 100),)), PerOrder(100, silent=True))
        terms = Terms(NIGHT_CONTRACT, 1, frozenset({NIGHT}), prices, (promise,), fee_fen_max=2_700)
        version = Version(terms, 0, calendar.day_end_ms(day) + 1, 2, "week", False)
        agreement_ = Agreement(NIGHT_CONTRACT, PROVIDER, "客满满", (version,))
        (statement,) = await day_statements(conn, room.shop, [agreement_], day, day, calendar)
        lines = {line.kind: line for line in statement.statement.lines}
        assert lines[LineKind.SILENT].evidence == ("silent",)
        fee = 3 * 100 + 2_500 + 70
        assert [lines[kind].amount_fen for kind in (LineKind.SILENT, LineKind.COMMISSION)] == [70, 2_500]
        assert lines[LineKind.SERVICE].amount_fen == -round(fee * 0.05 + 0.01)
        assert lines[LineKind.SERVICE].label == "qa_pass = 666.7 (n = 3)"
        verdicts = [proof.rpartition(": ")[2] for proof in lines[LineKind.SERVICE].evidence[2:]]
        assert sorted(verdicts) == ["failed", "passed", "passed"], "every check is named, not their share alone"
        assert lines[LineKind.CAP].amount_fen == 2_700 - (fee + lines[LineKind.SERVICE].amount_fen)
        assert statement.statement.total_fen == 2_700

        assert (await cards.availability(conn, room.shop, day, day, [agreement_], calendar)).hits == 0
        await admin_record.add_provider(conn, PROVIDER, "客满满")
        await admin_record.add_pool(conn, PROVIDER, NIGHT, "夜间组", outsourced=True)
        await admin_record.put_seat(conn, PROVIDER, BEN, "小本", [NIGHT], outsourced=True)
        await conn.execute(
            """insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, terms, created_by)
               values ($1, $2, 1, $3, $4, '2020-01-01', '{}', $2)""",
            room.shop, NIGHT_CONTRACT, PROVIDER, [NIGHT],
        )  # fmt: skip
        yesterday = day - timedelta(days=1)
        start = calendar.day_end_ms(yesterday - timedelta(days=1))
        await conn.execute(
            """insert into seat_time (owner_id, agent_id, from_at, state, to_at)
               values ($1, $2, ms_at($3), 'ready', ms_at($4))""",
            PROVIDER, BEN, start, start + 12 * 3_600_000,
        )  # fmt: skip
        found = await cards.availability(conn, room.shop, yesterday, yesterday, [agreement_], calendar)
        assert (found.hits, found.n) == (12, 48), "two seats were due around the clock, one was there for half of it"
        half = replace(version, open_spans=lambda at, until: [(at, at + 6 * 3_600_000)])
        found = await cards.availability(
            conn, room.shop, yesterday, yesterday, [replace(agreement_, versions=(half,))], calendar
        )
        assert (found.hits, found.n) == (6, 12), "only the contract's hours count"
        months: dict[UUID, cards.Month] = {}
        terms_ = await agreements_of(conn, room.shop)
        await cards.add_shop(conn, room.shop, yesterday, day, await teams_of(conn, room.shop), terms_, calendar, months)
        assert months[PROVIDER].parts["quality"] == Rate(len(nights) - 1, len(nights))
    assert await Figures(pool).sample(lambda shop: shop.day(now_ms()) + timedelta(days=7)) == 0, "drawn already"
    await pool.execute("delete from quality_grade")
    await pool.execute("delete from quality_sample")
    assert await Figures(pool).sample(lambda shop: shop.day(now_ms()) + timedelta(days=7)) == 7


async def test_every_ended_conversation_is_looked_at_by_the_rules(room: Room, pool: asyncpg.Pool) -> None:
    room.sits(Role.MERCHANT, new_id())
    served = await pool.fetchval("select count(*) from tally where agent_id is not null")

    async def forbidden_of(conn: Any, shop: UUID) -> Any:
        return lambda text: ["小本"] if "小本" in text else []

    assert await checking.check(pool, forbidden_of) == served
    assert await checking.check(pool, forbidden_of) == 0
    found = await room.does("GET", "{shop}/hints")
    assert found["checked"] == served
    assert (found["by_rule"]["forbidden"], found["by_rule"]["contact"]) == (2, 2)
    assert {hint["words"] for row in found["rows"] for hint in row["hints"] if hint["rule"] == "forbidden"} == {"小本"}
    assert len((await room.does("GET", "{shop}/hints?rule=contact"))["rows"]) == 2
    assert "13812345678" not in str(found), "whose number it was is read in the conversation, not here"
    assert (await room.does("GET", "{shop}/hints?first=2100-01-02&last=2100-01-01"))["code"] == "period.wrong"
