"""Opens the doors of a hub: a TCP port, a unix socket, or both."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from wangxin.hub.hub import Hub
from wangxin.hub.socket import Listener, Socket
from wangxin.hub.wheel import Wheel

BACKLOG = 4_096


async def listen(
    listener: Listener, wheel: Wheel, *, host: str = "127.0.0.1", port: int | None = None, unix: Path | None = None
) -> list[asyncio.Server]:
    """Accept lines for ``listener``. ``port`` 0 takes a free one; several processes may share a port."""
    assert port is not None or unix is not None, "a hub listens somewhere"
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []

    def line() -> Socket:
        return Socket(listener, wheel)

    if port is not None:
        servers.append(await loop.create_server(line, host, port, backlog=BACKLOG, reuse_port=True if port else None))
    if unix is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unix)  # left by a process that was killed
        server = await loop.create_unix_server(line, str(unix), backlog=BACKLOG)
        os.chmod(unix, 0o600)
        servers.append(server)
    return servers


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def serve(
    hub: Hub, *, host: str = "127.0.0.1", port: int | None = None, unix: Path | None = None
) -> list[asyncio.Server]:
    """Start the hub and take lines for it. Raises OSError where it cannot listen; the hub is stopped again then."""
    await hub.start()
    try:
        return await listen(hub, hub.wheel, host=host, port=port, unix=unix)
    except BaseException:
        await hub.stop()
        raise


async def close(hub: Hub, servers: list[asyncio.Server], unix: Path | None = None) -> None:
    """Take no more lines, then stop the hub."""
    for server in servers:
        server.close()
    await hub.stop()
    if unix is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unix)
