"""Backups that can be restored to any moment: a copy of the database's files, and from then on its log.

A folder holds ``base-<UTC time>`` (PostgreSQL's own base backup, checked against its manifest), ``wal`` (the log as it
streams in) and ``media``. Restoring makes a data folder with an embedded server of the same major version.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

import wangxin
from wangxin.backup import BadBackup, Holds, files_below, gapped, holds, postgres_of, run_tool, tool
from wangxin.clock import now_ms
from wangxin.config import Settings
from wangxin.storage import hosts
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres
from wangxin.stores import Lock, Say, folder_ready

FORMAT = 1
SLOT = "wangxin_backup"
MEDIA_S = 60.0
FRESH = timedelta(days=1)
"""How old a copy may be that a follower goes on from."""
AGAIN_S = 5.0
PATIENCE_S = 3_600.0
"""Of a restore: reading a day's log takes a while."""
_BASE, _WAL, _MEDIA, _ABOUT = "base-", "wal", "media", "wangxin.json"
_TRUST = "local all all trust\n"
_SHORT = "before configured recovery target was reached"


@dataclass(frozen=True, slots=True)
class Based:
    """A base backup, and what it holds; it can be restored to moments after ``at``."""

    folder: Path
    at: datetime
    major: int
    superuser: str
    database: str


@dataclass(frozen=True, slots=True)
class Restored(Holds):
    """``reached``: when the newest commit was made that is there."""

    reached: datetime | None


# --- making one -------------------------------------------------------------------------------------------------------


async def back_up(settings: Settings, folder: Path, say: Say, *, unless_of: timedelta | None = None) -> Path:
    """Add a base backup, and the log up to now, to ``folder``; people may chat meanwhile. Raises CannotStart.

    Where the newest there is younger than ``unless_of`` and the log goes on from it, that one will do.
    """
    (folder / _WAL).mkdir(mode=0o700, exist_ok=True)
    async with postgres_of(settings, lock=False) as url:
        conn = await hosts.connect(url)
        try:
            major = await conn.fetchval("select current_setting('server_version_num')::int / 10000")
            if major != (ours := await asyncio.to_thread(_ours)):
                raise CannotStart(
                    f"This PostgreSQL is of version {major}, and a folder is restored by ours, of {ours}. Use"
                    " `wangxin backup FILE`, or its own tools."
                )
            goes_on, newest = await _slot(conn), bases(folder)[-1:]
            now = datetime.fromtimestamp(now_ms() / 1_000, UTC)
            if unless_of is not None and goes_on and newest and now - newest[0].at < unless_of:
                return newest[0].folder
            half = folder / f".{_BASE}half-{os.getpid()}"
            shutil.rmtree(half, ignore_errors=True)
            try:
                say("copying the database")
                await run_tool("pg_basebackup", url, f"--pgdata={half}", "--wal-method=stream", "--checkpoint=fast",
                               "--manifest-checksums=SHA256")  # fmt: skip
                say("checking the copy")
                await _checked("pg_verifybackup", "--quiet", str(half))
                row = await conn.fetchrow(
                    "select clock_timestamp() as at, (select rolname from pg_roles where oid = 10) as superuser,"
                    " current_database() as database"
                )
                assert row is not None, "a select without a table answers with one row"
                at: datetime = row["at"]
                about = {
                    "format": FORMAT,
                    "wangxin": wangxin.__version__,
                    **dict(row),
                    "at": at.isoformat(),
                    "major": major,
                }
                (half / _ABOUT).write_text(json.dumps(about))
                done = folder / f"{_BASE}{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
                half.rename(done)
            finally:
                shutil.rmtree(half, ignore_errors=True)
            if not await conn.fetchval("select active from pg_replication_slots where slot_name = $1", SLOT):
                say("copying the log")
                end = await conn.fetchval("select pg_current_wal_lsn()::text")
                await run_tool("pg_receivewal", url, f"--directory={folder / _WAL}", f"--slot={SLOT}", "--no-loop",
                               "--synchronous", f"--endpos={end}")  # fmt: skip
            say("copying the media")
            await asyncio.to_thread(_mirror, settings.data / _MEDIA, folder / _MEDIA)
        finally:
            await conn.close()
    return done


async def follow(settings: Settings, folder: Path, say: Say) -> None:
    """Keep the log and the media of ``folder`` up to the moment, until SIGTERM; a lost line is taken up again."""
    me = asyncio.current_task()
    assert me is not None, "a coroutine runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with postgres_of(settings, lock=False) as url:
        media = asyncio.ensure_future(_follow_media(settings.data / _MEDIA, folder / _MEDIA))
        try:
            while True:
                words = [f"--directory={folder / _WAL}", f"--slot={SLOT}", "--no-loop", "--synchronous",
                         "--status-interval=5"]  # fmt: skip
                try:
                    await run_tool("pg_receivewal", url, *words)
                except CannotStart as why:
                    say(f"{why} Trying again.")
                await asyncio.sleep(AGAIN_S)
        finally:
            media.cancel()


async def _follow_media(source: Path, target: Path) -> None:
    while True:
        await asyncio.to_thread(_mirror, source, target)
        await asyncio.sleep(MEDIA_S)


async def _slot(conn: Any) -> bool:
    """PostgreSQL keeps its log until this slot has taken it; False: only from now on. Raises CannotStart."""
    state = await conn.fetchrow("select wal_status from pg_replication_slots where slot_name = $1", SLOT)
    if state is not None and state["wal_status"] == "lost":
        await conn.execute("select pg_drop_replication_slot($1)", SLOT)
        state = None
    if state is None:
        try:
            await conn.execute("select pg_create_physical_replication_slot($1, true)", SLOT)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError) as why:
            raise CannotStart(
                f"This PostgreSQL does not give its log away ({why}). Let the role replicate"
                " (`alter role … replication`), with wal_level = replica."
            ) from None
        return False
    return True


def _mirror(source: Path, target: Path) -> None:
    """Files that are new or changed; what was removed at the source stays, for restoring to a moment before."""
    for path in files_below(source):
        copy = target / path.relative_to(source)
        with contextlib.suppress(FileNotFoundError):  # erased meanwhile
            found = path.stat()
            if path.suffix == ".part" or (
                copy.is_file() and (copy.stat().st_size, copy.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns)
            ):
                continue
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = copy.with_name(copy.name + ".part")
            shutil.copy2(path, half)
            os.replace(half, copy)


# --- restoring --------------------------------------------------------------------------------------------------------


def bases(folder: Path) -> list[Based]:
    """Oldest first."""
    found = []
    for path in sorted(folder.glob(f"{_BASE}*")):
        with contextlib.suppress(OSError, KeyError, ValueError):
            about = json.loads((path / _ABOUT).read_text())
            if about["format"] == FORMAT:
                at = datetime.fromisoformat(about["at"])
                found.append(Based(path, at, about["major"], about["superuser"], about["database"]))
    return sorted(found, key=lambda one: one.at)


def base_for(found: Sequence[Based], to: datetime | None) -> Based:
    """The newest that lies before the moment. Raises BadBackup."""
    fit = [one for one in found if to is None or one.at <= to]
    if not fit:
        oldest = f"the oldest backup there is of {found[0].at:%Y-%m-%d %H:%M:%S %Z}" if found else "there is no backup"
        raise BadBackup(f"That moment cannot be restored: {oldest}.")
    return fit[-1]


async def restore_to(
    settings: Settings, folder: Path, to: datetime | None, say: Say, wrong: Callable[[str, Path], Awaitable[int]]
) -> Restored:
    """Make the empty data folder of the settings hold everything that was committed up to ``to`` (None: all there is).

    ``wrong`` is asked how many figures are not what the record says, by URL and media folder.
    Raises BadBackup; CannotStart where wangxin runs on the data folder, or it is not empty.
    """
    if settings.postgres_url is not None:
        raise CannotStart(
            "A moment is restored into an embedded server: unset WANGXIN_POSTGRES_URL and name a new WANGXIN_DATA."
            " From there, `wangxin backup FILE` leads into any PostgreSQL."
        )
    base = base_for(bases(folder), to)
    folder_ready(settings.data)
    held = Lock(settings.data)
    server = EmbeddedPostgres(settings.data)
    try:
        say(f"copying the backup of {base.at:%Y-%m-%d %H:%M:%S %Z}")
        await asyncio.to_thread(_lay, server, base, folder)
        say("reading the log")
        reached = await _recover(server, base, to)
        server = EmbeddedPostgres(settings.data)
        url = await server.start()
        conn = await hosts.connect(url)
        try:
            if (folder / _MEDIA).is_dir():
                say("copying the media")
                await asyncio.to_thread(_mirror, folder / _MEDIA, settings.data / _MEDIA)
            say("looking for gaps")
            if lanes := await gapped(conn):
                raise BadBackup(f"{lanes} lanes of the restored record have gaps.")
            say("computing the figures again")
            if figures := await wrong(url, settings.data / _MEDIA):
                raise BadBackup(f"{figures} figures are not what the restored record says.")
            media = await asyncio.to_thread(files_below, settings.data / _MEDIA)
            return Restored(**asdict(await holds(conn, len(media))), reached=reached)
        finally:
            await conn.close()
    finally:
        await asyncio.to_thread(server.stop)
        held.release()


def _lay(server: EmbeddedPostgres, base: Based, folder: Path) -> None:
    """The base backup as the server's data, with the log beside it, owned by who runs the server."""
    pgdata = server.place()
    if pgdata.exists():
        raise CannotStart(f"There is a database in {pgdata} already. Restore into a new WANGXIN_DATA.")
    if base.major != (ours := _ours()):
        raise BadBackup(f"The backup is of PostgreSQL {base.major}, the server here is {ours}.")
    shutil.copytree(base.folder, pgdata, symlinks=True)
    log = pgdata / "restored_wal"
    log.mkdir(mode=0o700)
    for path in (folder / _WAL).iterdir():
        name = path.name.removesuffix(".partial")
        if path.suffix == ".partial" and (folder / _WAL / name).exists():
            continue
        shutil.copyfile(path, log / name)
    (pgdata / "recovery.signal").touch()
    (pgdata / "restore_hba.conf").write_text(_TRUST)  # until the role has the password of this folder
    (pgdata / "postgresql.auto.conf").write_text("")
    (pgdata / "pg_hba.conf").write_text("local all all scram-sha-256\nlocal replication all scram-sha-256\n")
    (pgdata / "pg_ident.conf").write_text("")
    (pgdata / "postgresql.conf").write_text("")
    server.own(pgdata)


async def _recover(server: EmbeddedPostgres, base: Based, to: datetime | None) -> datetime | None:
    """Read the log up to the moment and give the role this folder's password; returns the newest commit's time."""
    words = {
        "restore_command": "cp restored_wal/%f %p", "recovery_target_action": "promote", "hot_standby": "on",
        "hba_file": str(server.place() / "restore_hba.conf"), "max_connections": "400", "max_wal_senders": "20",
        "max_worker_processes": "32", "max_prepared_transactions": "20",
    }  # fmt: skip
    moment = {} if to is None else {"recovery_target_time": to.astimezone(UTC).isoformat(sep=" ")}
    server.add({**words, **moment})
    server.spawn()
    while True:
        ended = await _ready(server, base)
        if ended is None:
            break
        if to is None or _SHORT not in ended:
            raise BadBackup(f"The log could not be read: {ended}")
        # Nothing was committed after the moment: everything in the log is of before it.
        server.add({**words, "recovery_target_time": ""})
        to = None
        server.spawn()
    conn = await asyncpg.connect(host=server.sockets, user=base.superuser, database="postgres")
    try:
        reached: datetime | None = await conn.fetchval("select pg_last_xact_replay_timestamp()")
        if not await conn.fetchval("select exists (select 1 from pg_roles where rolname = 'wangxin')"):
            await conn.execute("create role wangxin superuser login")
        await conn.execute(f"alter role wangxin superuser login replication password '{server.password}'")
        if base.database != server.database:
            await conn.execute(f'alter database "{base.database}" rename to "{server.database}"')
    finally:
        await conn.close()
    await asyncio.to_thread(server.stop)
    for name in ("restored_wal", "restore_hba.conf"):
        path = server.place() / name
        await asyncio.to_thread(shutil.rmtree if path.is_dir() else os.unlink, path)
    return reached


async def _ready(server: EmbeddedPostgres, base: Based) -> str | None:
    """Wait until the server has recovered and writes; what it said where it ended instead."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not server.running:
            return " | ".join(server.log.read_text(errors="replace").strip().splitlines()[-5:])
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
            conn = await asyncpg.connect(host=server.sockets, user=base.superuser, database="postgres", timeout=5)
            try:
                if not await conn.fetchval("select pg_is_in_recovery()"):
                    return None
            finally:
                await conn.close()
        await asyncio.sleep(0.1)
    raise BadBackup(f"The log was not read within {PATIENCE_S / 60:.0f} minutes; see {server.log}.")


def _ours() -> int:
    """The version of the tools that we bring."""
    said = subprocess.run([str(tool("pg_basebackup")), "--version"], capture_output=True, text=True, check=True)
    return int(re.findall(r"\d+", said.stdout)[0])


async def _checked(name: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(str(tool(name)), *words, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise BadBackup(f"The copy is damaged: {said.decode(errors='replace').strip()[-300:]}")
