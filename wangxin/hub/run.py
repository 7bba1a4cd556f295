"""One hub process, from settings to signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg

from wangxin.callers import trusting
from wangxin.config import Settings
from wangxin.hub import server
from wangxin.hub.door import Door, Said
from wangxin.hub.hub import Hub
from wangxin.hub.seats import Lost, Told
from wangxin.hub.traces import traces_of
from wangxin.protocol.frames import Frame
from wangxin.protocol.reply import Handler
from wangxin.storage import postgres
from wangxin.storage.hosts import Hosts
from wangxin.storage.postgres import Pool

log = logging.getLogger("wangxin.hub")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the composition root connects a hub with. ``on_connected`` and ``on_disconnected`` hear of agents only."""

    door: Door
    handlers: Mapping[type[Frame], Handler] = field(default_factory=dict)
    on_connected: Told | None = None
    on_disconnected: Lost | None = None
    on_typed: Callable[[UUID, UUID, int, int, int], None] | None = None
    """agent, thread, characters typed, ms that took, characters of the message."""
    said: Said | None = None


async def run(
    settings: Settings,
    node: str,
    wire: Callable[[Pool], Wiring],
    *,
    unix: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    ready: Callable[[int | None], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. ``settings`` name real URLs; ``wire`` makes the rest from the pool.

    ``ready`` hears once that lines are taken, with the TCP port if there is one.
    """
    assert settings.postgres_url is not None, "the stores are started before the hub"
    assert settings.valkey_url is not None, "the stores are started before the hub"
    url = settings.postgres_url.get_secret_value()
    pool = await postgres.patient_pool(url, name=f"hub {node}", most=8)
    wiring = wire(pool)
    traces = traces_of(settings, node)

    hosts = Hosts(url)

    async def connect() -> asyncpg.Connection:
        return await hosts.connect(
            timeout=5, command_timeout=30, server_settings={"timezone": "UTC", "application_name": f"hub {node}"}
        )

    hub = Hub(
        node=node,
        pool=pool,
        connect_store=connect,
        valkey_url=settings.valkey_url.get_secret_value(),
        door=wiring.door,
        handlers=wiring.handlers,
        on_connected=wiring.on_connected,
        on_disconnected=wiring.on_disconnected,
        on_typed=wiring.on_typed,
        own_origins=settings.allowed_origins,
        trusted=trusting(settings.trusted_proxies),
        traces=traces,
        said=wiring.said,
    )
    servers = await server.serve(hub, host=host, port=port, unix=unix)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal_, stopping.set)
    gc.collect()
    gc.freeze()  # what is here now stays: no need to look at it again and again
    gc.set_threshold(50_000, 20, 20)
    if ready is not None:
        ready(server.port_of(servers[0]) if port is not None else None)
    await stopping.wait()
    log.info("hub %s is stopping", node)
    await server.close(hub, servers, unix)
    if traces is not None:
        await asyncio.to_thread(traces.close)
    pool.terminate()
