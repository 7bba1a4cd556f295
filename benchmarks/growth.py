"""Does a message cost the same when much is there? ``python -m benchmarks.growth [--lines N | --connections N] [--json]
[--plots FOLDER]``.

Connections: one hub with its stores carries the closed loop of ``benchmarks.chat`` for 200 connections, for 2,000, for
10,000. Lines: one PostgreSQL whose record grows from 10^4 lines upwards, tenfold each time, in threads of a hundred. At
each size batches of sixty messages are appended as the hub does it, to a hundred threads that talk (chosen by lot), and
to any threads (each its first message for long: its pages are read, and written whole into the log); the newest fifty
lines of any thread are read, as a window does that opens. CPU time of PostgreSQL and of the caller. The filling is done
by the server itself and is not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from benchmarks import chat, curve, report
from benchmarks.measure import cpu_us, end_on_term, family, halves, machine, median
from benchmarks.stage import Arrangement
from wangxin.clock import new_id
from wangxin.storage import entries, postgres
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.entries import Line
from wangxin.storage.migrate import migrate

FIRST, EACH = 10_000, 100
BATCH, BATCHES, READS, PAGE, ROUNDS = 60, 60, 600, 50, 5
TALKING = 100
CONNECTIONS = (200, 2_000, 10_000)
WARM = 20
BODY = '{"text":"' + "您好，这件羽绒服的尺码偏大还是偏小？" * 4 + '"}'
FLAT = 0.15

_SHOPPERS = """insert into shopper (shop_id, id, external_id, name)
  select $1, gen_random_uuid(), 'g' || n, '林晓' from generate_series($2::int, $3::int) n"""
_THREADS = """insert into thread (shop_id, id, shopper_id, state, public_seq)
  select s.shop_id, gen_random_uuid(), s.id, 'closed', 0 from shopper s
   where s.shop_id = $1 and not exists (select from thread t where t.shop_id = s.shop_id and t.shopper_id = s.id)"""
_ENTRIES = """insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, client_msg_id, kind, body)
  select t.shop_id, t.id, 0, n, clock_timestamp(), 'shopper', t.shopper_id, gen_random_uuid(), 'text', $2::jsonb
    from thread t, generate_series(1, $3::int) n where t.shop_id = $1 and t.public_seq = 0"""
_NUMBERED = "update thread set public_seq = $2 where shop_id = $1 and public_seq = 0"


class Record:
    def __init__(self, store: EmbeddedPostgres, conn: asyncpg.Connection, shop: UUID) -> None:
        self.store, self.conn, self.shop = store, conn, shop
        self.threads: list[tuple[UUID, UUID]] = []
        self.talking: list[tuple[UUID, UUID]] = []
        self.chance = random.Random(1)

    async def grow(self, most: int) -> None:
        have = len(self.threads)
        await self.conn.execute(_SHOPPERS, self.shop, have, most // EACH - 1)
        await self.conn.execute(_THREADS, self.shop)
        await self.conn.execute(_ENTRIES, self.shop, json.loads(BODY), EACH)
        await self.conn.execute(_NUMBERED, self.shop, EACH)
        await self.conn.execute("vacuum analyze")
        await self.conn.execute("checkpoint")
        rows = await self.conn.fetch("select id, shopper_id from thread where shop_id = $1", self.shop)
        self.threads = [(row["id"], row["shopper_id"]) for row in rows]
        self.talking = self.chance.sample(self.threads, TALKING)

    async def talk(self) -> None:
        await self._append(self.chance.sample(self.talking, BATCH))

    async def begin(self) -> None:
        await self._append(self.chance.sample(self.threads, BATCH))

    async def _append(self, chosen: list[tuple[UUID, UUID]]) -> None:
        made = [Line(self.shop, t, "shopper", who, uuid4(), "text", BODY, "public", new_id()) for t, who in chosen]
        answers, _ = await entries.append(self.conn, made)
        assert all(answer.status == "new" for answer in answers), "every message is stored"

    async def read(self) -> None:
        thread, _ = self.chance.choice(self.threads)
        assert len(await entries.read_before(self.conn, self.shop, thread, "public", None, PAGE)) == PAGE

    async def costs(self, what: Any, times: int) -> tuple[float, float]:
        """(µs of PostgreSQL, µs here) each time."""
        assert self.store.pid is not None
        here, there = cpu_us([os.getpid()]), cpu_us(family(self.store.pid))
        for _ in range(times):
            await what()
        return (cpu_us(family(self.store.pid)) - there) / times, (cpu_us([os.getpid()]) - here) / times


async def lines(folder: Path, most: int) -> list[dict[str, Any]]:
    sizes = []
    store = EmbeddedPostgres(folder, settings={"shared_buffers": "256MB", "max_wal_size": "4GB"})
    try:
        await store.start()
        await migrate(store.url)
        conn = await asyncpg.connect(store.url)
        await postgres._prepare(conn)
        shop = new_id()
        await conn.execute(
            "insert into shop (shop_id, slug, name, token_secret) values ($1, 'growth', 'G', $2)", shop, "s" * 43
        )
        record = Record(store, conn, shop)
        size = FIRST
        while size <= most:
            await record.grow(size)
            for _ in range(WARM):
                await record.talk()
            ways = ((record.talk, BATCHES), (record.begin, BATCHES), (record.read, READS))
            rounds = [[await record.costs(*way) for way in ways] for _ in range(ROUNDS)]
            bytes_ = await conn.fetchval("select pg_total_relation_size('entry')")
            sizes.append({
                "size": size, "gib": bytes_ / 2**30,
                **{
                    name: median(one[n][side] for one in rounds) / each
                    for n, (way, each) in enumerate((("talk", BATCH), ("begin", BATCH), ("read", 1)))
                    for side, name in enumerate((f"{way}_pg_us", f"{way}_us"))
                },
            })  # fmt: skip
            print(f"  {size:,} lines", file=sys.stderr, flush=True)
            size *= 10
        await conn.close()
    finally:
        store.stop(how="immediate")
    return sizes


async def connections(folder: Path, most: int) -> list[dict[str, Any]]:
    server_cpus, load_cpus = halves()
    everything = os.sched_getaffinity(0)
    os.sched_setaffinity(0, server_cpus)
    sizes = [one for one in CONNECTIONS if one <= most]
    arrangements = [Arrangement("wangxin", 1, one // 2) for one in sizes]
    try:
        async with chat.stages(folder, arrangements, load_cpus) as stages:
            rounds: dict[int, list[chat.Round]] = {one: [] for one in sizes}
            for n in range(ROUNDS):
                for stage in stages if n % 2 == 0 else stages[::-1]:
                    found = await stage.ask("closed", seconds=4.0, warm_s=2.0, watch=stage.watch())
                    rounds[stage.what.conversations * 2].append(found)
    finally:
        os.sched_setaffinity(0, everything)
    return [
        {
            "size": size,
            "us": median(report.server_us(one) for one in report.worked(rounds[size])),
            "hub_us": median(one["cpu_us"]["hub"] for one in report.worked(rounds[size])),
            "per_s": median(one["per_s"] for one in report.worked(rounds[size])),
        }
        for size in sizes
    ]


async def measure(folder: Path, most_lines: int, most_connections: int) -> dict[str, Any]:
    end_on_term()
    found: dict[str, Any] = {"machine": machine()}
    if most_connections:
        found["connections"] = await connections(folder, most_connections)
    if most_lines:
        found["lines"] = await lines(folder / "lines", most_lines)
    return found


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    rows = [f"{m['cpu']}, {m['cpus']} CPUs, load {m['load_before']} before; CPU µs"]
    if one_by_one := found.get("connections"):
        rows += ["", f"{'connections':>11}{'messages/s':>12}{'CPU a message':>15}{'of it the hub':>15}"]
        rows += [
            f"{one['size']:>11,}{one['per_s']:>12,.0f}{one['us']:>15.0f}{one['hub_us']:>15.0f}" for one in one_by_one
        ]
        rows.append(_flat([one["us"] for one in one_by_one]))
    if one_by_one := found.get("lines"):
        rows += [
            "",
            f"{'lines':>11}{'GiB':>7}{'talk: PG':>10}{'caller':>8}{'begin: PG':>11}{'caller':>8}"
            f"{'read: PG':>10}{'caller':>8}",
        ]
        rows += [
            f"{one['size']:>11,}{one['gib']:>7.2f}{one['talk_pg_us']:>10.1f}{one['talk_us']:>8.1f}"
            f"{one['begin_pg_us']:>11.1f}{one['begin_us']:>8.1f}{one['read_pg_us']:>10.0f}{one['read_us']:>8.0f}"
            for one in one_by_one
        ]
        rows.append(_flat([one["talk_pg_us"] + one["talk_us"] for one in one_by_one]))
    return "\n".join(rows)


def _flat(costs: list[float]) -> str:
    worst = max(max(costs) / costs[0], costs[0] / min(costs))
    reached = "reached" if worst <= 1 + FLAT else "MISSED"
    return f"a message costs {costs[-1] / costs[0]:.2f}x at the largest; goal within {FLAT:.0%}: {reached}"


def plots(found: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if sizes := found.get("connections"):
        curves = {"all servers": [one["us"] for one in sizes], "the hub": [one["hub_us"] for one in sizes]}
        picture = curve.svg("CPU a message", [one["size"] for one in sizes], curves, "connections of one hub", "µs")
        (folder / "growth-connections.svg").write_text(picture)
    if sizes := found.get("lines"):
        curves = {
            "talk": [one["talk_pg_us"] for one in sizes],
            "first message for long": [one["begin_pg_us"] for one in sizes],
            "a line read": [one["read_pg_us"] / PAGE for one in sizes],
        }
        picture = curve.svg("CPU of PostgreSQL", [one["size"] for one in sizes], curves, "lines in the record", "µs")
        (folder / "growth-lines.svg").write_text(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lines", type=int, default=10_000_000, help="at the end (10 million take 8 GB of disk); 0: none"
    )
    parser.add_argument("--connections", type=int, default=CONNECTIONS[-1], help="at the end; 0: none")
    parser.add_argument("--plots", type=Path, help="write the curves as SVG into this folder")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="wx-growth-") as name:
        os.chmod(name, 0o755)
        found = asyncio.run(measure(Path(name), asked.lines, asked.connections))
    if asked.plots:
        plots(found, asked.plots)
    print(json.dumps(found) if asked.json else text(found))


if __name__ == "__main__":
    main()
