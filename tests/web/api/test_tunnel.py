"""The way to the hubs: one port, any number of hubs behind it, and no byte changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
import websockets
from fastapi import FastAPI

from wangxin.storage.sockets import private_folder
from wangxin.web.tunnel import Hubs, forwarded, tunnel_class


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path, "hub")


@asynccontextmanager
async def _hub(folder: Path, node: str, answer: Callable[[websockets.ServerConnection], Awaitable[None]]):  # type: ignore[no-untyped-def]
    async with websockets.unix_serve(answer, str(folder / f"hub-{node}.sock"), max_size=2**26) as server:
        yield server
    (folder / f"hub-{node}.sock").unlink(missing_ok=True)


@pytest.fixture
async def port(folder: Path) -> AsyncIterator[int]:
    app = FastAPI()
    app.get("/plain")(lambda: {"plain": True})
    trusted = {"198.51.100.1"}
    config = uvicorn.Config(
        app, port=0, ws=tunnel_class(Hubs(folder), trusted.__contains__), lifespan="off", log_config=None,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with contextlib.suppress(ValueError):
        task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def _echo(line: websockets.ServerConnection) -> None:
    async for message in line:
        await line.send(message)


async def test_what_is_sent_comes_back_unchanged_and_pages_share_the_port(port: int, folder: Path) -> None:
    async with _hub(folder, "1", _echo), websockets.connect(f"ws://127.0.0.1:{port}/ws", max_size=2**26) as line:
        for message in ("你好 👩‍👩‍👧", os.urandom(3_000_000), "", "last"):
            await line.send(message)
            assert await line.recv() == message
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'{"plain":true}' in await reader.read()
        writer.close()


async def test_lines_go_to_the_hub_that_has_the_fewest(port: int, folder: Path) -> None:
    def named(name: str) -> Callable[[websockets.ServerConnection], Awaitable[None]]:
        async def tell(line: websockets.ServerConnection) -> None:
            await line.send(name)
            await line.wait_closed()

        return tell

    async with _hub(folder, "1", named("1")), _hub(folder, "2", named("2")), contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(websockets.connect(f"ws://127.0.0.1:{port}/ws")) for _ in range(6)]
        assert sorted([str(await line.recv()) for line in lines]) == ["1", "1", "1", "2", "2", "2"]


async def test_a_hub_that_is_gone_is_passed_over_and_without_any_the_answer_is_502(port: int, folder: Path) -> None:
    (folder / "hub-0.sock").touch()  # left by a process that was killed
    async with _hub(folder, "1", _echo), websockets.connect(f"ws://127.0.0.1:{port}/ws") as line:
        await line.send("here")
        assert await line.recv() == "here"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://127.0.0.1:{port}/ws")
    assert refused.value.response.status_code == 502


async def test_other_paths_are_no_way_to_a_hub(port: int, folder: Path) -> None:
    async with _hub(folder, "1", _echo):
        for path in ("/", "/ws/", "/api/v1/ws", "/wsx"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(f"ws://127.0.0.1:{port}{path}")
            assert refused.value.response.status_code == 404


async def test_the_hub_hears_where_a_line_comes_from_and_not_what_the_peer_claims(port: int, folder: Path) -> None:
    async def tell(line: websockets.ServerConnection) -> None:
        assert line.request is not None
        await line.send("|".join(line.request.headers.get_all("X-Forwarded-For")))

    async with _hub(folder, "1", tell):
        claimed = {"X-Forwarded-For": "8.8.8.8"}
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws", additional_headers=claimed) as line:
            assert await line.recv() == "127.0.0.1"


@pytest.mark.parametrize(
    ("told", "peer", "seen"),
    [
        ("8.8.8.8", "9.9.9.9", "9.9.9.9"),
        ("8.8.8.8", "10.0.0.1", "8.8.8.8"),
        ("6.6.6.6, 8.8.8.8", "10.0.0.1", "8.8.8.8"),
        ("8.8.8.8, 10.0.0.2", "10.0.0.1", "8.8.8.8"),
        ("", "10.0.0.1", "10.0.0.1"),
        ("evil\tvalue; x", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_trusted_proxys_word_counts_up_to_the_first_stranger(told: str, peer: str, seen: str) -> None:
    head = f"GET /ws HTTP/1.1\r\nHost: x\r\nx-forwarded-for: {told}\r\nOrigin: y\r\n\r\n".encode()
    out = forwarded(head, peer, lambda address: address.startswith("10."))
    assert out == f"GET /ws HTTP/1.1\r\nHost: x\r\nOrigin: y\r\nX-Forwarded-For: {seen}\r\n\r\n".encode()


async def test_a_hub_that_ends_ends_its_lines_and_a_peer_that_leaves_leaves_the_hub(port: int, folder: Path) -> None:
    left = asyncio.Event()

    async def wait(line: websockets.ServerConnection) -> None:
        await line.wait_closed()
        left.set()

    async with _hub(folder, "1", wait):
        line = await websockets.connect(f"ws://127.0.0.1:{port}/ws")
        line.transport.abort()
        await asyncio.wait_for(left.wait(), 20)
        other = await websockets.connect(f"ws://127.0.0.1:{port}/ws")
    await asyncio.wait_for(other.wait_closed(), 20)


async def test_a_peer_that_does_not_read_stops_the_hub_and_not_the_memory(port: int, folder: Path) -> None:
    sent = 0

    async def flood(line: websockets.ServerConnection) -> None:
        nonlocal sent
        while True:
            await line.send(bytes(1_000_000))
            sent += 1

    async with _hub(folder, "1", flood):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2_000)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        before = -1
        while before != sent:  # until the hub is stopped by backpressure
            before = sent
            await asyncio.sleep(0.5)
        assert sent < 60
        writer.transport.abort()
        del reader
