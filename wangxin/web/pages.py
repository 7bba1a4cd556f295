"""The pages people open: the shopper's window, the two consoles, a shop's page with the launcher, and the way to them.

``/chat/<shop>`` may stand in a frame on the shop's own origins; nothing else may stand in a frame at all.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from string import Template

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from wangxin.edge import Deps
from wangxin.model.refusals import not_found
from wangxin.storage import shoppers
from wangxin.web.shield import MICROPHONE, csp
from wangxin.web.static import Shelf

MISSING = """The pages were not built into this installation (they were left out, or their build failed).
Build them with `make pages` (or `python hatch_build.py`) and start again.
The REST interface and the sockets work without them."""

_PLAIN = Template("""<!doctype html>
<html lang="$lang"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/plain.css"></head>
<body><main>$body</main></body></html>
""")

PLAIN_CSS = """:root{color-scheme:light dark}body{font:16px/1.6 system-ui,"PingFang SC","Noto Sans CJK SC",sans-serif;
margin:0;padding:6vh 5vw;background:Canvas;color:CanvasText}main{max-width:46rem;margin:0 auto}h1{font-size:1.5rem}
h2{font-size:1.1rem;margin-top:2rem}a{color:LinkText}code{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
li{margin:.4rem 0}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem .3rem 0;
vertical-align:top;border-bottom:1px solid color-mix(in srgb,CanvasText 15%,Canvas)}pre{white-space:pre-wrap}
"""


def plain(title: str, body: str, *, status: int = 200, lang: str = "en", headers: dict[str, str]) -> HTMLResponse:
    """A page without any script. ``body`` is HTML: whatever comes from elsewhere must be escaped already."""
    return HTMLResponse(
        _PLAIN.substitute(title=html.escape(title), body=body, lang=lang), status_code=status,
        headers={"Cache-Control": "no-cache", **headers},
    )  # fmt: skip


def _ancestors(origins: Iterable[str]) -> str:
    """Only what is an origin gets into the policy: one word with a semicolon in it would rewrite the rest."""
    good = [
        origin for origin in origins if origin.startswith(("https://", "http://")) and not set(origin) & set(" ;,'\"")
    ]
    return " ".join(["'self'", *good])


def router(deps: Deps, shelf: Shelf) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    def page(request: Request, name: str, ancestors: str = "'none'") -> Response:
        headers = {"Content-Security-Policy": csp(request.headers.get("host", ""), ancestors)}
        if ancestors == "'none'":
            headers["X-Frame-Options"] = "DENY"
        else:  # it stands in other shops' pages: its opener is not ours
            headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            # Whoever writes to a shop may also speak; the embedding page has a say in it as well.
            headers["Permissions-Policy"] = MICROPHONE
        found = shelf.serve(request, name, headers=headers)
        if found is None:
            return plain("wangxin", f"<h1>wangxin</h1><pre>{html.escape(MISSING)}</pre>", status=503, headers=headers)
        return found

    def service_worker(request: Request, name: str, scope: str) -> Response:
        headers = {"Service-Worker-Allowed": scope, "Cache-Control": "no-cache"}
        found = shelf.serve(request, name, headers=headers)
        if found is None:
            raise not_found("page")
        return found

    @routes.get("/chat/{slug}")
    async def chat(slug: str, request: Request) -> Response:
        shop = await shoppers.find_shop(deps.pool, slug)
        if shop is None or shop.slug != slug:
            raise not_found("shop")
        return page(request, "shopper/index.html", _ancestors(shop.allowed_origins))

    @routes.get("/inbox")
    async def inbox(request: Request) -> Response:
        """All shops' threads of one person: by itself, or in a frame on a page that one of the shops trusts."""
        origins = await deps.pool.fetch("select distinct unnest(allowed_origins) as origin from shop limit 200")
        return page(request, "inbox/index.html", _ancestors(row["origin"] for row in origins))

    @routes.get("/agent")
    @routes.get("/agent/{rest:path}")
    async def agent(request: Request, rest: str = "") -> Response:
        return page(request, "consoles/agent/index.html")

    @routes.get("/agent-sw.js")
    async def agent_worker(request: Request) -> Response:
        """Keeps the console's files for when there is no network, and takes calls while its page sleeps."""
        return service_worker(request, "agent-sw.js", "/agent")

    @routes.get("/shopper-sw.js")
    async def shopper_worker(request: Request) -> Response:
        """Takes a shop's words while its window is closed."""
        return service_worker(request, "shopper-sw.js", "/chat")

    @routes.get("/merchant")
    @routes.get("/merchant/{rest:path}")
    async def merchant(request: Request, rest: str = "") -> Response:
        return page(request, "consoles/merchant/index.html")

    @routes.get("/demo")
    async def demo() -> Response:
        slug = await deps.pool.fetchval(
            "select slug from shop where settings->>'demo' = 'true' order by created_at limit 1"
        )
        if slug is None:
            raise not_found("demo")
        return RedirectResponse(f"/demo/{slug}", status_code=302)

    @routes.get("/demo/{slug}")
    async def demo_host(slug: str, request: Request) -> Response:
        """A shop's page that carries the launcher, as any shop would embed it."""
        shop = await shoppers.find_shop(deps.pool, slug)
        if shop is None or shop.slug != slug or shop.settings.get("demo") is not True:
            raise not_found("shop")
        return page(request, "host.html")

    @routes.get("/sdk.js")
    async def sdk(request: Request) -> Response:
        found = shelf.serve(request, "sdk.js")
        if found is None:
            raise not_found("page")
        return found

    @routes.get("/static/{name:path}")
    async def static(name: str, request: Request) -> Response:
        found = None if name.endswith(".html") else shelf.serve(request, name)
        if found is None:
            raise not_found("page")
        return found

    @routes.get("/plain.css")
    async def plain_css() -> Response:
        return Response(PLAIN_CSS, media_type="text/css", headers={"Cache-Control": "public, max-age=600"})

    @routes.get("/")
    async def index(request: Request) -> Response:
        """The way to everything: for people who type the bare address."""
        slugs = await deps.pool.fetch(
            "select slug, name from shop where settings->>'demo' = 'true' order by created_at limit 10"
        )
        shops = "".join(
            f'<li><a href="/chat/{html.escape(row["slug"])}">{html.escape(row["name"])}</a> · '
            f'<a href="/demo/{html.escape(row["slug"])}">店铺页 shop page</a></li>'
            for row in slugs
        )
        body = (
            "<h1>旺信 wangxin</h1>"
            + (f"<h2>买家窗口 Shopper window</h2><ul>{shops}</ul>" if shops else "")
            + '<p><a href="/inbox">全部消息 all messages</a></p>'
            + '<h2>工作台 Consoles</h2><ul><li><a href="/agent">客服工作台 agent console</a></li>'
            '<li><a href="/merchant">商家后台 merchant console</a></li></ul>'
            '<h2>接口 Interfaces</h2><ul><li><a href="/docs">REST</a> (<a href="/openapi.json">openapi.json</a>)</li>'
            '<li><a href="/asyncapi.json">asyncapi.json</a></li></ul>'
        )
        headers = {"Content-Security-Policy": csp(request.headers.get("host", ""), "'none'")}
        return plain("wangxin", body, lang="zh-CN", headers=headers)

    return routes
