"""One websocket of one person of the load, spoken by hand: as cheap as it can be, so that it is not what is measured.

Each hub that is compared has its way to speak (:data:`LINES`); whatever it is, the load hears ``ack`` and
``message.new``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from websockets.speedups import apply_mask

WORDS = (
    "您好，这件羽绒服的尺码偏大还是偏小？我身高一米七二，体重六十五公斤，"
    "平时穿大码，想问问选哪个更合身，今天下单明天能发货吗"
)
"""60 Chinese characters."""


def client_frame(payload: bytes, opcode: int = 1) -> bytes:
    """A masked frame, as clients must send them."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    return head + mask + apply_mask(payload, mask)


class Line(asyncio.Protocol):
    """Our own frames. ``heard`` is told of acks and new messages as (frame, line)."""

    path: ClassVar[str] = "/ws"
    numbered: ClassVar[bool] = True
    """Whether lines have numbers, and a gap in them can be seen."""
    tail: ClassVar[bytes] = b'"}'
    """What ends :meth:`opening` after the client_msg_id."""

    def __init__(self, host: str, token: str, heard: Callable[[dict[str, Any], Line], None]) -> None:
        self._host = host
        self._token = token
        self._heard = heard
        self._buffer = b""
        self._shaken = False
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.thread = ""
        self.epoch = 0
        self.seq = 0
        self.closed = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are no subclass of asyncio's
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.live.done():
            self.live.set_exception(ConnectionError(f"the hub closed the line: {exc}"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        if not self._shaken:
            at = buffer.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = buffer
                return
            assert buffer.startswith(b"HTTP/1.1 101"), buffer[:200]
            self._shaken = True
            self._greet()
        while end - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                if end - at < 10:
                    break
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if end - at < head + size:
                break
            opcode, payload = buffer[at] & 15, buffer[at + head : at + head + size]
            at += head + size
            if opcode == 1:
                self._text(payload)
            elif opcode == 9:
                self.transport.write(client_frame(payload, 10))
        self._buffer = buffer[at:]

    def _greet(self) -> None:
        hello = {"type": "hello", "token": self._token}
        self.transport.write(client_frame(json.dumps(hello).encode()))

    def opening(self) -> bytes:
        """A message up to its client_msg_id."""
        epoch = f'"epoch":{self.epoch},' if self.epoch else ""
        return (
            f'{{"type":"message.send","thread":"{self.thread}",{epoch}"body":{{"kind":"text","text":"{WORDS}"}},'
            '"client_msg_id":"'
        ).encode()

    def _text(self, payload: bytes) -> None:
        self._frame(orjson.loads(payload))

    def _frame(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "message.new" or kind == "ack":
            self._heard(frame, self)
        elif kind == "welcome":
            if frame["threads"]:
                view = frame["threads"][0]
                self.thread, self.seq, self.epoch = view["thread"], view["public_seq"], view.get("epoch", 0)
        elif kind == "live":
            self.live.set_result(None)
        elif kind == "error":
            raise AssertionError(f"the hub refused: {frame}")


class SocketIoLine(Line):
    """Socket.IO over Engine.IO 4: events named as our frames, an acknowledgement for each message."""

    path = "/socket.io/?EIO=4&transport=websocket"
    numbered = False
    tail = b'"}]'

    def _greet(self) -> None:
        """The server speaks first."""

    def opening(self) -> bytes:
        return b'421["message.send",' + super().opening()

    def _text(self, payload: bytes) -> None:
        if payload[:2] == b"42":
            self._frame(orjson.loads(payload[2:])[1])
        elif payload[:2] == b"43":
            self._frame(orjson.loads(payload[payload.index(b"[") :])[0])
        elif payload[:1] == b"0":
            self.transport.write(client_frame(b"40" + json.dumps({"token": self._token}).encode()))
        elif payload[:1] == b"2":
            self.transport.write(client_frame(b"3"))
        elif payload[:2] != b"40":
            raise AssertionError(f"the hub refused: {payload[:200]!r}")


class PlainLine(Line):
    """Our frames at a hub that does not number lines."""

    numbered = False


LINES: dict[str, type[Line]] = {"wangxin": Line, "plain": PlainLine, "socket.io": SocketIoLine}
