"""One websocket line: our own ``asyncio.Protocol`` around websockets' Sans-I/O ``ServerProtocol``.

The library keeps handshake, framing, masking, control frames, size limit and close codes; whole, unfragmented texts are
unmasked without it (``whole``). What Sans-I/O leaves to us is here: UTF-8 of text, joining and bounding fragments,
pings, handshake and close timers, and a bounded way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from wangxin.hub import whole
from wangxin.hub.wheel import Wheel
from wangxin.model import limits
from wangxin.protocol.close_codes import CloseCode

_QUIET = logging.getLogger("wangxin.hub.websocket")
_QUIET.setLevel(logging.CRITICAL)  # one line a connection would drown the log; the hub counts them instead

HANDSHAKE_S = limits.HELLO_MS_MAX // 1_000
PING_EVERY_S = limits.PING_EVERY_MS // 1_000
PING_TIMEOUT_S = limits.PING_TIMEOUT_MS // 1_000
CLOSE_S = limits.CLOSE_TIMEOUT_MS // 1_000
STALLED_S = limits.OUTBOX_STALLED_MS_MAX // 1_000
HEADER_BYTES_MAX = 32_768
RETRY_AFTER_S = "10"
_FULL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\ncache-control: no-store\r\nretry-after: 10\r\n"
    b"connection: close\r\n\r\n"
)


def server_frame(payload: bytes) -> bytes:
    """One unmasked, unfragmented text frame: made once, written to many lines."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Listener(Protocol):
    """Who answers what comes in on a line."""

    def came(self, socket: Socket) -> bool:
        """A connection: whether it may say anything at all."""

    def left(self, socket: Socket) -> None:
        """A connection that came is gone."""

    def asked(self, socket: Socket, request: Request) -> tuple[int, str] | None:
        """A request to open: None accepts it, else HTTP status and text."""

    def opened(self, socket: Socket) -> None: ...

    def text(self, socket: Socket, raw: bytes) -> None: ...

    def binary(self, socket: Socket, raw: bytes) -> None: ...

    def lost(self, socket: Socket) -> None: ...

    def silent_since_open(self, socket: Socket) -> bool:
        """Whether the line is open but nobody has said who he is."""


class Socket(asyncio.Protocol):
    """States follow the library's ``ServerProtocol.state``. ``mark`` belongs to the listener."""

    __slots__ = (
        "_aborts_at", "_closing", "_fragments", "_heard", "_listener", "_missing", "_opened", "_pinged", "_protocol",
        "_received", "_stalled", "_wheel", "accepted", "mark", "origin", "peer_address", "transport",
    )  # fmt: skip

    def __init__(self, listener: Listener, wheel: Wheel) -> None:
        self._listener = listener
        self._wheel = wheel
        self._protocol = ServerProtocol(max_size=limits.FRAME_BYTES_MAX, logger=_QUIET)
        self._fragments: list[bytes] | None = None
        self._opened = self._heard = wheel.second
        self._pinged: int | None = None
        self._stalled: int | None = None
        self._aborts_at: int | None = None
        self._received = 0
        self._missing = 0
        """Bytes that the frame lacks which the library is reading; 0: it stands between two frames."""
        self._closing = False
        self.accepted = False
        self.mark: object = None
        self.origin: str | None = None
        self.peer_address = ""
        self.transport: asyncio.Transport | None = None

    # --- what asyncio calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, though they are the same to us.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=65_536, low=16_384)
        if not self._listener.came(self):
            self.transport.write(_FULL)
            self.transport.close()
            return
        self._wheel.at(self._wheel.second + HANDSHAKE_S, self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._wheel.second
        protocol = self._protocol
        if self.accepted:
            if self._missing == 0 and self._fragments is None and protocol.state is State.OPEN:
                found = whole.texts(data)
                if found is not None:
                    for raw in found:
                        self._text(raw)
                    return
            if self._missing != whole.UNKNOWN:
                self._missing = whole.missing(data, self._missing)
        else:
            self._received += len(data)
            if self.transport is None or self.transport.is_closing():
                return  # refused before it said anything
            if self._received > HEADER_BYTES_MAX:
                self.abort()
                return
            self._missing = 0 if data.endswith(b"\r\n\r\n") else whole.UNKNOWN
        protocol.receive_data(data)
        self._write_protocol()  # a pong goes out before the answer to what came with its ping
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            else:
                assert isinstance(event, Request)
                self._handshake(event)

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._write_protocol()
        return False

    @property
    def silent_s(self) -> int:
        """For how long nothing has come from the other side."""
        return self._wheel.second - self._heard

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._fragments = None
        self._listener.left(self)
        if self.accepted:
            self.accepted = False
            self._listener.lost(self)

    def pause_writing(self) -> None:
        self._stalled = self._wheel.second
        self._wheel.at(self._wheel.second + STALLED_S, _Glance(self))

    def resume_writing(self) -> None:
        self._stalled = None

    # --- frames in --------------------------------------------------------------------------------------------

    def _handshake(self, request: Request) -> None:
        protocol = self._protocol
        answer = self._listener.asked(self, request)
        response = protocol.accept(request) if answer is None else protocol.reject(*answer)
        if answer is not None and answer[0] == 429:
            response.headers["Retry-After"] = RETRY_AFTER_S
        protocol.send_response(response)
        self._write_protocol()
        if protocol.state is State.OPEN:
            self.accepted = True
            self._listener.opened(self)

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            self._text(bytes(frame.data))
        elif opcode is Opcode.BINARY and frame.fin:
            self._listener.binary(self, bytes(frame.data))
        elif opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._fragments = [b"t" if opcode is Opcode.TEXT else b"b", bytes(frame.data)]
        elif opcode is Opcode.CONT:
            if self._fragments is None:
                return  # the line is failing: the rest of a message nobody waits for
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > limits.FRAME_FRAGMENTS_MAX + 1:
                self._fragments = None
                self.fail(CloseCode.TOO_BIG, "too many fragments")
            elif frame.fin:
                kind, *parts = self._fragments
                self._fragments = None
                if kind == b"t":
                    self._text(b"".join(parts))
                else:
                    self._listener.binary(self, b"".join(parts))
        elif opcode is Opcode.PONG:
            self._pinged = None
        elif opcode is Opcode.CLOSE:
            self._expect_close()

    def _text(self, raw: bytes) -> None:
        if self._closing:
            return
        try:
            raw.decode()
        except UnicodeDecodeError:
            self.fail(CloseCode.BAD_UTF8, "text must be UTF-8")
            return
        self._listener.text(self, raw)

    # --- out --------------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        return self.accepted and not self._closing and self._protocol.state is State.OPEN

    @property
    def waiting_bytes(self) -> int:
        """What the reader has not taken yet."""
        return self.transport.get_write_buffer_size() if self._stalled is not None and self.transport else 0

    def write(self, frames: bytes) -> None:
        """Write whole server frames."""
        if self.transport is not None and self._protocol.state is State.OPEN:
            self.transport.write(frames)

    def send_binary(self, payload: bytes) -> None:
        if self.open:
            self._protocol.send_binary(payload)
            self._write_protocol()

    def close(self, code: int, reason: str = "") -> None:
        """Start a closing handshake; the line is cut if the other side does not finish it in time."""
        if self._closing or self.transport is None:
            return
        self._closing = True
        with contextlib.suppress(InvalidState):
            self._protocol.send_close(code, reason)
        self._write_protocol()
        self._expect_close()

    def fail(self, code: int, reason: str) -> None:
        """Say why and end the line without waiting for the other side's agreement."""
        if self._closing or self.transport is None:
            return
        self._closing = True
        self._protocol.fail(code, reason)
        self._write_protocol()
        self._expect_close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _write_protocol(self) -> None:
        transport = self.transport
        if transport is None:
            return
        for piece in self._protocol.data_to_send():
            if piece:
                transport.write(piece)
            elif transport.can_write_eof():
                try:
                    transport.write_eof()
                except (OSError, RuntimeError):
                    transport.close()
            else:
                transport.close()
        if self._protocol.close_expected():
            self._expect_close()

    def _expect_close(self) -> None:
        self._closing = True
        if self._aborts_at is None:
            self._aborts_at = self._wheel.second + CLOSE_S
            self._wheel.at(self._aborts_at, _Glance(self))

    # --- time -------------------------------------------------------------------------------------------------

    def glance(self, second: int) -> None:
        """Is something overdue that a visit every few seconds would find too late?"""
        if self._aborts_at is not None and second >= self._aborts_at:
            self.abort()
        elif self._stalled is not None and second - self._stalled >= STALLED_S:
            self.close(CloseCode.TOO_SLOW, "come back and resume")

    def on_due(self, second: int) -> int | None:
        if self.transport is None:
            return None
        self.glance(second)
        if not self.accepted:
            self.abort()  # no handshake in time
            return None
        if self._closing:
            return second + CLOSE_S
        if self._listener.silent_since_open(self):
            if second - self._opened >= HANDSHAKE_S:
                self.close(CloseCode.HELLO_MISSING, "no hello")
                return second + CLOSE_S
            return self._opened + HANDSHAKE_S
        if self._pinged is not None and self._heard <= self._pinged:
            if second - self._pinged >= PING_TIMEOUT_S:
                self.close(CloseCode.SILENT, "no pong")
                return None
            return self._pinged + PING_TIMEOUT_S
        if second - self._heard >= PING_EVERY_S:
            self._pinged = second
            self._protocol.send_ping(b"")
            self._write_protocol()
            return second + PING_TIMEOUT_S
        self._pinged = None
        return self._heard + PING_EVERY_S


class _Glance:
    """An extra visit of a line, once."""

    __slots__ = ("_socket",)

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def on_due(self, second: int) -> int | None:
        self._socket.glance(second)
        return None
