"""How long and how often somebody may hold the public port: slow heads, slow bodies, many connections of one address.

uvicorn bounds none of the three.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import Counter as Figure
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wangxin.callers import Callers
from wangxin.model import limits

CUT = Figure("wangxin_web_cut_total", "Connections ended because of how they were used", ["why"])
_FULL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\ncache-control: no-store\r\nretry-after: 10\r\n"
    b"connection: close\r\n\r\n"
)


def patient_class(
    callers: Callers,
    *,
    head_s: float = limits.REQUEST_HEAD_MS_MAX / 1_000,
    body_s: float = limits.REQUEST_BODY_MS_MAX / 1_000,
) -> type[asyncio.Protocol]:
    """The class for uvicorn's ``http=``."""

    class Patient(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _counted = ""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            address = self.client[0] if self.client else ""
            if not callers.came(address):
                CUT.labels("address").inc()
                transport.write(_FULL)
                transport.close()
                return
            self._counted = address
            self._within(head_s, "head")

        def connection_lost(self, exc: Exception | None) -> None:
            self._no_hurry()
            self._uncount()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if not self.transport.is_closing():
                super().data_received(data)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._within(head_s, "head")

        def on_headers_complete(self) -> None:
            self._within(body_s, "body")
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._no_hurry()
            super().on_message_complete()

        def handle_websocket_upgrade(self) -> None:
            """From here on the tunnel counts the line."""
            self._no_hurry()
            self._uncount()
            super().handle_websocket_upgrade()

        def _within(self, seconds: float, why: str) -> None:
            self._no_hurry()
            self._timer = self.loop.call_later(seconds, self._cut, why)

        def _no_hurry(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _uncount(self) -> None:
            if self._counted:
                callers.left(self._counted)
                self._counted = ""

        def _cut(self, why: str) -> None:
            CUT.labels(why).inc()
            self.transport.abort()

    return Patient
