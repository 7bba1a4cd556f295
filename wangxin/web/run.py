"""One web process, from settings to signal: pages, REST and the tunnel on one port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from fastapi import APIRouter

from wangxin.callers import Callers, Pace, trusting
from wangxin.config import Settings
from wangxin.edge import Deps, Gate, ServedShops
from wangxin.storage import postgres, valkey
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Pool
from wangxin.storage.sockets import private_folder
from wangxin.web.app import create_app
from wangxin.web.patience import patient_class
from wangxin.web.tunnel import Hubs, tunnel_class

Routers = Callable[[Deps], Sequence[APIRouter]]
"""The features' routers, made by the composition root."""


async def open_deps(
    settings: Settings, *, name: str = "web", served: Callable[[Pool], ServedShops] | None = None
) -> Deps:
    """What routers are lent, from settings that name both stores. ``served``: the shops a provider's people serve."""
    assert settings.postgres_url is not None, "the stores are started before the web"
    assert settings.valkey_url is not None, "the stores are started before the web"
    pool = await postgres.patient_pool(settings.postgres_url.get_secret_value(), name=name, least=2, most=12)
    live = valkey.connect(settings.valkey_url.get_secret_value())
    key = settings.signing_key()
    gate = Gate(pool, key) if served is None else Gate(pool, key, served(pool))
    return Deps(settings, pool, live, Hints(live), gate, Pace(trusting(settings.trusted_proxies)))


async def run(
    settings: Settings,
    routers: Routers,
    *,
    served: Callable[[Pool], ServedShops] | None = None,
    asyncapi: dict[str, Any] | None = None,
    demo: bool = False,
) -> None:
    """Serve on ``settings.host``:``settings.port`` until SIGTERM or SIGINT. ``demo`` opens the demo's member tokens."""
    deps = await open_deps(settings, served=served)
    app = create_app(settings, deps, routers(deps), asyncapi=asyncapi, demo=demo)
    trusted = trusting(settings.trusted_proxies)
    callers = Callers(trusted)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws=tunnel_class(Hubs(private_folder(settings.data, "hub")), trusted, callers),
        http=patient_class(callers),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        proxy_headers=True,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=20,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=65_536,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        deps.pool.terminate()
        await deps.valkey.aclose()
