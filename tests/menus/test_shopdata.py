"""Taps answered by a shop's own server: the demo shop's, which runs as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from menus import publishing, record_shopdata
from menus import record_postgres as record
from menus.errands import Errands
from menus.model import Draft
from menus.shop import conformance, wire
from menus.shop import desk as shop_desk
from menus.shop.caller import Caller, ShopSilent, Source
from tests.house.installation import wangxin
from tests.menus.conftest import Window
from tests.web.house import free_port
from wangxin.chat import desk, desk_record
from wangxin.clock import new_id, now_ms
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.protocol.frames import MenuTap
from wangxin.storage.hints import Hints

SECRET = "whsec_" + "c2hvcC1kYXRhLXNlY3JldA=="
MEMBER = "m1001"


@pytest.fixture(scope="module")
def demo_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the demo shop's server."""
    port = free_port()
    environment = {
        **os.environ, "DEMO_SHOP_PORT": str(port), "DEMO_SHOP_SECRET": SECRET, "DEMO_SHOP_KEY": "wxk_none",
        "DEMO_SHOP_EVENTS": "http://127.0.0.1:9/none", "DEMO_SHOP_SINCE_MS": str(now_ms()),
        "DEMO_SHOP_FILE": str(tmp_path_factory.mktemp("demo-shop") / "books.json"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "wangxin.demo_shop"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "answers at port" in process.stderr.readline()
    yield f"http://127.0.0.1:{port}/wangxin"
    process.terminate()
    process.wait(10)


MENU = Draft.model_validate(
    {
        "items": [
            {"id": "orders", "label": "我的订单", "action": {"kind": "order_lookup"}},
            {"id": "logistics", "label": "查物流", "topics": ["logistics_track"], "action": {"kind": "logistics"}},
            {"id": "member", "label": "会员中心", "action": {"kind": "member_centre"}},
            {"id": "invoice", "label": "开发票", "action": {"kind": "invoice"}},
            {"id": "stock", "label": "查库存", "action": {"kind": "stock", "words": "羽绒服"}},
            {"id": "coupon", "label": "领券", "action": {
                "kind": "coupon", "coupon": "new20", "title": "新人券", "value_fen": 2000, "least_fen": 19900}},
            {"id": "live", "label": "直播", "action": {
                "kind": "call", "url": "https://shop.example/live", "fallback": "直播时间请看店铺首页。"}},
            {"id": "news", "label": "上新提醒", "action": {"kind": "subscribe", "tag": "上新", "text": "上新告诉您？"}},
            {"id": "return", "label": "退换货", "action": {"kind": "return_exchange"}},
            {"id": "person", "label": "转人工", "action": {"kind": "human"}},
        ]
    }
)  # fmt: skip


@dataclass
class Counter:
    """A shopper at the window of a shop that answers itself."""

    window: Window
    errands: Errands
    caller: Caller
    url: str

    async def tap(self, item: str) -> list[dict[str, Any]]:
        return await self.then(await self.window.tap(item))

    async def choose(self, seq: int, choice: str) -> list[dict[str, Any]]:
        return await self.then(await self.window.choose(seq, choice))

    async def fill(self, seq: int, values: dict[str, str]) -> list[dict[str, Any]]:
        return await self.then(await self.window.fill(seq, values))

    async def then(self, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the bot says after the worker has asked the shop; the shopper's own line stands already."""
        await self.errands.follow()
        first = before[0]["seq"]
        return [line for line in await self.window.lines() if line["seq"] >= first and line["by"] == "bot"]

    async def publish(self, draft: Draft) -> int:
        pool, shop = self.window.pool, self.window.chat.shop
        async with pool.acquire() as conn, conn.transaction():
            _, revision, _ = await publishing.draft_of(conn, shop)
            await publishing.keep(conn, shop, draft, revision)
            menu = await record.add_version(conn, shop, draft, note="", by=new_id())
            await record.set_published(conn, shop, menu.version)
        return menu.version


@pytest.fixture
async def counter(window: Window, hints: Hints, demo_shop: str) -> Counter:
    shop = window.chat.shop
    await window.pool.execute("update shopper set external_id = $1 where id = $2", MEMBER, window.chat.shopper)
    await record_shopdata.keep(window.pool, shop, demo_shop, SECRET)
    async with window.pool.acquire() as conn:
        await record_shopdata.keep_check(conn, shop, demo_shop, list(wire.CALLS), [])
    caller = Caller(own=demo_shop)
    counter = Counter(window, Errands(window.pool, hints, caller), caller, demo_shop)
    await counter.publish(MENU)
    return counter


def texts(lines: list[dict[str, Any]]) -> str:
    return " ".join(str(line.get("text", "")) for line in lines)


async def test_every_component_works_through_the_shops_own_server(counter: Counter) -> None:
    # Orders and what may be done about them are the shop's, and no order stands in the record.
    assert await counter.window.pool.fetchval("select count(*) from shop_order") == 0
    *orders, about = await counter.tap("orders")
    assert [line["state"] for line in orders] == ["unpaid", "paid", "shipped"]
    assert [one["id"].partition(":")[0] for one in about["choices"]] == ["cancel", "address", "human"]
    unpaid, paid, shipped = (line["order"] for line in orders)
    # A wish is done once, also when the worker died before it could say so.
    assert "已取消" in texts(await counter.choose(about["seq"], f"cancel:{unpaid}"))
    (again,) = [one["state"] for one in (await counter.tap("orders"))[:-1] if one["order"] == unpaid]
    assert again == "cancelled"
    parcel = await counter.tap("logistics")
    assert parcel[1]["kind"] == "logistics"
    assert parcel[1]["steps"]
    member = await counter.tap("member")
    assert "会员等级：钻石会员" in member[0]["text"]
    assert "积分：1280" in member[0]["text"]
    given = await counter.tap("coupon")
    assert (given[0]["text"], given[1]["claimed"]) == ("新人券已放进您的卡包，付款时自动抵扣。", True)
    assert (await counter.tap("member"))[1]["coupon"] == "new20"
    which = (await counter.tap("stock"))[0]
    left = await counter.choose(which["seq"], "stock:SY1001")
    assert "轻薄立领羽绒服" in left[0]["text"]
    assert "有货" in left[0]["text"]
    which = (await counter.tap("invoice"))[-1]
    form = (await counter.choose(which["seq"], f"invoice:{paid}"))[0]
    asked = {"head": "何晓", "mail": "he@example.com"}
    assert "发送到 he@example.com" in texts(await counter.fill(form["seq"], asked))
    # A return of an order that only the shop knows opens its case.
    which = (await counter.tap("return"))[-1]
    form = (await counter.choose(which["seq"], f"return:{shipped}"))[0]
    await counter.fill(form["seq"], {"kind": "退货退款", "reason": "不喜欢"})
    assert await counter.window.pool.fetchval("select order_id from aftersale") == shipped
    assert await counter.window.state() == "waiting"


async def test_words_lead_to_the_same_answers_as_taps(counter: Counter) -> None:
    await counter.window.write("查一下我的包裹物流到哪里了")
    await counter.errands.follow()
    said = [line for line in await counter.window.lines() if line["by"] == "bot"]
    assert [line["kind"] for line in said] == ["order", "logistics", "choices"]
    shown = await counter.window.pool.fetchval("select shown from bot_turn order by seq desc limit 1")
    assert shown[0] == f"order:{said[0]['order']}"


async def test_the_agent_beside_him_sees_his_orders_as_the_shop_tells_them(counter: Counter) -> None:
    pool, chat = counter.window.pool, counter.window.chat
    told = await shop_desk.orders(pool, counter.caller, chat.shop, chat.shopper)
    assert told, "the demo shop's member has orders"
    await pool.execute(
        "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, refunded_fen, lines, logistics,"
        " created_at) values ($1, $2, $3, 'unpaid', 1, 7, '[]', $4, now()),"
        " ($1, 'X9', $3, 'paid', 5, 0, '[]', '{}', now())",
        chat.shop, told[0]["id"], chat.shopper, {"phone": "13800001111", "parcel": "OLD"},
    )  # fmt: skip
    async with pool.acquire() as conn:
        stored = await desk_record.orders(conn, chat.shop, chat.shopper, 50)
    rows = {row["id"]: row for row in desk.told_orders(stored, told, 50)}
    assert len(rows) == len(told) + 1, "one of each, and the one that only an event brought"
    both = rows[told[0]["id"]]
    assert (both["state"], both["amount_fen"]) == (told[0]["state"], told[0]["amount_fen"]), "the shop's word counts"
    assert (both["refunded_fen"], both["logistics"]["phone"]) == (7, "13800001111"), "and what it does not say stays"
    # What the shop would do about an order the agent has it do, once, however often he is heard.
    order = next(row["id"] for row in told if "address" in row["actions"])
    request, words = new_id(), "杭州市文一路 1 号 何晓"
    done = [
        await shop_desk.act(pool, counter.caller, chat.shop, chat.shopper, order, "address", words, request)
        for _ in range(2)
    ]
    assert [one is not None and one.done for one in done] == [True, True]
    assert done[0] == done[1]
    counter.caller.resting.until_ms[chat.shop] = now_ms() + 60_000
    with pytest.raises(ShopSilent):
        await shop_desk.orders(pool, counter.caller, chat.shop, chat.shopper)


async def test_a_guest_is_nobody_to_the_shop(counter: Counter) -> None:
    await counter.window.pool.execute("update shopper set external_id = null")
    chat = counter.window.chat
    counter.window.actor = Actor(Role.SHOPPER, chat.shopper, frozenset({chat.shop}), "", guest=True)
    assert "登录后" in texts(await counter.tap("orders"))
    assert "登录后" in texts(await counter.tap("member"))


async def test_a_shop_that_does_not_answer_costs_the_shopper_nothing_but_the_answer(counter: Counter) -> None:
    pool, shop = counter.window.pool, counter.window.chat.shop
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
    await pool.execute("update shop_data set url = $2 where shop_id = $1", shop, url)
    counter.caller.own = url
    frame = MenuTap(thread=counter.window.chat.thread, menu_version=2, item="orders", client_msg_id=new_id())
    reply = await counter.window.do(frame)
    assert "errands" in reply.wake
    (own,) = [line for line in await counter.window.lines() if line["by"] == "shopper"]
    assert own["text"] == "我的订单", "his line stands before anybody asked the shop"
    (said,) = await counter.then([own])
    assert "店铺系统暂时没有回应" in said["text"]
    assert said["choices"][0]["id"] == "human"
    # After a few times it is left alone for a while: the answer needs no waiting then.
    counter.caller.resting.failures[shop] = limits.SHOP_DATA_FAILURES_MAX - 1
    counter.caller.resting.went(shop, False, now_ms())
    silent.close()
    assert "没有回应" in texts(await counter.tap("member"))


async def test_an_item_calls_the_merchants_own_address_and_has_words_for_when_it_does_not_answer(
    counter: Counter,
) -> None:
    # The published address is nobody's; the demo shop's own answers at the one that may be called.
    assert texts(await counter.tap("live")) == "直播时间请看店铺首页。"
    items = MENU.model_dump(mode="json")["items"]
    items[6]["action"]["url"] = counter.url
    await counter.publish(Draft.model_validate({"items": items}))
    assert "今天的直播 20:00 开始" in texts(await counter.tap("live"))


async def test_who_subscribes_is_tagged_and_may_leave_again(counter: Counter) -> None:
    offered = (await counter.tap("news"))[0]
    assert "订阅" in texts(await counter.choose(offered["seq"], "subscribe:news"))
    await counter.choose(offered["seq"], "leave:news")
    told = [fact for fact in await counter.window.facts("push") if fact["fact"] == "subscribed"]
    assert [(fact["tag"], fact["on"]) for fact in told] == [("上新", True), ("上新", False)]


async def test_without_a_server_the_record_answers_and_people_take_up_the_rest(counter: Counter) -> None:
    await counter.window.pool.execute("delete from shop_data")
    await counter.window.order("20261101-1", "signed")
    await counter.window.pool.execute(
        "insert into profile (shop_id, shopper_id, level, points) values ($1, $2, 3, 90)",
        counter.window.chat.shop, counter.window.chat.shopper,
    )  # fmt: skip
    assert texts(await counter.tap("member")) == "会员等级：V3\n积分：90"
    which = (await counter.tap("invoice"))[-1]
    form = (await counter.choose(which["seq"], "invoice:20261101-1"))[0]
    await counter.fill(form["seq"], {"head": "何晓", "mail": "he@example.com"})
    assert await counter.window.state() == "waiting"


def test_the_demo_shop_keeps_the_interface_by_the_merchants_own_command(demo_shop: str) -> None:
    done = wangxin("shopdata", "check", demo_shop, "--private", "--member", MEMBER, WANGXIN_SHOPDATA_SECRET=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "It keeps the interface." in done.stdout
    assert "skipped" not in done.stdout
    wrong = wangxin("shopdata", "check", demo_shop, "--private", "--json", WANGXIN_SHOPDATA_SECRET="whsec_bm8=")
    assert wrong.returncode == 1
    (line,) = json.loads(wrong.stdout)["lines"]
    assert (line["check"], line["verdict"]) == ("hello", "bad")
    assert "401" in line["detail"]
    outside = wangxin("shopdata", "check", demo_shop, "--json", WANGXIN_SHOPDATA_SECRET=SECRET)
    assert json.loads(outside.stdout)["lines"][0]["detail"].startswith("url.wrong")


BAD_SHOP = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        order = {"order": "1", "state": "sent", "amount_fen": 1, "created_ms": 1}
        good = {**order, "state": "paid"}
        body = json.dumps({
            "hello": {"interface": 1, "calls": ["orders", "order", "act"]},
            "orders": {"orders": [order]}, "order": {"order": good}, "act": {"done": True, "text": "ok"},
        }.get(asked["call"], {})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Answering)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


async def test_a_server_that_keeps_nothing_is_told_line_by_line() -> None:
    process = subprocess.Popen([sys.executable, "-c", BAD_SHOP], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}/"
        report = await conformance.check(Caller(own=url), Source(UUID(int=1), "x", url, SECRET), MEMBER)
    finally:
        process.kill()
    bad = {line.check: line.detail for line in report.lines if line.verdict == "bad"}
    assert not report.good
    assert set(bad) == {"signature", "time", "unknown_call", "orders", "orders_unknown", "order_unknown", "act"}
    assert bad["orders"].startswith("orders.0.state")
    assert bad["act"] == "it says it has done what cannot be done"
    assert {line.check for line in report.lines} == set(conformance.CHECKS)


def test_what_a_worker_that_died_had_asked_for_is_asked_for_by_the_same_name() -> None:
    from menus.errands import request_of

    thread = new_id()
    assert request_of(thread, 3) == request_of(thread, 3) != request_of(thread, 4)
