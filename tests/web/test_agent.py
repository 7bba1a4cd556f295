"""The agent's console in a real browser, against real processes."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from dispatcher.admin_record import put_policy, routing_changed
from dispatcher.intake import NOBODY
from dispatcher.model import GuardTier, Policy, PoolAnswer
from tests.web.browsing import Screen, faults_of, go_online, launched, picture, screen, sign_in
from tests.web.house import PASSWORD, Guest, House, open_house
from wangxin.storage import postgres
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
        house.run(rules(house, CALM))
        yield house


CALM = Policy(guard=(), first_reply_ms=None, next_reply_ms=None)
"""Tests leave shoppers without an answer: nobody loses his conversations, and nobody is told, for that."""


async def rules(house: House, policy: Policy) -> None:
    """The shop's routing, as its merchant would save it."""
    conn = await asyncpg.connect(house.postgres_url)
    await postgres._prepare(conn)
    async with conn.transaction():
        await put_policy(conn, house.shop.id, policy, NOBODY)
        await routing_changed(conn, house.shop.id)
    await conn.close()


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    with launched() as found:
        yield found


@contextmanager
def desk(
    chromium: Browser, house: House, login: str = "own1", *, width: int = 1366, height: int = 768, theme: str = "light"
) -> Iterator[tuple[Screen, Page]]:
    """A signed-in agent who is online."""
    with screen(chromium, width=width, height=height, theme=theme) as shown:
        page = sign_in(shown, house, login, theme=theme)
        go_online(page)
        yield shown, page


def comes_to(page: Page, guest: Guest, words: str = "这件还有货吗") -> None:
    """The shopper asks for a person and the conversation stands in this agent's list."""
    guest.says(words)
    guest.wants_a_person()
    expect(row_of(page, guest)).to_be_visible(timeout=30_000)


def row_of(page: Page, guest: Guest) -> Locator:
    return page.get_by_role("region", name="会话列表").get_by_role("button", name=re.compile(guest.name))


def box(page: Page, guest: Guest) -> Locator:
    return page.get_by_role("textbox", name=f"回复 {guest.name}")


def test_a_shopper_and_an_agent_talk_to_each_other_on_different_hubs(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (shown, page), house.shopper("林晓", node="2") as guest:
        comes_to(page, guest, "袖口勾线了,能换吗")
        row_of(page, guest).click()
        log = page.get_by_role("log")
        expect(log).to_contain_text("袖口勾线了,能换吗")
        box(page, guest).fill("可以换的,运费我们承担")
        page.get_by_role("button", name="发送", exact=True).last.click()
        expect(log).to_contain_text("可以换的,运费我们承担")
        guest.hears("可以换的,运费我们承担")
        guest.says("太好了,谢谢")
        expect(log).to_contain_text("太好了,谢谢")
        expect(box(page, guest)).to_have_value("")
        shows_his_own_figures(page, house, "own1")
        assert not shown.policy_breaches()


def shows_his_own_figures(page: Page, house: House, login: str) -> None:
    """What the page says is what the record says, counted by another query, with its definition beside it."""
    agent = house.agents[login]
    deadline = time.monotonic() + 30
    while not house.sql("select count(*) from turn where agent_id = $1 and answered_at is not null", agent):
        assert time.monotonic() < deadline, "the figures never came"
        page.wait_for_timeout(200)
    served, mean_ms = house.sql(
        """select count(*) || ' ' || avg(ms) from (
             select extract(epoch from min(x.at) filter (where x.sender_kind = 'agent')
               - greatest(max(x.at) filter (where x.body ->> 'event' = 'handoff.requested'),
                          min(x.at) filter (where x.sender_kind = 'shopper'))) * 1000 as ms
             from conversation c join entry x on x.conversation_id = c.id and x.lane = 0
             where c.agent_id = $1 group by c.id) t""",
        agent,
    ).split()
    # as browsers round; the record's microseconds may round to the neighbouring millisecond
    near = {Decimal((round(float(mean_ms)) + off) / 1000).quantize(Decimal("0.1"), ROUND_HALF_UP) for off in (-1, 0, 1)}
    page.get_by_role("button", name="数据", exact=True).click()
    own = page.get_by_role("listitem")
    expect(own.filter(has_text="今日接待")).to_contain_text(f"{served} 次会话")
    expect(own.filter(has_text="平均响应")).to_contain_text(re.compile("|".join(re.escape(f"{one}s") for one in near)))
    expect(own.filter(has_text="平均响应")).to_contain_text("机器人和自动回复不算")


def nodes_of(page: Page) -> list[str]:
    """The hubs that welcome this page from now on."""
    found: list[str] = []

    def heard(frame: object) -> None:
        said = json.loads(str(frame))
        if said["type"] == "welcome":
            found.append(said["node"])

    page.on("websocket", lambda line: line.on("framereceived", heard))
    return found


def test_two_browsers_talk_to_each_other_and_rate_across_two_hubs(chromium: Browser, house: House) -> None:
    with (
        screen(chromium) as agent_screen,
        screen(chromium, width=390, height=844) as shopper_screen,
    ):
        agent_nodes, shopper_nodes = nodes_of(agent_screen.page), nodes_of(shopper_screen.page)
        agent = sign_in(agent_screen, house, "own1")
        go_online(agent)
        shopper = shopper_screen.page
        shopper.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        written = shopper.get_by_role("textbox")
        written.fill("两个浏览器的第一句")
        written.press("Enter")
        expect(shopper.get_by_role("log")).to_contain_text("两个浏览器的第一句")
        before = agent.get_by_role("region", name="会话列表").get_by_role("listitem").count()
        shopper.get_by_role("button", name="转人工").last.click()
        rows = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
        expect(rows).to_have_count(before + 1, timeout=30_000)
        rows.filter(has_text="两个浏览器的第一句").or_(rows.first).first.click()
        for step in range(before + 1):
            if "两个浏览器的第一句" in agent.get_by_role("log").inner_text():
                break
            rows.nth(step).get_by_role("button").click()
            agent.wait_for_timeout(300)
        expect(agent.get_by_role("log")).to_contain_text("两个浏览器的第一句")
        answer = agent.get_by_role("textbox", name=re.compile("^回复"))
        answer.fill("您好,我是小禾")
        answer.press("Enter")
        expect(shopper.get_by_role("log")).to_contain_text("您好,我是小禾")
        expect(agent.get_by_role("log")).to_contain_text("已读")
        written.fill("收到,谢谢小禾")
        expect(agent.get_by_role("status").filter(has_text="正在输入")).to_be_visible()
        written.press("Enter")
        expect(agent.get_by_role("log")).to_contain_text("收到,谢谢小禾")
        agent.get_by_role("button", name="邀请评价").click()
        shopper.get_by_role("radio", name="满意", exact=True).press(" ")
        shopper.get_by_role("button", name="提交评价").click()
        expect(agent.get_by_role("log")).to_contain_text("评价：4 星")
        assert agent_nodes[-1] != shopper_nodes[-1], "the least loaded hub takes the second line"
        assert not agent_screen.policy_breaches()


def test_an_agent_answers_with_the_keyboard_alone(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("键盘") as guest:
        comes_to(page, guest)
        for _ in range(12):
            page.keyboard.press("Alt+ArrowDown")
            if page.get_by_role("heading", name=re.compile("键盘")).count():
                break
        expect(box(page, guest)).to_be_focused()
        page.keyboard.type("/huanhou")  # misspelt pinyin, and then the code itself
        expect(page.get_by_role("listbox").get_by_role("option")).to_contain_text("换货")
        for _ in "/huanhou":
            page.keyboard.press("Backspace")
        page.keyboard.type("/hh")
        expect(page.get_by_role("option", name=re.compile("换货"))).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(box(page, guest)).to_have_value("换货当天登记,亲 键盘。")
        page.keyboard.press("Enter")
        guest.hears("换货当天登记,亲 键盘。")
        page.keyboard.press("Alt+e")
        expect(page.get_by_role("dialog", name=re.compile("结束与 键盘"))).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("Alt+e")
        page.get_by_role("checkbox", name="同时邀请评价").uncheck()
        page.get_by_role("button", name="结束会话", exact=True).last.press("Enter")
        guest.until(lambda frame: _event(frame) == "conversation.closed", "the end")
        page.get_by_role("tab", name="已结束").click()
        page.get_by_role("button", name=re.compile("键盘")).first.click()
        expect(page.get_by_role("log")).to_contain_text("换货当天登记,亲 键盘。")
        expect(page.get_by_role("textbox", name="回复 键盘")).to_be_disabled()
        a_long_list_stays_light(page, house, guest)


def a_long_list_stays_light(page: Page, house: House, guest: Guest) -> None:
    """Of 150 ended conversations only those in sight stand in the page; screen readers are told how many there are."""
    made = house.sql(
        "with made as (insert into conversation select (jsonb_populate_record(c, jsonb_build_object("
        "'id', gen_random_uuid(), 'closed_at', c.closed_at - make_interval(secs => n)))).*"
        " from conversation c, generate_series(1, 150) n where c.thread_id = $1 returning id)"
        " select array_agg(id) from made", guest.thread,
    )  # fmt: skip
    page.get_by_role("tab", name="接待中").click()
    page.get_by_role("tab", name="已结束").click()
    panel = page.locator("#list-panel")
    rows = panel.locator("li[data-at]")
    for read in (100, 150):
        page.get_by_role("button", name="更多", exact=True).click()
        expect(rows.first).to_have_attribute("aria-setsize", re.compile(rf"^{read}$"))
    assert rows.count() < 60
    panel.evaluate("box => (box.scrollTop = box.scrollHeight)")
    expect(panel.locator("li[data-at='149']")).to_be_in_viewport()
    assert rows.count() < 60
    rows.last.get_by_role("button").focus()
    panel.evaluate("box => (box.scrollTop = 0)")
    expect(panel.locator("li[data-at='0']")).to_be_in_viewport()
    expect(panel.locator("li[data-at='149'] button")).to_be_focused()
    house.sql("delete from conversation where id = any($1) returning true", made)


def test_a_canned_reply_of_the_whole_shop_brings_its_picture_whoever_sends_it(chromium: Browser, house: House) -> None:
    held = io.BytesIO()
    Image.new("RGB", (320, 200), "#1f6b4a").save(held, "JPEG")
    chart = {"name": "尺码表.jpg", "mimeType": "image/jpeg", "buffer": held.getvalue()}
    with desk(chromium, house) as (_, page), house.shopper("尺码") as guest:
        page.get_by_role("button", name="话术", exact=True).click()
        page.get_by_role("button", name="新建话术").click()
        form = page.get_by_role("dialog")
        form.get_by_label("代码").fill("cmb")
        form.get_by_label("标题").fill("尺码表")
        form.get_by_label("文件夹").fill("售前")
        form.get_by_label("内容").fill("亲 {昵称}，尺码看图。")
        form.get_by_label("图片或短视频").set_input_files(chart)
        expect(form.get_by_role("list", name="会一起发送的图片").locator("img")).to_be_visible()
        assert faults_of(page) == []
        form.get_by_label("给谁用").select_option(label="全店")
        form.get_by_label("代码").fill("wl")
        form.get_by_role("button", name="保存", exact=True).click()
        expect(form.get_by_text("这里已有话术用了这个代码")).to_be_visible()
        form.get_by_label("代码").fill("cmb")
        form.get_by_role("button", name="保存", exact=True).click()
        expect(form).to_have_count(0)
        page.get_by_label("文件夹").select_option("售前")
        expect(page.get_by_role("listitem").filter(has_text="/cmb")).to_be_visible()
        expect(page.get_by_role("listitem").filter(has_text="/wl")).to_have_count(0)
        page.get_by_role("navigation").get_by_role("button", name=re.compile("接待")).click()
        # Somebody else wrote it down; he who sends it did not upload it.
        house.sql("update media set owner_id = gen_random_uuid() where name = '尺码表.jpg'")
        comes_to(page, guest)
        row_of(page, guest).click()
        box(page, guest).press_sequentially("/cmb")
        page.keyboard.press("Enter")
        expect(page.get_by_role("list", name="会一起发送的图片").locator("img")).to_be_visible()
        page.keyboard.press("Enter")
        guest.hears("亲 尺码，尺码看图。")
        shown = [
            one for frame in guest.heard if (one := frame.get("entry", {}).get("body") or {}).get("kind") == "image"
        ]
        assert [one["width"] for one in shown] == [320]
        expect(page.get_by_role("log").get_by_role("button", name="查看图片").locator("img")).to_be_visible()
        token = house.run(guest.person._token())
        links = page.context.request.post(
            f"{house.url}/api/v1/media/links", data={"ids": [shown[0]["media"]]},
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert len(links.json()["links"]) == 1, "the shopper may see what he was sent"


def test_one_hand_with_keys_that_stay_larger_text_more_contrast_and_words_that_are_looked_at(
    chromium: Browser, house: House
) -> None:
    words = {
        "words": [
            {"word": "退款秒到", "act": "block", "instead": ""},
            {"word": "亲亲", "act": "replace", "instead": "亲"},
        ]
    }
    house.sql(
        "update shop set settings = settings || jsonb_build_object('wording', $2::jsonb) where shop_id = $1",
        house.shop.id, words,
    )  # fmt: skip

    def tap(page: Page, letter: str) -> None:
        page.keyboard.press("Alt")
        expect(page.locator(".desk__held")).to_contain_text("Alt")
        page.keyboard.press(letter)
        expect(page.locator(".desk__held")).to_have_text("")

    with desk(chromium, house) as (shown, page), house.shopper("单手") as guest:
        comes_to(page, guest)
        page.get_by_role("button", name="设置", exact=True).click()
        page.get_by_role("radio", name="只用左手").check()
        expect(page.get_by_role("checkbox", name=re.compile("^粘滞键"))).to_be_checked()
        page.get_by_role("radio", name="150%").check()
        page.get_by_role("checkbox", name="高对比度").check()
        assert faults_of(page) == []
        picture(page, "agent-one-hand")
        page.get_by_role("navigation").get_by_role("button", name=re.compile("接待")).click()
        for _ in range(12):
            tap(page, "s")
            if page.get_by_role("heading", name=re.compile("单手")).count():
                break
        expect(box(page, guest)).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert faults_of(page) == []
        page.keyboard.type("退 款·秒 到")
        tap(page, "x")
        expect(page.get_by_role("alert")).to_contain_text("不允许说“退款秒到”")
        expect(box(page, guest)).to_have_value("退 款·秒 到")
        box(page, guest).fill("亲亲，我們最便宜")
        tap(page, "x")
        expect(page.get_by_role("alert")).to_contain_text("“最便宜”可能不妥")
        picture(page, "agent-wording")
        expect(box(page, guest)).to_have_value("亲，我們最便宜")
        tap(page, "x")
        guest.hears("亲，我們最便宜")
        page.keyboard.type("一")
        page.keyboard.press("Enter")
        page.keyboard.type("二")
        page.keyboard.press("Enter")
        guest.hears("二")
        assert [_said(frame) for frame in guest.heard if _said(frame) in ("一", "二")] == ["一", "二"]
        page.reload()
        expect(page.locator("html")).to_have_class(re.compile("contrast"))
        # Its page and files stand without a network, too; what was said is not kept there.
        while not page.evaluate("navigator.serviceWorker.controller !== null"):  # the test's own time is the bound
            page.wait_for_timeout(100)
        page.reload()
        page.wait_for_load_state("networkidle")
        assert called_while_away(shown, house.url) == ["有买家在等你"]
        shown.context.set_offline(True)
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("没有网络")
        kept = page.evaluate(
            "caches.keys().then(names => Promise.all(names.map(name => caches.open(name).then(one => one.keys()))))"
            ".then(all => all.flat().map(one => new URL(one.url).pathname))"
        )
        assert kept
        assert not [path for path in kept if path.startswith("/api")]
        shown.context.set_offline(False)
        expect(row_of(page, guest)).to_be_visible()
        assert shown.policy_breaches() == []


def called_while_away(shown: Screen, url: str) -> list[str]:
    """The notices that a call of the push service leaves while no page of the console is open."""
    page = shown.page
    shown.context.grant_permissions(["notifications"], origin=url)
    driver = shown.context.new_cdp_session(page)
    found: list[str] = []
    driver.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"] if not one["isDeleted"]),
    )
    driver.send("ServiceWorker.enable")
    page.goto("about:blank")
    driver.send("ServiceWorker.deliverPushMessage", {"origin": url, "registrationId": found[0], "data": ""})
    page.goto(f"{url}/agent?lang=zh-CN")
    for _ in range(100):
        titles = (
            "navigator.serviceWorker.ready.then(one => one.getNotifications()).then(all => all.map(one => one.title))"
        )
        if notices := list(page.evaluate(titles)):
            return notices
        page.wait_for_timeout(100)
    return []


def _said(frame: dict[str, object]) -> str:
    entry = frame.get("entry")
    body = entry.get("body") if isinstance(entry, dict) else None
    return str(body.get("text", "")) if isinstance(body, dict) else ""


def _event(frame: dict[str, object]) -> str:
    entry = frame.get("entry")
    body = entry.get("body") if isinstance(entry, dict) else None
    return str(body.get("event")) if isinstance(body, dict) and body.get("kind") == "event" else ""


def test_what_is_typed_survives_a_reload_and_stays_with_its_conversation(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("草稿甲") as first, house.shopper("草稿乙") as second:
        comes_to(page, first)
        comes_to(page, second)
        row_of(page, first).click()
        box(page, first).fill("写到一半")
        row_of(page, second).click()
        expect(box(page, second)).to_have_value("")
        expect(row_of(page, first)).to_contain_text("草稿")
        page.reload()
        expect(row_of(page, first)).to_contain_text("草稿", timeout=30_000)
        row_of(page, first).click()
        expect(box(page, first)).to_have_value("写到一半")


def test_enter_chooses_a_word_while_an_input_method_composes_and_sends_nothing(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (shown, page), house.shopper("输入法") as guest:
        comes_to(page, guest)
        row_of(page, guest).click()
        box(page, guest).focus()
        driver = shown.context.new_cdp_session(page)
        driver.send("Input.imeSetComposition", {"text": "nihao", "selectionStart": 5, "selectionEnd": 5})
        for kind in ("rawKeyDown", "keyUp"):
            driver.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229},
            )
        driver.send("Input.insertText", {"text": "你好"})
        expect(box(page, guest)).to_have_value("你好")
        expect(page.get_by_role("log")).not_to_contain_text("nihao")
        page.keyboard.press("Enter")
        guest.hears("你好")
        expect(box(page, guest)).to_have_value("")


def test_a_reply_with_a_missing_variable_is_held_back(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("无订单") as guest:
        comes_to(page, guest)
        row_of(page, guest).click()
        box(page, guest).press_sequentially("/cwl")
        page.keyboard.press("Tab")
        expect(box(page, guest)).to_have_value("订单 {订单号} 在路上。")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("{订单号}")
        expect(page.get_by_role("button", name="发送", exact=True).last).to_be_disabled()
        page.keyboard.type("8821")
        expect(box(page, guest)).to_have_value("订单 8821 在路上。")
        page.keyboard.press("Enter")
        guest.hears("订单 8821 在路上。")


def test_a_new_conversation_takes_neither_the_focus_nor_the_screen(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("原来的") as first:
        comes_to(page, first)
        row_of(page, first).click()
        box(page, first).press_sequentially("正在")
        with house.shopper("新来的") as second:
            comes_to(page, second)
            page.keyboard.type("打字", delay=400)  # as fast as hands
            expect(box(page, first)).to_be_focused()
            expect(box(page, first)).to_have_value("正在打字")
            expect(page.get_by_role("heading", name=re.compile("原来的")).first).to_be_visible()
            expect(row_of(page, second)).to_contain_text("条未读")
        page.keyboard.press("Enter")
        first.hears("正在打字")
        # Two numbers went with it: what he typed himself, and how long that took.
        typed = "select typed_chars from assignment where thread_id = $1 and typed_ms > 0"
        for _ in range(100):
            if house.sql(typed, first.thread) == 4:
                break
            page.wait_for_timeout(100)
        assert house.sql(typed, first.thread) == 4


def test_words_said_while_the_hubs_are_away_arrive_once_when_they_are_back(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("断线") as guest:
        comes_to(page, guest)
        row_of(page, guest).click()
        for node in ("1", "2"):
            house.stop(f"hub-{node}", kill=True)
        expect(page.get_by_text("正在重连")).to_be_visible(timeout=20_000)
        box(page, guest).fill("断线时说的话")
        page.keyboard.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("断线时说的话")
        box(page, guest).fill("还没说完")
        for node in ("1", "2"):
            house.start(f"hub-{node}", "hub", "--node", node)
        guest.hears("断线时说的话")
        expect(page.get_by_text("正在重连")).to_have_count(0, timeout=30_000)
        expect(box(page, guest)).to_have_value("还没说完")
        stored = house.sql(
            "select count(*) from entry where thread_id = $1 and body->>'text' = '断线时说的话'", guest.thread
        )
        assert stored == 1
        with house.shopper("不用切换") as later:
            comes_to(page, later)  # the state that he chose still holds


def test_a_note_is_seen_by_colleagues_only(chromium: Browser, house: House) -> None:
    with desk(chromium, house) as (_, page), house.shopper("备注") as guest:
        comes_to(page, guest)
        row_of(page, guest).click()
        box(page, guest).focus()
        page.keyboard.press("Alt+n")
        page.get_by_role("textbox", name="写一条内部备注").fill("这位常退货")
        page.keyboard.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("这位常退货")
        box(page, guest).fill("您好")
        page.keyboard.press("Enter")
        guest.hears("您好")
        assert not any("常退货" in str(frame) for frame in guest.heard)


def test_a_conversation_goes_to_the_pool_it_is_transferred_to(chromium: Browser, house: House) -> None:
    pool = str(house.sql("select id from pool where name = '云杉·森野项目组'"))
    house.run(rules(house, replace(CALM, pool_answer=(PoolAnswer(pool, "offer"),), park_ms=1_000, wrap_up_ms=4_000)))
    with (
        desk(chromium, house) as (_, own),
        desk(chromium, house, "yun1") as (_, outsourced),
        house.shopper("转接") as guest,
    ):
        comes_to(own, guest)
        row_of(own, guest).click()
        box(own, guest).focus()
        own.keyboard.press("Alt+t")
        dialog = own.get_by_role("dialog", name="转接会话")
        dialog.get_by_role("radio", name=re.compile("云杉")).check()
        dialog.get_by_role("textbox").fill("要开发票")
        dialog.get_by_role("button", name="转接").click()
        # In that pool agents are asked first.
        expect(outsourced.get_by_role("button", name=re.compile("^接受"))).to_be_visible()
        outsourced.keyboard.press("Alt+a")
        expect(row_of(outsourced, guest)).to_be_visible(timeout=30_000)
        row_of(outsourced, guest).click()
        expect(outsourced.get_by_role("log")).to_contain_text("要开发票")
        box(outsourced, guest).fill("我来帮您")
        outsourced.keyboard.press("Enter")
        guest.hears("我来帮您")
        expect(row_of(own, guest)).to_have_count(0)
        # A quiet shopper is laid aside, and is this agent's again when he writes.
        row = row_of(outsourced, guest)
        expect(row).to_contain_text("暂离")
        guest.says("还有一个问题")
        expect(row).to_contain_text("还有一个问题")
        expect(row).not_to_contain_text("暂离")
        # He finishes what he has: it is written up, then it is over, and he is offline.
        set_state(outsourced, "收尾")
        box(outsourced, guest).focus()
        outsourced.keyboard.press("Alt+e")
        outsourced.get_by_role("checkbox", name="同时邀请评价").uncheck()
        outsourced.get_by_role("button", name="结束会话", exact=True).last.press("Enter")
        expect(row).to_contain_text("整理中")
        guest.until(lambda frame: _event(frame) == "conversation.wrapped_up", "the end")
        expect(row).to_have_count(0)
        expect(outsourced.get_by_role("button", name=re.compile("我的状态"))).to_contain_text("离线")
    house.run(rules(house, CALM))


def test_a_refused_transfer_stays_with_its_giver_who_is_told_why(chromium: Browser, house: House) -> None:
    with (
        desk(chromium, house) as (_, own),
        desk(chromium, house, "yun1") as (_, outsourced),
        house.shopper("婉拒") as guest,
    ):
        comes_to(own, guest)
        row_of(own, guest).click()
        box(own, guest).focus()
        own.keyboard.press("Alt+t")
        dialog = own.get_by_role("dialog", name="转接会话")
        dialog.get_by_role("radio", name=re.compile("^云朵")).check()
        dialog.get_by_role("button", name="转接").click()
        refuse = outsourced.get_by_role("button", name="拒绝")
        expect(refuse).to_be_visible()
        outsourced.reload()  # the offer is still open, so it is there again
        refuse.click()
        expect(own.get_by_text("婉拒：对方没有接受转接，会话仍由你接待。")).to_be_visible()
        expect(box(own, guest)).to_be_enabled()


def set_state(page: Page, state: str) -> None:
    page.get_by_role("button", name=re.compile("我的状态")).click()
    page.get_by_role("menuitemradio", name=re.compile(f"^{state}")).click()
    expect(page.get_by_role("button", name=re.compile("我的状态"))).to_contain_text(state)


def test_a_supervisor_watches_whispers_and_takes_over(chromium: Browser, house: House) -> None:
    with (
        desk(chromium, house) as (_, own),
        desk(chromium, house, "yun1") as (_, outsourced),
        house.shopper("监控") as guest,
    ):
        set_state(own, "忙碌")
        comes_to(outsourced, guest)
        row_of(outsourced, guest).click()
        own.get_by_role("button", name="监控", exact=True).click()
        expect(own.get_by_role("status").filter(has_text="正常")).to_contain_text(re.compile(r"超时 \d+ · 快超时 \d+"))
        own.get_by_role("button", name="旁观 监控 的会话").click()
        expect(own.get_by_role("log")).to_contain_text("这件还有货吗")
        expect(own.get_by_role("textbox", name="回复 监控")).to_be_disabled()
        own.get_by_role("button", name="为什么", exact=True).click()
        why = own.get_by_role("dialog", name="为什么这样分配")
        expect(why.locator("[data-step='1']")).to_contain_text("云朵")
        expect(why).to_contain_text("客服：最空闲优先")
        expect(why).to_contain_text("云杉客服，第 1 顺位，多一个会话 ¥1.20")
        assert faults_of(own) == []
        own.keyboard.press("Escape")
        own.get_by_role("button", name="悄悄话").click()
        own.get_by_role("textbox", name="写一条内部备注").fill("先道歉")
        own.keyboard.press("Enter")
        expect(outsourced.get_by_role("log")).to_contain_text("先道歉")
        own.get_by_role("button", name="插话").click()
        own.get_by_role("textbox", name="回复 监控").fill("我插一句")
        own.keyboard.press("Enter")
        guest.hears("我插一句")
        expect(outsourced.get_by_role("log")).to_contain_text("我插一句")
        own.get_by_role("button", name="移交").click()  # taken over, and asked at once where it shall go
        expect(own.get_by_role("dialog", name=re.compile("转接"))).to_be_visible()
        own.keyboard.press("Escape")
        expect(row_of(own, guest)).to_be_visible()
        expect(own.get_by_role("textbox", name="回复 监控")).to_be_enabled(timeout=30_000)
        own.get_by_role("textbox", name="回复 监控").fill("我是主管")
        own.keyboard.press("Enter")
        guest.hears("我是主管")
        expect(row_of(outsourced, guest)).to_have_count(0)
        panel = outsourced.get_by_role("complementary", name="买家资料")
        expect(panel).to_contain_text("这位买家已不由你接待，资料不再显示。")
        expect(panel.get_by_role("alert")).to_have_count(0)
        assert not any("先道歉" in str(frame) for frame in guest.heard)


def test_a_slow_answer_is_coloured_told_passed_on_and_the_shopper_told_the_truth(
    chromium: Browser, house: House
) -> None:
    tiers = (
        GuardTier(5_000, ("colour",)), GuardTier(6_000, ("notice",)), GuardTier(9_000, ("supervisor", "reoffer")),
        GuardTier(10_000, ("overflow", "note")),
    )  # fmt: skip
    house.run(rules(house, Policy(guard=tiers, nobody_ms=1_000, grace_ms=1_000, strikes_max=20)))
    words = "慢响应的第一句"
    with (
        desk(chromium, house) as (_, own),
        desk(chromium, house, "yun1") as (_, outsourced),
        house.agent("hai1") as last,
        screen(chromium, width=390, height=844) as shown,
    ):
        set_state(own, "忙碌")
        shopper, theirs = shown.page, outsourced.get_by_role("region", name="会话列表")
        shopper.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        shopper.get_by_role("button", name="转人工").last.click()
        expect(shopper.get_by_role("log")).to_contain_text("客服 云朵 已接入")
        shopper.get_by_role("textbox").fill(words)
        shopper.get_by_role("textbox").press("Enter")
        row = theirs.get_by_role("button", name=re.compile(words))
        row.click()
        outsourced.get_by_role("textbox", name=re.compile("^回复")).fill("写了一半的话")
        # The agent: a colour with a word in his list, then a notice.
        expect(row).to_contain_text("响应慢")
        expect(row).to_contain_text("请马上回")
        expect(outsourced.get_by_role("status").filter(has_text="请马上回复")).to_be_visible()
        # The supervisor: told at once, and the turn stands on his wall.
        expect(own.get_by_role("status").filter(has_text="请看一下")).to_be_visible()
        expect(own.get_by_role("navigation").get_by_text("需要你关注")).to_have_count(1)
        own.get_by_role("navigation").get_by_role("button", name=re.compile("^监控")).click()
        turn = own.get_by_role("listitem").filter(has_text=words)
        expect(turn).to_contain_text("需要你关注")
        assert faults_of(own) == []
        # Another agent gets it, and the shopper is told the truth.
        expect(row).to_have_count(0)
        expect(shopper.get_by_role("log")).to_contain_text("海棠 已接入")
        expect(shopper.get_by_role("log")).to_contain_text("您已经等了 0:1")
        thread = UUID(str(house.sql("select thread_id from entry where body->>'text' = $1", words)))
        tried = "select array_agg(a.reason order by a.epoch) from assignment a where a.thread_id = $1"
        assert house.sql(tried, thread)[-1] == "overflow:slow"
        kept = "select array_agg(array_to_string(acts, '+') order by after_ms) from slow_turn where thread_id = $1"
        assert house.sql(kept, thread) == ["colour", "notice", "supervisor+reoffer", "overflow+note"]
        why = house.sql("select conversation_id from thread where id = $1", thread)
        with screen(chromium) as office:
            office.page.goto(f"{house.url}/merchant/pools/assignments/{why}?lang=zh-CN")
            office.page.locator("#login").fill("boss")
            office.page.locator("#password").fill(PASSWORD)
            office.page.keyboard.press("Enter")
            expect(office.page.get_by_role("article").first).to_contain_text("通知主管 · 换一位客服")
        # An answer ends it. The conversation comes back to the first agent, and so do his words.
        house.run(last.say(thread, "海棠来了", epoch=house.sql("select epoch from thread where id = $1", thread)))
        expect(shopper.get_by_role("log")).to_contain_text("海棠来了")
        expect(turn.get_by_text("需要你关注")).to_have_count(0)
        epoch = house.sql("select epoch from thread where id = $1", thread)
        giving = {
            "type": "transfer.request",
            "thread": str(thread),
            "epoch": epoch,
            "to_agent": str(house.agents["yun1"]),
        }
        house.run(last.ask(giving))
        expect(outsourced.get_by_role("button", name=re.compile("^接受"))).to_be_visible()
        outsourced.keyboard.press("Alt+a")
        back = theirs.get_by_role("button", name=re.compile("海棠来了"))
        expect(back).to_be_visible()
        back.click()
        expect(outsourced.get_by_role("textbox", name=re.compile("^回复"))).to_have_value("写了一半的话")
        expect(outsourced.get_by_role("log")).to_contain_text("海棠来了")
        # His line breaks: the shopper is told and somebody else is there. The last one goes: he is not left alone.
        set_state(own, "离线")
        outsourced.close()
        expect(shopper.get_by_role("log").get_by_text("客服 海棠 已接入")).to_have_count(2)
        assert shopper.get_by_role("log").get_by_text("正在为您重新安排客服").count() >= 2
        house.run(last.ask({"type": "agent.state", "state": "offline"}))
        expect(shopper.get_by_role("log")).to_contain_text("请在这里留言，客服会尽快回复您")
    house.run(rules(house, CALM))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_screen_of_the_console_breaks_wcag(chromium: Browser, house: House, theme: str) -> None:
    with screen(chromium, theme=theme) as shown:
        shown.page.goto(f"{house.url}/agent?lang=zh-CN&theme={theme}")
        shown.page.locator("#login").wait_for()
        assert faults_of(shown.page) == []
    with desk(chromium, house, theme=theme) as (shown, page), house.shopper(f"可达性 {theme}") as guest:
        comes_to(page, guest)
        row_of(page, guest).click()
        expect(page.get_by_role("log")).to_contain_text("这件还有货吗")
        assert faults_of(page) == []
        box(page, guest).fill("/")
        box(page, guest).press("End")
        expect(page.get_by_role("listbox")).to_be_visible()
        assert faults_of(page) == []
        box(page, guest).fill("")
        for chord in ("Alt+t", "Alt+e", "Alt+s"):
            page.keyboard.press(chord)
            page.wait_for_timeout(200)
            assert faults_of(page) == [], chord
            page.keyboard.press("Escape")
        for tab in ("订单", "商品", "知识"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(200)
            assert faults_of(page) == [], tab
        for tab in ("排队", "已结束"):
            page.get_by_role("tab", name=re.compile(tab)).click()
            assert faults_of(page) == [], tab
        for place in ("话术", "数据", "监控", "设置"):
            page.get_by_role("button", name=place, exact=True).click()
            page.get_by_role("heading", level=2).first.wait_for()
            if place == "数据":
                expect(page.get_by_role("region", name="今天的工时")).to_contain_text("在线")
            assert faults_of(page) == [], place
        assert not shown.policy_breaches()


def test_the_desk_works_on_a_phone(chromium: Browser, house: House) -> None:
    with desk(chromium, house, width=390, height=844) as (_, page), house.shopper("手机") as guest:
        comes_to(page, guest)
        assert faults_of(page) == []
        row_of(page, guest).click()
        box(page, guest).fill("手机上回复")
        page.get_by_role("button", name="发送", exact=True).last.click()
        guest.hears("手机上回复")
        assert faults_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="买家资料").click()
        expect(page.get_by_role("complementary")).to_be_visible()
        page.get_by_role("button", name="返回聊天").click()
        page.get_by_role("button", name="返回列表").click()
        expect(row_of(page, guest)).to_be_visible()


def test_the_first_screen_stays_light(chromium: Browser, house: House) -> None:
    """What the browser fetches until the desk is there, as it came over the wire: below 170 KB."""
    with screen(chromium) as shown:
        fetched: list[int] = []
        shown.page.on("response", lambda answer: fetched.append(int(answer.headers.get("content-length", "0"))))
        sign_in(shown, house, "own1")
        expect(shown.page.get_by_role("region", name="会话列表")).to_be_visible()
        assert 20_000 < sum(fetched) < 170_000
