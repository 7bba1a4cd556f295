"""How fast the figures are: lines folded a second on one core, and the report of a day with 100,000 turns.

python -m benchmarks.metrics            # both, on an embedded PostgreSQL of its own
python -m benchmarks.metrics --fold     # the fold alone, no store
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from datetime import date
from pathlib import Path
from uuid import UUID

from metrics import report_postgres as read
from metrics.model import Event, Line, Speaker
from metrics.report import document
from metrics.state import ThreadState
from metrics.teams import PoolName, Teams
from metrics.turns import fold
from wangxin.clock import new_id
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.migrate import migrate

TURNS = 100_000
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


async def report_times(rounds: int = 20) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as folder:
        os.chmod(folder, 0o755)
        server = EmbeddedPostgres(Path(folder), database="bench")
        await server.start()
        try:
            await migrate(server.url)
            pool = await postgres.open_pool(server.url)
            try:
                async with pool.acquire() as conn:
                    return await _report_times(conn, rounds)
            finally:
                await pool.close()
        finally:
            server.stop(how="immediate")


async def _report_times(conn: postgres.Connection, rounds: int) -> dict[str, float]:
    shop = new_id()
    await conn.execute("insert into shop (shop_id, slug, name, token_secret) values ($1, 'bench', 'bench', 'x')", shop)
    await conn.execute(
        """insert into turn (shop_id, thread_id, first_seq, shopper_id, conversation_id, day, hour, ordinal,
             human_ordinal, opened_at, opened_by, conversation_opened_at, questions, human_at, answered_at, answer_seq,
             answered_by,
             agent_id, pool_id, transfers, left_message, outbound, stints, wait_ms, response_ms,
             business_ms, wait_bucket)
           select $1, md5((n / 4)::text)::uuid, n, md5((n / 4)::text)::uuid, md5((n / 4)::text)::uuid, $2::date,
             (n % 24)::smallint, n % 4 + 1, n % 4 + 1, at, 'words', at, 1, at, at + w * interval '1 ms', n + 1, 'human',
             md5('a' || n % 200)::uuid, $3::uuid[][n % 3 + 1], 0, false, false, '[]', w, w, w,
             ceil(ln(w) / ln(1.01 / 0.99))
           from (select n, $2::date + n * interval '0.8 s' as at, (5000 * exp(sin(n) * 1.5))::bigint as w
                   from generate_series(1, $4::int) n) g""".replace("$3::uuid[][", "($3::uuid[])["),
        shop, DAY, POOLS, TURNS,
    )  # fmt: skip
    await conn.execute("analyze")
    teams = Teams({id_: PoolName(id_, f"pool {n}", id_ if n else None) for n, id_ in enumerate(POOLS)})
    asked = read.Asked(shop, DAY, DAY)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = await document(conn, asked, teams)
        times.append((time.perf_counter() - began) * 1000)
    assert found["rows"][-1]["figures"]["turns"] == TURNS
    times.sort()
    return {
        "turns": TURNS,
        "p50_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(times[int(len(times) * 0.95) - 1], 1),
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fold", action="store_true", help="the fold alone")
    only_fold = arguments.parse_args().fold
    print(json.dumps({"fold": fold_rate()}))
    if not only_fold:
        print(json.dumps({"day_report": asyncio.run(report_times())}))
