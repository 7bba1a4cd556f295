"""Statements are issued once a day, disputed and answered line by line, signed, and then frozen; on a real record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import asyncpg
import openpyxl
import pytest

from dispatcher import admin_record
from metrics import record_postgres, statement_record
from metrics.agreements import Agreement, Version
from metrics.model import DAY
from metrics.quality import record as quality
from metrics.quality.model import PROPOSED, Graded
from metrics.service import Figures
from metrics.settlement import LineKind
from metrics.statement_out import csv_response, issued_json, xlsx_response
from metrics.terms import Band, Base, PerMinute, PerOnlineHour, PerOrder, Promise, Terms
from metrics.xlsx_out import Sheet, workbook
from tests.conftest import Shop
from tests.metrics.conftest import NIGHT_CONTRACT, agreements_of
from tests.metrics.talk import BEN, NIGHT, PROVIDER
from tests.metrics.test_rollups import back_in_time
from wangxin.clock import new_id, now_ms
from wangxin.model.refusals import Refusal

BOSS, CHIEF = new_id(), new_id()


def day_ms(at: Any) -> int:
    return int(at.timestamp() * 1000)


@pytest.fixture
async def past_shop(pool: asyncpg.Pool, busy_shop: Shop) -> Shop:
    """The busy shop's day was yesterday, and its night pool is that of a provider under contract."""
    await back_in_time(pool, busy_shop.id, 1)
    await pool.execute("insert into provider (provider_id, name) values ($1, '客满满')", PROVIDER)
    await pool.execute(
        """insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, terms, created_by)
           values ($1, $2, 1, $3, $4, now() - interval '2 days', '{}', $5)""",
        busy_shop.id, NIGHT_CONTRACT, PROVIDER, [NIGHT], BOSS,
    )  # fmt: skip
    return busy_shop


async def agreed(pool: asyncpg.Pool, shop: UUID, days_ago: int = 1, **more: Any) -> list[Agreement]:
    """The night contract, in force for so many days."""
    (one,) = await agreements_of(None, shop)
    (version,) = one.versions
    return [replace(one, versions=(replace(version, starts_ms=now_ms() - days_ago * DAY, **more),))]


async def issue(pool: asyncpg.Pool, shop: UUID, agreements: list[Agreement], later_ms: int = 0) -> int:
    async with pool.acquire() as conn, conn.transaction():
        calendar = (await record_postgres.calendars(conn, [shop]))[shop]
        return await statement_record.issue(conn, shop, agreements, calendar, now_ms() + later_ms, new_id)


async def all_issued(pool: asyncpg.Pool) -> list[statement_record.Issued]:
    async with pool.acquire() as conn:
        return await statement_record.of_provider(conn, PROVIDER, date(2000, 1, 1), date(2100, 1, 1), evidence=True)


async def test_a_day_is_issued_once_when_it_is_over_with_all_its_evidence(pool: asyncpg.Pool, past_shop: Shop) -> None:
    agreements = await agreed(pool, past_shop.id)
    assert await issue(pool, past_shop.id, agreements) == 1
    assert await issue(pool, past_shop.id, agreements) == 0
    (one,) = await all_issued(pool)
    # Two conversations of the month: ¥2.00 and ¥1.00; 1.5 % of ¥250.00 of orders.
    assert [(line.kind, line.amount_fen) for line in one.lines] == [
        ("conversations", 200), ("conversations", 100), ("commission", 375)
    ]  # fmt: skip
    assert (one.total_fen, one.state, len(one.lines[2].evidence)) == (675, "open", 2)
    assert one.due_ms > now_ms() + 6 * DAY


async def test_a_line_is_disputed_answered_and_signed_and_then_nothing_moves(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    await issue(pool, past_shop.id, await agreed(pool, past_shop.id))
    (one,) = await all_issued(pool)
    key = one.contract, one.day

    async def disputes(line: int, fen: int) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await statement_record.dispute(
                conn, PROVIDER, *key, line, reason="少算一单", claimed_fen=fen, by=CHIEF, now_ms=now_ms()
            )

    async def answers(line: int, fen: int | None) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await statement_record.answer(
                conn, past_shop.id, *key, line, agreed_fen=fen, note="看过了", by=BOSS, now_ms=now_ms()
            )

    async def signs(provider: UUID = PROVIDER) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await statement_record.sign(conn, provider, *key, by=CHIEF)

    await disputes(0, 300)
    await disputes(0, 400)  # before the answer, he may say it otherwise
    await disputes(2, 500)
    assert (await all_issued(pool))[0].state == "disputed"
    with pytest.raises(Refusal, match=r"statement\.disputed"):
        await signs()
    await answers(0, 400)
    await answers(2, None)
    with pytest.raises(Refusal, match=r"dispute\.answered"):
        await answers(0, 1)
    with pytest.raises(Refusal, match=r"dispute\.answered"):
        await disputes(0, 1)
    with pytest.raises(Refusal, match=r"dispute\.not_found"):
        await answers(1, 1)
    with pytest.raises(Refusal, match=r"line\.not_found"):
        await disputes(3, 1)
    with pytest.raises(Refusal, match=r"statement\.not_found"):
        await signs(new_id())
    await signs()
    (signed,) = await all_issued(pool)
    assert (signed.state, signed.total_fen, signed.amount_fen(0), signed.amount_fen(2)) == ("signed", 875, 400, 375)
    for again in (signs(), disputes(1, 1), answers(0, 1)):
        with pytest.raises(Refusal, match=r"statement\.signed"):
            await again
    for query in ("update statement set total_fen = 1", "delete from statement",
                  "update statement_dispute set agreed_fen = 1", "delete from statement_dispute"):  # fmt: skip
        with pytest.raises(asyncpg.RaiseError):
            await pool.execute(query)


async def test_what_nobody_disputes_by_the_deadline_counts_as_signed(pool: asyncpg.Pool, past_shop: Shop) -> None:
    await issue(pool, past_shop.id, await agreed(pool, past_shop.id, dispute_days=0), later_ms=-1_000)
    (one,) = await all_issued(pool)
    async with pool.acquire() as conn:
        with pytest.raises(Refusal, match=r"statement\.due"):
            await statement_record.dispute(
                conn, PROVIDER, one.contract, one.day, 0, reason="晚了", claimed_fen=1, by=CHIEF, now_ms=now_ms()
            )
        assert await statement_record.lapse(conn) == 1
    assert [one.state for one in await all_issued(pool)] == ["lapsed"]


async def test_a_refund_after_the_cycle_is_taken_off_in_the_next_one_and_only_once(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    """A cycle of a week whose last day is long over: whatever day it is now."""
    days_ago = 8 + (now_ms() // DAY) % 7
    await back_in_time(pool, past_shop.id, int(days_ago) - 1)
    begins = await agreed(pool, past_shop.id, int(days_ago), cycle="week")
    day: date = await pool.fetchval("select min(day) from tally")
    await issue(pool, past_shop.id, begins, later_ms=-int(days_ago - 1) * DAY)
    assert [one.day for one in await all_issued(pool)] == [day]
    await pool.execute("update shop_order set refunded_fen = amount_fen where amount_fen = 20000")
    await issue(pool, past_shop.id, begins)
    found = sorted(await all_issued(pool), key=lambda one: one.day)
    corrected = [(one, line) for one in found for line in one.lines if line.kind is LineKind.CORRECTION]
    assert [(line.amount_fen, line.of_day, line.of_kind, len(line.evidence)) for _, line in corrected] == [
        (-300, day, LineKind.COMMISSION, 1)
    ]
    assert corrected[0][0].cycle_first > found[0].cycle_first
    assert found[0].total_fen == 675
    assert [one.day for one in found] == [day + timedelta(days=number) for number in range(len(found))]


async def test_an_appeal_won_after_the_cycle_gives_the_penalty_back_in_the_next_one(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    days_ago = int(8 + (now_ms() // DAY) % 7)
    await back_in_time(pool, past_shop.id, days_ago - 1)
    (one,) = await agreed(pool, past_shop.id, days_ago, cycle="week")
    day: date = await pool.fetchval("select min(day) from tally")
    promises = (Promise("qa_pass", True, 900, 1, (Band(100, 100),)), Promise("csat", True, 500, 1, (Band(1, 50),)))
    terms = replace(one.versions[0].terms, promises=promises)
    begins = [replace(one, versions=(replace(one.versions[0], terms=terms),))]
    async with pool.acquire() as conn, conn.transaction():
        await quality.write_sheet(conn, past_shop.id, PROPOSED, BOSS)
        await conn.execute(
            """insert into quality_sample (shop_id, id, week, conversation_id, thread_id, day, agent_id, pool_id,
                 provider_id, stratum, double)
               select shop_id, gen_random_uuid(), $1, conversation_id, thread_id, day, agent_id, pool_id, $3, 'random',
                 false from tally where pool_id = $2""",
            day - timedelta(days=day.weekday()), NIGHT, PROVIDER,
        )  # fmt: skip
        nights = await conn.fetch("select id from quality_sample")
        assert nights
        poor = {item.id: "none" for item in PROPOSED.items}
        for row in nights:
            await quality.grade(conn, past_shop.id, row["id"], BOSS, poor, (), "")  # type: ignore[arg-type]
    await pool.execute("update quality_sample set graded_at = day + interval '12 h' where graded_at is not null")
    week_over = (7 - day.weekday()) * DAY
    later_ms = week_over - days_ago * DAY + statement_record.ISSUE_AFTER_MS
    await issue(pool, past_shop.id, begins, later_ms=later_ms)
    lines = [line for issued in await all_issued(pool) for line in issued.lines if line.kind is LineKind.SERVICE]
    (penalty,) = [line for line in lines if line.label.startswith("qa_pass")]
    assert penalty.amount_fen < 0
    assert [proof.rpartition(": ")[2] for proof in penalty.evidence[2:]] == ["failed"] * len(nights)
    async with pool.acquire() as conn, conn.transaction():
        for row in nights:
            sample = await quality.sample(conn, past_shop.id, row["id"])
            await quality.appeal(conn, sample, "provider", CHIEF, "看错了", day_ms(sample["graded_at"]))
            await quality.decide(conn, past_shop.id, row["id"], BOSS, Graded(100, True), "改判")
    await issue(pool, past_shop.id, begins)
    await issue(pool, past_shop.id, begins)
    corrected = [line for issued in await all_issued(pool) for line in issued.lines if line.of_kind is LineKind.SERVICE]
    assert [(line.amount_fen, line.evidence[0]) for line in corrected] == [
        (-penalty.amount_fen, f"qa_pass = {1000 * len(nights)} / {len(nights)}")
    ], "once, and in the cycle after"


async def test_online_time_handled_minutes_base_fee_and_promises_come_from_the_record(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    shop = past_shop.id
    day: date = await pool.fetchval("select min(day) from tally")
    noon = f"{day.isoformat()} 12:00+08"
    async with pool.acquire() as conn, conn.transaction():
        await admin_record.add_pool(conn, PROVIDER, NIGHT, "夜间组", outsourced=True)
        await admin_record.put_seat(conn, PROVIDER, BEN, "小本", [NIGHT], outsourced=True)
    await pool.execute(
        f"""insert into seat_time (owner_id, agent_id, from_at, state, to_at) values
            ($1, $2, '{noon}', 'ready', timestamptz '{noon}' + interval '90 min'),
            ($1, $2, timestamptz '{noon}' + interval '90 min', 'break', timestamptz '{noon}' + interval '3 h'),
            ($1, $2, timestamptz '{noon}' + interval '3 h', 'busy', '2100-01-01')""",
        PROVIDER, BEN,
    )  # fmt: skip
    chat = await pool.fetchrow("select conversation_id, thread_id, shopper_id from tally where pool_id = $1", NIGHT)
    for epoch, begins, ends in ((1, "12:00", "12:02"), (2, "13:00", "13:00:30")):
        await pool.execute(
            f"""insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id,
                  stage, reason, level, waited_ms, predicted_ms, explanation, assigned_at, released_at)
                values ($1, $2, $3, $4, $5, $6, $7, 1, 'ring', 0, 0, 0, '{{}}', '{day} {begins}+08',
                        '{day} {ends}+08')""",
            shop, chat["conversation_id"], epoch, chat["thread_id"], chat["shopper_id"], BEN, NIGHT,
        )  # fmt: skip
    promise = Promise("frt_mean_ms", False, 3_600_000, 1, (), (Band(500, 100),))
    prices = (PerOnlineHour(2_000), PerMinute(100), Base(3_000), PerOrder(10))
    terms = Terms(NIGHT_CONTRACT, 1, frozenset({NIGHT}), prices, (promise,))
    version = Version(terms, now_ms() - DAY, now_ms() - DAY // 24, 0, "month", False)
    await issue(pool, shop, [Agreement(NIGHT_CONTRACT, PROVIDER, "客满满", (version,))])
    lines = {line.kind: line for one in await all_issued(pool) for line in one.lines if one.day == day}
    # 1.5 h ready and 9 h busy until midnight; two minutes and a half with the pool.
    assert (lines[LineKind.ONLINE].quantity, lines[LineKind.ONLINE].amount_fen) == (630, 21_000)
    assert (lines[LineKind.HANDLED].amount_fen, lines[LineKind.HANDLED].evidence) == (250, (str(chat[0]),))
    assert lines[LineKind.COMMISSION].amount_fen == 250
    fee = sum(line.amount_fen for kind, line in lines.items() if kind is not LineKind.SERVICE)
    if LineKind.SERVICE in lines:  # the contract's last day, unless it ended after midnight
        assert lines[LineKind.SERVICE].amount_fen == (fee * 100 + 500) // 1000


async def test_who_lost_his_line_is_paid_until_he_was_last_heard_and_the_rest_is_named(
    pool: asyncpg.Pool, past_shop: Shop
) -> None:
    shop = past_shop.id
    day: date = await pool.fetchval("select min(day) from tally")
    chat = await pool.fetchrow("select conversation_id, thread_id, shopper_id from tally where pool_id = $1", NIGHT)
    await pool.execute(
        f"""insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id, stage,
              reason, level, waited_ms, predicted_ms, explanation, assigned_at, attended_until, released_at,
              release_reason)
            values ($1, $2, 1, $3, $4, $5, $6, 1, 'ring', 0, 0, 0, '{{}}', '{day} 12:00+08', '{day} 12:02+08',
                    '{day} 12:02:40+08', 'disconnected')""",
        shop, chat["conversation_id"], chat["thread_id"], chat["shopper_id"], BEN, NIGHT,
    )  # fmt: skip
    terms = Terms(NIGHT_CONTRACT, 1, frozenset({NIGHT}), (PerMinute(100),))
    version = Version(terms, now_ms() - DAY, None, 0, "month", False)
    await issue(pool, shop, [Agreement(NIGHT_CONTRACT, PROVIDER, "客满满", (version,))])
    (line,) = [line for one in await all_issued(pool) for line in one.lines if one.day == day]
    assert (line.kind, line.quantity, line.amount_fen) == (LineKind.HANDLED, 2, 200)
    assert line.evidence == (str(chat[0]), f"{chat[0]}: 40000 ms after the last sign of a lost line")


async def test_the_worker_issues_and_lapses(pool: asyncpg.Pool, past_shop: Shop) -> None:
    async def those(conn: Any, shop: UUID) -> list[Agreement]:
        return await agreed(pool, shop)

    figures = Figures(pool)
    assert await figures.settle(those) == 1
    assert await figures.settle(those) == 0


async def test_exports_hold_every_line_and_run_nothing(pool: asyncpg.Pool, past_shop: Shop) -> None:
    await issue(pool, past_shop.id, await agreed(pool, past_shop.id))
    (one,) = await all_issued(pool)
    await pool.execute(
        """insert into statement_dispute (shop_id, statement_id, line, reason, claimed_fen, raised_by)
           values ($1, $2, 0, '=HYPERLINK("http://x")', 1, $3)""",
        one.shop, one.id, CHIEF,
    )  # fmt: skip
    shown = [issued_json(one, evidence=True) for one in await all_issued(pool)]
    book = openpyxl.load_workbook(BytesIO(bytes(xlsx_response("s", shown).body)))
    lines = list(book["lines"].iter_rows(values_only=True))
    assert sum(row[lines[0].index("agreed_fen")] for row in lines[1:]) == 675
    (cell,) = [cell for row in book["lines"].iter_rows() for cell in row if str(cell.value).startswith("=")]
    assert cell.data_type == "s", "a formula in a reason is only text"
    assert {row[4] for row in book["evidence"].iter_rows(min_row=2, values_only=True)} == {
        proof for line in one.lines for proof in line.evidence
    }
    assert "'=HYPERLINK" in bytes(csv_response("s", shown).body).decode()


def test_a_workbook_keeps_text_numbers_and_gaps_apart() -> None:
    book = openpyxl.load_workbook(BytesIO(workbook([Sheet("a", ("x", "y"), [("007", 7), (None, 1.5), (True, "@a")])])))
    assert list(book["a"].iter_rows(values_only=True)) == [("x", "y"), ("007", 7), (None, 1.5), (True, "@a")]
