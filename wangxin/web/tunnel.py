"""Brings sockets to the hubs: an Upgrade on ``/ws`` is piped, byte for byte, to the unix socket of a hub.

uvicorn hands the connection over as soon as it has read the request; from there on nothing is parsed. The hub sees the
peer's own request, but for X-Forwarded-For, which says where the line really comes from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any, cast

import structlog
from prometheus_client import Counter as Figure
from prometheus_client import Gauge

from wangxin.callers import Callers, Trusted, believed
from wangxin.model import limits

log = structlog.get_logger()

LINES = Gauge("wangxin_tunnel_lines", "Lines piped now", ["hub"])
REFUSED = Figure("wangxin_tunnel_refused_total", "Upgrades refused", ["why"])
_PATH = "/ws"
_HEAD_END = b"\r\n\r\n"


def _plain(status: str, words: str) -> bytes:
    body = words.encode()
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
        "cache-control: no-store\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
    ).encode() + body


def forwarded(head: bytes, peer: str, trusted: Trusted) -> bytes:
    """The request head with an X-Forwarded-For that can be believed. Pure."""
    lines = head[: -len(_HEAD_END)].split(b"\r\n")
    kept, told = [], []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"x-forwarded-for":
            told += [part.strip() for part in value.decode("latin-1").split(",")]
        else:
            kept.append(line)
    kept.append(b"X-Forwarded-For: " + believed(told, peer, trusted).encode("latin-1"))
    return b"\r\n".join(kept) + _HEAD_END


class Hubs:
    """Which hubs listen here, and how many lines this process has on each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: Counter[Path] = Counter()

    def in_order(self) -> list[Path]:
        """Every hub's socket, the one with the fewest lines first."""
        return sorted(self._folder.glob("hub-*.sock"), key=lambda path: (self._lines[path], path.name))

    def taken(self, path: Path) -> None:
        self._lines[path] += 1
        LINES.labels(path.stem).set(self._lines[path])

    def released(self, path: Path) -> None:
        self._lines[path] -= 1
        LINES.labels(path.stem).set(self._lines[path])


class _HubSide(asyncio.Protocol):
    """What a hub sends goes to the peer."""

    def __init__(self, tunnel: Any) -> None:
        self._tunnel = tunnel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=limits.TUNNEL_HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        self._tunnel.to_peer(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.hub_lost()

    def pause_writing(self) -> None:
        self._tunnel.hub_full()

    def resume_writing(self) -> None:
        self._tunnel.hub_ready()


def tunnel_class(hubs: Hubs, trusted: Trusted, callers: Callers | None = None) -> type[asyncio.Protocol]:
    """The class for uvicorn's ``ws=``: one instance a line, with backpressure in both directions."""

    class Tunnel(asyncio.Protocol):
        def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
            self._connections = server_state.connections
            self._tasks = server_state.tasks
            self._head = bytearray()
            self._asked = False
            self._hub: asyncio.Transport | None = None
            self._path: Path | None = None
            self._waiting = bytearray()
            self._gone = False
            self._counted = ""

        # --- the peer ------------------------------------------------------------------------------------------
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._peer = cast(asyncio.Transport, transport)  # uvloop's transports are not its subclasses
            self._connections.add(self)
            self._peer.set_write_buffer_limits(high=limits.TUNNEL_HIGH_BYTES)
            peername = transport.get_extra_info("peername")
            address = str(peername[0]) if peername else ""
            if callers is not None and callers.came(address):
                self._counted = address
            elif callers is not None:
                self._asked = True  # nothing more is read of it
                self._refuse("429 Too Many Requests", "too many lines from this address", "address")

        def data_received(self, data: bytes) -> None:
            if self._hub is not None:
                self._hub.write(data)
                return
            if self._asked:  # sent before a hub took the line: kept, within bounds
                self._waiting += data
                if len(self._waiting) > limits.TUNNEL_HANDSHAKE_BYTES_MAX:
                    self._peer.abort()
                return
            self._head += data
            if _HEAD_END in self._head:
                self._asked = True
                head, _, rest = bytes(self._head).partition(_HEAD_END)
                self._waiting += rest
                task = asyncio.get_running_loop().create_task(self._begin(head + _HEAD_END))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif len(self._head) > limits.TUNNEL_HANDSHAKE_BYTES_MAX:
                self._peer.abort()

        def eof_received(self) -> bool:
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            self._gone = True
            self._connections.discard(self)
            if callers is not None and self._counted:
                callers.left(self._counted)
            if self._hub is not None:
                self._hub.close()

        def pause_writing(self) -> None:
            if self._hub is not None:
                self._hub.pause_reading()

        def resume_writing(self) -> None:
            if self._hub is not None:
                self._hub.resume_reading()

        def shutdown(self) -> None:
            """uvicorn stops: the line ends, and the peer comes back and resumes."""
            if self._hub is not None:
                self._hub.close()
            self._peer.close()

        # --- the hub -------------------------------------------------------------------------------------------
        async def _begin(self, head: bytes) -> None:
            target = head.split(b" ", 2)[1].split(b"?", 1)[0]
            if target != _PATH.encode():
                self._refuse("404 Not Found", f"sockets live at {_PATH}", "path")
                return
            peername = self._peer.get_extra_info("peername")
            peer = str(peername[0]) if peername else "127.0.0.1"
            for path in hubs.in_order():
                try:
                    async with asyncio.timeout(limits.TUNNEL_CONNECT_MS_MAX / 1_000):
                        hub, _ = await asyncio.get_running_loop().create_unix_connection(
                            lambda: _HubSide(self), str(path)
                        )
                except (OSError, TimeoutError):
                    continue
                if self._gone:
                    hub.close()
                    return
                self._path, self._hub = path, hub
                hubs.taken(path)
                hub.write(forwarded(head, peer, trusted) + bytes(self._waiting))
                self._waiting.clear()
                return
            self._refuse("502 Bad Gateway", "no hub takes lines now; please come back in a moment", "no hub")

        def _refuse(self, status: str, words: str, why: str) -> None:
            REFUSED.labels(why).inc()
            self._peer.write(_plain(status, words))
            self._peer.close()

        def to_peer(self, data: bytes) -> None:
            if not self._peer.is_closing():
                self._peer.write(data)

        def hub_lost(self) -> None:
            if self._path is not None:
                hubs.released(self._path)
                self._path = None
            with contextlib.suppress(RuntimeError):
                self._peer.close()

        def hub_full(self) -> None:
            if not self._peer.is_closing():
                self._peer.pause_reading()

        def hub_ready(self) -> None:
            if not self._peer.is_closing():
                self._peer.resume_reading()

    return Tunnel
