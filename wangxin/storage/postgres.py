"""Connections to PostgreSQL: pools, the shop wall for web requests, and which accidents are worth another try."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson

from wangxin.storage.hosts import Hosts, connect, turned_read_only
from wangxin.storage.migrate import missing

log = logging.getLogger("wangxin.storage")

T = TypeVar("T")
Pool = asyncpg.Pool
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

TRANSIENT: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised when the server dies within a query; outside the documented families
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # it was the primary a moment ago
    ConnectionError,
    OSError,
    TimeoutError,
)
"""Accidents after which the same work may succeed. Its transaction did not commit, or nobody knows whether it did:
the work must be idempotent."""

UNSTORABLE: tuple[type[Exception], ...] = (
    asyncpg.exceptions.CharacterNotInRepertoireError,  # U+0000 in a text
    asyncpg.exceptions.UntranslatableCharacterError,  # U+0000 in JSON
    asyncpg.exceptions.NumericValueOutOfRangeError,
    asyncpg.exceptions.DatetimeFieldOverflowError,
    asyncpg.exceptions.DataError,  # itself only: found by the driver, before anything is sent
)
"""What a value causes that no column can hold. Others of class 22 (a division by zero) are our own mistakes."""


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


async def _prepare(conn: asyncpg.Connection) -> None:
    await conn.set_type_codec("jsonb", encoder=_json_text, decoder=orjson.loads, schema="pg_catalog")


async def _nothing_to_reset(conn: asyncpg.Connection) -> None:
    """Called when a connection comes back, after asyncpg has rolled back what was left open. Its own way would send
    RESET ALL and more each time, a second round trip for every query. We set nothing that outlives a transaction.

    A server that only reads by now is left: the next connection looks for the one that writes."""
    if turned_read_only(conn):
        conn.terminate()


async def open_pool(url: str, *, least: int = 1, most: int = 10, name: str = "wangxin") -> asyncpg.Pool:
    """A pool whose connections speak UTC and read and write ``jsonb`` as Python values.

    (Entry bodies are read with ``body::text`` and stay JSON text.) ``url`` may name several servers.
    """
    return await asyncpg.create_pool(
        url,
        min_size=least,
        max_size=most,
        connect=Hosts(url).connect,
        init=_prepare,
        reset=_nothing_to_reset,
        command_timeout=60,
        server_settings={"timezone": "UTC", "application_name": name},
    )


async def patient_pool(url: str, *, name: str, least: int = 1, most: int = 10) -> asyncpg.Pool:
    """A pool, however long the server takes to come up. Raises NotUsable where it must not be used as it is."""
    while True:
        try:
            conn = await connect(url, timeout=10)
            try:
                await check_settings(conn)
                await check_schema(conn)
            finally:
                await conn.close()
            return await open_pool(url, least=least, most=most, name=name)
        except TRANSIENT as why:
            log.warning("PostgreSQL does not answer yet (%s)", type(why).__name__)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def shop_scope(pool: asyncpg.Pool, shops: Iterable[UUID]) -> AsyncIterator[Connection]:
    """A transaction in which only rows of ``shops`` exist (row-level security, the second wall behind the routes)."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("set local role wangxin_web")
        await conn.execute("select set_config('wangxin.shops', $1, true)", ",".join(str(shop) for shop in shops))
        yield conn


async def until_it_works(work: Callable[[], Awaitable[T]], *, tries: int = 40, pause_s: float = 0.25) -> T:
    """Run idempotent ``work`` again after transient accidents, with growing pauses up to two seconds."""
    for attempt in range(tries):
        try:
            return await work()
        except TRANSIENT:
            if attempt == tries - 1:
                raise
            await asyncio.sleep(min(2.0, pause_s * (1 + attempt / 2)))
    raise AssertionError("unreachable")


class NotUsable(RuntimeError):
    """The server answers, but nothing may run on it yet; the message says why and what helps."""


class UnsafeSettings(NotUsable):
    """PostgreSQL would acknowledge what a power cut can take back, or is too old."""


class SchemaBehind(NotUsable):
    """The database lacks migrations that this program needs."""


async def check_settings(conn: Connection) -> None:
    """Refuse a server whose commits are not durable, or which is too old."""
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        value = await conn.fetchval("select current_setting($1)", setting)
        if value == "off":
            raise UnsafeSettings(
                f"PostgreSQL has {setting}=off: an acknowledged message could be lost."
                f" Set {setting}=on there, then start again."
            )
    version = int(await conn.fetchval("show server_version_num"))
    if version < 150000:
        raise UnsafeSettings(f"PostgreSQL 15 or newer is needed; this server is {version // 10000}.")


async def check_schema(conn: Connection) -> None:
    """Refuse a database that lacks migrations of this program. One that has more is fine: it serves a newer one too."""
    lacking = await missing(conn)
    if lacking:
        raise SchemaBehind(
            f"The database lacks {len(lacking)} migration{'s' * (len(lacking) > 1)} (next: {lacking[0]})."
            " Run `wangxin migrate` once, then start again."
        )
