"""The primary is lost and a standby takes over: what was acknowledged is there, and everybody finds the new one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.dispatcher.conftest import new_house
from tests.faults.crowd import PATIENCE_S, Crowd, Hubs
from tests.faults.standby import NAME, Standby
from tests.places import new_folder
from wangxin import doctor
from wangxin.storage import hosts, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import connect

pytestmark = pytest.mark.timeout(180)


@dataclass
class Pair:
    """A primary and its synchronous standby, under one URL."""

    primary: EmbeddedPostgres
    standby: Standby
    folder: Path

    @property
    def url(self) -> str:
        return self.standby.urls

    def lose_the_primary(self) -> None:
        self.primary.stop(how="kill")

    async def stop(self) -> None:
        self.standby.stop()
        self.primary.stop(how="immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    folder = new_folder("wxf-")
    primary = EmbeddedPostgres(folder)
    await primary.start()
    await migrate(primary.url)
    standby = Standby(primary, folder)
    pair = Pair(primary, standby, folder)
    try:
        standby.copy()
        standby.start()
        conn = await asyncpg.connect(primary.url)
        await conn.execute(f"alter system set synchronous_standby_names = '{NAME}'")
        await conn.execute("select pg_reload_conf()")
        await until(conn, "select exists (select 1 from pg_stat_replication where sync_state = 'sync')")
        await conn.close()
        yield pair
    finally:
        await pair.stop()


async def until(conn: Any, question: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await conn.fetchval(question):
            await asyncio.sleep(0.05)


async def test_a_standby_takes_over_while_people_talk_and_the_old_primary_is_not_followed_again(pair: Pair) -> None:
    valkey = EmbeddedValkey(pair.folder)
    await valkey.start()
    hubs = Hubs(pair, valkey, pair.folder)  # type: ignore[arg-type]
    try:
        await asyncio.gather(hubs.start("a"), hubs.start("b"))
        async with AsyncExitStack() as stack:
            crowd = Crowd(hubs, stack)
            await crowd.gather()
            crowd.talk()
            await crowd.more(30)
            pair.lose_the_primary()
            before = crowd.acks
            pair.standby.promote()
            await crowd.more(40)
            await pair.primary.start()  # as it was: it takes itself for the primary, and acknowledges nothing
            hubs.kill("a")
            await hubs.start("a")  # a process that knew neither
            await crowd.more(40)
            assert crowd.acks > before
            verdict = await crowd.judged()
            assert verdict.kept, str(verdict)
    finally:
        hubs.close()
        valkey.stop(how="kill")


async def test_a_pool_finds_the_primary_wherever_it_is(pair: Pair) -> None:
    both = hosts.each_host(pair.url)
    assert len(both) == 2
    with pytest.raises(asyncpg.exceptions.TargetServerAttributeNotMatched):
        await hosts.connect(both[1])  # it only reads
    pool = await postgres.open_pool(pair.url, most=3)
    try:
        await pool.execute("create table said (n int primary key)")
        await pool.execute("insert into said values (1)")
        pair.lose_the_primary()
        pair.standby.promote()
        await postgres.until_it_works(lambda: pool.execute("insert into said values (2) on conflict do nothing"))
        assert [row["n"] for row in await pool.fetch("select n from said order by n")] == [1, 2]
        await pair.primary.start()
        found = await asyncio.gather(*(pool.fetchval("select count(*) from said, pg_sleep(0.1)") for _ in range(3)))
        assert found == [2, 2, 2]
        fresh = await hosts.connect(pair.url)
        assert await fresh.fetchval("select count(*) from said") == 2
        await fresh.close()
        known = hosts.Hosts(both[0] + "&target_session_attrs=any")
        assert known.urls == both[:1]
    finally:
        pool.terminate()


async def test_the_doctor_says_on_how_many_machines_an_acknowledged_message_is(pair: Pair) -> None:
    async def told(url: str) -> tuple[str, str]:
        found = next(one for one in await doctor._postgres(url) if one.what == "standby")
        return found.state, found.words

    assert await told(pair.url) == ("ok", f"1 connected, commits wait for {NAME}: on two machines")
    pair.standby.stop()
    conn = await asyncpg.connect(pair.primary.url)
    await until(conn, "select not exists (select 1 from pg_stat_replication)")
    state, words = await told(pair.url)
    assert (state, "nothing can be acknowledged" in words) == ("wrong", True)
    await conn.execute("alter system reset synchronous_standby_names")
    await conn.execute("select pg_reload_conf()")
    await until(conn, "select current_setting('synchronous_standby_names') = ''")
    await conn.close()
    assert (await told(pair.url))[1].endswith("on one machine")


async def test_the_dispatcher_goes_on_with_the_standby(pair: Pair, valkey_url: str) -> None:
    pool, valkey = await postgres.open_pool(pair.url, most=4), connect(valkey_url)
    house = await new_house(pool, valkey)
    stores = {"WANGXIN_POSTGRES_URL": pair.url, "WANGXIN_VALKEY_URL": valkey_url}
    with (pair.folder / "dispatcher.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.dispatcher.dispatcher_process", "one"], env={**os.environ, **stores},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await house.ready("own1")
        before, during = await house.chat("林晓"), await house.chat("周舟")
        await house.ask(before)
        await house.until(lambda: house.state(before), "assigned", 60)
        epoch = await pool.fetchval("select epoch from dispatch_lease")
        pair.lose_the_primary()
        pair.standby.promote()
        await postgres.until_it_works(lambda: house.ask(during))
        await house.until(lambda: house.state(during), "assigned", 60)
        # Its lease is in the record like everything else: it goes on with it, or takes the next one.
        assert await pool.fetchval("select epoch from dispatch_lease") >= epoch
        rows = await pool.fetch("select count(*) from assignment group by conversation_id")
        assert [row[0] for row in rows] == [1, 1]
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        pool.terminate()
        await valkey.aclose()


async def test_a_server_that_only_reads_by_now_is_left(pair: Pair) -> None:
    pool = await postgres.open_pool(pair.url, least=1, most=1)
    try:
        await pool.execute("create table said (n int)")
        conn = await asyncpg.connect(pair.primary.url)
        await conn.execute("alter system set default_transaction_read_only = on")
        await conn.execute("select pg_reload_conf()")
        refused = None
        async with asyncio.timeout(PATIENCE_S):
            while refused is None:
                try:
                    await pool.execute("insert into said values (1)")
                except postgres.TRANSIENT as why:
                    refused = why
        pair.standby.promote()
        await postgres.until_it_works(lambda: pool.execute("insert into said values (2)"))
        await conn.close()
        assert not await pool.fetchval("select pg_is_in_recovery()")
        assert await pool.fetchval("show unix_socket_directories") == str(pair.standby._sockets)
    finally:
        pool.terminate()
