"""Puts the HTTP edge together: REST of every feature, pages, uploads, health and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest

import wangxin
from wangxin.config import Settings
from wangxin.edge import Deps
from wangxin.storage.objects import Objects
from wangxin.storage.postgres import TRANSIENT
from wangxin.web import (
    catalogue,
    docs,
    errors,
    failed_work,
    keeping,
    login,
    media,
    members,
    pages,
    privacy,
    shops,
    single,
    webhooks,
    workbooks,
)
from wangxin.web import settings as shop_settings
from wangxin.web.rate import Rate
from wangxin.web.shield import Shield, csp
from wangxin.web.static import Shelf

API = "/api/v1"


def _describe(app: FastAPI) -> None:
    """The OpenAPI document says what an error looks like; FastAPI's own shape of one is never sent."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = made()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = errors.Problem.model_json_schema()
        refused = {
            "description": "Refused",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for methods in document["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)
                operation["responses"]["4XX"] = refused
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def create_app(
    settings: Settings,
    deps: Deps,
    routers: Sequence[APIRouter],
    *,
    asyncapi: dict[str, Any] | None = None,
    demo: bool = False,
    shelf: Shelf | None = None,
) -> FastAPI:
    """``routers`` are the features'; they are mounted under ``/api/v1``. ``demo`` opens member tokens for the demo."""
    app = FastAPI(
        title="wangxin", version=wangxin.__version__, docs_url=None, redoc_url=None, openapi_url=None,
        description="A customer-service hub for online shops.", redirect_slashes=False,
    )  # fmt: skip
    rate = Rate(deps.valkey)
    objects = Objects(settings.data / "media")
    own = [
        login.router(deps, rate), single.router(deps, login.Desk(deps, rate)),
        shops.router(deps, rate), media.router(deps, rate, objects),
        shop_settings.router(deps), members.router(deps), webhooks.router(deps),
        catalogue.router(deps), workbooks.router(deps), privacy.router(deps, objects), keeping.router(deps),
        failed_work.router(deps),
    ]  # fmt: skip
    if demo:
        own.append(shops.demo_router(deps))
    for router in [*own, *routers]:
        app.include_router(router, prefix=API)
    app.include_router(media.serving(deps, objects))
    app.include_router(single.landing(deps))
    app.include_router(pages.router(deps, shelf or Shelf()))
    app.include_router(_service(app, deps, asyncapi))
    errors.install(app)
    app.add_middleware(Shield, pace=deps.pace)
    _describe(app)
    return app


def _service(app: FastAPI, deps: Deps, asyncapi: dict[str, Any] | None) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    disable_created_metrics()  # type: ignore[no-untyped-call] # when each series began: of use to nobody here

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether this process can do its work: it can ask PostgreSQL. Valkey may be away."""
        try:
            await deps.pool.fetchval("select 1", timeout=2)
        except TRANSIENT:
            return Response('{"status":"store.away"}', status_code=503, media_type="application/json")  # type: ignore[return-value]
        return {"status": "ok"}

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Figures for Prometheus; only for this machine and trusted proxies' own requests, not for passers-by."""
        host = request.client.host if request.client else ""
        if host not in ("127.0.0.1", "::1", "") or "x-forwarded-for" in request.headers:
            return Response(status_code=404)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    @routes.get("/asyncapi.json")
    async def asyncapi_json() -> Response:
        if asyncapi is None:
            return Response(status_code=404)
        from starlette.responses import JSONResponse

        return JSONResponse(asyncapi)

    @routes.get("/docs")
    async def docs_page(request: Request) -> Response:
        headers = {"Content-Security-Policy": csp(request.headers.get("host", ""), "'none'")}
        return pages.plain("wangxin REST", docs.page(app.openapi()), headers=headers)

    return routes
