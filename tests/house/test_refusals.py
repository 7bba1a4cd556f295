"""What cannot be done is said in one sentence with the way out, and ends with a code that scripts can read."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import hatch_build
from tests.house.installation import data_folder, environment, up, wangxin
from tests.web.house import free_port
from wangxin.storage import account
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.postgres import SchemaBehind, patient_pool
from wangxin.stores import reach_postgres, reach_valkey

ROOT = Path(__file__).parents[2]


def one_sentence(done: subprocess.CompletedProcess[str], *parts: str, code: int = 1) -> None:
    """The command failed with one line that has every part, and no traceback."""
    assert done.returncode == code, done.stdout + done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_taken_port_is_named_with_the_setting_that_moves_it() -> None:
    with socket.socket() as taken, data_folder() as data:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        one_sentence(wangxin("up", WANGXIN_DATA=str(data), WANGXIN_PORT=port), f"Port {port}", "set WANGXIN_PORT")
        assert not (data / "postgres").exists()


def test_a_folder_that_cannot_be_written_is_named_with_the_setting_that_moves_it() -> None:
    one_sentence(wangxin("up", WANGXIN_DATA="/dev/null/wangxin"), "/dev/null/wangxin cannot be written", "WANGXIN_DATA")


def test_a_wrong_setting_is_named_and_counts_as_wrong_usage() -> None:
    one_sentence(wangxin("up", WANGXIN_PORT="many"), "WANGXIN_PORT", code=2)
    assert wangxin("up", "--sideways").returncode == 2


def test_a_command_without_running_stores_says_how_to_start_them() -> None:
    with data_folder() as data:
        one_sentence(wangxin("report", WANGXIN_DATA=str(data)), "No PostgreSQL is running", "wangxin up")


# --- real servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A PostgreSQL as an administrator would run it: on a TCP port; not running yet. And its URL."""
    with data_folder() as folder:
        port = str(free_port())
        tcp = {"listen_addresses": "127.0.0.1", "port": port}
        server = EmbeddedPostgres(folder, settings=tcp)
        server._prepare()
        yield server, f"postgresql://wangxin:{server._password}@127.0.0.1:{port}/postgres"
        server.stop(how="immediate")


def start(server: EmbeddedPostgres, **settings: str) -> None:
    server._settings = {**server._settings, "fsync": "on", "full_page_writes": "on", **settings}
    server.spawn()
    asyncio.run(reach_tcp(server))


async def reach_tcp(server: EmbeddedPostgres) -> None:
    port = server._settings["port"]
    while True:
        try:
            conn = await asyncpg.connect(f"postgresql://wangxin:{server._password}@127.0.0.1:{port}/postgres")
            return await conn.close()
        except (OSError, asyncpg.CannotConnectNowError):
            assert server.running
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_real_server_that_may_forget_what_it_confirmed_is_refused(
    real: tuple[EmbeddedPostgres, str], embedded_valkey: EmbeddedValkey, setting: str
) -> None:
    server, url = real
    start(server, **{setting: "off"})
    with data_folder() as data:
        stores = {"WANGXIN_POSTGRES_URL": url, "WANGXIN_VALKEY_URL": embedded_valkey.url}
        done = wangxin("up", WANGXIN_DATA=str(data), WANGXIN_PORT=str(free_port()), **stores)
        one_sentence(done, f"PostgreSQL has {setting}=off", f"Set {setting}=on")
        one_sentence(wangxin("hub", WANGXIN_DATA=str(data), **stores), f"{setting}=off")
    server.stop(how="immediate")


def test_a_database_whose_commits_do_not_wait_is_refused_and_one_without_migrations_too(
    real: tuple[EmbeddedPostgres, str],
) -> None:
    server, url = real
    start(server)

    async def lazy(value: str) -> None:
        conn = await asyncpg.connect(url)
        await conn.execute(f"alter database postgres set synchronous_commit = {value}")
        await conn.close()

    asyncio.run(lazy("off"))
    one_sentence(wangxin("migrate", WANGXIN_POSTGRES_URL=url, WANGXIN_VALKEY_URL="redis://-"), "synchronous_commit=off")
    asyncio.run(lazy("on"))
    with pytest.raises(SchemaBehind, match=r"0001_record\.sql.*wangxin migrate"):
        asyncio.run(patient_pool(url, name="test"))
    examined = wangxin("doctor", WANGXIN_POSTGRES_URL=url, WANGXIN_VALKEY_URL="redis://127.0.0.1:1", WANGXIN_SECRET="x")
    assert examined.returncode == 1
    for words in (
        "Run `wangxin migrate`",
        "127.0.0.1:1 does not answer",
        "WANGXIN_SECRET has only 1 char",
        "Start `wangxin hub`",
    ):
        assert words in examined.stdout
    done = wangxin("migrate", WANGXIN_POSTGRES_URL=url, WANGXIN_VALKEY_URL="redis://-")
    assert done.returncode == 0
    assert "0001_record.sql" in done.stdout


def test_servers_that_do_not_answer_refuse_the_login_or_lack_the_database_are_told_apart(
    real: tuple[EmbeddedPostgres, str], embedded_valkey: EmbeddedValkey
) -> None:
    server, url = real
    if not server.running:
        start(server)
    nowhere = free_port()
    stands = {
        url.replace(server._password, "wrong"): "refuses the login",
        url.removesuffix("postgres") + "absent": r"database \"absent\" does not exist.*createdb",
        f"postgresql://wangxin@127.0.0.1:{nowhere}/x": rf"127\.0\.0\.1:{nowhere} does not answer",
        "postgres//half": "cannot be read.*has the form",
    }
    for asked, words in stands.items():
        with pytest.raises(CannotStart, match=words) as told:
            asyncio.run(reach_postgres(asked, patience_s=0))
        assert server._password not in str(told.value)
    asyncio.run(reach_valkey(embedded_valkey.url))
    for asked, words in {
        embedded_valkey.url.replace(embedded_valkey._password, "wrong"): "refuses the login",
        f"redis://127.0.0.1:{nowhere}/0": rf"127\.0\.0\.1:{nowhere} does not answer",
        "valkey at home": "cannot be read.*has the form",
    }.items():
        with pytest.raises(CannotStart, match=words):
            asyncio.run(reach_valkey(asked, patience_s=0))


# --- embedded servers -------------------------------------------------------------------------------------------------


def test_data_of_another_account_are_not_touched() -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    with data_folder() as data:
        server = EmbeddedPostgres(data)
        server._prepare()
        server._account = pwd.getpwnam("daemon")
        server._pgdata.mkdir(mode=0o700, parents=True)
        (server._pgdata / "PG_VERSION").write_text("18\n")
        with pytest.raises(CannotStart, match=rf"belongs to {me}\. Start wangxin as that account"):
            server._initdb()
        assert [path.name for path in server._pgdata.iterdir()] == ["PG_VERSION"]


def test_a_database_whose_password_was_thrown_away_is_not_waited_for() -> None:
    with data_folder() as data:
        server = EmbeddedPostgres(data)
        asyncio.run(server.start())
        server.stop()
        (data / "secret" / "postgres").unlink()
        orphan = EmbeddedPostgres(data)
        with pytest.raises(CannotStart, match=r"made with another password .* Put the old secret back"):
            asyncio.run(orphan.start())
        orphan.stop(how="immediate")


def test_as_root_without_useradd_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(account.NoAccount, match=r"no useradd here.*Run as an ordinary account"):
        account.system_account("wangxin-nobody-has-this")


def test_a_process_that_does_not_come_up_is_named_with_its_last_lines() -> None:
    """Two hubs cannot have the same socket: here the second one's place is taken by a folder."""
    from wangxin.storage.sockets import hub_socket

    with data_folder() as data:
        hub_socket(data, "2").mkdir()
        with up(data) as running:
            running.until("hub 2 stopped while starting. The last lines of .*wangxin.log:")
            running.until("Hub 2 cannot listen .*Name another --port or --node")
            running.process.wait(60)
            assert running.process.returncode == 1
            shutil.rmtree(hub_socket(data, "2").parent)


# --- make -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "words"),
    [
        (None, ("Python 3.11, 3.12 or 3.13 is needed", "apt-get install python3")),
        ("exit 1", ("Python 3.11, 3.12 or 3.13 is needed", "make PYTHON=")),
        ('case "$2" in *ensurepip*) exit 1;; esac', ("venv module is missing", "apt-get install python3-venv")),
    ],
)
def test_make_without_a_fit_python_says_what_to_install(
    tmp_path: Path, python: str | None, words: tuple[str, ...]
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    named = tmp_path / "python"
    if python is not None:
        named.write_text(f"#!/bin/sh\n{python}\n")
        named.chmod(0o755)
    done = subprocess.run(
        ["make", "run", f"PYTHON={named}"], cwd=tmp_path, capture_output=True, text=True, env=environment()
    )
    assert done.returncode != 0
    for part in words:
        assert part in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_a_failed_build_of_the_pages_shows_the_fault_and_the_way_out(tmp_path: Path) -> None:
    pages = tmp_path / "frontend"
    pages.mkdir()
    shutil.copy(ROOT / "hatch_build.py", tmp_path)
    (pages / "package.json").write_text('{"scripts": {"build": "echo unexpected token in desk.vue >&2; exit 3"}}')
    (pages / "package-lock.json").write_text("{}")
    (pages / "node_modules").mkdir()
    lock = hatch_build.hashlib.sha256(b"{}").hexdigest()
    (pages / "node_modules" / ".wangxin-lock").write_text(f"{lock} all")
    done = subprocess.run([sys.executable, "hatch_build.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "unexpected token in desk.vue" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("The pages could not be built: building")
    assert "WANGXIN_SKIP_WEB=1" in done.stderr
