"""Whether ``entry`` should be partitioned: appends and history with and without, in one server, in alternation.

    python -m benchmarks.partitions --lines 600000

CPU time is that of the connection's own PostgreSQL process, so that what else the machine does counts little. The hash
of the thread leads to a partition: both unique keys must lead there, and neither has a time in it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import make_shop
from tests.places import folder_for
from wangxin.clock import new_id
from wangxin.storage import entries
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.entries import Line
from wangxin.storage.migrate import migrate

BATCH = 64
BODY = '{"text": "' + "羽绒服能机洗吗" * 8 + '"}'


def partitioned(parts: int) -> str:
    """SQL that puts a partitioned table in the place of the empty ``entry``."""
    made = "".join(
        f"create table entry_{n} partition of entry for values with (modulus {parts}, remainder {n});"
        for n in range(parts)
    )
    return f"""alter table entry rename to entry_whole;
      create table entry (like entry_whole including defaults including constraints) partition by hash (thread_id);
      drop table entry_whole;
      {made}
      alter table entry add primary key (shop_id, thread_id, lane, seq);
      create unique index on entry (shop_id, thread_id, sender_id, client_msg_id) where client_msg_id is not null;"""


async def fill(conn: Any, lines: int, threads: int) -> tuple[UUID, list[UUID]]:
    shop = (await make_shop(conn)).id
    await conn.execute(
        """insert into shopper (shop_id, id, name) select $1, md5(n::text)::uuid, '' from generate_series(1, $2) n""",
        shop, threads,
    )  # fmt: skip
    await conn.execute(
        """insert into thread (shop_id, id, shopper_id, public_seq, state)
           select $1, id, id, $2, 'bot' from shopper where shop_id = $1""",
        shop, lines // threads,
    )  # fmt: skip
    await conn.execute(
        """insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, client_msg_id, kind, body)
           select $1, t.id, 0, n, clock_timestamp(), 'bot', t.id, gen_random_uuid(), 'text', $3::text::jsonb
             from generate_series(1, $2) n cross join thread t""",
        shop, lines // threads, BODY,
    )  # fmt: skip
    await conn.execute("vacuum analyze entry")
    return shop, [row["id"] for row in await conn.fetch("select id from thread where shop_id = $1", shop)]


class Side:
    """One of the two databases with a connection of its own."""

    def __init__(self, name: str, conn: Any, shop: UUID, threads: list[UUID], pid: int) -> None:
        self.name, self.conn, self.shop, self.threads = name, conn, shop, threads
        self.pid = pid
        self.append_us: list[float] = []
        self.read_us: list[float] = []

    def cpu_us(self) -> float:
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1_000

    async def append(self, batches: int, chance: random.Random) -> None:
        began = self.cpu_us()
        for _ in range(batches):
            some = chance.sample(self.threads, BATCH)
            lines = [Line(self.shop, t, "agent", t, uuid4(), "text", BODY, opens=new_id()) for t in some]
            async with self.conn.transaction():
                await entries.append(self.conn, lines)
        self.append_us.append((self.cpu_us() - began) / batches / BATCH)

    async def read(self, pages: int, chance: random.Random) -> None:
        began = self.cpu_us()
        for thread in chance.choices(self.threads, k=pages):
            assert await entries.read_before(self.conn, self.shop, thread, "public", None, 50)
        self.read_us.append((self.cpu_us() - began) / pages)


async def run(lines: int, threads: int, parts: Sequence[int], rounds: int) -> None:
    with folder_for("wx-parts-") as folder:
        server = EmbeddedPostgres(folder)
        await server.start()
        admin = await asyncpg.connect(server.url)
        sides = []
        for n in (0, *parts):
            name = f"parts_{n}"
            await admin.execute(f'create database "{name}"')
            await migrate(server._url(name))
            conn = await asyncpg.connect(server._url(name))
            if n:
                await conn.execute(partitioned(n))
            shop, ids = await fill(conn, lines, threads)
            await conn.close()
            conn = await asyncpg.connect(server._url(name))
            sides.append(
                Side(f"{n or 'no'} partitions", conn, shop, ids, await conn.fetchval("select pg_backend_pid()"))
            )
        for number in range(rounds + 1):
            for side in random.Random(number).sample(sides, len(sides)):
                await side.append(30, random.Random(number))
                await side.read(300, random.Random(number))
                if not number:  # the first warms up
                    side.append_us.clear()
                    side.read_us.clear()
        print(f"{lines:,} lines, {threads:,} threads, {rounds} rounds in alternation; median CPU µs of PostgreSQL")
        for side in sides:
            append, read = statistics.median(side.append_us), statistics.median(side.read_us)
            print(f"{side.name:>15}: {append:6.1f} a line appended (batches of {BATCH}), {read:6.1f} a page of 50")
        for side in sides:
            await side.conn.close()
        await admin.close()
        server.stop(how="immediate")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--lines", type=int, default=600_000)
    words.add_argument("--threads", type=int, default=20_000)
    words.add_argument("--parts", type=int, nargs="*", default=[16])
    words.add_argument("--rounds", type=int, default=9)
    asked = words.parse_args()
    asyncio.run(run(asked.lines, asked.threads, asked.parts, asked.rounds))


if __name__ == "__main__":
    main()
