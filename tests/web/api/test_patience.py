"""Whoever is slow, or comes too often at once, costs nobody else anything: the public port over real connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
import websockets
from fastapi import FastAPI, Request

from wangxin.storage.sockets import private_folder
from wangxin.web.patience import Callers, patient_class
from wangxin.web.tunnel import Hubs, tunnel_class

GET = b"GET /plain HTTP/1.1\r\nhost: shop.test\r\n"


@asynccontextmanager
async def served(
    folder: Path, *, most: int = 100, head_s: float = 60, body_s: float = 60, trusted: Callable[[str], bool]
) -> AsyncIterator[int]:
    app = FastAPI()
    app.get("/plain")(lambda: {"plain": True})

    @app.post("/plain")
    async def taken(request: Request) -> int:
        return len(await request.body())

    callers = Callers(trusted, most)
    config = uvicorn.Config(
        app, port=0, http=patient_class(callers, head_s=head_s, body_s=body_s), lifespan="off", log_config=None,
        ws=tunnel_class(Hubs(folder), trusted, callers), timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def heard(port: int, *parts: bytes) -> bytes:
    """What the server says to these parts until it closes; empty: it cut the line."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = b""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
            found = await reader.read()
        writer.close()
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path, "hub")


def nobody(_: str) -> bool:
    return False


async def test_heads_and_bodies_that_never_end_are_cut_and_whole_requests_answered(folder: Path) -> None:
    whole = GET + b"connection: close\r\n\r\n"
    slow = b"POST /plain HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
    async with served(folder, head_s=0.3, body_s=0.3, trusted=nobody) as port:
        found = await asyncio.gather(
            heard(port), heard(port, GET), heard(port, slow, b"12"), heard(port, whole), heard(port, slow, b"12345")
        )
        # a second request on a line that was answered once has no longer time than the first
        again = await heard(port, GET + b"\r\n", GET)
    assert found[:3] == [b"", b"", b""]
    assert [one.split(b"\r\n")[0] for one in found[3:]] == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"]
    assert again.count(b"HTTP/1.1") == 1


async def test_one_address_holds_only_so_many_connections_sockets_included(folder: Path) -> None:
    async def echo(line: websockets.ServerConnection) -> None:
        async for message in line:
            await line.send(message)

    async with websockets.unix_serve(echo, str(folder / "hub-1.sock")), served(folder, most=2, trusted=nobody) as port:
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as line:
            _, idle = await asyncio.open_connection("127.0.0.1", port)
            idle.write(GET)
            await idle.drain()
            await line.send("still here")
            assert await line.recv() == "still here"
            assert (await heard(port)).startswith(b"HTTP/1.1 429")
            idle.close()
        async with asyncio.timeout(20):
            while not (await heard(port, GET + b"connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.02)


async def test_a_trusted_proxy_stands_for_many(folder: Path) -> None:
    async with served(folder, most=0, trusted=lambda address: address == "127.0.0.1") as port:
        assert (await heard(port, GET + b"connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
