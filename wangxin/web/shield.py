"""What surrounds every request: a reference, bounds on its size, and headers that keep answers where they belong."""

from __future__ import annotations

import re
from secrets import token_hex
from time import perf_counter
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wangxin.callers import Pace
from wangxin.clock import monotonic_ms
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.web.errors import answer

log = structlog.get_logger()

REQUESTS = Counter("wangxin_web_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "wangxin_web_request_seconds", "Time until the answer began", ["route"], buckets=(0.005, 0.02, 0.1, 0.5, 2, 10)
)
UPLOAD_PATH = "/api/v1/media"
_HOST = re.compile(r"^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$|^\[[0-9A-Fa-f:]{2,45}\](:\d{1,5})?$")
_REF = re.compile(r"^[A-Za-z0-9-]{8,64}$")


def csp(host: str, frame_ancestors: str) -> str:
    """The policy of a page. Older browsers do not count ws:// under 'self', so our own host is named."""
    sockets = f" ws://{host} wss://{host}" if _HOST.match(host) else ""
    return (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; script-src 'self'; "
        f"connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {frame_ancestors}"
    )


MICROPHONE = "geolocation=(), camera=(), microphone=(self), payment=(), usb=()"
"""The permissions policy of a page on which one speaks."""
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), camera=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"server", b"wangxin"),
)


class Shield:
    """ASGI middleware. Sets ``scope["wangxin.ref"]``, which every error answer repeats and every log line carries."""

    def __init__(self, app: ASGIApp, pace: Pace | None = None) -> None:
        self._app = app
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        asked = headers.get(b"x-request-id", b"").decode("latin-1")
        ref = scope["wangxin.ref"] = asked if _REF.match(asked) else token_hex(8)
        path: str = scope["path"]
        most = limits.VIDEO_BYTES_MAX + limits.IMAGE_BYTES_MAX if path == UPLOAD_PATH else limits.REQUEST_BYTES_MAX
        began = perf_counter()
        started = False
        left = most

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise HTTPException(413, f"at most {most} bytes")
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_headers(message["headers"], path, ref)
                route = scope.get("route")
                name = getattr(route, "path", "none")
                REQUESTS.labels(scope["method"], name, str(message["status"])).inc()
                SECONDS.labels(name).observe(perf_counter() - began)
            await send(message)

        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await answer(Refusal("request.too_large", f"at most {most} bytes", status=413), ref)(
                scope, receive, guarded
            )
            return
        try:
            if self._pace is not None and scope.get("client"):
                self._pace.of_address(scope["client"][0], monotonic_ms())
            await self._app(scope, bounded, guarded)
        except Refusal as slow:
            await answer(slow, ref)(scope, receive, guarded)
        except Exception as why:
            log.error("request failed", ref=ref, path=path, exc_info=why)
            if started:
                raise
            refusal = Refusal("server.error", "something went wrong on our side", retry=5_000, status=500)
            await answer(refusal, ref)(scope, receive, guarded)


def _with_headers(present: Any, path: str, ref: str) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = list(present)
    have = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in ALWAYS if name not in have]
    headers.append((b"x-request-id", ref.encode()))
    if path.startswith("/api/"):
        headers = [(name, value) for name, value in headers if name.lower() != b"cache-control"]
        headers.append((b"cache-control", b"no-store"))
        headers.append((b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))
    elif b"content-security-policy" not in have:
        headers.append((b"content-security-policy", b"frame-ancestors 'none'"))
    if b"cross-origin-resource-policy" not in have:
        headers.append((b"cross-origin-resource-policy", b"same-origin"))
    return headers
