"""How fast a crowd is reached: ``python -m benchmarks.push [--quick | --million] [--workers 2] [--json]``.

The real engine on an embedded PostgreSQL and Valkey of its own, worker processes with chunks side by side as in use:
count the audience, freeze it into recipients, then decide, render, append and keep the ledger for each. Nobody has
talked to the shop before, so each recipient's thread is made too: the dearest case. A rule of words alone and one that
gives each recipient points. CPU time counts the workers and all of PostgreSQL.
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
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from benchmarks.measure import cpu_us, end_on_term, family, machine, median, percentile
from push import service
from push.life import Act
from push.model import RuleBody
from push.record import rules
from push.service import Push
from wangxin.clock import new_id
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.hints import Hints
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import connect
from wangxin.work import PUSH_LANES

NOON_MS = int(datetime.fromisoformat("2026-11-24T12:00:00+08:00").timestamp() * 1000)
"""Fixed, so that quiet hours never decide what is measured."""
AUTHOR = UUID(int=7)
RULE = RuleBody.model_validate(
    {
        "name": "冬日新品",
        "trigger": {"k": "manual"},
        "audience": {
            "root": {
                "k": "all",
                "of": [
                    {"k": "tags", "op": "any", "values": ["户外"]},
                    {"k": "level", "op": "ge", "value": 2},
                    {"k": "num", "field": "spent_cents", "op": "ge", "value": 10_000},
                ],
            }
        },
        "steps": [
            {
                "content": {
                    "variants": [
                        {
                            "id": "a",
                            "blocks": [
                                {
                                    "k": "text",
                                    "text": "{{ name }}，冬季新款到店，您的会员价已经生效，今晚八点前下单当天发出。",
                                }
                            ],
                        }
                    ],
                    "defaults": {"name": "亲"},
                },
                "benefit": {"gift": {"k": "points", "amount": 20}},
            }
        ],
    }
)
"""Three conditions, a rendered name, points for each, caps of the day and the week, quiet hours, a control group."""
WORDS = RULE.model_copy(update={"steps": (RULE.steps[0].model_copy(update={"benefit": None}),)})
RULES = {"words": WORDS, "points": RULE}
COUNTS = 20


class Clocked:
    """Wall and CPU time of one piece of work."""

    def __init__(self, postgres_pid: int) -> None:
        self._pid = postgres_pid

    async def __call__(self, work: Callable[[], Awaitable[Any]]) -> dict[str, float]:
        cpu, own, began = cpu_us(family(self._pid)), time.process_time(), time.perf_counter()
        await work()
        return {
            "s": time.perf_counter() - began,
            "postgres_us": cpu_us(family(self._pid)) - cpu,
            "worker_us": (time.process_time() - own) * 1e6,
        }


async def fill(conn: postgres.Connection, n: int) -> UUID:
    """A shop with ``n`` members who all fit the rule, and a tenth as many who do not."""
    shop = new_id()
    await conn.execute(
        "insert into shop (shop_id, slug, name, token_secret) values ($1, $2, '森野', 'x')", shop, f"b{shop.hex[:20]}"
    )
    await conn.execute(
        """insert into shopper (shop_id, id, external_id, name)
           select $1, gen_random_uuid(), 'm' || n, '会员' || n from generate_series(1, $2::int) n""",
        shop, n + n // 10, timeout=600,
    )  # fmt: skip
    await conn.execute(
        """insert into profile (shop_id, shopper_id, level, spent_cents, orders_n, tags, is_member)
           select shop_id, id, 3, 50000, 4,
                  case when substr(external_id, 2)::int <= $2 then array['户外', '老客'] else array['母婴'] end, true
             from shopper where shop_id = $1
           on conflict (shop_id, shopper_id) do update set level = excluded.level, tags = excluded.tags,
             spent_cents = excluded.spent_cents, orders_n = excluded.orders_n, is_member = excluded.is_member""",
        shop, n, timeout=600,
    )  # fmt: skip
    await rules.set_policy(conn, shop, 0, 100_000_000)
    await conn.execute("analyze shopper")
    await conn.execute("analyze profile")
    return shop


class Workers:
    """Processes that do chunks, as many as there are processors unless told otherwise."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._running: list[asyncio.subprocess.Process] = []

    async def open(self, url: str, valkey_url: str) -> None:
        words = (sys.executable, "-m", "benchmarks.push_worker", url, valkey_url, str(NOON_MS))
        for _ in range(self._n):
            self._running.append(
                await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
        await asyncio.gather(*map(self._line, self._running))

    async def work(self) -> float:
        """All chunks that are due; returns their CPU time, in µs."""
        for worker in self._running:
            assert worker.stdin is not None
            worker.stdin.write(b"\n")
        return sum(map(float, await asyncio.gather(*map(self._line, self._running))))

    async def _line(self, worker: asyncio.subprocess.Process) -> bytes:
        assert worker.stdout is not None
        line = await worker.stdout.readline()
        assert line, "a worker ended; its complaint stands above"
        return line

    async def close(self) -> None:
        for worker in self._running:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()


async def one_round(
    pool: postgres.Pool, push: Push, workers: Workers, clocked: Clocked, n: int, body: RuleBody
) -> dict[str, Any]:
    async with pool.acquire() as conn:
        shop = await fill(conn, n)
        async with conn.transaction():
            rule = await service.save(conn, shop, None, body, AUTHOR)
        counts = sorted([(await clocked(lambda: service.count(conn, shop, body, NOON_MS)))["s"] for _ in range(COUNTS)])

        async def start() -> None:
            async with conn.transaction():
                await service.act(conn, shop, rule.id, Act.START, AUTHOR, NOON_MS)

        frozen = await clocked(start)
    for name, took in (await clocked(push.tick)).items():
        frozen[name] += took
    spent: list[float] = []

    async def send() -> None:
        spent.append(await workers.work())

    worked = await clocked(send)
    worked["worker_us"] = spent[0]
    await push.tick()
    async with pool.acquire() as conn:
        sent = await conn.fetchval("select count(*) from push_delivery where shop_id = $1 and state = 'sent'", shop)
        lines = await conn.fetchval("select count(*) from entry where shop_id = $1 and sender_kind = 'push'", shop)
        kept = await conn.fetchval("select count(*) from push_delivery where shop_id = $1", shop)
    assert kept == n, f"{kept} of {n} recipients are in the ledger"
    assert sent == lines, "each message that was sent stands in a thread"
    counted = {"p50_s": percentile(counts, 0.5), "p95_s": percentile(counts, 0.95)}
    return {"recipients": n, "sent": sent, "count": counted, "freeze": frozen, "send": worked}


async def measure(n: int, rounds: int, names: Sequence[str], workers: int) -> dict[str, Any]:
    end_on_term()
    sending = Workers(workers)
    found: dict[str, Any] = {"machine": machine(), "workers": workers, "rounds": {name: [] for name in names}}
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        store, valkey = EmbeddedPostgres(folder, database="bench"), EmbeddedValkey(folder)
        await asyncio.gather(store.start(), valkey.start())
        try:
            await migrate(store.url)
            pool = await postgres.open_pool(store.url, least=2, most=4, name="bench")
            connection = connect(valkey.url)
            assert store.pid is not None
            await sending.open(store.url, valkey.url)
            push = Push(pool, Hints(connection), lambda: NOON_MS)
            for n_round in range(rounds):
                for case in names:
                    print(f"round {n_round + 1} of {rounds}: {n:,} get {case}", file=sys.stderr, flush=True)
                    found["rounds"][case].append(
                        await one_round(pool, push, sending, Clocked(store.pid), n, RULES[case])
                    )
            await connection.aclose()
            pool.terminate()
        finally:
            await sending.close()
            store.stop(how="immediate")
            valkey.stop(how="kill")
    return found


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    head = f"{m['cpu']}, {m['cpus']} CPUs, Python {m['python']}, load {m['load_before']} before"
    head += f", {found['workers']} worker processes with {PUSH_LANES} chunks at once each"
    return "\n".join([head, *(_text(case, rounds) for case, rounds in found["rounds"].items())])


def _text(case: str, rounds: list[dict[str, Any]]) -> str:
    n = rounds[0]["recipients"]

    def rate(what: str) -> float:
        return median(n / one[what]["s"] for one in rounds)

    def cpu(what: str) -> tuple[float, float]:
        return tuple(median(one[what][part] / n for one in rounds) for part in ("worker_us", "postgres_us"))  # type: ignore[return-value]

    freeze, send = cpu("freeze"), cpu("send")
    whole = sum(freeze) + sum(send)
    by_clock, by_cpu = 1 / (1 / rate("freeze") + 1 / rate("send")), 2e6 / whole
    return "\n".join(
        (
            "",
            f"{case}: {n:,} recipients of {n + n // 10:,} members, {len(rounds)} rounds, medians;"
            f" {rounds[0]['sent']:,} sent",
            f"count the audience    {median(one['count']['p50_s'] for one in rounds) * 1000:8,.0f} ms p50,"
            f" {median(one['count']['p95_s'] for one in rounds) * 1000:,.0f} p95",
            f"freeze into a run     {rate('freeze'):8,.0f} recipients/s   {freeze[0]:6.1f} + {freeze[1]:6.1f} µs",
            f"decide and send       {rate('send'):8,.0f} recipients/s   {send[0]:6.1f} + {send[1]:6.1f} µs",
            f"one core carries      {1e6 / whole:8,.0f} recipients/s   (µs of the worker + of PostgreSQL a recipient)",
            f"goal: 20,000 recipients/s on two idle cores, freezing and sending: {by_clock:,.0f}/s by the clock"
            f" ({'reached' if by_clock >= 20_000 else 'MISSED'}), {by_cpu:,.0f}/s by CPU time"
            f" ({'reached' if by_cpu >= 20_000 else 'MISSED'})",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5,000 recipients, one round")
    parser.add_argument("--json", action="store_true", help="every round as JSON")
    parser.add_argument("--million", action="store_true", help="a million recipients, one round of words alone")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that send")
    asked = parser.parse_args()
    if asked.million:
        work = measure(1_000_000, 1, ["words"], asked.workers)
    elif asked.quick:
        work = measure(5_000, 1, list(RULES), asked.workers)
    else:
        work = measure(100_000, 3, list(RULES), asked.workers)
    found = uvloop.run(work)
    print(json.dumps(found) if asked.json else text(found))


if __name__ == "__main__":
    main()
