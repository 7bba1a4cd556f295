"""The doctor names what is broken in an installation, and how it is mended; what is whole it leaves alone."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import Shop
from tests.house.installation import wangxin
from tests.web.house import free_port
from wangxin import doctor, stores
from wangxin.config import Settings
from wangxin.doctor import Finding, examine
from wangxin.storage.embedded import EmbeddedPostgres

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer at once is away."""
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.1)


@pytest.fixture
def whole(database_url: str, valkey_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"postgres_url": database_url, "valkey_url": valkey_url, "data": tmp_path, "port": free_port(),
            "secret": "s" * 43}  # fmt: skip


async def found(settings: dict[str, Any]) -> dict[str, Finding]:
    return {one.what: one for one in await examine(Settings(**settings))}


def names(finding: Finding, state: str, words: str, mend: str) -> None:
    told = finding.words + " " + finding.mend
    assert finding.state == state, finding
    assert words in told, finding
    assert mend in told, finding


def other(url: str, **parts: str) -> str:
    """``url`` with another password, path or query."""
    split = urlsplit(url)
    if "password" in parts:
        split = split._replace(netloc=split.netloc.replace(f":{split.password}@", f":{parts['password']}@"))
    if "path" in parts:
        split = split._replace(path=parts["path"])
    if "query" in parts:
        split = split._replace(query=parts["query"])
    return urlunsplit(split)


async def test_a_whole_installation_has_only_its_processes_missing(whole: dict[str, Any]) -> None:
    findings = await found(whole)
    wrong = {one.what for one in findings.values() if one.state == "wrong"}
    assert wrong - {"pages"} == {"hubs", "web", "dispatcher", "worker"}
    assert all(one.mend for one in findings.values() if one.state != "ok")
    names(findings["worker"], "wrong", "none", "Start `wangxin worker`.")


async def test_postgresql_that_is_away_refuses_or_lacks_the_database_is_named_once_with_the_way_out(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    url = whole["postgres_url"]
    for broken, words, mend in (
        (other(url, query=f"host={tmp_path}"), "does not answer", "unset it to use the embedded server"),
        (other(url, password="wrong"), "refuses the login", "Correct name and password in WANGXIN_POSTGRES_URL"),
        (other(url, path="/nowhere"), "does not exist", "createdb"),
        ("postgresql://[", "cannot be read", "postgresql://"),
    ):
        findings = await found({**whole, "postgres_url": broken})
        names(findings["PostgreSQL"], "wrong", words, mend)
        assert findings["Valkey"].state == "ok", "the rest is looked at all the same"
        assert "processes" not in findings


async def test_valkey_that_is_away_or_refuses_is_named_and_nothing_else(whole: dict[str, Any], tmp_path: Path) -> None:
    for broken, words, mend in (
        (f"unix://{tmp_path}/none.sock", "does not answer", "WANGXIN_VALKEY_URL"),
        (other(whole["valkey_url"], password="wrong"), "refuses", "WANGXIN_VALKEY_URL"),
    ):
        findings = await found({**whole, "valkey_url": broken})
        names(findings["Valkey"], "wrong", words, mend)
        assert findings["PostgreSQL"].state == "ok"


@pytest.fixture
async def empty_url(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"e_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(embedded_postgres._url("postgres"))
    await admin.execute(f'create database "{name}"')
    yield embedded_postgres._url(name)
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


async def test_an_old_a_new_and_an_empty_schema_are_told_apart(
    whole: dict[str, Any], pool: asyncpg.Pool, empty_url: str
) -> None:
    names((await found({**whole, "postgres_url": empty_url}))["schema"], "wrong", "migrations are missing", "migrate")
    await pool.execute("delete from schema_migration where number >= 60")
    names((await found(whole))["schema"], "wrong", "migrations are missing", "Run `wangxin migrate`.")
    await pool.execute("insert into schema_migration (number, name, digest) select n, '', '' from"
                       " generate_series(60, 9999) n")  # fmt: skip
    names((await found(whole))["schema"], "warning", "of a newer release", "Install the newer release")


async def test_clocks_that_differ_are_named(whole: dict[str, Any], pool: asyncpg.Pool) -> None:
    await pool.execute("create function public.clock_timestamp() returns timestamptz language sql as"
                       " $$ select pg_catalog.clock_timestamp() + interval '1 hour' $$")  # fmt: skip
    database = await pool.fetchval("select current_database()")
    await pool.execute(f'alter database "{database}" set search_path = public, pg_catalog')
    names((await found(whole))["clocks"], "warning", "differ by 3", "Let both keep time")


async def test_a_folder_that_is_gone_is_named(
    whole: dict[str, Any], pool: asyncpg.Pool, shop: Shop, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    await pool.execute(
        "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, duration_ms, name, digest)"
        " values ($1, $1, $1, 'image', 'image/png', 21, 1, 1, 0, '', '')",
        shop.id,
    )
    names((await found(whole))["media"], "wrong", "names 1 files in it", "Mount the folder that all processes share")
    media.mkdir()
    assert "media" not in await found(whole)
    names((await found({**whole, "data": tmp_path / "new"}))["data folder"], "warning", "not there yet", "wangxin up")


@pytest.mark.skipif(os.geteuid() == 0, reason="as root, no folder is closed")
async def test_a_folder_that_is_closed_is_named(whole: dict[str, Any], tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir(0o500)
    names((await found(whole))["media"], "wrong", "cannot be written", "Give")
    tmp_path.chmod(0o500)
    names((await found(whole))["data folder"], "wrong", "cannot be written", "set WANGXIN_DATA")


async def test_a_disk_with_little_room_is_named(whole: dict[str, Any], tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        findings = await found({**whole, "data": small})
        names(findings["data folder"], "wrong", "0 GiB free", "PostgreSQL stops on a full disk")
    finally:
        subprocess.run(["umount", str(small)], check=True)


async def test_a_port_that_another_program_has_is_named(whole: dict[str, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not stores.port_free("127.0.0.1", port)
        names((await found({**whole, "port": port}))["port"], "wrong", f"127.0.0.1:{port} is taken", "WANGXIN_PORT")
    assert "port" not in await found(whole)


async def test_a_short_secret_and_one_for_this_machine_alone_are_named(whole: dict[str, Any]) -> None:
    names((await found({**whole, "secret": "short"}))["secret"], "wrong", "only 5 characters", "32 or more")
    names((await found({**whole, "secret": None}))["secret"], "warning", "this machine alone", "Set WANGXIN_SECRET")


async def test_a_backup_that_nobody_follows_any_more_is_named(whole: dict[str, Any], pool: asyncpg.Pool) -> None:
    assert "backup" not in await found(whole)
    await pool.execute("select pg_create_physical_replication_slot('wangxin_backup', true)")
    try:
        names((await found(whole))["backup"], "warning", "nobody follows the log", "drop the slot wangxin_backup")
    finally:
        await pool.execute("select pg_drop_replication_slot('wangxin_backup')")
    assert doctor._follower(False, None, True).state == "wrong"
    assert doctor._follower(True, 0, False).state == "ok"


def test_the_command_ends_with_1_where_something_is_wrong_and_says_the_way_out(tmp_path: Path) -> None:
    done = wangxin("doctor", WANGXIN_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "No PostgreSQL is running" in done.stdout
    assert "wangxin up" in done.stdout
