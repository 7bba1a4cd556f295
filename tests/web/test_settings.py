"""The merchant's settings in a real browser: the key he makes there lets his order system in, until he revokes it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, expect

from tests.web import browsing, guide, test_agent
from tests.web.browsing import Screen, faults_of, launched, screen
from tests.web.house import PASSWORD, House, open_house
from wangxin.clock import new_id
from wangxin.storage import keys
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "consoles"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)


@pytest.fixture(scope="module")
def house(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with open_house(embedded_postgres, embedded_valkey, tmp_path_factory.mktemp("house")) as house:
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


HOSTILE = "\"'><img src=x onerror=hit()>{{hit()}}<svg/onload=hit()>"


def test_hostile_words_stay_words_on_every_page(chromium: Browser, house: House) -> None:
    """In names, messages, orders, pools, rules, questions, tags and keys: no page runs them, none breaks its policy."""
    shop = house.shop.id
    with screen(chromium) as desk, screen(chromium) as console, house.shopper(HOSTILE[:60]) as guest:
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
                     "report"):  # fmt: skip
            page.goto(f"{house.url}/merchant/{name}")
            page.get_by_role("heading", level=1).wait_for()
            page.wait_for_load_state("networkidle")
            if name in ("settings", "pools"):
                expect(page.locator("#content")).to_contain_text(HOSTILE)
        for shown in (desk, console):
            assert shown.page.evaluate("window.hits") == 0
            assert shown.page.locator("img[src='x']").count() == 0
            assert shown.policy_breaches() == []


async def _keep_key(house: House, key: str) -> None:
    conn = await asyncpg.connect(house.postgres_url)
    await keys.keep_api_key(conn, house.shop.id, new_id(), "guide", key, ["events"])
    await conn.close()
