"""Real stores for every test: one embedded PostgreSQL and one Valkey a run; each test gets a database of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.places import folder_for
from wangxin.clock import new_id
from wangxin.storage import postgres, valkey
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

ROOT = Path(__file__).parent.parent


LONGEST = ("web", "faults", "replay", "house", "metrics", "dispatcher", "push")
"""Folders whose files start whole installations or simulate for long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: what is begun last must be short, or one processor waits for the other at the end."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        api = "api" in item.path.parts  # requests only, no browser
        return LONGEST.index(folder) if folder in LONGEST and not api else len(LONGEST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def shared_figures() -> Path:
    """The folder of recorded data that some tests read; they skip where it is absent."""
    folder = Path(os.environ.get("WANGXIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"recorded data is not here ({folder}); set WANGXIN_SHARED_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def store_folder() -> Iterator[Path]:
    with folder_for("wx-test-") as folder:
        yield folder


@pytest.fixture(scope="session")
def embedded_postgres(store_folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(store_folder, database="template_wangxin", settings={"max_connections": "200"})
    asyncio.run(server.start())
    asyncio.run(migrate(server.url))
    asyncio.run(_closed(server))
    yield server
    server.stop(how="immediate")


async def _closed(server: EmbeddedPostgres) -> None:
    """Nobody writes into what every test's database is a copy of."""
    admin = await asyncpg.connect(server._url("postgres"))
    await admin.execute(f'alter database "{server.database}" with allow_connections false')
    await admin.close()


@pytest.fixture(scope="session")
def embedded_valkey(store_folder: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(store_folder)
    asyncio.run(server.start())
    yield server
    server.stop(how="kill")


@pytest.fixture
async def database_url(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    name = f"t_{uuid4().hex[:16]}"
    admin = await asyncpg.connect(embedded_postgres._url("postgres"))
    await admin.execute(f'create database "{name}" template template_wangxin strategy file_copy')
    yield embedded_postgres._url(name)
    await admin.execute(f'drop database if exists "{name}" with (force)')
    await admin.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await postgres.open_pool(database_url, least=1, most=8, name="test")
    yield pool
    pool.terminate()


@pytest.fixture
def valkey_url(embedded_valkey: EmbeddedValkey) -> Iterator[str]:
    """An emptied Valkey."""
    connection = valkey.connect_blocking(embedded_valkey.url)
    connection.flushall()
    yield embedded_valkey.url
    connection.close()


@dataclass(frozen=True)
class Shop:
    """A shop made for a test, with the secret that signs its shoppers' tokens."""

    id: UUID
    slug: str
    secret: str


@dataclass(frozen=True)
class Chat:
    """A shopper of a shop and the thread between them."""

    shop: UUID
    shopper: UUID
    thread: UUID


async def make_shop(conn: Any, slug: str = "senye", name: str = "森野官方旗舰店") -> Shop:
    shop = new_id()
    secret = "s" * 43
    await conn.execute(
        "insert into shop (shop_id, slug, name, token_secret) values ($1, $2, $3, $4)", shop, slug, name, secret
    )
    return Shop(shop, slug, secret)


async def make_chat(conn: Any, shop: UUID, name: str = "林晓", external_id: str | None = None) -> Chat:
    shopper, thread = new_id(), new_id()
    await conn.execute(
        "insert into shopper (shop_id, id, external_id, name) values ($1, $2, $3, $4)", shop, shopper, external_id, name
    )
    await conn.execute("insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)", shop, thread, shopper)
    return Chat(shop, shopper, thread)


@pytest.fixture
async def shop(pool: asyncpg.Pool) -> Shop:
    return await make_shop(pool)


@pytest.fixture
async def chat(pool: asyncpg.Pool, shop: Shop) -> Chat:
    return await make_chat(pool, shop.id)
