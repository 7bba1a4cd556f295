"""What a merchant gives his own servers: keys, signing secrets, the pages that may show the window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

import push.rest
from tests.conftest import Shop
from tests.web.api.conftest import Person
from wangxin import auth
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.web.app import create_app

EVENT = {
    "specversion": "1.0", "id": "1", "source": "/erp", "type": "order.paid", "subject": "m1",
    "data": {"order_id": "88001", "amount_fen": 18_900},
}  # fmt: skip


@pytest.fixture
async def web(deps: Deps) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(deps.settings, deps, [push.rest.router(deps)])
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test/api/v1") as client:
        yield client


@pytest.fixture
def base(shop: Shop) -> str:
    return f"/settings/{shop.id}"


async def report(web: httpx.AsyncClient, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    return await web.post("/events", json=EVENT, headers=headers)


async def who_is(web: httpx.AsyncClient, token: str) -> tuple[int, str]:
    """(status, code) of a member's own request."""
    reply = await web.get("/shopper/unread", headers={"Authorization": f"Bearer {token}"})
    return reply.status_code, reply.json().get("code", "")


async def test_a_key_is_shown_once_opens_the_door_it_is_for_and_is_shut_out_at_once(
    web: httpx.AsyncClient, merchant: Person, deps: Deps, base: str
) -> None:
    made = await web.post(f"{base}/keys", json={"name": "ERP", "scopes": ["events"]}, headers=merchant.headers)
    assert made.status_code == 201
    key = made.json()["key"]
    assert (await report(web, key)).json() == {"received": 1, "duplicates": 0}
    shown = (await web.get(base, headers=merchant.headers)).json()["keys"]
    assert [(one["name"], one["hint"], one["scopes"]) for one in shown] == [("ERP", key[-4:], ["events"])]
    assert shown[0]["used_ms"] is not None
    stored = str([dict(row) for row in await deps.pool.fetch("select * from api_key")])
    kept = str([dict(row) for row in await deps.pool.fetch("select * from audit")])
    assert key not in stored + kept + str(shown)
    assert (await web.delete(f"{base}/keys/{shown[0]['id']}", headers=merchant.headers)).status_code == 204
    refused = await report(web, key)
    assert (refused.status_code, refused.json()["code"]) == (401, "key.wrong")
    again = await web.delete(f"{base}/keys/{shown[0]['id']}", headers=merchant.headers)
    assert (again.status_code, again.json()["code"]) == (404, "key.not_found")
    deeds = await deps.pool.fetch("select action, actor_id from audit order by at")
    assert [tuple(row) for row in deeds] == [("key.make", merchant.id), ("key.revoke", merchant.id)]


async def test_a_shop_has_only_so_many_keys_and_only_scopes_that_there_are(
    web: httpx.AsyncClient, merchant: Person, base: str
) -> None:
    wrong = await web.post(f"{base}/keys", json={"name": "x", "scopes": ["admin"]}, headers=merchant.headers)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "request.invalid")
    for number in range(limits.API_KEYS_MAX):
        assert (await web.post(f"{base}/keys", json={"name": f"{number}"}, headers=merchant.headers)).is_success
    full = await web.post(f"{base}/keys", json={"name": "one more"}, headers=merchant.headers)
    assert (full.status_code, full.json()["code"]) == (409, "key.too_many")


async def test_a_new_signing_secret_takes_over_without_a_gap_and_the_old_one_can_be_ended(
    web: httpx.AsyncClient, merchant: Person, shop: Shop, base: str, deps: Deps
) -> None:
    old = auth.sign_member(shop.slug, "m1", "林晓", "v1", shop.secret, now_ms())
    made = (await web.post(f"{base}/secrets", headers=merchant.headers)).json()
    assert (made["kid"], len(made["secret"])) == ("k2", 43)
    claims = {"shop": shop.slug, "sub": "m1", "name": "林晓", "exp": now_ms() // 1000 + 600, "aud": "wangxin"}
    new = jwt.encode(claims, made["secret"], algorithm="HS256", headers={"kid": "k2"})
    nameless = jwt.encode(claims, made["secret"], algorithm="HS256")
    wrongly_named = jwt.encode(claims, made["secret"], algorithm="HS256", headers={"kid": "k1"})
    for token in (old, new, nameless):
        assert await who_is(web, token) == (200, "")
    assert await who_is(web, wrongly_named) == (401, "token.wrong")
    shown = (await web.get(base, headers=merchant.headers)).json()
    assert [(one["kid"], one["ends_ms"] is None) for one in shown["secrets"]] == [("k2", True), ("k1", False)]
    assert made["secret"] not in str(shown)
    in_use = await web.delete(f"{base}/secrets/k2", headers=merchant.headers)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "secret.in_use")
    assert (await web.delete(f"{base}/secrets/k1", headers=merchant.headers)).status_code == 204
    assert await who_is(web, old) == (401, "token.wrong")
    assert await who_is(web, new) == (200, "")
    await web.post(f"{base}/secrets", headers=merchant.headers)
    await deps.pool.execute("update retired_secret set ends_at = clock_timestamp() where kid = 'k2'")
    assert await who_is(web, new) == (401, "token.wrong")
    for _ in range(limits.RETIRED_SECRETS_MAX):
        assert (await web.post(f"{base}/secrets", headers=merchant.headers)).status_code == 201
    many = await web.post(f"{base}/secrets", headers=merchant.headers)
    assert (many.status_code, many.json()["code"]) == (409, "secret.too_many")


def _token(shop: Shop, /, *, secret: str | None = None, algorithm: str = "HS256", **claims: Any) -> str:
    said = {"shop": shop.slug, "sub": "m1", "exp": now_ms() // 1000 + 600, **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, shop.secret if secret is None else secret, algorithm=algorithm)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({}, ""),
        ({"aud": ["other", "wangxin"]}, ""),
        ({"secret": "", "algorithm": "none"}, "token.wrong"),
        ({"algorithm": "HS512"}, "token.wrong"),
        ({"secret": "t" * 43}, "token.wrong"),
        ({"aud": "payments"}, "token.wrong"),
        ({"aud": []}, "token.wrong"),
        ({"exp": None}, "token.wrong"),
        ({"nbf": 4_000_000_000}, "token.wrong"),
        ({"nbf": "soon"}, "token.wrong"),
        ({"exp": "soon"}, "token.wrong"),
        ({"exp": 9_999_999_999}, "token.wrong"),
        ({"exp": 1_000_000_000}, "token.expired"),
        ({"sub": None}, "token.wrong"),
        ({"sub": {"$ne": ""}}, "token.wrong"),
        ({"sub": "x" * 201}, "token.wrong"),
        ({"kind": "account"}, "token.wrong"),
        ({"kind": "visitor"}, "token.wrong"),
        ({"kind": "media"}, "token.wrong"),
        ({"shop": "other"}, "token.wrong"),
        ({"shop": None}, "token.wrong"),
        ({"shop": "a\x00b"}, "token.wrong"),
        ({"shop": ["senye"]}, "token.wrong"),
        ({"sub": "m\x001"}, "token.wrong"),
        ({"sub": "\ud800"}, "token.wrong"),
        ({"name": "\udfff"}, "token.wrong"),
        ({"name": 7}, "token.wrong"),
    ],
    ids=str,
)
async def test_a_member_token_is_what_the_shop_signed_for_this_purpose_and_for_an_hour_at_most(
    how: dict[str, Any], code: str, web: httpx.AsyncClient, shop: Shop
) -> None:
    assert (await who_is(web, _token(shop, **how)))[1] == code


@pytest.mark.parametrize(
    "origin",
    ["shop.example", "https://shop.example/", "https://a@shop.example", "https://shop.example:0", "https://*",
     "https://shop.example`.evil.example", "https://shop.example;x", "null", "javascript:alert(1)", "https://店.example"],
)  # fmt: skip
async def test_what_is_no_origin_is_not_taken_as_one(
    origin: str, web: httpx.AsyncClient, merchant: Person, base: str
) -> None:
    reply = await web.put(f"{base}/origins", json={"origins": [origin]}, headers=merchant.headers)
    assert (reply.status_code, reply.json()["field"]) == (422, "origins.0")


async def test_the_pages_that_a_merchant_names_may_show_the_window(
    web: httpx.AsyncClient, merchant: Person, shop: Shop, base: str
) -> None:
    wanted = {"origins": ["https://Shop.Example:8443", "https://shop.example:8443"]}
    reply = await web.put(f"{base}/origins", json=wanted, headers=merchant.headers)
    assert reply.json() == {"origins": ["https://shop.example:8443"]}
    window = await web.get(f"http://shop.test/chat/{shop.slug}")
    assert window.headers["content-security-policy"].endswith("frame-ancestors 'self' https://shop.example:8443")
