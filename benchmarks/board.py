"""How old what the live board shows is, while 500 messages a second are said.

500 conversations of one shop are with agents; in each a shopper asks and is answered, in turn. One task appends as a
hub does (a batch every 20 ms), one folds as the worker does, one reads as the overview page does: the board and today,
again a second after it has its answer. A message's lag is the time from its commit until an answer that counts it is
there.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from itertools import pairwise
from uuid import UUID

from metrics import live
from metrics import report_postgres as read
from metrics.record_postgres import calendars
from metrics.service import Figures
from metrics.teams import PoolName, Teams
from wangxin.clock import new_id, now_ms
from wangxin.model.conversation import State
from wangxin.storage import conversations, entries
from wangxin.storage.entries import Line, body_json
from wangxin.storage.postgres import Connection, Pool
from wangxin.work import FIGURES_S

TALKS = 500
PER_S = 500
BATCH_S = 0.02
PAGE_S = 1.0
FOLD_S = FIGURES_S
RUN_S = 60
POOL, AGENTS = UUID(int=1), [UUID(int=100 + n) for n in range(100)]
TEAMS = Teams({POOL: PoolName(POOL, "pool", None)})


async def lag(pool: Pool, run_s: int = RUN_S) -> dict[str, float]:
    async with pool.acquire() as conn:
        shop = new_id()
        await conn.execute("insert into shop (shop_id, slug, name, token_secret) values ($1, 'board', 'b', 'x')", shop)
        threads = [await _talk(conn, shop, n) for n in range(TALKS)]
    asked: list[float] = []  # when the n-th question was committed
    answered: list[float] = []
    board: list[tuple[float, int]] = []  # when an answer was there, and how many it counted
    today: list[tuple[float, int]] = []
    over = asyncio.Event()
    figures = Figures(pool)
    await figures.catch_up()

    async def says() -> None:
        turn, began, size = 0, time.perf_counter(), round(PER_S * BATCH_S)
        while not over.is_set():
            lines = []
            for _ in range(size):
                thread, shopper = threads[turn % TALKS]
                ask = turn // TALKS % 2 == 0
                lines.append(
                    Line(shop, thread, "shopper" if ask else "agent", shopper if ask else AGENTS[turn % 100], new_id(),
                         "text", body_json({"text": "在吗" if ask else "在的"}))
                )  # fmt: skip
                turn += 1
            async with pool.acquire() as conn:
                done, _ = await entries.append(conn, lines)
            assert all(one.status == "new" for one in done)
            at = time.perf_counter()
            for line in lines:
                (asked if line.sender_kind == "shopper" else answered).append(at)
            await asyncio.sleep(max(0, began + turn / PER_S - time.perf_counter()))

    async def folds() -> None:
        while not over.is_set():
            await figures.keep_up()
            await asyncio.sleep(FOLD_S)

    async def looks() -> None:
        while not over.is_set():
            async with pool.acquire() as conn, conn.transaction(readonly=True):
                calendar = (await calendars(conn, [shop]))[shop]
                day = calendar.day(now_ms())
                now = await live.board(conn, shop, TEAMS)
                at = time.perf_counter()
                _, whole = await read.with_whole(conn, read.Asked(shop, day, day), "hour", TEAMS)
            board.append((at, now["pools"][0]["unanswered"]))
            today.append((time.perf_counter(), whole.waits.n))
            await asyncio.sleep(PAGE_S)

    tasks = [asyncio.create_task(one()) for one in (says, folds, looks)]
    await asyncio.sleep(run_s)
    over.set()
    await asyncio.gather(*tasks)
    rounds = [(at - asked[0], n) for at, n in board]
    assert any(n for _, n in rounds), "the board has seen somebody wait"
    found = {"messages": len(asked) + len(answered), "messages_per_s": round((len(asked) + len(answered)) / run_s)}
    found |= _shown("today", today, answered)
    gaps = [after - before for (before, _), (after, _) in pairwise(board)]
    return {**found, "board_age_max_s": round(max(gaps), 2), "answers": len(today)}


def _shown(name: str, seen: list[tuple[float, int]], told: list[float]) -> dict[str, float]:
    """Of each message the time until an answer counted it; those after the last answer are left out."""
    counts = [n for _, n in seen]
    lags = sorted(
        seen[place][0] - at for number, at in enumerate(told) if (place := bisect_right(counts, number)) < len(seen)
    )
    return {
        f"{name}_lag_p50_s": round(lags[len(lags) // 2], 2),
        f"{name}_lag_p95_s": round(lags[int(len(lags) * 0.95) - 1], 2),
        f"{name}_lag_max_s": round(lags[-1], 2),
        f"{name}_counted": len(lags),
    }


async def _talk(conn: Connection, shop: UUID, number: int) -> tuple[UUID, UUID]:
    thread, shopper = new_id(), new_id()
    await conn.execute("insert into shopper (shop_id, id, name) values ($1, $2, 'x')", shop, shopper)
    await conn.execute("insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)", shop, thread, shopper)
    async with conn.transaction():
        hello = Line(shop, thread, "shopper", shopper, new_id(), "text", body_json({"text": "在吗"}), opens=new_id())
        await entries.append(conn, [hello])
        await conversations.request_handoff(conn, shop, thread, topic="", new_conversation=new_id(), now_ms=0)
    agent = AGENTS[number % len(AGENTS)]
    async with conn.transaction():
        standing = await conversations.lock_thread(conn, shop, thread)
        await conversations.move(conn, standing, State.ASSIGNED, "conversation.assigned", agent=agent, pool=POOL)
    return thread, shopper
