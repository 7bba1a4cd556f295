"""Somebody else's server, as small as it can be: one request a connection, on a port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request_of(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    """(headers by small letters, body)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return headers, await reader.readexactly(int(headers["content-length"]))


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Its port, while the block runs."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
