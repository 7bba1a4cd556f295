"""Brings a database to the newest schema: numbered files, each once, in order, one migrator at a time."""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from wangxin.storage.hosts import connect

_LOCK = 0x77616E67  # "wang"


class MigrationChanged(RuntimeError):
    """A migration that was already applied here has other text now."""


def _folder() -> Traversable:
    return resources.files("wangxin.storage") / "migrations"


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    found = sorted(
        (path.name, path.read_text(encoding="utf-8")) for path in _folder().iterdir() if path.name.endswith(".sql")
    )
    return [(int(name.split("_", 1)[0]), name, sql) for name, sql in found]


async def missing(conn: Any) -> list[str]:
    """Names of the migrations that this database still lacks, in order. Changes nothing."""
    if await conn.fetchval("select to_regclass('schema_migration') is null"):
        done = set()
    else:
        done = {row["number"] for row in await conn.fetch("select number from schema_migration")}
    names = sorted(p.name for p in _folder().iterdir() if p.name.endswith(".sql"))
    return [name for name in names if int(name.split("_", 1)[0]) not in done]


async def newer(conn: Any) -> list[str]:
    """Names of the migrations that were applied here and that this release does not know."""
    if await conn.fetchval("select to_regclass('schema_migration') is null"):
        return []
    known = {number for number, _, _ in migrations()}
    rows = await conn.fetch("select number, name from schema_migration order by number")
    return [row["name"] for row in rows if row["number"] not in known]


async def migrate(url: str) -> list[str]:
    """Apply what is missing; returns the names applied. Safe to run from several processes at once."""
    conn = await connect(url)
    try:
        await conn.execute("select pg_advisory_lock($1)", _LOCK)
        await conn.execute(
            "create table if not exists schema_migration (number int primary key, name text not null,"
            " digest text not null, at timestamptz not null default clock_timestamp())"
        )
        done = {row["number"]: row["digest"] for row in await conn.fetch("select number, digest from schema_migration")}
        applied = []
        for number, name, sql in migrations():
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if number in done:
                if done[number] != digest:
                    raise MigrationChanged(f"{name} was changed after it was applied here; write a new migration.")
                continue
            async with conn.transaction():
                await conn.execute(sql)
                await conn.execute(
                    "insert into schema_migration (number, name, digest) values ($1, $2, $3)", number, name, digest
                )
            applied.append(name)
        return applied
    finally:
        await conn.close()
