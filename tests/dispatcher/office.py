"""The administration over REST, without the edge around it: a merchant's wishes, or whoever stands in the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from dispatcher import rest_provider
from dispatcher.rest import router
from wangxin.config import Settings
from wangxin.edge import Deps, Gate, Known
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal

if TYPE_CHECKING:
    from tests.dispatcher.conftest import House


@dataclass(slots=True)
class OpenGate:
    now: Actor | None = None

    async def known(self, token: str, *, device: str = "") -> Known:
        assert self.now is not None
        return Known(self.now)


@dataclass
class Office:
    house: House
    gate: OpenGate = field(default_factory=OpenGate)
    http: httpx.AsyncClient = field(init=False)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"/dispatch/{self.house.shop}/{path}", json=body)
        if answer.status_code >= 400:
            return answer.status_code, answer.json()["code"]
        return answer.json() if answer.content else None


@asynccontextmanager
async def open_office(house: House) -> AsyncIterator[Office]:
    office = Office(house)
    office.gate.now = Actor(Role.MERCHANT, house.merchant, frozenset({house.shop}), "掌柜")
    deps = Deps(Settings(), house.pool, house.valkey, house.hints, cast(Gate, office.gate))
    app = FastAPI()

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"code": refusal.code, "field": refusal.field}, status_code=refusal.status)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, why: RequestValidationError) -> JSONResponse:
        return JSONResponse({"code": "body.wrong"}, status_code=422)

    app.include_router(router(deps))
    app.include_router(rest_provider.router(deps))
    headers = {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as http:
        office.http = http
        yield office
