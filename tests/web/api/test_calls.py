"""Calls to an agent's phone while his page sleeps: once for words that wait, signed, and without anybody's words."""

from __future__ import annotations

import base64
from dataclasses import replace

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import Chat, Shop
from tests.web.api.conftest import Person
from tests.web.api.test_webhooks import LOCAL, till
from wangxin import outbound
from wangxin.chat import rest_calls
from wangxin.chat.rest_calls import Calls
from wangxin.clock import new_id
from wangxin.config import Settings
from wangxin.edge import Deps
from wangxin.web.app import create_app


async def waits(deps: Deps, chat: Chat, agent: Person, seconds: int) -> None:
    await deps.pool.execute(
        "update thread set agent_id = $2, state = 'assigned', conversation_id = coalesce(conversation_id, $4),"
        " awaiting_since = clock_timestamp() - make_interval(secs => $3) where id = $1",
        chat.thread, agent.id, seconds, new_id(),
    )  # fmt: skip


async def test_a_phone_is_called_once_for_words_that_wait_and_forgotten_when_its_browser_gave_it_up(
    deps: Deps, agent: Person, chat: Chat, shop: Shop
) -> None:
    settings = Settings(**{**deps.settings.model_dump(), "outbound_networks": LOCAL})
    app = create_app(settings, replace(deps, settings=settings), [rest_calls.router(replace(deps, settings=settings))])
    calls = Calls(deps.pool, settings.signing_key(), outbound.networks(LOCAL))
    async with (
        till() as service,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as web,
    ):
        endpoint = f"http://127.0.0.1:{service.port}/send/abc"
        key = (await web.get("/api/v1/desk/calls", headers=agent.headers)).json()["key"]
        wrong = await web.put("/api/v1/desk/calls", json={"endpoint": "ftp://x"}, headers=agent.headers)
        assert wrong.json()["code"] == "device.wrong"
        for _ in range(2):
            kept = await web.put("/api/v1/desk/calls", json={"endpoint": endpoint}, headers=agent.headers)
            assert kept.status_code == 204
        await waits(deps, chat, agent, 5)
        assert await calls.ring() == 0, "whoever sits at the page answers sooner"
        await deps.pool.execute("update agent_device set called_for = null")
        await waits(deps, chat, agent, 20)
        assert [await calls.ring(), await calls.ring()] == [1, 0]
        ((headers, body),) = service.heard
        assert body == b""
        assert headers["urgency"] == "high"
        token, said = headers["authorization"].removeprefix("vapid t=").split(", k=")
        assert said == key
        point = base64.urlsafe_b64decode(key + "=")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims = jwt.decode(token, public, algorithms=["ES256"], audience=f"http://127.0.0.1:{service.port}")
        assert claims["sub"].startswith("mailto:")
        service.answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
        await waits(deps, chat, agent, 18)
        assert await calls.ring() == 1
        assert await deps.pool.fetchval("select count(*) from agent_device") == 0
        for number in range(7):
            asked = {"endpoint": f"{endpoint}{number}"}
            await web.put("/api/v1/desk/calls", json=asked, headers=agent.headers)
        assert await deps.pool.fetchval("select count(*) from agent_device") == 5
        gone = await web.delete("/api/v1/desk/calls", params={"endpoint": f"{endpoint}6"}, headers=agent.headers)
        assert gone.status_code == 204
        assert await deps.pool.fetchval("select count(*) from agent_device") == 4
