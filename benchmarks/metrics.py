"""How fast the figures are: lines folded a second on one core, how old the live board is at 500 messages a second, the
report of a day with 100,000 turns (live, and from its sums once it is sealed), and that of twelve months with 10
million turns from the sums of their days.

python -m benchmarks.metrics            # all, on an embedded PostgreSQL of its own
python -m benchmarks.metrics --fold     # the fold alone, no store
python -m benchmarks.metrics --board    # the live board alone

The twelve months are four weeks of 27,473 turns a day, written, sealed and then repeated thirteen times as sums: the
same shoppers come back every four weeks. What a report reads is as much as of any year with as many conversations.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import psutil

from benchmarks.board import lag
from metrics import report_postgres as read
from metrics.model import Event, Line, Speaker
from metrics.report import document
from metrics.rollups_postgres import sealed_days
from metrics.sealing_postgres import COLUMNS, seal
from metrics.state import ThreadState
from metrics.teams import PoolName, Teams
from metrics.turns import fold
from wangxin.clock import new_id
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.migrate import migrate

TURNS = 100_000
WEEKS = 52
YEAR_TURNS = 10_000_000
POOLS = [UUID(int=number) for number in (1, 2, 3)]
DAY = date(2026, 11, 11)


def history(thread: int) -> list[Line]:
    """Twelve lines of one conversation: bot, hand-off, assignment, four questions answered, closing."""
    chat, agent, at_ms = UUID(int=10_000 + thread), UUID(int=100 + thread % 40), 1_794_000_000_000
    lines = [
        Line(1, at_ms, Speaker.SHOPPER, chat),
        Line(2, at_ms + 300, Speaker.BOT, chat),
        Line(3, at_ms + 9_000, Speaker.SYSTEM, chat, "event", event=Event.HANDOFF),
        Line(
            4, at_ms + 9_400, Speaker.SYSTEM, chat, "event", event=Event.ASSIGNED, agent=agent, pool=POOLS[thread % 3]
        ),
        Line(5, at_ms + 21_000, Speaker.AGENT, chat, sender=agent),
    ]
    for seq in range(6, 12, 2):
        lines.append(Line(seq, at_ms + seq * 9_000, Speaker.SHOPPER, chat))
        lines.append(Line(seq + 1, at_ms + seq * 9_000 + 14_000, Speaker.AGENT, chat, sender=agent))
    lines.append(Line(12, at_ms + 200_000, Speaker.SYSTEM, chat, "event", event=Event.CLOSED, reason="idle"))
    return lines


def fold_rate(threads: int = 20_000) -> dict[str, float]:
    histories = [history(thread) for thread in range(threads)]
    began = time.process_time()
    for lines in histories:
        fold(ThreadState(), lines)
    took = time.process_time() - began
    n = sum(len(lines) for lines in histories)
    return {"lines": n, "cpu_s": round(took, 3), "lines_per_cpu_s": round(n / took)}


async def _with_store(measure: Callable[[postgres.Pool], Awaitable[None]]) -> None:
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as folder:
        os.chmod(folder, 0o755)
        server = EmbeddedPostgres(Path(folder), database="bench")
        await server.start()
        try:
            await migrate(server.url)
            pool = await postgres.open_pool(server.url)
            try:
                await measure(pool)
            finally:
                await pool.close()
        finally:
            server.stop(how="immediate")


async def _board(pool: postgres.Pool) -> None:
    print(json.dumps({"board": await lag(pool)}), flush=True)


async def _reports(pool: postgres.Pool, rounds: int = 20) -> None:
    """Prints each result as soon as it is there."""
    async with pool.acquire() as conn:
        for name, figures in (await _day_report(conn, rounds)).items():
            print(json.dumps({name: figures}), flush=True)
        print(json.dumps({"year": await _year_report(conn, rounds)}))


TEAMS = Teams({id_: PoolName(id_, f"pool {n}", id_ if n else None) for n, id_ in enumerate(POOLS)})


async def _write_day(conn: postgres.Connection, shop: UUID, day: date, turns: int, people: str) -> None:
    await conn.execute(_TURNS, shop, day, POOLS, turns, people)
    for statement in _AROUND:
        await conn.execute(statement, shop, day)


async def _seal(conn: postgres.Connection, shop: UUID, day: date) -> float:
    began = time.perf_counter()
    async with conn.transaction(isolation="repeatable_read"):
        assert await seal(conn, shop, day)
    return time.perf_counter() - began


async def _shop(conn: postgres.Connection, slug: str) -> UUID:
    shop = new_id()
    await conn.execute("insert into shop (shop_id, slug, name, token_secret) values ($1, $2, $2, 'x')", shop, slug)
    return shop


async def _timed(conn: postgres.Connection, asked: read.Asked, rounds: int, turns: int) -> dict[str, float]:
    backend = psutil.Process(await conn.fetchval("select pg_backend_pid()"))
    found = await document(conn, asked, TEAMS)
    times, store, own = [], sum(backend.cpu_times()[:2]), time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        found = await document(conn, asked, TEAMS)
        times.append((time.perf_counter() - began) * 1000)
    whole = found["rows"][-1]["figures"]
    assert whole["turns"] == turns
    assert whole["conversations"] == turns // 4
    times.sort()
    return {
        "turns": turns,
        "conversations": whole["conversations"],
        "shoppers": whole["conversion"]["n"],
        "orders": whole["orders"],
        "p50_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(times[int(len(times) * 0.95) - 1], 1),
        "cpu_ms_postgres": round((sum(backend.cpu_times()[:2]) - store) * 1000 / rounds, 1),
        "cpu_ms_python": round((time.process_time() - own) * 1000 / rounds, 1),
    }


async def _day_report(conn: postgres.Connection, rounds: int) -> dict[str, dict[str, float]]:
    shop = await _shop(conn, "day")
    await _write_day(conn, shop, DAY, TURNS, "day-")
    await conn.execute("analyze")
    asked = read.Asked(shop, DAY, DAY)
    live = await _timed(conn, asked, rounds, TURNS)
    took = await _seal(conn, shop, DAY)
    assert await sealed_days(conn, shop, DAY, DAY) == [DAY]
    return {"day_live": live, "day_sealed": {**await _timed(conn, asked, rounds, TURNS), "seal_s": round(took, 2)}}


async def _year_report(conn: postgres.Connection, rounds: int) -> dict[str, float]:
    shop, took = await _shop(conn, "year"), []
    first = DAY - timedelta(days=WEEKS * 7 - 1)
    for number in range(28):
        day = first + timedelta(days=number)
        await _write_day(conn, shop, day, YEAR_TURNS // (WEEKS * 7) // 4 * 4, f"year{number}-")
        took.append(await _seal(conn, shop, day))
        for table in ("turn", "tally", "touch", "order_credit"):
            await conn.execute(f"delete from {table} where shop_id = $1", shop)
        await conn.execute("delete from day_stale")
    rollup = ", ".join(COLUMNS)
    again = ", ".join(name if name != "day" else "day + r * 28" for name in COLUMNS)
    await conn.execute(
        f"insert into day_rollup ({rollup}) select {again} from day_rollup cross join generate_series(1, $2::int) r"
        " where shop_id = $1",
        shop, WEEKS // 4 - 1,
    )  # fmt: skip
    await conn.execute(
        """insert into day_money (shop_id, grain, rule, day, key, pool_id, kind, orders, fen)
           select shop_id, grain, rule, day + r * 28, key, pool_id, kind, orders, fen
           from day_money cross join generate_series(1, $2::int) r where shop_id = $1""",
        shop, WEEKS // 4 - 1,
    )  # fmt: skip
    await conn.execute(
        """insert into day_seal (shop_id, day, version, digest) select shop_id, day + r * 28, 1, digest
           from day_seal cross join generate_series(1, $2::int) r where shop_id = $1""",
        shop, WEEKS // 4 - 1,
    )  # fmt: skip
    await conn.execute("analyze")
    size = await conn.fetchval("select sum(pg_column_size(r.*)) from day_rollup r where shop_id = $1", shop)
    turns = YEAR_TURNS // (WEEKS * 7) // 4 * 4 * WEEKS * 7
    found = await _timed(conn, read.Asked(shop, first, DAY), rounds, turns)
    return {**found, "days": WEEKS * 7, "seal_s_mean": round(sum(took) / len(took), 2), "sums_mb": round(size / 1e6)}


_TURNS = """
insert into turn (shop_id, thread_id, first_seq, shopper_id, conversation_id, day, hour, ordinal, human_ordinal,
  opened_at, opened_by, conversation_opened_at, questions, human_at, answered_at, answer_seq, answered_by, agent_id,
  pool_id, transfers, left_message, outbound, stints, wait_ms, response_ms, business_ms, wait_bucket)
select $1, md5($5::text || n / 4)::uuid, n, md5($5::text || n / 4)::uuid, md5($5::text || n / 4)::uuid, $2::date,
  (n % 24)::smallint, n % 4 + 1, n % 4 + 1, at, 'words', at, 1, at, at + w * interval '1 ms', n + 1, 'human',
  md5('a' || n / 4 % 200)::uuid, ($3::uuid[])[n / 4 % 3 + 1], 0, false, false,
  jsonb_build_array(jsonb_build_array(($3::uuid[])[n / 4 % 3 + 1], md5('a' || n / 4 % 200)::uuid, 0, w)), w, w, w,
  ceil(ln(w) / ln(1.01 / 0.99))
from (select n, $2::date + n * interval '0.8 s' as at, (5000 * exp(sin(n) * 1.5))::bigint as w
        from generate_series(0, $4::int - 1) n) g"""
# What stands around the turns: a shopper, a conversation, its tally and touch for every four; half of them buy, and
# one in ten had bought within the 21 days before.
_AROUND = (
    "insert into shopper (shop_id, id, name) select distinct shop_id, shopper_id, 'x' from turn"
    " where shop_id = $1 and day = $2",
    """insert into conversation (shop_id, id, thread_id, shopper_id, state, topic, opened_at, opened_seq)
       select shop_id, conversation_id, thread_id, shopper_id, 'closed', '', min(opened_at), 1
       from turn where shop_id = $1 and day = $2 group by 1, 2, 3, 4""",
    """insert into tally (shop_id, conversation_id, thread_id, shopper_id, day, hour, opened_at, outbound,
         shopper_messages, human_messages, bot_messages, enqueued_at, agent_id, pool_id, close_reason, left_message,
         transfers, score, abandoned)
       select shop_id, conversation_id, thread_id, shopper_id, day, min(hour), min(opened_at), false, 6, 4, 1,
         min(opened_at), agent_id, pool_id, 'agent', false, 0, (min(first_seq) % 6)::smallint, 'no'
       from turn where shop_id = $1 and day = $2 group by 1, 2, 3, 4, 5, agent_id, pool_id""",
    """insert into touch (shop_id, conversation_id, number, thread_id, shopper_id, agent_id, pool_id, first_at, last_at,
         messages, turns)
       select shop_id, conversation_id, 1, thread_id, shopper_id, agent_id, pool_id, min(answered_at), max(answered_at),
         4, 4 from turn where shop_id = $1 and day = $2 group by 1, 2, 4, 5, 6, 7""",
    """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, created_at, paid_at)
       select shop_id, $2::date || 'o' || row_number() over (order by conversation_id), shopper_id, 'paid', 19900, at,
         at
       from (select shop_id, conversation_id, shopper_id, opened_at + interval '1 hour' as at from tally
             where shop_id = $1 and day = $2 and get_byte(decode(md5(conversation_id::text), 'hex'), 0) < 128
             union all select shop_id, conversation_id, shopper_id, opened_at - interval '5 days' from tally
             where shop_id = $1 and day = $2 and get_byte(decode(md5(conversation_id::text), 'hex'), 1) < 26) o""",
    """insert into order_credit (shop_id, order_id, rule, part, kind, shopper_id, conversation_id, agent_id, pool_id,
         orders, paid_fen, converted_at, day, order_changed_at)
       select o.shop_id, o.id, r.rule, 0, 'touched', o.shopper_id, t.conversation_id, t.agent_id, t.pool_id, 1,
         o.amount_fen, o.paid_at, t.day, o.changed_at
       from shop_order o join tally t on t.shop_id = o.shop_id and t.shopper_id = o.shopper_id
       cross join unnest(array['last_touch', 'last_touch_same_day', 'last_48h', 'last_72h', 'first_24h',
         'share_by_turns']) r(rule)
       where o.shop_id = $1 and t.day = $2 and o.created_at > t.opened_at""",
)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fold", action="store_true", help="the fold alone")
    arguments.add_argument("--board", action="store_true", help="the live board alone")
    only = arguments.parse_args()
    if not only.board:
        print(json.dumps({"fold": fold_rate()}), flush=True)
    if not only.fold:
        asyncio.run(_with_store(_board))
    if not (only.fold or only.board):
        asyncio.run(_with_store(_reports))
