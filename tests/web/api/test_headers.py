"""What every answer carries, and what no answer lets through."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import Shop
from tests.web.api.conftest import Person
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.web.colours import accent, contrast_with_white
from wangxin.web.shield import csp


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]


async def test_no_answer_of_the_interface_may_be_kept_by_anybody_between(
    app: FastAPI, web: httpx.AsyncClient, agent: Person
) -> None:
    for method, path in operations(app):
        for headers in ({}, agent.headers):
            reply = await web.request(method, path, headers=headers)
            assert reply.headers["cache-control"] == "no-store", (method, path)
            assert reply.headers["x-content-type-options"] == "nosniff", (method, path)


async def test_nothing_may_stand_in_a_frame_that_does_not_say_so(web: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/api/v1/me", "/docs", "/openapi.json", "/static/nothing.js", "/media/x/original", "/sso"):
        assert "frame-ancestors 'none'" in (await web.get(path)).headers["content-security-policy"], path


async def test_every_error_has_one_shape_and_the_reference_of_its_request(web: httpx.AsyncClient) -> None:
    for reply in (
        await web.get("/api/v1/nothing"),
        await web.put("/api/v1/login"),
        await web.post("/api/v1/login", content=b"{"),
        await web.get("/api/v1/me"),
        await web.get("/api/v1/shops/nobody"),
    ):
        assert set(reply.json()) == {"code", "detail", "field", "retry", "ref"}
        assert reply.json()["ref"] == reply.headers["x-request-id"]


async def test_a_validation_error_does_not_repeat_what_was_sent(web: httpx.AsyncClient) -> None:
    reply = await web.post("/api/v1/login", json={"login": "anna", "password": "hunter2" * 40})
    assert reply.status_code == 422
    assert "hunter2" not in reply.text


async def test_a_body_above_the_bound_is_refused_with_and_without_a_length(web: httpx.AsyncClient) -> None:
    large = b"x" * (limits.REQUEST_BYTES_MAX + 1)

    async def trickle():  # type: ignore[no-untyped-def]
        for at in range(0, len(large), 65_536):
            yield large[at : at + 65_536]

    told = await web.post("/api/v1/login", content=large)
    untold = await web.post("/api/v1/login", content=trickle())
    for reply in (told, untold):
        assert (reply.status_code, reply.json()["code"]) == (413, "request.too_large")


async def test_a_console_stands_in_no_frame_and_the_shoppers_window_only_on_the_shops_own_pages(
    web: httpx.AsyncClient, shop: Shop, deps: Deps
) -> None:
    await deps.pool.execute(
        "update shop set allowed_origins = $2 where shop_id = $1",
        shop.id,
        ["https://shop.example", "https://evil.example; script-src *", "javascript:alert(1)"],
    )
    for path in ("/agent", "/merchant", "/merchant/rules/7"):
        reply = await web.get(path)
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-frame-options"] == "DENY"
    window = await web.get(f"/chat/{shop.slug}")
    policy = window.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://shop.example")
    assert "x-frame-options" not in window.headers
    assert "unsafe" not in policy


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "x'y", "a,b"])
def test_a_host_header_cannot_write_into_the_policy(host: str) -> None:
    assert host not in csp(host, "'none'")


async def test_pages_that_were_not_built_say_so(web: httpx.AsyncClient, shop: Shop, deps: Deps) -> None:
    from wangxin.web.app import create_app
    from wangxin.web.static import Shelf

    bare = create_app(deps.settings, deps, [], shelf=Shelf(deps.settings.data / "none"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bare), base_url="http://x") as client:
        reply = await client.get("/agent")
        assert reply.status_code == 503
        assert "make pages" in reply.text
        assert (await client.get("/")).status_code == 200


async def test_the_interface_can_be_read_without_any_other_host(web: httpx.AsyncClient) -> None:
    reply = await web.get("/docs")
    assert reply.status_code == 200
    assert "/api/v1/login" in reply.text
    assert "<script" not in reply.text
    assert "//cdn" not in reply.text


async def test_figures_are_not_for_passers_by(web: httpx.AsyncClient, app: FastAPI) -> None:
    assert (await web.get("/metrics")).status_code == 404
    local = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=local, base_url="http://x") as client:
        assert "wangxin_web_requests_total" in (await client.get("/metrics")).text


async def test_health_needs_postgres_only(web: httpx.AsyncClient, deps: Deps) -> None:
    assert (await web.get("/healthz")).json() == {"status": "ok"}


async def test_static_files_are_served_packed_and_named_ones_for_good(tmp_path, deps: Deps) -> None:  # type: ignore[no-untyped-def]
    from wangxin.web.app import create_app
    from wangxin.web.static import Shelf

    (tmp_path / "shopper" / "assets").mkdir(parents=True)
    (tmp_path / "shopper" / "assets" / "x-abc.js").write_text("plain")
    (tmp_path / "shopper" / "assets" / "x-abc.js.br").write_bytes(b"packed")
    (tmp_path / "sdk.js").write_text("sdk")
    (tmp_path / "secret.key").write_text("no")
    served = create_app(deps.settings, deps, [], shelf=Shelf(tmp_path))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://x") as client:
        path = "/static/shopper/assets/x-abc.js"
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.text == "plain"
        assert "immutable" in plain.headers["cache-control"]
        again = await client.get(path, headers={"If-None-Match": plain.headers["etag"]})
        assert again.status_code == 304
        async with client.stream("GET", path, headers={"Accept-Encoding": "gzip, br"}) as packed:
            assert packed.headers["content-encoding"] == "br"
            assert b"".join([part async for part in packed.aiter_raw()]) == b"packed"
        sdk = await client.get("/sdk.js")
        assert sdk.headers["cross-origin-resource-policy"] == "cross-origin"
        for wrong in ("/static/secret.key", "/static/../app.py", "/static/%2e%2e/app.py", "/static/shopper/index.html"):
            assert (await client.get(wrong)).status_code == 404


@pytest.mark.parametrize("colour", ["#ffdd00", "#ffffff", "", "red", "#b3420e", "#12345", "#00ff00;x"])
def test_white_words_can_be_read_on_every_accent(colour: str) -> None:
    shown = accent(colour)
    assert contrast_with_white(*(int(shown[at : at + 2], 16) for at in (1, 3, 5))) >= 4.5


async def test_a_demo_member_is_vouched_for_only_where_the_shop_is_a_demo(
    web: httpx.AsyncClient, shop: Shop, deps: Deps
) -> None:
    asked = {"shop": shop.slug, "member": "m1"}
    await deps.pool.execute("insert into shopper values ($1, gen_random_uuid(), 'm1', '林晓')", shop.id)
    assert (await web.post("/api/v1/demo/member", json=asked)).status_code == 404
    await deps.pool.execute(
        "update shop set settings = $2 where shop_id = $1", shop.id, {"demo": True, "demo_members": {"m1": "v4"}}
    )
    assert (await web.post("/api/v1/demo/member", json={**asked, "member": "m2"})).status_code == 404
    given = (await web.post("/api/v1/demo/member", json=asked)).json()
    assert (await deps.gate.known(given["token"])).actor.name == "林晓"
