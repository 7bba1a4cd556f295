"""Single sign-on: who was invited comes in as himself, and nobody else, whatever an issuer or a browser sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from tests.conftest import Shop
from tests.web.api.conftest import PASSWORD, make_person
from tests.web.api.issuer import CLIENT, SECRET, Issuer, running
from wangxin import sso
from wangxin.clock import monotonic_ms, now_ms
from wangxin.edge import Deps, Gate
from wangxin.model import limits
from wangxin.web.app import create_app

MINE = "b" * 43


@pytest.fixture(scope="module")
def server() -> Iterator[Issuer]:
    with running("http://shop.test/sso") as issuer:
        yield issuer


@pytest.fixture
def issuer(server: Issuer) -> Issuer:
    """As it was in the beginning."""
    fresh = Issuer(server.back, server.url, key=server.key)
    server.__dict__.update(fresh.__dict__)
    return server


@pytest.fixture
def single(deps: Deps, issuer: Issuer) -> Deps:
    changed = deps.settings.model_copy(
        update={
            "public_url": "http://shop.test/", "oidc_issuer": issuer.url, "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET), "oidc_name": "森野账号", "outbound_networks": ("127.0.0.1/32",),
        }
    )  # fmt: skip
    return replace(deps, settings=changed)


@pytest.fixture
async def web(single: Deps) -> AsyncIterator[httpx.AsyncClient]:
    async with asked(single) as client:
        yield client


def asked(deps: Deps) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(deps.settings, deps, []), client=("203.0.113.7", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://shop.test")


async def begin(web: httpx.AsyncClient, binding: str = MINE) -> str:
    reply = await web.post("/api/v1/login/sso/begin", json={"binding": binding, "console": "agent"})
    assert reply.status_code == 200, reply.text
    url: str = reply.json()["url"]
    return url


async def finish(web: httpx.AsyncClient, came: dict[str, str], binding: str = MINE) -> httpx.Response:
    return await web.post("/api/v1/login/sso/finish", json={**came, "binding": binding})


async def enter(web: httpx.AsyncClient, issuer: Issuer) -> httpx.Response:
    return await finish(web, issuer.authorize(await begin(web)))


async def test_who_was_invited_comes_in_and_whoever_knew_his_first_password_is_out(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, issuer: Issuer
) -> None:
    invited = await make_person(deps, "anna@example.com", [shop.id])
    assert (await web.get("/api/v1/me", headers=invited.headers)).status_code == 200
    assert (await web.get("/api/v1/login/sso")).json() == {"on": True, "name": "森野账号", "only": False}
    given = (await enter(web, issuer)).json()
    assert given["person"]["login"] == "anna@example.com"
    now = {"Authorization": f"Bearer {given['token']}"}
    assert (await web.get("/api/v1/me", headers=now)).json()["id"] == str(invited.id)
    assert (await web.get("/api/v1/me", headers=invited.headers)).json()["code"] == "session.ended"
    known = {"login": "anna@example.com", "password": PASSWORD}
    assert (await web.post("/api/v1/login", json=known)).json()["code"] == "login.wrong"
    assert (await web.post("/api/v1/refresh", json={"refresh": given["refresh"]})).status_code == 200

    issuer.person["email"] = "anna.new@example.com"  # married: the same person at the issuer
    again = (await enter(web, issuer)).json()
    assert again["person"]["id"] == str(invited.id)
    assert (await web.get("/api/v1/me", headers=now)).status_code == 200, "a second login ends nothing"
    issuer.person.update(sub="s2", email="anna@example.com")  # her old address was given to somebody else
    assert (await enter(web, issuer)).json()["code"] == "login.sso_unknown"
    await deps.pool.execute("update account set disabled_at = now() where id = $1", invited.id)
    issuer.person.update(sub="s1")
    assert (await enter(web, issuer)).json()["code"] == "login.sso_unknown"


async def test_only_invited_and_verified_addresses_come_in(
    web: httpx.AsyncClient, single: Deps, shop: Shop, issuer: Issuer
) -> None:
    assert (await enter(web, issuer)).json()["code"] == "login.sso_unknown"
    await make_person(single, "anna@example.com", [shop.id])
    for wrong in ({"email_verified": False}, {"email_verified": "yes"}, {"email": ""}, {"email": ["anna@example.com"]}):
        issuer.claims = wrong
        assert (await enter(web, issuer)).json()["code"] == "login.sso_unknown", wrong
    issuer.claims, issuer.drop = {}, {"email_verified"}
    assert (await enter(web, issuer)).json()["code"] == "login.sso_unknown"
    trusting = replace(single, settings=single.settings.model_copy(update={"oidc_trust_addresses": True}))
    async with asked(trusting) as lenient:
        issuer.claims = {"email": " ANNA@example.com "}
        assert (await enter(lenient, issuer)).status_code == 200


_LIES: list[tuple[str, Callable[[Issuer], Any]]] = [
    ("another issuer", lambda i: i.claims.update(iss="https://evil.example")),
    ("for another client", lambda i: i.claims.update(aud="other")),
    ("for several, and not by us", lambda i: i.claims.update(aud=[CLIENT, "other"])),
    ("by another client", lambda i: i.claims.update(azp="other")),
    ("expired", lambda i: i.claims.update(exp=1_700_000_000)),
    ("not yet", lambda i: i.claims.update(nbf=4_000_000_000)),
    ("no end", lambda i: i.drop.add("exp")),
    ("old", lambda i: i.claims.update(iat=1_700_000_000)),
    ("another login's nonce", lambda i: i.claims.update(nonce="n" * 43)),
    ("no nonce", lambda i: i.drop.add("nonce")),
    ("a number as nonce", lambda i: i.claims.update(nonce=7)),
    ("nobody", lambda i: i.claims.update(sub="")),
    ("NUL in who", lambda i: i.claims.update(sub="s\x00")),
    ("signed by another", lambda i: setattr(i, "signs_with", rsa.generate_private_key(65_537, 2_048))),
    ("signed with our secret", lambda i: (setattr(i, "signs_with", SECRET * 2), setattr(i, "algorithm", "HS256"))),
    ("not signed", lambda i: setattr(i, "algorithm", "none")),
    ("a key that it does not publish", lambda i: setattr(i, "published", False)),
]


@pytest.mark.parametrize("lie", [lie for _, lie in _LIES], ids=[name for name, _ in _LIES])
async def test_a_token_that_does_not_hold_is_refused(
    lie: Callable[[Issuer], Any], web: httpx.AsyncClient, deps: Deps, shop: Shop, issuer: Issuer
) -> None:
    await make_person(deps, "anna@example.com", [shop.id])
    lie(issuer)
    reply = await enter(web, issuer)
    assert (reply.status_code, reply.json()["code"]) == (401, "login.sso_refused")
    assert await deps.pool.fetchval("select count(*) from account_identity") == 0


async def test_a_login_ends_where_it_began_once_and_in_time(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, issuer: Issuer
) -> None:
    await make_person(deps, "anna@example.com", [shop.id])
    theirs = issuer.authorize(await begin(web, "a" * 43))  # an attacker's own login, sent to a victim as a link
    assert (await finish(web, theirs)).json()["code"] == "login.sso_state"
    mine = issuer.authorize(await begin(web))
    assert (await finish(web, {**mine, "state": theirs["state"]})).json()["code"] == "login.sso_state"
    swapped = issuer.authorize(await begin(web))  # a code of one login with the state of another
    assert (await finish(web, {**swapped, "code": mine["code"]})).json()["code"] == "login.sso_refused"
    good = issuer.authorize(await begin(web))
    assert (await finish(web, good)).status_code == 200
    assert (await finish(web, good)).json()["code"] == "login.sso_state"
    for state in ("x", sso.begin("another key" * 4, "1", MINE, "agent", now_ms()),
                  sso.begin(deps.gate.key, "1", MINE, "agent", now_ms() - limits.SSO_MS_MAX - 2_000)):  # fmt: skip
        assert (await finish(web, {"code": "c", "state": state})).json()["code"] == "login.sso_state"


async def test_the_browser_is_sent_on_to_the_console_that_began_and_nowhere_else(
    web: httpx.AsyncClient, issuer: Issuer
) -> None:
    came = issuer.authorize(await begin(web))
    reply = await web.get("/sso", params={**came, "next": "https://evil.example"})
    assert reply.status_code == 303
    where = urlsplit(reply.headers["location"])
    assert (where.netloc, where.path, set(parse_qs(where.query))) == ("", "/agent", {"code", "state"})
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (await web.get("/sso", params={"code": "c", "state": "//evil"})).headers["location"] == "/agent?error=state"


async def test_an_issuer_that_is_away_or_somebody_else_is_told(web: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.document = {"issuer": "https://evil.example"}
    asked_for = {"binding": MINE, "console": "agent"}
    reply = await web.post("/api/v1/login/sso/begin", json=asked_for)
    assert (reply.status_code, reply.json()["code"]) == (503, "login.sso_away")
    issuer.document = {"token_endpoint": None}
    assert (await web.post("/api/v1/login/sso/begin", json=asked_for)).json()["code"] == "login.sso_away"
    issuer.document = {}
    came = issuer.authorize(await begin(web))
    issuer.document, issuer.away = {}, True
    assert (await finish(web, came)).json()["code"] in ("login.sso_refused", "login.sso_away")


async def test_its_address_is_judged_like_any_other(deps: Deps, single: Deps) -> None:
    closed = replace(single, settings=single.settings.model_copy(update={"outbound_networks": ()}))
    async with asked(closed) as web:
        reply = await web.post("/api/v1/login/sso/begin", json={"binding": MINE, "console": "agent"})
        assert (reply.status_code, reply.json()["code"]) == (503, "login.sso_away")
    async with asked(deps) as web:
        assert (await web.get("/api/v1/login/sso")).json()["on"] is False
        for what in ("begin", "finish"):
            sent = (
                {"binding": MINE, "console": "agent"}
                if what == "begin"
                else {"binding": MINE, "code": "c", "state": "s"}
            )
            assert (await web.post(f"/api/v1/login/sso/{what}", json=sent)).json()["code"] == "login.sso_off"


async def test_a_changed_key_of_the_issuer_is_found_and_not_asked_for_without_end(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_person(deps, "anna@example.com", [shop.id])
    assert (await enter(web, issuer)).status_code == 200
    issuer.key, issuer.kid = rsa.generate_private_key(65_537, 2_048), "k2"
    assert (await enter(web, issuer)).json()["code"] == "login.sso_refused", "asked a moment ago"
    assert issuer.seen.count("/keys") == 1
    began = monotonic_ms()
    monkeypatch.setattr("wangxin.clock.monotonic_ms", lambda: began + limits.SSO_KEYS_AGAIN_MS)
    assert (await enter(web, issuer)).status_code == 200
    assert issuer.seen.count("/keys") == 2


async def test_passwords_may_be_closed(single: Deps, shop: Shop) -> None:
    await make_person(single, "anna@example.com", [shop.id])
    closed = replace(single, settings=single.settings.model_copy(update={"oidc_only": True}))
    assert isinstance(closed.gate, Gate)
    async with asked(closed) as web:
        assert (await web.get("/api/v1/login/sso")).json()["only"] is True
        reply = await web.post("/api/v1/login", json={"login": "anna@example.com", "password": PASSWORD})
        assert (reply.status_code, reply.json()["code"]) == (403, "login.sso_only")
