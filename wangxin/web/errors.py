"""Every error leaves in one shape: ``{code, detail, field, retry, ref}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import TRANSIENT, UNSTORABLE

log = structlog.get_logger()

LIMITED = Counter("wangxin_web_limited_total", "Requests refused because there were too many", ["code"])

_BY_STATUS = {404: "route.not_found", 405: "method.not_allowed", 413: "request.too_large", 415: "request.wrong_type"}


class Problem(BaseModel):
    """What every error answer looks like. ``retry`` is ``never``, ``reauth``, or milliseconds to wait."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    detail: str
    field: str
    retry: str | int
    ref: str


def answer(refusal: Refusal, ref: str) -> JSONResponse:
    headers = {}
    if refusal.status == 429:
        LIMITED.labels(refusal.code).inc()
    if isinstance(refusal.retry, int):
        headers["Retry-After"] = str(-(-refusal.retry // 1_000))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        code=refusal.code, detail=refusal.detail, field=refusal.field, retry=refusal.retry, ref=ref
    )  # fmt: skip
    return JSONResponse(problem.model_dump(), status_code=refusal.status, headers=headers)


def _ref(request: Request) -> str:
    return str(request.scope.get("wangxin.ref", ""))


async def _refused(request: Request, why: Exception) -> JSONResponse:
    assert isinstance(why, Refusal)
    if why.status in (401, 403, 429):
        # The route's own name: a path may hold a signed link.
        route = getattr(request.scope.get("route"), "path", "")
        log.info("refused", code=why.code, method=request.method, route=route, ref=_ref(request))
    return answer(why, _ref(request))


def _field(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path", "header"))[:200]


async def _invalid(request: Request, why: Exception) -> JSONResponse:
    """The first mistake only, without the words that were sent: those may be a password, or a bomb."""
    assert isinstance(why, RequestValidationError)
    first = why.errors()[0]
    if "path" in first["loc"][:1]:  # an id that is none names nothing
        return answer(Refusal("route.not_found", "no such thing", status=404), _ref(request))
    return answer(
        Refusal("request.invalid", str(first["msg"])[:300], field=_field(first["loc"]), status=422), _ref(request)
    )


async def _http(request: Request, why: Exception) -> JSONResponse:
    assert isinstance(why, HTTPException)
    code = _BY_STATUS.get(why.status_code, "request.refused")
    reply = answer(Refusal(code, str(why.detail)[:300], status=why.status_code), _ref(request))
    reply.headers.update(dict(why.headers or {}))
    return reply


async def _unstorable(request: Request, why: Exception) -> JSONResponse:
    """U+0000 or half a surrogate pair in a text, a number beyond every bound: what models let through ends here."""
    if type(why) not in (*UNSTORABLE, UnicodeEncodeError):
        raise why
    log.info("a value cannot be stored", ref=_ref(request), path=request.url.path, why=type(why).__name__)
    return answer(Refusal("request.invalid", "a value cannot be stored", status=422), _ref(request))


async def _store_away(request: Request, why: Exception) -> JSONResponse:
    log.warning("store away", ref=_ref(request), path=request.url.path, why=type(why).__name__)
    return answer(Refusal("store.away", "please try again in a moment", retry=1_000, status=503), _ref(request))


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for wrong in (*UNSTORABLE, UnicodeEncodeError):
        app.add_exception_handler(wrong, _unstorable)
    for accident in TRANSIENT:
        app.add_exception_handler(accident, _store_away)  # type: ignore[arg-type]
