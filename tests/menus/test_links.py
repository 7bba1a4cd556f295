"""Links of a menu are really opened before it is published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from menus import links
from menus.check import Known, problems
from menus.model import Draft
from menus.ready import TRADES, all_ready
from wangxin import outbound

HERE = outbound.networks(("127.0.0.1/32",))
STATUS = {"/there": 200, "/moved": 302, "/gone": 404, "/broken": 500}


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        writer.write(f"HTTP/1.1 {STATUS[path]} x\r\nContent-Length: 2\r\n\r\nok".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def menu(*urls: str) -> Draft:
    items: list[dict[str, Any]] = [
        {"id": f"l{at}", "label": "链接", "action": {"kind": "link", "title": "看", "url": url}}
        for at, url in enumerate(urls)
    ]
    return Draft.model_validate({"items": items})


async def test_a_page_that_is_gone_is_an_error_and_a_silent_one_a_warning(site: str) -> None:
    draft = menu("/chat", f"{site}/there", f"{site}/moved", f"{site}/gone", f"{site}/broken", "http://127.0.0.1:9/")
    found = await links.broken(draft, HERE)
    assert [(p.item, p.code, p.level, p.detail) for p in found] == [
        ("l3", "link.gone", "error", "404"),
        ("l4", "link.no_answer", "warning", "500"),
        ("l5", "link.no_answer", "warning", "connection.refused"),
    ]


async def test_no_link_leads_the_server_into_its_own_network_and_the_number_is_bounded(site: str) -> None:
    found = await links.broken(menu(f"{site}/gone", "https://127.0.0.1:9/", "https://169.254.169.254/"), ())
    assert [(p.code, p.detail) for p in found] == [
        ("link.plain", ""), ("link.no_answer", "address.private"), ("link.no_answer", "address.private"),
    ]  # fmt: skip
    many = await links.broken(menu(*[f"{site}/there"] * 23), HERE)
    assert [p.code for p in many] == ["link.not_tried"] * 3


def test_ready_menus_of_each_trade_can_be_published_as_they_stand() -> None:
    assert tuple(all_ready()) == TRADES
    for trade, draft in all_ready().items():
        assert problems(draft, Known()) == [], trade


def test_three_levels_are_lawful_where_the_shop_set_it_so() -> None:
    leaf = {"id": "c", "label": "丙", "action": {"kind": "answer", "text": "好"}}
    middle = {"id": "b", "label": "乙", "action": {"kind": "submenu"}, "items": [leaf]}
    top = {"id": "a", "label": "甲", "action": {"kind": "submenu"}, "items": [middle]}
    draft = Draft.model_validate({"items": [top, {"id": "p", "label": "转人工", "action": {"kind": "human"}}]})
    assert [p.code for p in problems(draft, Known())] == ["item.too_deep"]
    assert problems(draft, Known(depth_max=3)) == []
