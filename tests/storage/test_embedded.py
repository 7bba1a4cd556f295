"""The embedded servers: safe settings, patience, and data that survives what may happen to them."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from tests.conftest import ROOT
from tests.places import folder_for
from wangxin.storage import postgres, valkey
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import MigrationChanged, migrate, migrations


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for("wx-own-") as folder:
        yield folder


async def test_what_was_committed_survives_a_kill_and_the_same_url_serves_it_again(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = await server.start()
    try:
        conn = await asyncpg.connect(url)
        await conn.execute("create table kept (n int)")
        await conn.execute("insert into kept values (7)")
        server.stop(how="kill")
        assert not server.running
        assert await server.start() == url
        again = await asyncpg.connect(url)
        assert await again.fetchval("select n from kept") == 7
        await again.close()
    finally:
        server.stop(how="immediate")


async def test_a_second_start_on_the_same_data_adopts_the_running_server(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    await first.start()
    try:
        second = EmbeddedPostgres(folder)
        await second.start()
        assert second.pid == first.pid
    finally:
        first.stop(how="immediate")


async def test_the_embedded_server_is_durable_and_private(embedded_postgres: EmbeddedPostgres) -> None:
    conn = await asyncpg.connect(embedded_postgres._url("postgres"))
    await postgres.check_settings(conn)
    assert await conn.fetchval("show listen_addresses") == ""
    sockets = Path(await conn.fetchval("show unix_socket_directories"))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    await conn.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(embedded_postgres.url.replace("wangxin:", "wangxin:wrong"))


async def test_a_server_that_could_lose_acknowledged_messages_is_refused(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("set synchronous_commit = off")
        with pytest.raises(postgres.UnsafeSettings, match="synchronous_commit=off"):
            await postgres.check_settings(conn)


async def test_valkey_keeps_its_data_over_a_kill_and_forgets_it_when_wiped(folder: Path) -> None:
    server = EmbeddedValkey(folder)
    url = await server.start()
    try:
        connection = valkey.connect_blocking(url)
        connection.set("kept", "1")
        connection.execute_command("BGREWRITEAOF")
        server.stop()
        await server.start()
        assert valkey.connect_blocking(url).get("kept") == b"1"
        server.stop(how="kill", wipe=True)
        await server.start()
        assert valkey.connect_blocking(url).get("kept") is None
        assert connection.config_get("appendonly")["appendonly"] == "yes"
        assert connection.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    finally:
        server.stop(how="kill")


async def test_valkey_asks_for_its_password(embedded_valkey: EmbeddedValkey) -> None:
    stranger = redis.Redis(unix_socket_path=str(embedded_valkey._socket))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()


async def test_a_socket_folder_of_somebody_else_is_refused_with_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    server = EmbeddedValkey(folder / "data")
    (folder / "elsewhere").mkdir()
    await asyncio.to_thread(_claim_socket_folder, server, folder)
    with pytest.raises(CannotStart, match="TMPDIR"):
        server.spawn()


def _claim_socket_folder(server: EmbeddedValkey, folder: Path) -> None:
    import hashlib

    tag = hashlib.sha256(str(server.data.resolve()).encode()).hexdigest()[:12]
    (folder / f"wx-vk-{tag}").symlink_to(folder / "elsewhere")


async def test_migrating_twice_changes_nothing_and_from_two_processes_at_once_neither(database_url: str) -> None:
    assert await migrate(database_url) == []
    assert await asyncio.gather(migrate(database_url), migrate(database_url)) == [[], []]


async def test_a_migration_that_was_changed_after_it_was_applied_is_named(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute("update schema_migration set digest = 'other' where number = 1")
    await conn.close()
    with pytest.raises(MigrationChanged, match="0001_record"):
        await migrate(database_url)


def test_migrations_have_one_numbering() -> None:
    numbers = [number for number, _, _ in migrations()]
    assert numbers == sorted(set(numbers))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes accounts")
def test_processes_that_start_at_once_on_a_new_machine_make_one_account() -> None:
    name = f"wx-trial-{os.getpid()}"
    words = f"from wangxin.storage.account import system_account; print(system_account({name!r}).pw_uid)"
    try:
        at_once = [
            subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for _ in range(4)
        ]
        told = {process.communicate()[0].strip() for process in at_once}
        assert told == {str(pwd.getpwnam(name).pw_uid)}
    finally:
        subprocess.run(["userdel", name], check=True)
