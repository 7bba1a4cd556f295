"""What a large push costs those who chat meanwhile: ``python -m benchmarks.push_beside_chat [--recipients 100000]``.

Two thousand of a rule's recipients write, two hundred lines a second, through a hub's group commit, first alone, then
while another process pushes to everyone, themselves included. Measured from a line's submission to its commit. Stores,
hub and worker share all CPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import uvloop

from benchmarks.measure import end_on_term, machine, percentile
from benchmarks.push import AUTHOR, NOON_MS, WORDS, fill
from push import service
from push.life import Act
from push.service import Push
from wangxin.clock import new_id
from wangxin.hub.commit import Committer, Pending
from wangxin.model.refusals import Refusal
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.entries import Appended, Entry, Line
from wangxin.storage.hints import Hints
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import connect
from wangxin.work import PUSH_LANES, RQ_NICE

CHATTING, LINES_PER_S, ALONE_S, WARM_S = 2_000, 200, 15.0, 3.0
RULE = WORDS.model_copy(update={"limits": WORDS.limits.model_copy(update={"hold_if_open_conversation": False})})
"""Who is talking is written to all the same: his thread is locked by both."""
WORDS_SAID = '{"text":"' + "这件羽绒服有没有黑色的" * 5 + '"}'


class Chat:
    """Lines in threads, at a fixed rate whatever comes back."""

    def __init__(self, url: str, shop: UUID, threads: Sequence[tuple[UUID, UUID]]) -> None:
        self._shop, self._threads = shop, threads
        self._committer = Committer(lambda: asyncpg.connect(url), self._done, self._refused)
        self._began: dict[UUID, float] = {}
        self.waits: list[float] = []
        self._committer.start()

    def _done(self, batch: Sequence[Pending], answers: Sequence[Appended], stored: Sequence[Entry]) -> None:
        now = time.perf_counter()
        self.waits += [now - self._began.pop(pending.client_msg_id) for pending in batch]

    def _refused(self, pending: Pending, why: Refusal) -> None:
        raise AssertionError(f"a line was refused: {why}")

    async def talk(self, over: asyncio.Event) -> list[float]:
        """Until ``over``; the waits of what was said, ascending."""
        self.waits = []
        began, said = time.perf_counter(), 0
        while not over.is_set() or self._began:
            wanted = 0 if over.is_set() else int((time.perf_counter() - began) * LINES_PER_S) - said
            for _ in range(wanted):
                thread, shopper = self._threads[said % len(self._threads)]
                msg = new_id()
                line = Line(self._shop, thread, "shopper", shopper, msg, "text", WORDS_SAID, opens=new_id())
                self._began[msg] = time.perf_counter()
                self._committer.submit(Pending(line, None, msg, ""))
                said += 1
            await asyncio.sleep(0.005)
        return sorted(self.waits)

    async def stop(self) -> None:
        await self._committer.stop()


async def work(url: str, valkey_url: str) -> None:
    """The worker's process: chunks until none is left."""
    os.nice(RQ_NICE)
    pool = await postgres.open_pool(url, least=1, most=PUSH_LANES, name="push job")
    valkey = connect(valkey_url)
    push = Push(pool, Hints(valkey), lambda: NOON_MS)
    await push.work(lanes=PUSH_LANES)
    await valkey.aclose()
    pool.terminate()


async def measure(folder: Path, n: int) -> str:
    end_on_term()
    before = machine()
    store, valkey = EmbeddedPostgres(folder, database="bench"), EmbeddedValkey(folder)
    await asyncio.gather(store.start(), valkey.start())
    try:
        await migrate(store.url)
        pool = await postgres.open_pool(store.url, least=2, most=4, name="bench")
        async with pool.acquire() as conn:
            shop = await fill(conn, n)
            rows = await conn.fetch(
                """insert into thread (shop_id, id, shopper_id) select $1, gen_random_uuid(), p.shopper_id
                   from profile p where p.shop_id = $1 and '户外' = any(p.tags) order by p.shopper_id limit $2
                   returning id, shopper_id""",
                shop, CHATTING,
            )  # fmt: skip
            async with conn.transaction():
                rule = await service.save(conn, shop, None, RULE, AUTHOR)
        chat = Chat(store.url, shop, [(row["id"], row["shopper_id"]) for row in rows])
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(WARM_S, over.set)
        await chat.talk(over)
        await pool.execute("analyze")
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(ALONE_S, over.set)
        alone = await chat.talk(over)
        async with pool.acquire() as conn, conn.transaction():
            await service.act(conn, shop, rule.id, Act.START, AUTHOR, NOON_MS)
        push = Push(pool, Hints(connect(valkey.url)), lambda: NOON_MS)
        await push.tick()
        over = asyncio.Event()
        talking = asyncio.create_task(chat.talk(over))
        began = time.perf_counter()
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.push_beside_chat", "--work", store.url, valkey.url
        )
        assert await worker.wait() == 0
        took = time.perf_counter() - began
        over.set()
        beside = await talking
        await chat.stop()
        kept = await pool.fetchval("select count(*) from push_delivery where shop_id = $1", shop)
        assert kept == n, f"{kept} of {n} recipients are in the ledger"
        pool.terminate()
    finally:
        store.stop(how="immediate")
        valkey.stop(how="kill")
    rise = (percentile(beside, 0.99) - percentile(alone, 0.99)) * 1e3
    return "\n".join(
        [
            f"{before['cpu']}, {before['cpus']} CPUs, Python {before['python']}, load {before['load_before']} before",
            f"{LINES_PER_S} lines a second by {CHATTING:,} of {n:,} recipients, submitted → committed, p50 / p99:",
            f"alone                {percentile(alone, 0.5) * 1e3:6.1f} / {percentile(alone, 0.99) * 1e3:6.1f} ms",
            f"while all are pushed {percentile(beside, 0.5) * 1e3:6.1f} / {percentile(beside, 0.99) * 1e3:6.1f} ms;"
            f" that took {took:.0f} s, {n / took:,.0f} recipients/s",
            f"goal: p99 rises by at most 20 ms: {'reached' if rise <= 20 else 'MISSED'} ({rise:+.1f} ms)",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--work", nargs=2, metavar=("POSTGRES", "VALKEY"), help="the worker's process, for itself")
    asked = parser.parse_args()
    if asked.work:
        uvloop.run(work(*asked.work))
        return
    with tempfile.TemporaryDirectory(prefix="wx-beside-") as name:
        os.chmod(name, 0o755)
        print(uvloop.run(measure(Path(name), asked.recipients)))


if __name__ == "__main__":
    main()
