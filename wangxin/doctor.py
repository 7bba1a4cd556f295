"""Looks an installation over, and says of each thing what is wrong with it and how it is mended. Changes nothing."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wangxin import clock
from wangxin.config import Settings
from wangxin.storage import hosts, primary
from wangxin.storage.embedded import CannotStart
from wangxin.storage.migrate import missing, newer
from wangxin.storage.postgres import NotUsable
from wangxin.storage.sockets import private_folder
from wangxin.storage.valkey import connect_blocking
from wangxin.stores import port_free, reach_postgres, reach_valkey, stores_of

State = Literal["ok", "warning", "wrong"]
CLOCK_MS_MAX = 2_000
DISK_BYTES_LEAST = 2 * 2**30
FILES_LEAST = 4_096
PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` is empty where nothing is to be done."""

    what: str
    state: State
    words: str
    mend: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which one would mend them."""
    found = [_python(), _pages(), _folder(settings.data), *_media(settings.data / "media"), _files()]
    try:
        full = stores_of(settings)
    except CannotStart as why:
        return [*found, Finding("stores", "wrong", str(why))]
    assert full.postgres_url is not None
    assert full.valkey_url is not None
    postgres_url, valkey_url = full.postgres_url.get_secret_value(), full.valkey_url.get_secret_value()
    for what, look in (
        ("PostgreSQL", lambda: _postgres(postgres_url, settings.data / "media")),
        ("Valkey", lambda: _valkey(valkey_url)),
        ("processes", lambda: _processes(full, postgres_url)),
    ):
        if what == "processes" and any((one.what, one.state) == ("PostgreSQL", "wrong") for one in found):
            continue  # it is asked which processes run
        found += await _guarded(what, look)
    return [*found, *_secrets(settings)]


async def _guarded(what: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except (CannotStart, NotUsable) as why:
        return [Finding(what, "wrong", str(why))]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info < (3, 14)
    return Finding("Python", "ok" if fits else "wrong", version, "" if fits else "Use Python 3.11, 3.12 or 3.13.")


def _pages() -> Finding:
    built = (Path(__file__).parent / "web" / "static" / "shopper" / "index.html").is_file()
    if built:
        return Finding("pages", "ok", "built")
    return Finding("pages", "wrong", "not built", "Run `make pages`, or install without WANGXIN_SKIP_WEB.")


def _folder(data: Path) -> Finding:
    if not data.is_dir():
        return Finding("data folder", "warning", f"{data} is not there yet", "`wangxin up` makes it.")
    if not os.access(data, os.W_OK | os.X_OK):
        return Finding(
            "data folder", "wrong", f"{data} cannot be written by this account",
            "Give it to the account that runs wangxin, or set WANGXIN_DATA to another folder.",
        )  # fmt: skip
    free = shutil.disk_usage(data).free
    words = f"{data}, {free / 2**30:.0f} GiB free"
    if free < DISK_BYTES_LEAST:
        return Finding("data folder", "wrong", words, "Free some space: PostgreSQL stops on a full disk.")
    return Finding("data folder", "ok", words)


def _media(folder: Path) -> list[Finding]:
    """Nothing to say where nothing was uploaded yet; whether the record names files is asked with PostgreSQL."""
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        mend = f"Give {folder} to the account that runs wangxin."
        return [Finding("media", "wrong", f"{folder} cannot be written: uploads fail", mend)]
    return []


def _named_files(folder: Path, named: int) -> list[Finding]:
    """``named``: how many uploads and archived files the record knows."""
    if not named or folder.is_dir():
        return []
    return [
        Finding(
            "media", "wrong", f"{folder} is not there, and the record names {named} files in it",
            "Mount the folder that all processes share, or restore it from a backup.",
        )
    ]  # fmt: skip


def _files() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # hubs raise their own bound up to this one
    if most == resource.RLIM_INFINITY or most >= FILES_LEAST:
        return Finding("open files", "ok", "enough" if most == resource.RLIM_INFINITY else f"up to {most}")
    return Finding(
        "open files",
        "warning",
        f"only {most} allowed, one for each line of a hub",
        "Raise the hard limit: `ulimit -Hn 65536` as root, or LimitNOFILE in the unit.",
    )


async def _postgres(url: str, media: Path | None = None) -> list[Finding]:
    await reach_postgres(url, PATIENCE_S)
    conn = await hosts.connect(url)
    try:
        version = await conn.fetchval("show server_version")
        lacking, unknown = await missing(conn), await newer(conn)
        before = clock.now_ms()
        skew = abs(await conn.fetchval("select (extract(epoch from clock_timestamp()) * 1000)::bigint") - before)
        room = await conn.fetchrow(
            "select (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,"
            " current_setting('max_connections')::int as most"
        )
        copies = await conn.fetchrow(_COPIES)
        slot = await conn.fetchrow(_SLOT)
        named = 0 if lacking or media is None else await conn.fetchval(_NAMED)
    finally:
        await conn.close()
    assert room is not None, "a row of two subqueries is always there"
    assert copies is not None, "a row of subqueries is always there"
    found = [Finding("PostgreSQL", "ok", f"{version}, acknowledged means stored (fsync and the others on)")]
    if lacking:
        found.append(Finding("schema", "wrong", f"{len(lacking)} migrations are missing", "Run `wangxin migrate`."))
    elif unknown:
        words = f"of a newer release: {len(unknown)} migrations are not known here"
        found.append(Finding("schema", "warning", words, "Install the newer release here, too."))
    else:
        found.append(Finding("schema", "ok", "newest"))
    fits = skew <= CLOCK_MS_MAX
    found.append(
        Finding(
            "clocks", "ok" if fits else "warning", f"this machine and the database differ by {skew} ms",
            "" if fits else "Let both keep time (chrony, systemd-timesyncd).",
        )
    )  # fmt: skip
    tight = room["used"] > room["most"] * 0.8
    found.append(
        Finding(
            "connections", "warning" if tight else "ok", f"{room['used']} of {room['most']} in use",
            "Raise max_connections." if tight else "",
        )
    )  # fmt: skip
    found.append(_standby(copies["wanted"], copies["waits"], copies["there"]))
    if slot is not None:
        found.append(_follower(slot["active"], slot["kept"], slot["lost"]))
    return found + ([] if media is None else _named_files(media, named))


_COPIES = """select current_setting('synchronous_standby_names') as wanted,
  current_setting('synchronous_commit') as waits,
  (select count(*) from pg_stat_replication where pid is not null) as there"""


# Who backs this server up, and how much of its log is kept for him.
_SLOT = """select active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as kept,
  coalesce(wal_status, '') = 'lost' as lost from pg_replication_slots where slot_name = 'wangxin_backup'"""
_NAMED = "select (select count(*) from media) + (select count(*) from archive_file)"


def _follower(active: bool, kept: int | None, lost: bool) -> Finding:
    if lost:
        return Finding(
            "backup", "wrong", "the log was not fetched in time: no moment since can be restored",
            "Make a new copy: `wangxin backup FOLDER --follow`.",
        )  # fmt: skip
    if active:
        return Finding("backup", "ok", "its log is followed")
    size = f"{(kept or 0) / 2**20:.0f} MiB of log wait"
    return Finding(
        "backup", "warning", f"nobody follows the log; {size}",
        "Start `wangxin backup FOLDER --follow`, or drop the slot wangxin_backup if nobody shall.",
    )  # fmt: skip


def _standby(wanted: str, waits: str, there: int) -> Finding:
    """On how many machines an acknowledged message is."""
    if not wanted:
        return Finding("standby", "ok", "none asked for: an acknowledged message is on one machine")
    if waits == "local":
        return Finding(
            "standby", "warning", "commits do not wait for it (synchronous_commit=local)",
            "Set synchronous_commit=on: an acknowledged message is to be on two machines.",
        )  # fmt: skip
    if not there:
        return Finding(
            "standby", "wrong", f"commits wait for {wanted}, and none is connected: nothing can be acknowledged",
            "Start the standby, or empty synchronous_standby_names until it is back.",
        )  # fmt: skip
    return Finding("standby", "ok", f"{there} connected, commits wait for {wanted}: on two machines")


async def _valkey(url: str) -> list[Finding]:
    await reach_valkey(url, PATIENCE_S)

    def ask() -> dict[str, Any]:
        connection = connect_blocking(url)
        try:
            return {**connection.info("server"), **connection.info("memory"), **connection.info("replication")}
        finally:
            connection.close()

    told = await asyncio.to_thread(ask)
    version = told.get("valkey_version") or f"Redis {told['redis_version']}"
    if told.get("maxmemory_policy") != "noeviction":
        return [
            Finding(
                "Valkey", "warning", f"{version}, maxmemory-policy {told.get('maxmemory_policy')}",
                "Set maxmemory-policy noeviction: evicted keys take live lines with them.",
            )
        ]  # fmt: skip
    group = primary.group_of(url)
    if group is None:
        return [Finding("Valkey", "ok", str(version))]
    followers = int(told["connected_slaves"])
    words = f"{version}, primary of a {group.kind} at {group.words}, {followers} replicas follow it"
    if not followers:
        return [Finding("Valkey", "warning", words, "Start its replicas: nobody could take over.")]
    return [Finding("Valkey", "ok", words)]


async def _processes(settings: Settings, url: str) -> list[Finding]:
    conn = await hosts.connect(url)
    try:
        names = await conn.fetch("select distinct application_name as name from pg_stat_activity")
    finally:
        await conn.close()
    running = {row["name"] for row in names}
    hubs = sorted(name for name in running if name.startswith("hub "))
    found = [
        Finding("hubs", "ok" if hubs else "wrong", ", ".join(hubs) or "none", "" if hubs else "Start `wangxin hub`.")
    ]
    for name in ("web", "dispatcher", "worker"):
        here = name in running
        found.append(
            Finding(
                name,
                "ok" if here else "wrong",
                "running" if here else "none",
                "" if here else f"Start `wangxin {name}`.",
            )
        )
    if "web" not in running and not port_free(settings.host, settings.port):
        found.append(
            Finding(
                "port", "wrong", f"{settings.host}:{settings.port} is taken by another program",
                "Stop that program, or set WANGXIN_PORT.",
            )
        )  # fmt: skip
    sockets = private_folder(settings.data, "hub")
    found.append(Finding("hub sockets", "ok", f"{sockets} (the web process must have the same TMPDIR)"))
    return found


def _secrets(settings: Settings) -> list[Finding]:
    if settings.secret is not None:
        length = len(settings.secret.get_secret_value())
        if length < 32:
            return [
                Finding("secret", "wrong", f"WANGXIN_SECRET has only {length} characters", "Make one of 32 or more.")
            ]
        return [Finding("secret", "ok", "set")]
    if settings.postgres_url is not None:
        return [
            Finding(
                "secret", "warning", f"made in {settings.data / 'secret'}, for this machine alone",
                "Set WANGXIN_SECRET, the same on every machine.",
            )
        ]  # fmt: skip
    return [Finding("secret", "ok", f"made in {settings.data / 'secret'}")]
