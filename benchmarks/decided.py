"""How soon a decision is committed under load: ``python -m benchmarks.decided [--rate 500] [--seconds 20]``.

A feeder writes requests for a person into the record, in one transaction for those of each hundredth of a second, as
busy hubs do, and ends each conversation a while after it was given to somebody. A real dispatcher process follows.
Measured from the commit of the request until the dispatcher says that its decision has been committed, Valkey's hop
included. All processes share all CPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from benchmarks.dispatch_way import seat_agents
from benchmarks.measure import cpu_us, end_on_term, family, machine, percentile
from dispatcher.intake import Intake
from wangxin.clock import new_id, now_ms
from wangxin.model.facts import CloseRequested, HandoffRequested
from wangxin.storage import outbox, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.hints import HINT, Hints
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import connect

TICK_S = 0.01
AGENTS = 50
"""Of 20 slots each."""
WARM_S = 3.0

_ASK = """with w as (select * from unnest($2::uuid[], $3::uuid[], $4::uuid[]) u(thread, shopper, conversation)),
 opened as (
   insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, handoff_at)
   select $1, conversation, thread, shopper, 'waiting', clock_timestamp(), 1, clock_timestamp() from w)
 update thread t set state = 'waiting', conversation_id = w.conversation from w
  where t.shop_id = $1 and t.id = w.thread"""


class Feeder:
    def __init__(self, pool: asyncpg.Pool, valkey: Any, shop: UUID, threads: list[tuple[UUID, UUID]]) -> None:
        self.pool, self.valkey, self.shop, self.hints = pool, valkey, shop, Hints(valkey)
        self.idle = [thread for thread, _ in threads]
        self.shopper = dict(threads)
        self.epochs: dict[UUID, int] = dict.fromkeys(self.shopper, 0)
        self.asked: dict[UUID, tuple[UUID, float]] = {}
        self.given: dict[UUID, UUID] = {}
        self.ending: dict[UUID, UUID] = {}
        self.waits: list[tuple[float, float]] = []
        self.idle_out = 0

    async def feed(self, rate: float, seconds: float) -> None:
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            wanted = int(passed * rate) - sent
            sent += wanted
            if len(self.idle) < wanted:
                self.idle_out += wanted  # everybody waits already: the dispatcher does not keep up
            elif wanted:
                await self._write(wanted)
            await asyncio.sleep(max(0.0, TICK_S - (time.perf_counter() - began - passed)))

    async def _write(self, wanted: int) -> None:
        asking = [(thread, self.shopper[thread], new_id()) for thread in (self.idle.pop() for _ in range(wanted))]
        ends = list(self.given.items())[:wanted]
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute(_ASK, self.shop, *map(list, zip(*asking, strict=True)))
            asks = [
                HandoffRequested(shop=self.shop, thread=thread, conversation=one, shopper=shopper, at_ms=now_ms())
                for thread, shopper, one in asking
            ]
            closes = [
                CloseRequested(
                    shop=self.shop, thread=thread, conversation=one, by=self.shopper[thread],
                    epoch=self.epochs[thread], at_ms=now_ms(),
                )
                for thread, one in ends
            ]  # fmt: skip
            await outbox.write(conn, [*asks, *closes])
        at = time.perf_counter()
        for thread, _ in ends:
            self.ending[thread] = self.given.pop(thread)
        self.asked.update({thread: (one, at) for thread, _, one in asking})
        await self.hints.wake("dispatcher")

    async def hear(self) -> None:
        """The dispatcher names the threads that it moved once the moves have been committed."""
        async with self.valkey.pubsub() as hints:
            await hints.subscribe(HINT)
            while True:
                heard = await hints.get_message(ignore_subscribe_messages=True, timeout=5.0)
                if heard is None:
                    continue
                at = time.perf_counter()
                for _, name in orjson.loads(heard["data"]).get("grown", ()):
                    self._moved(UUID(name), at)

    def _moved(self, thread: UUID, at: float) -> None:
        if thread in self.asked:
            conversation, since = self.asked.pop(thread)
            self.epochs[thread] += 1
            self.given[thread] = conversation
            self.waits.append((since, at - since))
        elif thread in self.ending:
            del self.ending[thread]
            self.idle.insert(0, thread)


async def measure(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    end_on_term()
    stores = EmbeddedPostgres(folder, database="bench", settings={"shared_buffers": "256MB"}), EmbeddedValkey(folder)
    await asyncio.gather(*(store.start() for store in stores))
    dispatcher: subprocess.Popen[bytes] | None = None
    pool = None
    try:
        await migrate(stores[0].url)
        pool = await postgres.open_pool(stores[0].url, least=2, most=4, name="feeder")
        valkey = connect(stores[1].url)
        shop = new_id()
        await pool.execute(
            "insert into shop (shop_id, slug, name, token_secret) values ($1, 'decided', '森野', $2)", shop, "s" * 43
        )
        async with pool.acquire() as conn:
            agents = [account for account, _ in await seat_agents(conn, shop, AGENTS)]  # type: ignore[arg-type]
        intake = Intake(pool, Hints(valkey))
        for agent in agents:
            await intake.agent_here(agent, "n1")
        threads = [(new_id(), new_id()) for _ in range(int(rate * 8))]
        await pool.execute(
            "insert into shopper (shop_id, id, name) select $1, id, '林晓' from unnest($2::uuid[]) u(id)",
            shop, [shopper for _, shopper in threads],
        )  # fmt: skip
        await pool.execute(
            "insert into thread (shop_id, id, shopper_id) select $1, t, s from unnest($2::uuid[], $3::uuid[]) u(t, s)",
            shop, [thread for thread, _ in threads], [shopper for _, shopper in threads],
        )  # fmt: skip
        await pool.execute("update seat set state = 'ready'")
        await pool.execute("analyze")
        with (folder / "dispatcher.log").open("wb") as log:
            environment = {
                **os.environ, "WANGXIN_POSTGRES_URL": stores[0].url, "WANGXIN_VALKEY_URL": stores[1].url,
                "WANGXIN_DATA": str(folder),
            }  # fmt: skip
            dispatcher = subprocess.Popen(
                [sys.executable, "-m", "wangxin", "dispatcher"], env=environment, stdout=log, stderr=log
            )
        while not await pool.fetchval("select exists (select 1 from dispatch_journal)"):
            await asyncio.sleep(0.1)
        feeder = Feeder(pool, valkey, shop, threads)
        hearing = asyncio.create_task(feeder.hear())
        await feeder.feed(rate, WARM_S)
        await pool.execute("analyze")  # as a server has done by itself in its first minute
        await feeder.feed(rate, WARM_S)
        while feeder.asked:  # what the warm-up left must not stand before what is measured
            await asyncio.sleep(0.05)
        watch = {"dispatcher": dispatcher.pid, "postgres": stores[0].pid or 0, "feeder": os.getpid()}
        before = {name: cpu_us(family(pid) if name == "postgres" else [pid]) for name, pid in watch.items()}
        feeder.waits.clear()
        feeder.idle_out = 0
        await feeder.feed(rate, seconds)
        waits = sorted(wait for _, wait in feeder.waits)
        spent = {
            name: (cpu_us(family(pid) if name == "postgres" else [pid]) - before[name]) / max(1, len(waits))
            for name, pid in watch.items()
        }
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    finally:
        if dispatcher is not None:
            dispatcher.kill()
            dispatcher.wait()
        if pool is not None:
            pool.terminate()
        stores[0].stop(how="immediate")
        stores[1].stop(how="kill")
    return {
        "machine": machine(), "rate": rate, "seconds": seconds, "decided": len(waits), "not_held": feeder.idle_out,
        "p50_ms": percentile(waits, 0.5) * 1e3, "p99_ms": percentile(waits, 0.99) * 1e3,
        "max_ms": waits[-1] * 1e3 if waits else None, "cpu_us": spent,
    }  # fmt: skip


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    spent = ", ".join(f"{name} {us:,.0f}" for name, us in found["cpu_us"].items())
    held = "" if not found["not_held"] else f"; NOT HELD, {found['not_held']} could not be asked for"
    return "\n".join(
        [
            f"{m['cpu']}, {m['cpus']} CPUs, Python {m['python']}, load {m['load_before']}",
            f"{found['rate']:.0f} handoffs/s for {found['seconds']:.0f} s: request committed → decision committed and"
            f" told, {found['decided']:,}: p50 {found['p50_ms']:.1f} p99 {found['p99_ms']:.1f}"
            f" max {found['max_ms']:.0f} ms{held}",
            f"CPU µs a conversation (asked, given, ended): {spent}",
            f"goal: p99 at most 10 ms: {'reached' if found['p99_ms'] <= 10 and not found['not_held'] else 'MISSED'}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wx-decided-") as name:
        os.chmod(name, 0o755)
        found = asyncio.run(measure(Path(name), asked.rate, asked.seconds))
    print(json.dumps(found) if asked.json else text(found))


if __name__ == "__main__":
    main()
