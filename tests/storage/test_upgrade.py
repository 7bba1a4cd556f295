"""The data of an earlier release come to this one while that release still writes: nothing is lost, every check holds.

``release_0060.sql.gz`` is what release 9b06b81 (migrations up to 0060) left: the demo shop, twelve served conversations
with orders, cases, uploads and remarks, three that are open, figures and sealed days.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from metrics.service import Figures
from tests.conftest import Chat
from tests.metrics.shopping import Counter
from wangxin.backup import gapped
from wangxin.clock import new_id, now_ms
from wangxin.storage import entries, postgres, privacy, retention
from wangxin.storage.archive import Archive
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.migrate import migrate, missing

OLD = Path(__file__).parent / "release_0060.sql.gz"
_COLUMNS = """select c.table_name, array_agg(quote_ident(c.column_name) order by c.ordinal_position) as columns
  from information_schema.columns c join pg_tables t on t.tablename = c.table_name and t.schemaname = 'public'
 where c.table_schema = 'public' and c.is_generated = 'NEVER' and c.is_identity = 'NO' group by 1 order by 1"""


@pytest.fixture
async def old_url(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database as the earlier release left it."""
    name = f"old_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(embedded_postgres._url("postgres"))
    await admin.execute(f'create database "{name}"')
    url = embedded_postgres._url(name)
    conn = await asyncpg.connect(url)
    await conn.execute(gzip.decompress(OLD.read_bytes()).decode())
    await conn.close()
    yield url
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


class OldHub:
    """Appends as the earlier release did, statement by statement, until it is told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.over = asyncio.Event()
        self.acked: list[tuple[UUID, UUID, int]] = []

    async def write(self) -> None:
        conn = await asyncpg.connect(self._url)
        shop = await conn.fetchval("select shop_id from shop where slug = 'senye'")
        n = 0
        while not self.over.is_set():
            n += 1
            shopper, thread = new_id(), new_id()
            async with conn.transaction():
                await conn.execute(
                    "insert into shopper (shop_id, id, external_id, name) values ($1, $2, $3, $4)",
                    shop, shopper, f"NEW{n}", f"新客{n}",
                )  # fmt: skip
                await conn.execute(
                    "insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)"
                    " on conflict (shop_id, shopper_id) do nothing",
                    shop, thread, shopper,
                )  # fmt: skip
            for words in ("在吗", "羽绒服能机洗吗"):
                message = uuid4()
                row = await conn.fetchrow(
                    "select ord, shop, thread, lane, seq, (extract(epoch from at) * 1000)::bigint as at_ms, status,"
                    " conversation, state, kind, body from append_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                    " where ord is not null",
                    [shop], [thread], [0], ["shopper"], [shopper], [message], ["text"], [json.dumps({"text": words})],
                    [new_id()], [None],
                )  # fmt: skip
                assert row is not None
                assert row["status"] == "new"
                self.acked.append((thread, message, row["seq"]))
        await conn.close()

    async def more(self, acks: int) -> None:
        wanted = len(self.acked) + acks
        async with asyncio.timeout(60):
            while len(self.acked) < wanted:
                await asyncio.sleep(0.01)


async def test_the_data_of_an_earlier_release_come_along_while_it_still_writes(old_url: str, tmp_path: Path) -> None:
    conn = await asyncpg.connect(old_url)
    numbered = "select thread_id, lane, seq, at, kind, body from entry order by thread_id, lane, seq"
    before, old_columns = await conn.fetch(numbered), await conn.fetch(_COLUMNS)
    assert len(await missing(conn)) > 5
    hub = OldHub(old_url)
    writing = asyncio.create_task(hub.write())
    try:
        await hub.more(20)
        applied = await migrate(old_url)
        await hub.more(20)
    finally:
        hub.over.set()
        await writing
    assert len(applied) > 5
    assert await missing(conn) == []

    # Nothing is lost, of before or meanwhile.
    assert [row for row in await conn.fetch(numbered) if row in before] == before
    stored = {(row[0], row[1]): row[2] for row in await conn.fetch("select thread_id, client_msg_id, seq from entry")}
    assert all(stored[thread, message] == seq for thread, message, seq in hub.acked)
    assert await gapped(conn) == 0

    # A row as the earlier release writes it is taken by every table: its columns alone.
    known = {table: set(columns) for table, columns in old_columns}
    needed = await conn.fetch(
        "select table_name, quote_ident(column_name) from information_schema.columns where table_schema = 'public'"
        " and is_nullable = 'NO' and column_default is null and is_generated = 'NEVER' and is_identity = 'NO'"
    )
    assert [tuple(row) for row in needed if row[0] in known and row[1] not in known[row[0]]] == []
    await conn.execute("set session_replication_role = replica")
    for table, columns in old_columns:
        names = ", ".join(columns)
        held = conn.transaction()
        await held.start()
        await conn.execute(f"create temp table one on commit drop as select {names} from {table} limit 1")
        await conn.execute(f"delete from {table}")
        await conn.execute(f"insert into {table} ({names}) overriding system value select * from one")
        await held.rollback()
    await conn.close()

    # This release works with it, and its figures stand.
    pool = await postgres.open_pool(old_url, least=1, most=4, name="test")
    archive = Archive(tmp_path)
    try:
        shop = await pool.fetchval("select shop_id from shop where slug = 'senye'")
        await Figures(pool).catch_up()
        assert (await Figures(pool).verify(shop)).differences == 0
        await Figures(pool).seal(again_s=0)
        assert (await Figures(pool).verify(shop)).differences == 0
        async with pool.acquire() as held_conn:
            shopper = await privacy.find_shopper(held_conn, shop, "OLD3")
            assert shopper is not None
            (thread,) = await privacy.threads_of(held_conn, shop, shopper)
            words = [line.body for line in await entries.read_after(held_conn, shop, thread, "public", 0, 50)]
            assert any("第3句" in body for body in words)
        await Counter(pool, Chat(shop, shopper, thread)).asks("我又来了")
        async with pool.acquire() as held_conn:
            await retention.keep(held_conn, shop, 100)
        await Figures(pool).catch_up()
        assert (await retention.work(pool, archive, now_ms() + 200 * 86_400_000))[shop] > 100
        assert (await Figures(pool).verify(shop, archive=archive)).differences == 0
    finally:
        pool.terminate()
