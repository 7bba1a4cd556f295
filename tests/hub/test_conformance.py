"""Our half of the websocket protocol under Autobahn's own cases, against an echo that exists in this test only."""

from __future__ import annotations

import kosoku
from websockets.http11 import Request

from wangxin.hub.server import listen, port_of
from wangxin.hub.socket import Socket, server_frame
from wangxin.hub.wheel import Wheel

CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
STRICTER = ["7.1.5"]
"""A message fragment, a close, another fragment: the library closes 1002 where the suite would take 1000."""


class Echo:
    def asked(self, socket: Socket, request: Request) -> None:
        return None

    def opened(self, socket: Socket) -> None: ...

    def text(self, socket: Socket, raw: bytes) -> None:
        socket.write(server_frame(raw))

    def binary(self, socket: Socket, raw: bytes) -> None:
        socket.send_binary(raw)

    def lost(self, socket: Socket) -> None: ...

    def silent_since_open(self, socket: Socket) -> bool:
        return False


async def test_the_socket_speaks_websocket_as_the_standard_says() -> None:
    wheel = Wheel()
    wheel.start()
    (server,) = await listen(Echo(), wheel, port=0)
    try:
        url = f"ws://127.0.0.1:{port_of(server)}/"
        results = await kosoku.run_fuzzingclient(url, cases=CASES, exclude_cases=STRICTER, concurrency=4)
    finally:
        server.close()
        wheel.stop()
    assert {result.behavior.value for result in results} <= {"OK", "NON-STRICT", "INFORMATIONAL"}
    assert len(results) == 246
