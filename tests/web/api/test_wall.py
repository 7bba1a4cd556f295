"""Nothing of one shop reaches another: every route there is, asked by everybody who has no business there.

A route that is not in ``wall_table.TABLE`` fails the first test: add a row that says who is answered.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import SecretStr

from dispatcher import admin_record
from dispatcher.contracts import Terms
from tests.web.api.two_shops import Side, TwoShops, filled, furnish, picture, two_shops
from tests.web.api.wall_table import TABLE, Row
from wangxin.app import routers, serves
from wangxin.clock import now_ms
from wangxin.config import Settings
from wangxin.edge import Deps, Gate
from wangxin.storage import postgres, valkey
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.hints import Hints
from wangxin.web.app import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("merchant", "supervisor", "agent", "outsourced", "idle", "provider", "member", "guest", "key")
REFUSALS = {
    "token.missing", "token.wrong", "role.wrong", "key.wrong", "key.scope", "monitor.not_allowed", "login.wrong",
    "session.ended", "reply.not_yours", "login.sso_off",
}  # fmt: skip


def the_app(deps: Deps) -> FastAPI:
    return create_app(deps.settings, deps, routers(deps), demo=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shops(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoShops]:
    admin = await asyncpg.connect(embedded_postgres._url("postgres"))
    await admin.execute("create database wall template template_wangxin strategy file_copy")
    url = embedded_postgres._url("wall")
    settings = Settings(
        data=tmp_path_factory.mktemp("wall"), postgres_url=SecretStr(url),
        valkey_url=SecretStr(embedded_valkey.url), secret=SecretStr("k" * 48),
    )  # fmt: skip
    pool, live = await postgres.open_pool(url, most=4), valkey.connect(embedded_valkey.url)
    await live.flushall()
    deps = Deps(settings, pool, live, Hints(live), Gate(pool, settings.signing_key(), serves(pool)))
    async with two_shops(the_app(deps), deps) as both:
        yield both
    pool.terminate()
    await live.aclose()
    await admin.execute("drop database wall with (force)")
    await admin.close()


async def ask(
    shops: TwoShops, route: str, row: Row, who: dict[str, str], path_ids: dict[str, Any], ids: dict[str, Any]
) -> httpx.Response:
    method, path = route.split(" ")
    where = path.format_map(path_ids)
    query, body = filled(row.query, ids), filled(row.body, {**ids, "mark": path_ids["mark"]})
    if row.files:
        files = {"file": ("x.png", picture(), "image/png")}
        return await shops.web.request(method, where, params=query, data=body, files=files, headers=who)
    if path.endswith("/events"):
        who = {**who, "content-type": "application/cloudevents+json"}
    return await shops.web.request(method, where, params=query, json=body, headers=who)


def names_in(template: Any) -> set[str]:
    """The placeholders of a path, query or body that are ids of a shop."""
    text = template if isinstance(template, str) else json.dumps(template, ensure_ascii=False)
    return {name for name in ("shop", "thread", "media", *_IDS, "slug", "mark", "ref") if f"{{{name}}}" in text}


_IDS = (
    "id", "conversation", "pool", "agent", "contract", "rule", "shopper", "crowd", "version", "first_seq", "order",
    "revision", "outsourced_agent", "attempt", "provider", "outsourced_pool", "deed", "key", "kid", "grant",
    "member", "webhook", "call",
)  # fmt: skip


def requests_by_strangers(shops: TwoShops, route: str, row: Row) -> Iterator[tuple[str, str, dict[str, Any], Any]]:
    """(what is swapped, what may come of it, ids in the path, ids elsewhere) of requests of the other shop's people."""
    a, b = shops.ours.ids, shops.theirs.ids
    path = names_in(route)
    given = names_in(row.query) | names_in(row.body)
    open_to_all = "nobody" in row.who
    aims = "shop" in path or bool(given - {"mark"} or path)
    yield "everything", "own" if open_to_all or not aims else row.whole, {**a, "mark": b["mark"]}, a
    if "shop" in path and path - {"shop"}:
        yield "all but the shop in the path", row.elsewhere, {**a, "shop": b["shop"], "mark": b["mark"]}, a
    if given and path:
        yield "query and body", "own" if open_to_all else row.inside, b, a


def shows_nothing_of(side: Side, reply: httpx.Response, sent: str) -> None:
    """What the asker wrote himself may come back to him."""
    assert "set-cookie" not in reply.headers, "cookies would count without the page's doing"
    seen = [secret for secret in side.secrets() if secret in reply.text and secret not in sent]
    assert not seen, f"{seen} of the other shop in {reply.text[:2_000]}"


async def test_every_route_has_its_row(shops: TwoShops) -> None:
    routes = set()
    for path, methods in shops.app.openapi()["paths"].items():
        routes |= {f"{method.upper()} {path}" for method in methods}
    hidden = {"GET /api/v1/menus/{shop}/published"}
    assert set(TABLE) == routes | hidden, "add a row to tests/web/api/wall_table.py, or take one out"


@pytest.mark.parametrize("route", TABLE)
async def test_nobody_else_is_answered_and_nothing_of_the_shop_is_seen_or_changed(route: str, shops: TwoShops) -> None:
    row, ours = TABLE[route], shops.ours
    before = shops.last_record or await shops.record_of(ours)
    if "nobody" not in row.who:
        for who in ({}, {"Authorization": "Bearer wxk_" + "x" * 43}, {"Authorization": "Bearer a.b.c"}):
            reply = await ask(shops, route, row, who, ours.ids, ours.ids)
            assert reply.status_code == 401, reply.text
            assert reply.json()["code"] in REFUSALS
    for kind in (*KINDS, "other_key") if row.who else ():
        if kind not in row.who.split() and "nobody" not in row.who:
            reply = await ask(shops, route, row, ours.people[kind], ours.ids, ours.ids)
            assert_refused(reply, f"{kind} of the same shop")
            shows_nothing_of(ours, reply, "")
    for kind in row.who.split():
        for swapped, outcome, path_ids, ids in requests_by_strangers(shops, route, row):
            reply = await ask(shops, route, row, shops.theirs.people[kind], path_ids, ids)
            what = f"{kind} of the other shop, {swapped} swapped"
            if outcome == "refused":
                assert_refused(reply, what)
            else:
                assert_answered(reply, what)
            if "nobody" not in row.who:
                shows_nothing_of(ours, reply, str(reply.request.url) + repr(filled([row.query, row.body], ids)))
    shops.last_record = None if "nobody" in row.who else await shops.record_of(ours)
    assert shops.last_record in (None, before)


def assert_refused(reply: httpx.Response, what: str) -> None:
    assert reply.status_code in (401, 403, 404), f"{what}: {reply.status_code} {reply.text}"
    code = reply.json()["code"]
    assert code in REFUSALS or code.endswith(".not_found"), f"{what}: {code}"


def assert_answered(reply: httpx.Response, what: str) -> None:
    """Done, or not possible as things stand in the asker's own shop."""
    assert reply.status_code < 300 or reply.status_code == 409, f"{what}: {reply.status_code} {reply.text}"


@pytest.mark.parametrize("route", TABLE)
async def test_the_right_people_are_answered_with_the_same_request(route: str, shops: TwoShops) -> None:
    """Otherwise the refusals above would say nothing."""
    row, ours = TABLE[route], shops.ours
    for kind in row.who.split():
        reply = await ask(shops, route, row, ours.people[kind], ours.ids, ours.ids)
        assert_answered(reply, kind)


async def test_the_end_of_a_contract_ends_what_a_providers_people_see_of_the_shop(shops: TwoShops) -> None:
    """Though an earlier version of it had no end."""
    side = await furnish(shops.web, shops.deps, "ding", "丁店")
    who = side.people["outsourced"]
    routes = [
        (route, row)
        for route, row in TABLE.items()
        if "outsourced" in row.who and ("{shop}" in route or "{thread}" in route or "{thread}" in str(row.query))
    ]
    assert len(routes) >= 10
    for route, row in routes:
        assert_answered(await ask(shops, route, row, who, side.ids, side.ids), route)
    async with shops.deps.pool.acquire() as conn, conn.transaction():
        await admin_record.add_contract_version(
            conn, shop=side.shop.id, id_=UUID(side.ids["contract"]), provider=UUID(side.ids["provider"]),
            pools=[UUID(side.ids["outsourced_pool"])], starts_ms=0, ends_ms=now_ms() - 1, terms=Terms(),
            by=UUID(side.ids["merchant"]),
        )  # fmt: skip
    for route, row in routes:
        reply = await ask(shops, route, row, who, side.ids, side.ids)
        assert_refused(reply, route)
        shows_nothing_of(side, reply, "")
    for route in ("GET /api/v1/desk", "GET /api/v1/desk/waiting", "GET /api/v1/desk/ended"):
        shows_nothing_of(side, await ask(shops, route, TABLE[route], who, side.ids, side.ids), side.mark)
    links = await shops.web.post("/api/v1/media/links", json={"ids": [side.ids["media"]]}, headers=who)
    assert links.status_code == 404 or links.json() == {"links": []}


@pytest.mark.parametrize("route", [route for route, row in TABLE.items() if isinstance(row.body, dict)])
async def test_no_body_takes_a_field_that_is_not_named(route: str, shops: TwoShops) -> None:
    """Or somebody would be given a role, or a shop, by asking for it."""
    row, side = TABLE[route], shops.third
    method, path = route.split(" ")
    if row.files or path.endswith("/events"):  # a form, and a standard that allows more
        return
    who = side.people[(row.who.split() or ["nobody"])[0]]
    for extra in ("role", "shop_id", "supervises", "__proto__"):
        body = {**filled(row.body, side.ids), extra: "merchant"}
        reply = await shops.web.request(method, path.format_map(side.ids), json=body, headers=who)
        assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid"), f"{extra}: {reply.text}"


ODD: tuple[Any, ...] = (
    {"$ne": 1}, [], 1.5, -(10**30), 10**30, None, True, "\x00", "\ud800", "=cmd()", "１", "x" * 5_000,
)  # fmt: skip
ODD_WORDS = ("\x00", "{}", "１", "1.0", "-1", "9" * 40, "x" * 5_000, "..", "' or 1=1 --", "%")


_bent: set[str] = set()


def first_time(what: str) -> bool:
    new = what not in _bent
    _bent.add(what)
    return new


def bent(template: Any) -> Iterator[Any]:
    """Copies of a body with one value of it replaced by something odd; and the odd things alone. What several routes
    take in common is bent in the first of them."""
    yield from ODD
    if not first_time(json.dumps(template)):
        return
    children = template.items() if isinstance(template, dict) else enumerate(template)
    for key, value in children:
        below = bent(value) if isinstance(value, (dict, list)) else ODD
        for odd in below:
            copy = dict(template) if isinstance(template, dict) else list(template)
            copy[key] = odd
            yield copy


@pytest.mark.parametrize("route", TABLE)
async def test_whatever_is_sent_in_place_of_an_id_a_word_or_a_body_the_answer_is_a_plain_one(
    route: str, shops: TwoShops
) -> None:
    row, side = TABLE[route], shops.third
    method, path = route.split(" ")
    who = {**side.people[(row.who.split() or ["nobody"])[0]], "content-type": "application/json"}
    if path.endswith("/events"):
        who["content-type"] = "application/cloudevents+json"
    query, body = filled(row.query, side.ids), filled(row.body, side.ids)
    requests: list[tuple[str, dict[str, Any], bytes | None]] = []
    plain = path.format_map(side.ids), query, None if body is None else json.dumps(body).encode()
    part = path.split("/")[3]  # a name means the same in every route of a part: it is bent in the first of them
    for name in sorted(names_in(path)):
        if first_time(f"{part} path {name}"):
            requests += [
                (path.format_map({**side.ids, name: quote(odd, safe="")}), query, plain[2]) for odd in ODD_WORDS
            ]
    for name in query:
        if first_time(f"{part} query {name}"):
            requests += [(plain[0], {**query, name: odd}, plain[2]) for odd in ODD_WORDS]
    if body is not None and not row.files:
        requests += [(plain[0], query, json.dumps(odd).encode()) for odd in bent(body)]
        requests += [(plain[0], query, raw) for raw in (b"", b"{", b"\xff", b"[" * 3_000, b'{"a":NaN}')]
    for where, asked, sent in requests:
        reply = await shops.web.request(method, where, params=asked, content=sent, headers=who)
        assert reply.status_code < 500, f"{where} {asked} {sent!r}: {reply.text}"
        if reply.status_code >= 400:
            assert set(reply.json()) == {"code", "detail", "field", "retry", "ref"}
