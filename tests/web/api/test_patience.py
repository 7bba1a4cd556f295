"""Whoever is slow, or comes too often at once, costs nobody else anything: the public port over real connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn
import websockets
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY

from push.rest import router as push_router
from tests.conftest import Shop
from tests.web.api.conftest import Person
from wangxin.callers import Callers, Pace, trusting
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.storage import keys
from wangxin.storage.sockets import private_folder
from wangxin.web.app import create_app
from wangxin.web.patience import patient_class
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


async def test_an_address_a_person_and_a_shop_each_have_their_pace_and_wait_as_told(
    deps: Deps, shop: Shop, agent: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_ADDRESS", "REQUESTS_SHOPPER", "REQUESTS_STAFF", "REQUESTS_SHOP"):
        monkeypatch.setattr(limits, name, (0.5, {"REQUESTS_ADDRESS": 6}.get(name, 2)))
    paced = replace(deps, pace=Pace(trusting(["10.0.0.0/8"])))
    await keys.keep_api_key(deps.pool, shop.id, new_id(), "events", "wxk_" + "k" * 40, ["events"])
    app = create_app(deps.settings, paced, [push_router(paced)])

    def people(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://shop.test")

    def codes(replies: list[httpx.Response]) -> list[str]:
        for reply in replies:
            if reply.status_code == 429:
                assert 1 <= int(reply.headers["retry-after"]) <= 2
                assert 0 < reply.json()["retry"] <= 2_000
        return [reply.json().get("code", "") if reply.status_code >= 400 else "" for reply in replies]

    async with people("203.0.113.7") as here, people("203.0.113.8") as there, people("10.1.1.1") as proxy:
        assert codes([await here.get("/api/v1/me", headers=agent.headers) for _ in range(3)]) == ["", "", "rate.person"]
        assert codes([await there.get("/api/v1/me", headers=agent.headers)]) == ["rate.person"], "wherever he is"
        assert codes([await here.get("/api/v1/shops/nobody") for _ in range(4)])[-2:] == [
            "shop.not_found", "rate.address"
        ]  # fmt: skip
        assert codes([await there.get("/healthz")]) == [""]
        assert codes([await proxy.get("/healthz") for _ in range(9)]) == [""] * 9
        key = {"Authorization": "Bearer wxk_" + "k" * 40, "Content-Type": "application/json"}
        told = codes([await proxy.post("/api/v1/events", json={}, headers=key) for _ in range(3)])
        assert told[2] == "rate.shop"
        assert "rate.shop" not in told[:2]
    figures = REGISTRY.get_sample_value("wangxin_web_limited_total", {"code": "rate.person"})
    assert figures is not None
    assert figures >= 2


async def test_new_guests_of_one_shop_are_bounded_from_wherever_they_come(
    web: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GUESTS_PER_MINUTE_SHOP", 0)
    reply = await web.post("/api/v1/visitor", json={"shop": shop.slug})
    assert (reply.status_code, reply.json()["code"]) == (429, "guest.too_often")
