"""The merchant's settings in a real browser: the key he makes there lets his order system in, until he revokes it."""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import asyncpg
import pytest
from openpyxl import Workbook
from playwright.sync_api import Browser, expect

from tests.web import browsing, guide, test_agent
from tests.web.api.issuer import CLIENT, SECRET, running
from tests.web.browsing import Screen, faults_of, launched, picture, screen
from tests.web.house import PASSWORD, House, open_house
from wangxin import enrol
from wangxin.clock import new_id
from wangxin.storage import keys, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "consoles"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)


@pytest.fixture(scope="module")
def house(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with running("") as issuer:
        issuer.person["email"] = "clerk@example.com"
        environment = {
            "WANGXIN_OIDC_ISSUER": issuer.url, "WANGXIN_OIDC_CLIENT_ID": CLIENT, "WANGXIN_OIDC_CLIENT_SECRET": SECRET,
            "WANGXIN_OIDC_NAME": "Senye ID",
        }  # fmt: skip
        folder = tmp_path_factory.mktemp("house")
        with open_house(embedded_postgres, embedded_valkey, folder, environment) as house:
            yield house


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    with launched() as found:
        yield found


def report_an_order(house: House, key: str, number: str) -> int:
    """The status of a CloudEvent, as a shop's order system sends it."""
    event = {
        "specversion": "1.0", "id": number, "source": "/erp", "type": "order.paid", "subject": "m1",
        "data": {"order_id": number, "amount_fen": 18_900},
    }  # fmt: skip
    asked = urllib.request.Request(
        f"{house.url}/api/v1/events", json.dumps(event).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def sign_in(shown: Screen, house: House, lang: str, theme: str) -> None:
    page = shown.page
    page.goto(f"{house.url}/merchant/settings?lang={lang}&theme={theme}")
    page.locator("#login").fill("boss")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#keys-title").wait_for()


def test_a_key_made_on_the_page_lets_orders_in_until_it_is_revoked_there(chromium: Browser, house: House) -> None:
    with screen(chromium) as shown:
        shown.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=house.url)
        sign_in(shown, house, "zh-CN", "light")
        page = shown.page
        page.get_by_label("密钥用途").fill("ERP")
        page.keyboard.press("Enter")
        expect(page.get_by_text("密钥只显示这一次")).to_be_visible()
        key = page.get_by_role("region", name="新的接口密钥").inner_text()
        page.get_by_role("button", name="复制密钥").click()
        expect(page.get_by_text("已复制")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == key
        expect(page.locator("[data-key='ERP']")).to_contain_text("从未使用")
        assert faults_of(page) == []
        assert report_an_order(house, key, "99001") == 202
        page.reload()
        row = page.locator("[data-key='ERP']")
        expect(row).to_contain_text("最近使用")
        assert key not in page.content()
        row.get_by_role("button", name="吊销 ERP").press("Enter")
        page.keyboard.press("Escape")
        expect(row.get_by_role("button", name="吊销 ERP")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.get_by_text("已吊销的密钥（1）")).to_be_visible()
        assert report_an_order(house, key, "99002") == 401
        assert shown.policy_breaches() == []


def test_what_is_kept_of_a_shopper_is_downloaded_and_erased_on_the_page(chromium: Browser, house: House) -> None:
    shopper = new_id()
    house.sql(
        "insert into shopper (shop_id, id, external_id, name) values ($1, $2, 'm9', '何田')", house.shop.id, shopper
    )
    house.sql(
        "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, created_at)"
        " values ($1, '99100', $2, 'paid', 18900, clock_timestamp())",
        house.shop.id, shopper,
    )  # fmt: skip
    house.sql(
        "insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, closed_at)"
        " values ($1, $2, $2, $3, 'closed', '2024-11-11', 1, '2024-11-11')",
        house.shop.id, new_id(), shopper,
    )  # fmt: skip
    with screen(chromium) as shown:
        sign_in(shown, house, "zh-CN", "light")
        page = shown.page
        keeping = page.locator("[data-keeping]")
        expect(keeping.locator("[data-kept]")).to_contain_text("会话永久保存")
        keeping.get_by_label("保存天数").fill("120")
        page.keyboard.press("Enter")
        expect(keeping.locator("[data-concerned]")).to_contain_text("之前结束的 1 个会话会移入归档")
        picture(page, "merchant-keeping")
        keeping.get_by_role("button", name="保存 120 天").press("Enter")
        page.get_by_role("button", name="确定归档").press("Enter")
        expect(keeping.locator("[data-kept]")).to_contain_text("会话保存 120 天")
        assert house.sql("select kept_days from shop where shop_id = $1", house.shop.id) == 120
        keeping.get_by_role("button", name="从现在起永久保存").click()
        expect(keeping.locator("[data-kept]")).to_contain_text("会话永久保存")
        page.get_by_label("会员编号，或顾客在本系统的编号").fill("m9")
        page.keyboard.press("Enter")
        row = page.locator("[data-person]")
        expect(row).to_contain_text("订单 1 个")
        with page.expect_download() as waiting:
            row.get_by_role("button", name="下载全部信息").click()
        with zipfile.ZipFile(waiting.value.path()) as archive:
            assert "99100" in archive.read("data.json").decode()
        assert faults_of(page) == []
        row.get_by_role("button", name="删除").press("Enter")
        page.get_by_role("button", name="确认删除").press("Enter")
        expect(page.get_by_text("全部信息在 60 秒内删除")).to_be_visible()
        page.get_by_label("会员编号，或顾客在本系统的编号").fill("m9")
        page.keyboard.press("Enter")
        expect(page.get_by_text("没有这个编号的顾客。")).to_be_visible()
        assert shown.policy_breaches() == []


def test_a_secret_is_replaced_and_a_site_may_embed_the_window_on_a_phone_in_the_dark(
    chromium: Browser, house: House
) -> None:
    with screen(chromium, width=390, height=844, lang="en", theme="dark") as shown:
        sign_in(shown, house, "en", "dark")
        page = shown.page
        code = page.get_by_role("region", name="Embed code").inner_text()
        assert f'shop: "{house.shop.slug}"' in code
        assert f'src="{house.url}/sdk.js"' in code
        page.get_by_label("Sites that may embed the chat").fill("https://shop.example\nshop.example/path")
        page.get_by_role("button", name="Save sites").click()
        expect(page.get_by_role("alert")).to_contain_text("shop.example/path")
        page.get_by_label("Sites that may embed the chat").fill("https://shop.example")
        page.get_by_role("button", name="Save sites").click()
        expect(page.get_by_text("Saved; it counts at once")).to_be_visible()
        window = page.context.request.get(f"{house.url}/chat/{house.shop.slug}")
        assert window.headers["content-security-policy"].endswith("frame-ancestors 'self' https://shop.example")
        page.get_by_role("button", name="Make a new secret").click()
        page.get_by_role("button", name="Yes, make it").click()
        secret = page.get_by_role("region", name="New signing secret").inner_text()
        assert secret == house.sql("select token_secret from shop where shop_id = $1", house.shop.id)
        house.shop = replace(house.shop, secret=secret)  # what the shop's own server would do now
        expect(page.locator("[data-kid='k1']")).to_contain_text("counts until")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(page) == []
        page.get_by_role("button", name="End k1 now").click()
        page.get_by_role("button", name="Yes, end it").click()
        expect(page.locator("[data-kid='k1']")).to_have_count(0)
        assert shown.policy_breaches() == []


class Till(BaseHTTPRequestHandler):
    """A shop's own server: keeps what it hears and answers with the status it is told."""

    heard: ClassVar[list[tuple[str, bytes]]] = []
    status: ClassVar[int] = 500

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append((self.headers["webhook-id"], body))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the test's own screen."""


@contextmanager
def till() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Till)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/in"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_an_owner_lets_a_clerk_in_tells_a_server_what_happens_and_reads_who_did_what(
    chromium: Browser, house: House
) -> None:
    with screen(chromium) as shown, screen(chromium, lang="en", theme="dark") as other, till() as server:
        sign_in(shown, house, "zh-CN", "light")
        page = shown.page
        page.get_by_role("link", name="成员与角色").click()
        page.get_by_label("账号", exact=True).fill("clerk@example.com")
        page.get_by_label("姓名").fill("小账")
        page.get_by_label("角色", exact=True).select_option("finance")
        page.get_by_role("button", name="添加成员").press("Enter")
        password = page.get_by_role("region", name="clerk@example.com 的初始密码").inner_text()
        picture(page, "merchant-people")
        expect(page.locator("[data-member='clerk@example.com']")).to_contain_text("还没登录过")
        assert faults_of(page) == []
        clerk = other.page
        clerk.goto(f"{house.url}/merchant?lang=en&theme=dark")
        single = clerk.get_by_role("button", name="Sign in with Senye ID")
        single.click()
        clerk.locator("#no").click()
        expect(clerk.get_by_role("alert")).to_have_text("You were not let in there.")
        assert "state=" not in clerk.url, "nothing of it stays in the address"
        picture(clerk, "merchant-single-sign-on")
        assert faults_of(clerk) == []
        single.press("Enter")
        clerk.locator("#yes").click()
        clerk.locator("nav").first.wait_for()
        clerk.goto(f"{house.url}/merchant/menus")
        expect(clerk.get_by_role("note")).to_contain_text("Your role is “Finance”")
        clerk.goto(f"{house.url}/merchant/settings/audit")
        expect(clerk.get_by_role("note")).to_contain_text("an owner looks after this")
        expect(clerk.get_by_label("Appearance")).to_be_visible()
        expect(clerk.get_by_role("link", name="Audit log")).to_have_count(0)
        assert faults_of(clerk) == []
        page.get_by_label("小账 的角色").select_option("reader")
        expect(page.get_by_text("小账 现在是“只读”")).to_be_visible()
        page.get_by_role("button", name="撤销").click()
        expect(page.get_by_label("小账 的角色")).to_have_value("finance")

        page.get_by_role("link", name="事件回调").click()
        page.get_by_label("服务器地址").fill("https://名字.example")
        page.get_by_role("button", name="添加回调").click()
        expect(page.locator("[data-fault='url']")).to_contain_text("https://")
        page.get_by_label("服务器地址").fill(server)
        page.get_by_role("button", name="添加回调").click()
        expect(page.get_by_role("region", name="新的回调密钥")).to_contain_text("whsec_")
        page.get_by_role("button", name="发一条测试").click()
        call = page.locator("[data-call='test.ping']")
        expect(call).to_contain_text("HTTP 500")
        house.sql("update webhook_call set due_at = clock_timestamp()")
        Till.status = 204
        expect(call).to_contain_text("已送达")
        assert faults_of(page) == []
        picture(page, "merchant-webhooks")
        call.get_by_role("button", name="重发").click()
        deadline = time.monotonic() + 60
        while len(Till.heard) < 3:
            assert time.monotonic() < deadline, Till.heard
            time.sleep(0.1)
        assert len(set(Till.heard)) == 1, "the same call with the same id and words each time"

        house.sql(
            "insert into report_sending (shop_id, id, schedule_id, name, by, addresses, first, last, state)"
            " values ($1, gen_random_uuid(), $1, '日报', 'mail', '{}', '2026-01-01', '2026-01-01', 'failed')",
            house.shop.id,
        )
        house.sql(
            "insert into outbox (shop_id, consumer, fact, tries, failed)"
            " values ($1, 'metrics', '{\"fact\": \"menu_tapped\"}', 5, 'ValueError: 13800001111')",
            house.shop.id,
        )
        page.get_by_role("link", name="未完成的任务").click()
        failed = page.locator("tr[data-work='fact']")
        expect(failed).to_contain_text("指标 · 买家点了菜单")
        expect(failed).to_contain_text("ValueError")
        assert "1380000" not in page.content()
        failed.get_by_role("button", name="放弃").click()
        failed.get_by_role("button", name="确认放弃").click()
        expect(failed).to_have_count(0)
        page.get_by_role("button", name="重做：日报").click()
        expect(page.get_by_text("没有未完成的任务。")).to_be_visible()

        page.get_by_role("link", name="操作记录").click()
        expect(page.locator("tr[data-action='work.drop']")).to_have_count(1)
        row = page.locator("tr[data-action='member.duty']").last
        expect(row).to_contain_text("店主")
        expect(row).to_contain_text('"before":"finance"')
        page.get_by_label("操作", exact=True).select_option("webhook")
        expect(page.locator("tr[data-action='member.duty']")).to_have_count(0)
        expect(page.locator("tr[data-action='webhook.again']")).to_have_count(1)
        picture(page, "merchant-audit")
        assert password not in page.content()
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(page) == []
        assert shown.policy_breaches() + other.policy_breaches() == []


def workbook(*rows: list[Any]) -> dict[str, Any]:
    out, made = io.BytesIO(), Workbook()
    for row in rows:
        made.active.append(row)
    made.save(out)
    return {"name": "商品.xlsx", "mimeType": "application/vnd.ms-excel", "buffer": out.getvalue()}


def test_an_empty_shop_is_led_to_its_first_answer_and_its_first_person(chromium: Browser, house: House) -> None:
    owner = house.run(_open_shop(house, "newshop", "新开小店"))
    with screen(chromium) as shown, screen(chromium, width=390, height=844) as phone:
        page = shown.page
        page.goto(f"{house.url}/merchant?lang=zh-CN&theme=light")
        page.locator("#login").fill(owner.login)
        page.locator("#password").fill(owner.password)
        page.keyboard.press("Enter")
        page.locator("#content").get_by_role("link", name="开店向导").click()
        expect(page.get_by_text("还差 5 步")).to_be_visible()
        page.get_by_label("欢迎语").fill("欢迎来新开小店")
        page.get_by_label("店铺颜色").fill("#ff5000")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_text("已保存，颜色加深成")).to_be_visible()
        page.get_by_role("button", name="下一步").click()
        asked = "分类,问法,回答\n物流,什么时候发货|多久发货,四十八小时内发出。\n售后,怎么退货,\n"
        page.set_input_files(
            "#questions-file", {"name": "问答.csv", "mimeType": "text/csv", "buffer": asked.encode("gb18030")}
        )
        expect(page.locator("[data-row='3']")).to_contain_text("回答")
        assert faults_of(page) == []
        picture(page, "merchant-first-steps")
        page.get_by_role("button", name="只导入好的 1 行").click()
        goods = workbook(["商品编号", "标题", "价格", "库存"], ["A1", "毛衣", 189.5, 12], ["A2", "帽子", "面议", 1])
        page.set_input_files("#products-file", goods)
        expect(page.locator("[data-row='3']")).to_contain_text("价格: 不是数字 面议")
        page.get_by_role("button", name="只导入好的 1 行").click()
        people = "会员编号,昵称\nm1,林晓\n".encode()
        page.set_input_files("#members-file", {"name": "m.csv", "mimeType": "text/csv", "buffer": people})
        page.get_by_role("button", name="导入 1 行").click()
        page.get_by_label("客服账号").fill("kefu1")
        page.get_by_label("客服名字").fill("小满")
        page.get_by_role("button", name="添加客服").click()
        password = page.get_by_role("region", name="kefu1 的初始密码").inner_text()
        page.get_by_role("button", name="下一步").click()
        page.get_by_role("button", name="发布这份菜单").click()
        expect(page.get_by_role("region", name="嵌入代码")).to_contain_text('shop: "newshop"')
        expect(page.get_by_text("还差 1 步")).to_be_visible()
        window = phone.page
        window.goto(f"{house.url}/chat/newshop?lang=zh-CN")
        expect(window.get_by_text("欢迎来新开小店")).to_be_visible()
        window.get_by_role("textbox").fill("你们多久发货呀")
        window.keyboard.press("Enter")
        expect(window.get_by_text("四十八小时内发出。")).to_be_visible()
        expect(page.get_by_text("店铺已经开张")).to_be_visible()
        desk = shown.context.new_page()
        desk.goto(f"{house.url}/agent?lang=zh-CN")
        desk.locator("#login").fill("kefu1")
        desk.locator("#password").fill(password)
        desk.get_by_role("button", name="修改密码").click()
        desk.get_by_label("新密码").fill("kefu12026")
        desk.keyboard.press("Enter")
        expect(desk.get_by_role("alert")).to_contain_text("这个密码太容易猜到")
        assert faults_of(desk) == []
        picture(desk, "agent-another-password")
        desk.get_by_label("新密码").fill("紫色的水壶 41")
        desk.keyboard.press("Enter")
        test_agent.go_online(desk)
        window.get_by_role("button", name="转人工").click()
        row = desk.get_by_role("region", name="会话列表").get_by_role("button").filter(has_text="访客").first
        row.click()
        expect(desk.get_by_role("log")).to_contain_text("你们多久发货呀")
        page.set_viewport_size({"width": 390, "height": 844})
        page.locator("[data-step='look'] button").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(page) == []
        assert shown.policy_breaches() + phone.policy_breaches() == []


def test_every_example_of_the_guide_for_integrators_does_what_it_says(house: House, tmp_path: Path) -> None:
    places = {
        "CHAT_URL": house.url, "SHOP": house.shop.slug, "SHOP_KEY": "wxk_" + "g" * 43,
        "SHOP_SECRET": house.sql("select token_secret from shop where shop_id = $1", house.shop.id),
        "SHOP_KID": house.sql("select token_kid from shop where shop_id = $1", house.shop.id),
    }  # fmt: skip
    house.run(_keep_key(house, places["SHOP_KEY"]))
    told: Any = None
    languages = set()
    for language, text in guide.blocks():
        if language in guide.runners():
            languages.add(language)
            printed = guide.program(language, text, tmp_path, places)
            if "HS256" in text:
                places["TOKEN"] = printed
                asked = f'curl "$CHAT_URL/api/v1/shopper/unread" -H "Authorization: Bearer {printed}"'
                assert guide.curl(asked, places)[0] == 200, language
            else:
                assert printed == "stored as number 2"  # the first line says that a conversation was opened
        elif language == "sh":
            _, told = guide.curl(text, places)
        elif language == "json":
            assert told | {"ref": "…"} == json.loads(text) | {"ref": "…"}
    assert languages >= {"python", "js"}
    deadline = time.monotonic() + 60
    query = "select amount_fen from shop_order where shop_id = $1 and id = '88001' and state = 'paid'"
    while house.sql(query, house.shop.id) != 18_900:
        assert time.monotonic() < deadline, "the order was never followed up"
        time.sleep(0.2)


def test_new_pages_can_be_read_at_twice_the_size_in_traditional_script(chromium: Browser, house: House) -> None:
    """A screen of 1366 × 768 at 200 %: nothing lies beside the page, and it has no barriers."""
    with screen(chromium, width=683, height=384, lang="zh-TW", theme="dark") as shown:
        sign_in(shown, house, "zh-TW", "dark")
        page = shown.page
        pages = ("start", "settings/people", "settings/webhooks", "settings/audit", "pools/wording", "pools/replies")
        for name in pages:
            page.goto(f"{house.url}/merchant/{name}")
            page.get_by_role("heading", level=2).first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        # The merchant writes what all his agents may send.
        page.get_by_role("button", name="新增話術").click()
        for label, words in (("代碼", "fp"), ("標題", "開發票"), ("資料夾", "售後"), ("內容", "發票三天內開好。")):
            page.get_by_label(label).last.fill(words)
        assert faults_of(page) == []
        page.get_by_role("button", name="儲存").click()
        expect(page.locator("[data-reply='fp']")).to_contain_text("售後")
        assert faults_of(page) == []
        page.goto(f"{house.url}/merchant/pools/wording")
        page.get_by_label("詞", exact=True).fill("親親")
        page.get_by_label("處理").select_option("replace")
        page.get_by_label("換成").fill("親")
        page.keyboard.press("Enter")
        expect(page.locator("[data-word='親親']")).to_contain_text("→ 親")
        for path, field in (("agent", "searchbox"), (f"chat/{house.shop.slug}", "textbox")):
            page.goto(f"{house.url}/{path}?lang=zh-TW")
            page.get_by_role(field).first.wait_for()  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert shown.policy_breaches() == []


HOSTILE = "\"'><img src=x onerror=hit()>{{hit()}}<svg/onload=hit()>"


def test_hostile_words_stay_words_on_every_page(chromium: Browser, house: House) -> None:
    """In names, messages, orders, pools, rules, questions, tags and keys: no page runs them, none breaks its policy.
    The merchant reads at 200 %, and nothing lies beside his page."""
    shop = house.shop.id
    with (
        screen(chromium) as desk,
        screen(chromium, width=683, height=384) as console,
        house.shopper(HOSTILE[:60]) as guest,
    ):
        for shown in (desk, console):
            shown.page.on("dialog", lambda dialog: dialog.dismiss())
            shown.page.add_init_script("window.hits = 0; window.hit = () => window.hits++")
        agent = browsing.sign_in(desk, house, "own1")
        test_agent.go_online(agent)
        for query in (
            "update account set persona = $2 where id in (select account_id from account_shop where shop_id = $1)",
            "update shop set name = $2 where shop_id = $1",
            "update pool set name = $2 where owner_id = $1",
            "update product set title = $2 where shop_id = $1",
            "insert into canned_reply (shop_id, id, code, title, body) values"
            " ($1, gen_random_uuid(), 'xss', left($2, 40), $2)",
            "insert into faq_entry (shop_id, id, key, phrasings, answer) values"
            " ($1, gen_random_uuid(), 'xss', array[$2], $2)",
            "insert into api_key (shop_id, id, name, key_hash) values ($1, gen_random_uuid(), $2, '\\x00')",
            "insert into shop_order (shop_id, id, state, amount_fen, created_at, shopper_id, lines, logistics)"
            " select $1, left($2, 60), 'paid', 1, now(), t.shopper_id, jsonb_build_array(jsonb_build_object("
            "'title', $2::text, 'sku', $2::text, 'count', 1, 'price_fen', 1, 'product', 'p', 'picture', '')),"
            " jsonb_build_object('carrier', $2::text) from thread t where t.shop_id = $1 limit 1",
            "insert into golden_question (shop_id, id, said, expects) values ($1, gen_random_uuid(), $2, 'none')",
            "insert into webhook (shop_id, id, url, events, secret, made_by, stopped_at, stopped_why)"
            " values ($1, gen_random_uuid(), $2::text, '{rating.given}', 's', gen_random_uuid(), now(), $2::text)",
            "insert into audit (shop_id, id, actor_role, actor_id, action, subject, detail) values"
            " ($1, gen_random_uuid(), 'merchant', gen_random_uuid(), 'menu.publish', $2::text,"
            " jsonb_build_object($2::text, $2::text))",
            "insert into shopper_remark (shop_id, shopper_id, text, written_by, written_name) select $1, t.shopper_id,"
            " $2::text, gen_random_uuid(), $2::text from thread t where t.shop_id = $1 on conflict do nothing",
            "insert into profile (shop_id, shopper_id, tags, city) select $1, t.shopper_id, array[left($2::text, 20)],"
            " $2::text from thread t where t.shop_id = $1"
            " on conflict (shop_id, shopper_id) do update set tags = excluded.tags",
            "update provider set name = left($2::text, 60) where $1::uuid is not null",
        ):
            house.sql(query, shop, HOSTILE)
        guest.says(HOSTILE)
        guest.wants_a_person()
        row = agent.get_by_role("region", name="会话列表").get_by_role("button").filter(has_text=HOSTILE[:20]).first
        expect(row).to_be_visible()
        row.click()
        expect(agent.get_by_role("log")).to_contain_text(HOSTILE)
        page = console.page
        sign_in(console, house, "zh-CN", "light")
        for name in ("settings", "overview", "menus", "bot", "push", "pools", "pools/contracts", "pools/assignments",
                     "report", "aftersale", "statements", "quality", "start"):  # fmt: skip
            page.goto(f"{house.url}/merchant/{name}")
            page.get_by_role("heading", level=1).wait_for()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            if name in ("settings", "pools"):
                expect(page.locator("#content")).to_contain_text(HOSTILE)
        page.evaluate("sessionStorage.clear(); localStorage.clear()")
        page.goto(f"{house.url}/merchant?lang=zh-CN")
        page.locator("#login").fill("yunboss")
        page.locator("#password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("服务商")
        expect(page.locator("#content")).to_contain_text(HOSTILE[:20])
        page.wait_for_load_state("networkidle")
        for shown in (desk, console):
            assert shown.page.evaluate("window.hits") == 0
            assert shown.page.locator("img[src='x']").count() == 0
            assert shown.policy_breaches() == []


async def _open_shop(house: House, slug: str, name: str) -> enrol.Entry:
    conn = await asyncpg.connect(house.postgres_url)
    await postgres._prepare(conn)
    async with conn.transaction():
        made = await enrol.add_shop(conn, slug, name, f"{slug}-boss")
    await conn.close()
    return made


async def _keep_key(house: House, key: str) -> None:
    conn = await asyncpg.connect(house.postgres_url)
    await keys.keep_api_key(conn, house.shop.id, new_id(), "guide", key, ["events"])
    await conn.close()
