"""How soon a push goes on when who does it is killed: ``python -m benchmarks.push_recovery [--kills 5] [--json]``.

Real workers (``wangxin worker``) push to a crowd and are killed with everything that belongs to them (kill -9): one of
two whole workers, and the rq child alone of the only one. Recovery is the time from the kill until every chunk that
somebody may have had in hands then is done: the four oldest open ones. Nothing may be doubled or lost. Exit 1 if so, or
if a recovery took longer than two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from benchmarks.measure import end_on_term, family, machine
from benchmarks.push import AUTHOR, WORDS, fill
from push import service
from push.life import Act
from wangxin.clock import now_ms
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

GOAL_S, PATIENCE_S, IN_HANDS = 2.0, 60.0, 4
COMES_UP_S = 15.0
PEOPLE_A_KILL = 15_000
RULE = WORDS.model_copy(update={"limits": WORDS.limits.model_copy(update={"quiet": None, "per_shopper": ()})})
OLDEST = "select run_id, no from push_chunk where done_at is null and shop_id = $1 order by due_at, no limit $2"
OPEN = "select count(*) from push_chunk where done_at is null and shop_id = $1"


class Workers:
    def __init__(self, folder: Path, postgres_url: str, valkey_url: str) -> None:
        self._environment = {
            **os.environ, "WANGXIN_POSTGRES_URL": postgres_url, "WANGXIN_VALKEY_URL": valkey_url,
            "WANGXIN_DATA": str(folder), "WANGXIN_SECRET": "k" * 43,
        }  # fmt: skip
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        words = [sys.executable, "-m", "wangxin", "worker"]
        quiet = subprocess.DEVNULL
        self.running.append(subprocess.Popen(words, env=self._environment, stdout=quiet, stderr=quiet))

    def kill(self, *, whole: bool) -> None:
        """The oldest worker and all of its children, or its children alone."""
        victim = self.running.pop(0) if whole else self.running[0]
        for pid in family(victim.pid)[0 if whole else 1 :]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if whole:
            victim.wait()

    def stop(self) -> None:
        while self.running:
            self.kill(whole=True)


async def until(asks: Any) -> float:
    """Seconds until ``asks`` says yes."""
    began = time.perf_counter()
    while not await asks():
        assert time.perf_counter() - began < PATIENCE_S, "nothing went on"
        await asyncio.sleep(0.01)
    return time.perf_counter() - began


async def kills(pool: postgres.Pool, shop: UUID, workers: Workers, n: int, *, whole: bool) -> list[float]:
    """Each kill happens while a push goes out to the whole shop."""
    found = []
    for _ in range(n):
        async with pool.acquire() as conn, conn.transaction():
            rule = await service.save(conn, shop, None, RULE, AUTHOR)
            await service.act(conn, shop, rule.id, Act.START, AUTHOR, now_ms())
        ledger = "select count(*) from push_delivery where shop_id = $1 and rule_id = $2"

        async def begun(ledger: str = ledger, rule: UUID = rule.id) -> bool:
            return bool(await pool.fetchval(ledger, shop, rule) > 1_000)

        await until(begun)
        held = await pool.fetch(OLDEST, shop, IN_HANDS)
        assert len(held) == IN_HANDS, "the push was over before the kill"
        workers.kill(whole=whole)

        async def gone_on(held: Any = held) -> bool:
            return bool(
                await pool.fetchval(
                    f"{OPEN} and run_id = $2 and no = any($3)", shop, held[0]["run_id"], [row["no"] for row in held]
                )
                == 0
            )

        found.append(await until(gone_on))
        if whole:
            workers.start()
            await asyncio.sleep(COMES_UP_S)

        async def over() -> bool:
            return bool(await pool.fetchval(OPEN, shop) == 0)

        await until(over)
    return found


async def measure(folder: Path, n: int) -> dict[str, Any]:
    end_on_term()
    before = machine()
    store, valkey = EmbeddedPostgres(folder, database="bench"), EmbeddedValkey(folder)
    await asyncio.gather(store.start(), valkey.start())
    workers = Workers(folder, store.url, valkey.url)
    try:
        await migrate(store.url)
        pool = await postgres.open_pool(store.url, least=1, most=2, name="bench")
        async with pool.acquire() as conn:
            shop = await fill(conn, PEOPLE_A_KILL)
        workers.start()
        child = await kills(pool, shop, workers, n, whole=False)
        workers.start()
        await asyncio.sleep(COMES_UP_S)
        whole = await kills(pool, shop, workers, n, whole=True)
        rules = 2 * n
        said = await pool.fetchval("select count(*) from push_delivery where shop_id = $1", shop)
        entries = await pool.fetchval("select count(*) from entry where shop_id = $1", shop)
        sent = await pool.fetchval("select count(*) from push_delivery where shop_id = $1 and state = 'sent'", shop)
        pool.terminate()
    finally:
        workers.stop()
        store.stop(how="immediate")
        valkey.stop(how="kill")
    return {
        "machine": before, "people": PEOPLE_A_KILL, "kills": rules,
        "recovery_s": {"the only worker's rq child": sorted(child), "one of two workers": sorted(whole)},
        "lost": rules * PEOPLE_A_KILL - said, "doubled": entries - sent,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wangxin-recovery-") as folder:
        found = uvloop.run(measure(Path(folder), asked.kills))
    slowest = max(took for all_ in found["recovery_s"].values() for took in all_)
    if asked.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        known = found["machine"]
        print(f"{known['cpu']}, {known['cpus']} CPUs, load {known['load_before']} before; {found['people']:,} a push")
        for name, all_ in found["recovery_s"].items():
            print(f"{name:28} {' '.join(f'{took:.2f}' for took in all_)} s")
        print(f"lost {found['lost']}, doubled {found['doubled']}")
        print(f"goal: at most {GOAL_S:.0f} s: {'reached' if slowest <= GOAL_S else 'MISSED'} ({slowest:.2f} s)")
    sys.exit(1 if found["lost"] or found["doubled"] or slowest > GOAL_S else 0)


if __name__ == "__main__":
    main()
