"""Between people and hubs lies a bad network: slow, uneven, losing (what is lost comes later), and cut all the time."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd, Hubs
from tests.places import new_folder
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

pytestmark = pytest.mark.timeout(180)


@dataclass
class BadLine:
    """100 ms each way, half as much again at random; one piece in ten takes 400 ms more, and what follows waits for it,
    as TCP has it; a connection lasts three seconds in the middle."""

    to: Path
    chance: random.Random
    delay_s: float = 0.1
    lost: float = 0.1
    again_s: float = 0.4
    lasts_s: float = 3.0
    cuts: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hub_reader, hub_writer = await asyncio.open_unix_connection(str(self.to))
        except OSError:
            writer.close()
            return
        here = asyncio.current_task()
        assert here is not None
        self.tasks.add(here)
        ways = [asyncio.create_task(self._way(reader, hub_writer)), asyncio.create_task(self._way(hub_reader, writer))]
        try:
            done, _ = await asyncio.wait(
                ways, timeout=self.chance.expovariate(1 / self.lasts_s), return_when=asyncio.FIRST_COMPLETED
            )
            self.cuts += not done
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            hub_writer.transport.abort()
            self.tasks.discard(here)

    async def _way(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, part = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                target.write(part)
                if not part:
                    target.close()

        arriving = asyncio.create_task(arrive())
        try:
            latest = 0.0
            while True:
                part = await source.read(1_000)
                takes = self.delay_s * self.chance.uniform(0.75, 1.25)
                takes += self.again_s if self.chance.random() < self.lost else 0.0
                latest = max(latest, loop.time() + takes)
                waiting.put_nowait((latest, part))
                if not part:
                    await asyncio.sleep(2 * self.delay_s + self.again_s)
                    return
        finally:
            arriving.cancel()


class Behind(Hubs):
    """The same hubs, reached over bad lines."""

    def relay(self, node: str) -> Path:
        return self.folder / f"bad-{node}.sock"

    def socket(self, node: str) -> Path:
        return self.relay(node)


@asynccontextmanager
async def behind(hubs: Hubs) -> AsyncIterator[tuple[Behind, list[BadLine]]]:
    reached = Behind(hubs.postgres, hubs.valkey, hubs.folder, hubs.running)
    lines, servers = [], []
    for number, node in enumerate(hubs.running):
        line = BadLine(hubs.socket(node), random.Random(number))
        servers.append(await asyncio.start_unix_server(line.serve, str(reached.relay(node))))
        lines.append(line)
    try:
        yield reached, lines
    finally:
        for server in servers:
            server.close()
        for line in lines:
            for task in list(line.tasks):
                task.cancel()


@pytest.fixture(scope="module")
def hubs(embedded_valkey: EmbeddedValkey) -> Iterator[Hubs]:
    folder = new_folder("wxl-")
    postgres = EmbeddedPostgres(folder)
    hubs = Hubs(postgres, embedded_valkey, folder)
    try:
        asyncio.run(postgres.start())
        asyncio.run(migrate(postgres.url))
        asyncio.run(hubs.start("a"))
        asyncio.run(hubs.start("b"))
        yield hubs
    finally:
        hubs.close()
        postgres.stop(how="immediate")
        shutil.rmtree(folder, ignore_errors=True)


async def test_over_a_slow_losing_line_that_is_cut_all_the_time_nothing_is_lost_doubled_or_out_of_order(
    hubs: Hubs,
) -> None:
    async with behind(hubs) as (reached, lines), AsyncExitStack() as stack:
        crowd = Crowd(reached, stack)
        await crowd.gather()
        crowd.talk()
        await crowd.more(120)
        for line in lines:
            line.lasts_s = 3_600  # so that everybody hears the end
        verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    assert sum(line.cuts for line in lines) >= 5, "lines were cut while people talked"
