"""Webhooks: what a shop's own server hears, how it is signed, tried again and sent again, and whom nobody can reach."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from tests.conftest import Chat, Shop
from tests.listening import listening, request_of
from tests.web.api.conftest import Person
from wangxin import outbound
from wangxin.clock import new_id
from wangxin.config import Settings
from wangxin.edge import Deps
from wangxin.model.facts import ConversationClosed, HandoffRequested
from wangxin.storage import outbox
from wangxin.web.app import create_app
from wangxin.web.calling import AGAIN_S, Caller, after

LOCAL = ("127.0.0.0/8",)
Answer = Callable[[], Awaitable[bytes]]


@dataclass
class Till:
    """A shop's own server: keeps what it hears and answers what the test tells it to."""

    port: int = 0
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await request_of(reader))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def till() -> AsyncIterator[Till]:
    found = Till()
    async with listening(found.serve) as found.port:
        yield found


@pytest.fixture
def app(deps: Deps) -> FastAPI:
    settings = Settings(
        data=deps.settings.data, secret=SecretStr("k" * 48), outbound_networks=LOCAL,
        postgres_url=deps.settings.postgres_url, valkey_url=deps.settings.valkey_url,
    )  # fmt: skip
    return create_app(settings, replace(deps, settings=settings), [])


@pytest.fixture
def caller(deps: Deps) -> Caller:
    return Caller(deps.pool, outbound.networks(LOCAL))


def signed_by(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the standard says it, written down a second time."""
    message = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    made = hmac.new(base64.b64decode(secret.split("_")[1]), message, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}" in headers["webhook-signature"].split(" ")


async def test_a_closed_conversation_reaches_the_shops_server_signed_and_is_tried_until_it_is_taken(
    web: httpx.AsyncClient, merchant: Person, deps: Deps, caller: Caller, chat: Chat, shop: Shop
) -> None:
    base, boss = f"/api/v1/settings/{shop.id}/webhooks", merchant.headers
    async with till() as server:
        asked = {"url": f"http://127.0.0.1:{server.port}/in?x=1", "events": ["conversation.closed"]}
        made = (await web.post(base, json=asked, headers=boss)).json()
        hook = f"{base}/{made['id']}"
        closed = ConversationClosed(
            shop=shop.id, thread=chat.thread, conversation=new_id(), shopper=chat.shopper, reason="agent",
            at_ms=1_700_000_000_123,
        )  # fmt: skip
        other = HandoffRequested(shop=shop.id, thread=chat.thread, conversation=new_id(), shopper=chat.shopper, at_ms=1)
        async with deps.pool.acquire() as conn, conn.transaction():
            await outbox.write(conn, [other, closed])
        assert await caller.follow() == 2
        assert await caller.follow() == 0
        server.answer = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"
        assert await caller.work() == 1
        assert await caller.work() == 0, "not before its next moment"
        await deps.pool.execute("update webhook_call set due_at = clock_timestamp()")
        server.answer = Till.answer
        assert await caller.work() == 1
        (first, body), (second, again) = server.heard
        assert body == again
        assert first["webhook-id"] == second["webhook-id"]
        assert signed_by(made["secret"], second, again)
        told = json.loads(again)
        assert (told["type"], told["timestamp"]) == ("conversation.closed", "2023-11-14T22:13:20.123Z")
        ref = await deps.pool.fetchval("select external_id from shopper where id = $1", chat.shopper)
        assert told["data"]["shopper"] == ref
        (call,) = (await web.get(f"{hook}/calls", headers=boss)).json()["calls"]
        assert [(one["status"], one["answer"]) for one in call["attempts"]] == [(503, "busy"), (200, "ok")]
        assert (call["state"], call["body"].encode()) == ("delivered", body)
        (shown,) = (await web.get(base, headers=boss)).json()["webhooks"]
        assert shown["failing_ms"] is None

        fresh = (await web.post(f"{hook}/secret", headers=boss)).json()
        assert (await web.post(f"{hook}/calls/{call['id']}/again", headers=boss)).status_code == 202
        twice = await web.post(f"{hook}/calls/{call['id']}/again", headers=boss)
        assert twice.json()["code"] == "call.waiting"
        assert await caller.work() == 1
        headers, body = server.heard[-1]
        assert headers["webhook-id"] == call["id"]
        assert signed_by(made["secret"], headers, body)
        assert signed_by(fresh["secret"], headers, body)
        kept = str([dict(row) for row in await deps.pool.fetch("select * from audit")])
        assert made["secret"] not in kept
        assert fresh["secret"] not in kept


async def test_a_server_that_says_gone_is_called_no_more_until_somebody_starts_it_again(
    web: httpx.AsyncClient, merchant: Person, deps: Deps, caller: Caller, shop: Shop
) -> None:
    base, boss = f"/api/v1/settings/{shop.id}/webhooks", merchant.headers
    async with till() as server:
        asked = {"url": f"http://127.0.0.1:{server.port}/", "events": ["rating.given"]}
        hook = f"{base}/{(await web.post(base, json=asked, headers=boss)).json()['id']}"
        server.answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
        await web.post(f"{hook}/test", headers=boss)
        await caller.work()
        (shown,) = (await web.get(base, headers=boss)).json()["webhooks"]
        assert shown["stopped_why"] == "gone"
        assert (await web.post(f"{hook}/test", headers=boss)).json()["code"] == "webhook.stopped"
        assert (await web.put(hook, json={**asked, "on": True}, headers=boss)).status_code == 204
        server.answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
        await deps.pool.execute("update webhook set failing_since = clock_timestamp() - interval '6 days'")
        await web.post(f"{hook}/test", headers=boss)
        await caller.work()
        (shown,) = (await web.get(base, headers=boss)).json()["webhooks"]
        assert shown["stopped_why"] == "failing", "a redirect is not followed, and no success for days is enough"
        assert (await web.delete(hook, headers=boss)).status_code == 204
        assert await deps.pool.fetchval("select count(*) from webhook_call") == 0


def test_a_call_is_tried_for_a_day_and_more_and_then_given_up() -> None:
    assert [after(tries, 500)[0] for tries in range(1, 9)] == ["waiting"] * 7 + ["failed"]
    assert sum(AGAIN_S) > 24 * 3_600
    assert after(8, 204) == ("delivered", 0.0)


PRIVATE = """
127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 192.0.0.1 192.0.2.1
198.18.0.1 198.51.100.1 203.0.113.1 192.88.99.1 224.0.0.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 ::ffff:0:a00:1
64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:a00:1:: 2002:7f00:1:: 2001:0:7f00:1:: 2001:0:1:2:3:4:f5ff:fffe
2606:4700::5efe:127.0.0.1 2606:4700::200:5efe:10.0.0.1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd12:3456::1 ff02::1
100::1 2001:db8::1 3fff::1 4000::1 5f00::1
"""


def test_no_private_address_is_called_however_it_is_written() -> None:
    """Mapped, compatible, translated, tunnelled (6to4, Teredo, ISATAP, NAT64) and old site-local addresses."""
    assert [one for one in PRIVATE.split() if outbound.may_call(one, ())] == []


async def test_no_spelling_of_a_private_address_in_a_url_is_called() -> None:
    """As numbers, in octal and hex, short, with a dot at the end, as names that resolvers take for addresses."""
    hosts = (
        "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "127.0.0.1.",
        "localhost", "localhost.", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]", "①②⑦.0.0.1", "127。0。0。1", "127.0.0.1%00.x.example",
        "shop.example@127.0.0.1", "127.0.0.1#@shop.example", "127.0.0.1\\@shop.example", "127.0.0.1:80@shop.example",
    )  # fmt: skip
    told = {}
    for host in hosts:
        with pytest.raises(outbound.Unreachable) as why:
            await outbound.call("GET", f"https://{host}/", {}, timeout_s=5)
        told[host] = why.value.code
    refused = ("address.private", "url.wrong", "name.unknown")
    assert {host: code for host, code in told.items() if code not in refused} == {}


def test_public_addresses_and_the_networks_that_the_house_names_are_called() -> None:
    assert outbound.may_call("93.184.216.34", ())
    assert outbound.may_call("2606:2800:220:1::1", ())
    assert outbound.may_call("64:ff9b::5db8:d822", ())  # a public IPv4 server seen through NAT64
    assert outbound.may_call("::ffff:93.184.216.34", ())
    assert outbound.may_call("fd00:1::7", outbound.networks(["fd00:1::/64"]))
    assert outbound.may_call("10.1.2.3", outbound.networks(["10.1.0.0/16"]))
    assert not outbound.may_call("10.2.2.3", outbound.networks(["10.1.0.0/16"]))


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/", "https://u:p@shop.example/", "https:///x", "ftp://shop.example", "https://shop.example:0/",
     "https://a b/", "https://shop.example/\r\nx: y", "https://shop.example:99999/", "https://店.example/", "x"],
)  # fmt: skip
async def test_what_is_no_address_of_a_server_is_refused_at_its_field(
    url: str, web: httpx.AsyncClient, merchant: Person, shop: Shop, deps: Deps
) -> None:
    asked = {"url": url, "events": ["rating.given"]}
    app = create_app(deps.settings, deps, [])  # a house that allows no private network
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as strict:
        reply = await strict.post(f"/api/v1/settings/{shop.id}/webhooks", json=asked, headers=merchant.headers)
    assert (reply.status_code, reply.json()["field"]) == (422, "url")


ENDLESS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ENDLESS + b"4000\r\n", "answer.broken"),
        (ENDLESS + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 8, "answer.too_large"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "answer.broken"), (b"", "answer.broken"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort", "answer.broken"),
    ],
)  # fmt: skip
async def test_a_broken_or_endless_answer_is_no_answer(answer: bytes, code: str) -> None:
    async with till() as server:
        server.answer = answer
        with pytest.raises(outbound.Unreachable) as why:
            await outbound.call("POST", f"http://127.0.0.1:{server.port}/", {}, b"{}", allowed=outbound.networks(LOCAL))
    assert why.value.code == code


async def test_nothing_waits_for_a_server_that_is_silent_gone_or_private() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    allowed = outbound.networks(LOCAL)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = unused.getsockname()[1]
    for url, networks, code in (
        (f"http://127.0.0.1:{port}/", allowed, "timeout"), (f"http://127.0.0.1:{gone}/", allowed, "connection.refused"),
        (f"https://127.0.0.1:{port}/", (), "address.private"), ("https://localhost/", (), "address.private"),
        ("https://nobody.invalid/", (), "name.unknown"),
    ):  # fmt: skip
        with pytest.raises(outbound.Unreachable) as why:
            await outbound.call("POST", url, {}, b"{}", allowed=networks, timeout_s=0.2 if code == "timeout" else 15)
        assert why.value.code == code
    server.close()


def test_what_callers_are_told_is_closed() -> None:
    from wangxin.web import calling, webhooks

    told: Any = webhooks.Event
    assert set(told.__args__) == set(calling.EVENTS)
