"""Whole texts are read without the library: what is heard must not depend on how the bytes were cut."""

from __future__ import annotations

import asyncio
import random

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.uri import parse_uri

from wangxin.hub import whole
from wangxin.hub.socket import Socket
from wangxin.hub.wheel import Wheel
from wangxin.model import limits


class Ear:
    """Hears a line."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    def came(self, socket: Socket) -> bool:
        return True

    def asked(self, socket: Socket, request: Request) -> tuple[int, str] | None:
        return None

    def opened(self, socket: Socket) -> None: ...

    def text(self, socket: Socket, raw: bytes) -> None:
        self.heard.append(("text", raw))

    def binary(self, socket: Socket, raw: bytes) -> None:
        self.heard.append(("binary", raw))

    def lost(self, socket: Socket) -> None: ...

    def left(self, socket: Socket) -> None: ...

    def silent_since_open(self, socket: Socket) -> bool:
        return False


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False


def opened() -> tuple[Socket, Ear, Wire, ClientProtocol]:
    ear, wire = Ear(), Wire()
    socket = Socket(ear, Wheel())
    socket.connection_made(wire)
    client = ClientProtocol(parse_uri("ws://shop/ws"))
    client.send_request(client.connect())
    socket.data_received(b"".join(client.data_to_send()))
    client.receive_data(wire.written)
    assert socket.open
    assert client.state is State.OPEN
    wire.written = b""
    return socket, ear, wire, client


def test_the_same_is_heard_however_the_bytes_are_cut() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        socket, ear, wire, client = opened()
        sent: list[tuple[str, bytes]] = []
        pings = 0
        for _ in range(chance.randrange(1, 12)):
            words = ("您好 🙂 " * chance.choice((0, 1, 3, 9, 40, 3_000))).encode()
            match chance.randrange(5):
                case 0:
                    client.send_ping(b"are you there")
                    pings += 1
                case 1:
                    client.send_binary(words)
                    sent.append(("binary", words))
                case 2:
                    half = len(words) // 2
                    client.send_frame(Frame(Opcode.TEXT, words[:half], fin=False))
                    client.send_frame(Frame(Opcode.CONT, words[half:], fin=True))
                    sent.append(("text", words))
                case _:
                    client.send_text(words)
                    sent.append(("text", words))
        data, pieces = b"".join(client.data_to_send()), chance.choice((1, 2, 5, 30))
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(pieces - 1))
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if begin < end:
                socket.data_received(data[begin:end])
        assert ear.heard == sent, f"seed {seed}"
        assert socket.open
        client.receive_data(wire.written)
        pongs = [e for e in client.events_received() if isinstance(e, Frame) and e.opcode is Opcode.PONG]
        assert len(pongs) == pings


def test_what_is_no_whole_text_is_left_to_the_library() -> None:
    def framed(opcode: Opcode, words: bytes, *, mask: bool = True, fin: bool = True) -> bytes:
        return Frame(opcode, words, fin=fin).serialize(mask=mask)

    text = framed(Opcode.TEXT, b"{}")
    assert whole.texts(text) == [b"{}"]
    assert whole.texts(text + text) == [b"{}", b"{}"]
    big = b"x" * limits.FRAME_BYTES_MAX
    for odd in (
        text[:-1], text[:3], text + text[:4], framed(Opcode.TEXT, b"{}", mask=False), framed(Opcode.PING, b""),
        framed(Opcode.TEXT, b"{}", fin=False), framed(Opcode.CONT, b"{}"), framed(Opcode.TEXT, big),
        bytes([text[0] | 0x40]) + text[1:],
    ):  # fmt: skip
        assert whole.texts(odd) is None
    assert whole.missing(text) == whole.missing(text + text) == 0
    assert whole.missing(text[:-2]) == 2
    assert whole.missing(b"", whole.missing(text[:-2])) == 2
    assert whole.missing(text[-2:] + text, 2) == 0
    assert whole.missing(text[:5]) == whole.missing(text[:1]) == whole.UNKNOWN
