"""Lines that a shop keeps no longer in its record: Parquet files, one folder a shop, that any tool can read."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from wangxin.storage.postgres import Connection

COLUMNS: dict[str, str] = {
    "thread_id": "text", "lane": "text", "seq": "int", "at": "time", "sender_kind": "text", "sender_id": "text",
    "client_msg_id": "text", "conversation_id": "text", "kind": "text", "body": "text", "recalled_at": "time",
}  # fmt: skip
"""A file's columns in order. Times are microseconds in UTC; ids and the body (JSON) are text."""
LANES = ("public", "internal")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


class ArchiveDamaged(RuntimeError):
    """A file of the archive is not there, or not as it was written; the message names it and says what helps."""


class Named(NamedTuple):
    """A file's place in a shop's archive."""

    day: date
    part: int


@dataclass(frozen=True, slots=True)
class Written:
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Archive:
    """``<folder>/archive/<shop>/<day>.<part>.parquet``, beside the media. A name never comes from outside."""

    folder: Path

    def path(self, shop: UUID, named: Named) -> Path:
        return self.folder / "archive" / shop.hex / f"{named.day.isoformat()}.{named.part:04}.parquet"

    def write(self, shop: UUID, named: Named, rows: Sequence[Row]) -> Written:
        """Written whole or not at all, and on disk before this returns; a file of that name is replaced."""
        path = self.path(shop, named)
        half = path.with_suffix(".part")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(half, rows)
            with open(half, "rb") as file:
                os.fsync(file.fileno())
            done = Written(half.stat().st_size, _digest(half))
            os.replace(half, path)
            _sync_folder(path.parent)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        return done

    def read(
        self, shop: UUID, named: Named, threads: Collection[UUID] | None = None, digest: str | None = None
    ) -> list[Row]:
        """The rows of some threads (None: of all), as they were written. ``digest`` None: whatever is in the file.

        Raises ArchiveDamaged.
        """
        path = self.path(shop, named)
        if not path.is_file():
            raise ArchiveDamaged(f"{path} is not there: restore it from a backup, or name the right WANGXIN_DATA.")
        if digest is not None and _digest(path) != digest:
            raise ArchiveDamaged(f"{path} is not as it was written: restore it from a backup.")
        rows = _read(path)
        if threads is None:
            return rows
        wanted = {str(thread) for thread in threads}
        return [row for row in rows if row["thread_id"] in wanted]

    def damage(self, shop: UUID, named: Named, digest: str) -> str:
        """What is wrong with a file, or ""."""
        path = self.path(shop, named)
        if not path.is_file():
            return "missing"
        return "" if _digest(path) == digest else "changed"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- Parquet; the library is loaded at its first use: most processes never meet it ------------------------------------


def _write(path: Path, rows: Sequence[Row]) -> None:
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    types = {"text": DataType.utf8(), "int": DataType.int64(), "time": DataType.int64()}
    when = DataType.timestamp("us", tz="UTC")
    arrays = [
        Array([row[name] for row in rows], type=types[kind]).cast(when if kind == "time" else types[kind])
        for name, kind in COLUMNS.items()
    ]
    write_parquet(Table.from_arrays(arrays, names=list(COLUMNS)), path, compression="zstd(9)")


def _read(path: Path) -> list[Row]:
    from arro3.core import DataType
    from arro3.io import read_parquet

    table = read_parquet(path).read_all()
    columns = []
    for name, kind in COLUMNS.items():
        column = table.column(name)
        columns.append(column.cast(DataType.int64()).to_pylist() if kind == "time" else column.to_pylist())
    return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]


# --- what a row is ----------------------------------------------------------------------------------------------------


def row_of(entry: Any) -> Row:
    """A row of the table ``entry`` (its body as text) as it is written."""
    return {
        "thread_id": str(entry["thread_id"]),
        "lane": LANES[entry["lane"]],
        "seq": entry["seq"],
        "at": _us(entry["at"]),
        "sender_kind": entry["sender_kind"],
        "sender_id": str(entry["sender_id"]),
        "client_msg_id": _text(entry["client_msg_id"]),
        "conversation_id": _text(entry["conversation_id"]),
        "kind": entry["kind"],
        "body": entry["body"],
        "recalled_at": None if entry["recalled_at"] is None else _us(entry["recalled_at"]),
    }


def _us(at: datetime) -> int:
    past = at - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def shown(row: Row) -> Row:
    """A row for people: times as ISO 8601, the body as what it holds."""
    return {
        **row,
        "at": _iso(row["at"]),
        "recalled_at": None if row["recalled_at"] is None else _iso(row["recalled_at"]),
        "body": orjson.loads(row["body"]),
    }


def _iso(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000).isoformat()


def blanked(row: Row, now_us: int) -> Row:
    """A row without its words, as an erased shopper's line in the record: numbers, times and kinds stay."""
    body: dict[str, Any] = orjson.loads(row["body"])
    if row["kind"] in ("event", "routing", "rating"):
        words = ("text", "reasons") if row["kind"] == "rating" else ("text", "note")
        kept = {name: value for name, value in body.items() if name not in words}
        return {**row, "body": orjson.dumps(kept).decode()}
    kept = {"assisted": True} if "assisted" in body else {}
    recalled = now_us if row["recalled_at"] is None else row["recalled_at"]
    return {**row, "body": orjson.dumps(kept).decode(), "recalled_at": recalled}


# --- one shopper's lines ----------------------------------------------------------------------------------------------


async def files_of(conn: Connection, shop: UUID, threads: Iterable[UUID]) -> list[tuple[Named, str, list[UUID]]]:
    """Each file that holds lines of these threads, with its digest and of which, by name."""
    rows = await conn.fetch(
        """select f.day, f.part, f.digest, array_agg(t.thread_id) as threads from archive_thread t
             join archive_file f on f.shop_id = t.shop_id and f.day = t.day and f.part = t.part
            where t.shop_id = $1 and t.thread_id = any($2) group by f.shop_id, f.day, f.part, f.digest order by 1, 2""",
        shop,
        list(threads),
    )
    return [(Named(row["day"], row["part"]), row["digest"], row["threads"]) for row in rows]


async def lines_of(conn: Connection, archive: Archive, shop: UUID, threads: Sequence[UUID]) -> list[Row]:
    """The archived lines of some threads, by thread and time. Raises ArchiveDamaged."""
    lines: list[Row] = []
    for named, digest, some in await files_of(conn, shop, threads):
        lines += await asyncio.to_thread(archive.read, shop, named, some, digest)
    lines.sort(key=lambda row: (row["thread_id"], row["at"], LANES.index(row["lane"]), row["seq"]))
    return lines
