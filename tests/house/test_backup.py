"""A backup holds everything that was acknowledged, and restoring it says so only if it does."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import stat
import tarfile
import time
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import Chat
from tests.house.installation import data_folder, wangxin
from wangxin.checker import Acked, Party, Sent, Stored, check
from wangxin.clock import new_id
from wangxin.storage import entries
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.entries import Line, body_json
from wangxin.storage.objects import Objects

SAID = ("你好", "羽绒服 能机洗吗?", "🧥 ‮rtl‬ ﷽", "=1+1", "最后一句")


async def talk(pool: asyncpg.Pool, chat: Chat) -> Party:
    """A shopper says some words; returns what he knows about them."""
    party = Party("shopper", "shopper", {chat.thread})
    for text in SAID:
        msg = uuid4()
        party.sent.append(Sent(chat.thread, msg, text, time.monotonic()))
        line = Line(
            chat.shop, chat.thread, "shopper", chat.shopper, msg, "text", body_json({"text": text}), opens=new_id()
        )
        (answer,), _ = await entries.append(pool, [line])
        assert answer.seq is not None
        party.acked.append(Acked(chat.thread, msg, answer.seq, time.monotonic()))
    return party


async def stored(url: str, thread: UUID) -> list[Stored]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("select * from entry where thread_id = $1 order by lane, seq", thread)
    await conn.close()
    lanes = ("public", "internal")
    return [
        Stored(thread, lanes[row["lane"]], row["seq"], row["client_msg_id"], json.loads(row["body"]).get("text"))
        for row in rows
    ]


async def test_everything_acknowledged_is_in_a_restored_backup_and_a_wrong_one_is_refused(
    pool: asyncpg.Pool, chat: Chat, database_url: str, embedded_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    party = await talk(pool, chat)
    media = new_id()
    await Objects(tmp_path / "data" / "media").put(chat.shop, media, "original", b"picture")
    file = tmp_path / "monday.tar"
    saved = await asyncio.to_thread(
        wangxin, "backup", str(file), "--json", WANGXIN_POSTGRES_URL=database_url, WANGXIN_DATA=str(tmp_path / "data")
    )
    assert saved.returncode == 0, saved.stderr
    assert json.loads(saved.stdout)["entries"] == len(SAID) + 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"data", "monday.tar"}

    name = f"back_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(embedded_postgres._url("postgres"))
    await admin.execute(f'create database "{name}"')
    second = {"WANGXIN_POSTGRES_URL": embedded_postgres._url(name), "WANGXIN_DATA": str(tmp_path / "second")}
    put_back = await asyncio.to_thread(wangxin, "restore", str(file), "--json", **second)
    assert put_back.returncode == 0, put_back.stderr
    assert json.loads(put_back.stdout) == json.loads(saved.stdout)
    verdict = check([party], await stored(embedded_postgres._url(name), chat.thread))
    assert verdict.kept, verdict
    assert verdict.acknowledged == len(SAID)
    assert Objects(tmp_path / "second" / "media").path(chat.shop, media, "original").read_bytes() == b"picture"

    again = await asyncio.to_thread(wangxin, "restore", str(file), **second)
    assert again.returncode == 1
    assert "The database is not empty" in again.stderr
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()

    with data_folder() as third:
        (third / "cut.tar").write_bytes(file.read_bytes()[:5_000])
        done = await asyncio.to_thread(wangxin, "restore", str(third / "cut.tar"), WANGXIN_DATA=str(third))
        assert (done.returncode, "not a backup of wangxin, or it is cut off" in done.stderr) == (1, True), done.stderr
        promise_more(file, third / "more.tar")
        done = await asyncio.to_thread(wangxin, "restore", str(third / "more.tar"), WANGXIN_DATA=str(third))
        assert (done.returncode, "not what was saved" in done.stderr) == (1, True), done.stderr
        assert not EmbeddedPostgres(third).look()


def promise_more(file: Path, other: Path) -> None:
    """The same backup, but its manifest tells of a line that is not in it."""
    shutil.copy(file, other)
    with tarfile.open(file) as tar:
        told = tar.extractfile("manifest.json")
        assert told is not None
        manifest = json.load(told)
    manifest["holds"]["entries"] += 1
    text = json.dumps(manifest).encode()
    with tarfile.open(other, "a") as tar:  # a later member of the same name wins
        about = tarfile.TarInfo("manifest.json")
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))
