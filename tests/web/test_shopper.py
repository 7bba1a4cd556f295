"""The shopper's window, the launcher and the demo page in a real browser, against real processes."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

import menus.demo
from dispatcher import admin_read, admin_record
from dispatcher.model import Policy, Stage
from tests.web.browsing import Screen, faults_of, launched, screen, sign_in
from tests.web.house import House, open_house
from wangxin.clock import new_id
from wangxin.storage import entries, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.entries import Line

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "shopper"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)
PHONE: dict[str, Any] = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def house(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """With the demo's menu and questions, a member with an order, and an own team of one place."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setitem(os.environ, "WANGXIN_DEMO", "1")
        with open_house(embedded_postgres, embedded_valkey, tmp_path_factory.mktemp("shophouse")) as house:
            house.run(furnished(house))
            house.stop("dispatcher")
            house.start("dispatcher", "dispatcher")  # it reads the seats when it starts
            with house.shopper("早到") as early:
                early.says("怎么退货")  # the bot's first answer waits for its dictionaries
                early.until(lambda frame: '"kind": "bot"' in json.dumps(frame), "the bot")
            yield house


async def furnished(house: House) -> None:
    conn = await asyncpg.connect(house.postgres_url)
    await postgres._prepare(conn)
    await menus.demo.seed(conn, house.shop.id)
    await conn.execute(
        "update shop set settings = $2 where shop_id = $1", house.shop.id, {"demo": True, "demo_members": {"m1": "V4"}}
    )
    member = new_id()
    await conn.execute(
        "insert into shopper (shop_id, id, external_id, name) values ($1, $2, 'm1', '林晓')", house.shop.id, member
    )
    await conn.execute(
        "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, created_at)"
        " values ($1, 'D1001', $2, 'shipped', 35900, $3, now())",
        house.shop.id, member, [{"title": "轻薄立领羽绒服", "sku": "藏青 / L", "count": 1}],
    )  # fmt: skip
    await conn.execute("update seat set seats_max = 1 where agent_id = $1", house.agents["own1"])
    await conn.close()


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    with launched() as found:
        yield found


@contextmanager
def window(
    chromium: Browser, house: House, *, lang: str = "zh-CN", theme: str = "light", ready: str = "智能客服小森"
) -> Iterator[tuple[Screen, Page]]:
    """The whole-page window of a new guest on a phone, once it is live."""
    with screen(chromium, **PHONE, lang=lang, theme=theme) as shown:
        page = shown.page
        page.goto(f"{house.url}/chat/{house.shop.slug}?lang={lang}&theme={theme}")
        expect(page.get_by_role("log")).to_contain_text(ready)
        yield shown, page


def says(page: Page | FrameLocator, words: str) -> None:
    field = page.get_by_role("textbox", name=re.compile("输入消息|Type a message"))
    field.fill(words)
    field.press("Enter")


def said(page: Page | FrameLocator) -> list[str]:
    """The words of the log's lines, oldest first."""
    return [one.inner_text() for one in page.get_by_role("log").get_by_role("article").all()]


def comes_true(page: Page, looked_at: str) -> None:
    """Wait for it from outside: within the page, asking again would be an eval, which the page's policy forbids."""
    for _ in range(300):
        if page.evaluate(looked_at):
            return
        page.wait_for_timeout(100)
    raise AssertionError(looked_at)


def nodes_of(page: Page) -> list[str]:
    """The hubs that welcome this page from now on."""
    found: list[str] = []

    def heard(frame: object) -> None:
        answer = json.loads(str(frame))
        if answer["type"] == "welcome":
            found.append(answer["node"])

    page.on("websocket", lambda line: line.on("framereceived", heard))
    return found


def picture() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (640, 480), "#56749f").save(held, "JPEG")
    return held.getvalue()


def clip(page: Page) -> bytes:
    """A second of moving picture, as a browser records it: WebM that does not tell its own length."""
    given: str = page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
          const pen = canvas.getContext("2d");
          let step = 0;
          const drawing = setInterval(() => {
            pen.fillStyle = `hsl(${(step += 20)} 60% 50%)`;
            pen.fillRect(0, 0, 160, 120);
          }, 40);
          const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm;codecs=vp8" });
          const parts = [];
          recorder.ondataavailable = (event) => parts.push(event.data);
          const over = new Promise((done) => (recorder.onstop = done));
          recorder.start();
          await new Promise((done) => setTimeout(done, 1200));
          recorder.stop();
          await over;
          clearInterval(drawing);
          const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
          return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
        }"""
    )
    return base64.b64decode(given)


async def talked_of_old(house: House, thread: UUID, shopper: UUID, count: int) -> None:
    """A long talk of the shopper's, in his thread."""
    conn = await asyncpg.connect(house.postgres_url)
    await postgres._prepare(conn)
    await entries.append(
        conn,
        [
            Line(
                house.shop.id, thread, "shopper", shopper, new_id(), "text", entries.body_json({"text": f"旧话 {n}"}),
                opens=new_id(),
            )
            for n in range(count)
        ],
    )  # fmt: skip
    await conn.close()


def stored(house: House, words: str) -> int:
    return int(house.sql("select count(*) from entry where body->>'text' = $1", words))


def test_menu_bot_and_a_person_of_the_provider_when_the_own_team_is_full(chromium: Browser, house: House) -> None:
    with (
        house.agent("own1", node="2") as own, house.shopper("占位", node="2") as first,
        screen(chromium, **PHONE) as shown, screen(chromium) as desk,
    ):  # fmt: skip
        first.wants_a_person()
        first.until(lambda frame: "小禾" in str(frame), "the own agent")
        page, log = shown.page, shown.page.get_by_role("log")
        shopper_nodes, agent_nodes = nodes_of(page), nodes_of(desk.page)
        page.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        expect(log).to_contain_text("智能客服小森")
        # The menu: a chip opens a sheet, a leaf is said in the shopper's name and answered.
        page.get_by_role("button", name="退换售后").click()
        sheet = page.get_by_role("dialog", name="退换售后")
        sheet.get_by_role("button", name="售后常见问题").click()
        expect(sheet).to_have_count(0)
        expect(log).to_contain_text("关于售后，大家常问")
        choice = log.get_by_role("button").filter(has_not_text=re.compile("人工|撤回|更早")).first
        asked = choice.inner_text()
        choice.click()
        expect(log.get_by_role("article").filter(has_text=asked).last).to_be_visible()
        # The bot answers what it knows; unsure, it gives three questions to choose from, and a person.
        says(page, "羽绒服会跑绒吗")
        expect(log.get_by_role("article", name=re.compile("^小助手")).last).to_contain_text("半年内免费换新")
        says(page, "我是新来的，先问一句：羽绒服会跑绒吗")
        expect(log.get_by_role("group", name="可选项").last.get_by_role("button")).to_have_count(4)
        # The own team is full and nobody else is there yet: the shopper sees where he stands and what he may do.
        page.get_by_role("navigation", name="自助菜单").get_by_role("button", name="转人工").click()
        expect(log).to_contain_text("已为您申请人工客服，请稍候")
        strip = page.get_by_role("status").filter(has_text="下一位就是您")
        expect(strip).to_be_visible()
        expect(strip).to_contain_text("多半不超过")
        expect(page.get_by_role("button", name="留言")).to_be_visible()
        expect(page.get_by_role("button", name="取消排队")).to_be_visible()
        # Meanwhile he asks the assistant, and his place is kept.
        page.get_by_role("button", name="先问智能助手").click()
        expect(strip).to_contain_text("位置保留")
        answers = log.get_by_role("article", name=re.compile("^小助手"))
        before = answers.count()
        says(page, "怎么退货")
        expect(answers).to_have_count(before + 1)
        # He does not want to stay: he is called back in the chat, and closes the window.
        page.get_by_role("button", name="轮到我时叫我").click()
        expect(strip).to_contain_text("可以关闭窗口")
        expect(log).to_contain_text("已为您保留位置")
        assert faults_of(page) == []
        page.goto("about:blank")
        # The provider's agent comes to work and gets him.
        agent = sign_in(desk, house, "yun1")
        agent.get_by_role("button", name=re.compile("我的状态")).click()
        agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        rows = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
        rows.first.get_by_role("button").first.click()
        expect(agent.get_by_role("log")).to_contain_text("买家选择到号再叫他")
        agent.get_by_role("textbox", name=re.compile("^回复")).fill("让您久等了")
        agent.get_by_role("textbox", name=re.compile("^回复")).press("Enter")
        expect(agent.get_by_role("log")).to_contain_text("让您久等了")
        # Back at the window, the conversation goes on where it is.
        page.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        expect(log).to_contain_text("客服 云朵 已接入，为您服务", timeout=60_000)
        expect(log).to_contain_text("让您久等了")
        expect(strip).to_have_count(0)
        expect(page.get_by_role("banner")).to_contain_text("客服 云朵")
        assert {*shopper_nodes, *agent_nodes} == {"1", "2"}, "they sit on different hubs"
        theirs, box = agent.get_by_role("log"), agent.get_by_role("textbox", name=re.compile("^回复"))
        expect(theirs).to_contain_text("羽绒服会跑绒吗")
        box.fill("不会的，面料防钻绒。")
        expect(page.get_by_text("对方正在输入")).to_be_visible()
        box.press("Enter")
        expect(log).to_contain_text("不会的，面料防钻绒。")
        says(page, "那我就放心了")
        expect(theirs).to_contain_text("那我就放心了")
        expect(log.get_by_role("article").last).to_contain_text("已读")
        # A picture goes up and is seen on the other side.
        page.get_by_role("button", name="更多", exact=True).click()
        files = page.get_by_role("dialog", name="更多").locator("input[type=file]").first
        files.set_input_files({"name": "sleeve.jpg", "mimeType": "image/jpeg", "buffer": picture()})
        expect(theirs.get_by_role("button", name="查看图片")).to_be_visible()
        page.get_by_role("button", name="查看图片").click()
        expect(page.get_by_role("dialog", name="查看图片")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        # So does a short video: a frame of it stands in the log, and it plays.
        page.get_by_role("button", name="更多", exact=True).click()
        files = page.get_by_role("dialog", name="更多").locator("input[type=file]").last
        files.set_input_files({"name": "sleeve.webm", "mimeType": "video/webm", "buffer": clip(page)})
        shown_video = theirs.get_by_role("button", name="播放视频")
        expect(shown_video).to_be_visible()
        comes_true(agent, "[...document.querySelectorAll('.media:has(.play) img')].some(at => at.naturalWidth)")
        log.get_by_role("button", name="播放视频").click()
        expect(page.get_by_role("dialog", name="播放视频")).to_be_visible()
        comes_true(page, "document.querySelector('dialog video')?.currentTime > 0")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        speaks(page, theirs, house)
        # What was said in error is taken back, and both sides see one line about it.
        says(page, "打错了的话")
        expect(theirs).to_contain_text("打错了的话")
        log.get_by_role("article").filter(has_text="打错了的话").get_by_role("button", name="撤回").click()
        expect(log.get_by_text("撤回了一条消息")).to_have_count(1)
        expect(log).not_to_contain_text("打错了的话")
        expect(theirs).not_to_contain_text("打错了的话")
        # Asked for a rating, he gives it by keyboard.
        agent.get_by_role("button", name="邀请评价", exact=True).click()
        page.get_by_role("radio", name="满意", exact=True).press(" ")
        page.get_by_role("button", name="回复很快").click()
        page.get_by_role("button", name="提交评价").click()
        expect(log).to_contain_text("已评价")
        expect(theirs).to_contain_text("评价：4 星，满意")
        assert faults_of(page) == []
        # He waited, asked nothing new, and the conversation is ended by the agent.
        agent.get_by_role("button", name="结束会话", exact=True).click()
        agent.get_by_role("dialog").get_by_role("button", name="结束会话").click()
        expect(log).to_contain_text("本次服务已结束")
        house.run(own.ask({"type": "conversation.close", "thread": str(first.thread), "epoch": 1}))
        assert shown.complaints == []


def speaks(page: Page, theirs: Locator, house: House) -> None:
    """Without a microphone he is told what to do; with one, what he says is heard on both sides."""
    page.get_by_role("button", name="更多", exact=True).click()
    page.get_by_role("dialog", name="更多").get_by_role("button", name="语音").click()
    sheet = page.get_by_role("dialog", name="发语音")
    sheet.get_by_role("button", name="轻点开始说话").click()
    expect(sheet.get_by_role("status")).to_contain_text("没有麦克风权限")
    assert faults_of(page) == []
    page.context.grant_permissions(["microphone"], origin=house.url)
    # By keyboard: Enter begins, time goes on, he thinks better of it; then again, and it is sent.
    sheet.get_by_role("button", name="轻点开始说话").press("Enter")
    expect(sheet.get_by_role("timer")).to_contain_text("0:01")
    assert faults_of(page) == []
    sheet.get_by_role("button", name="取消").click()
    expect(sheet.get_by_role("status")).to_contain_text("已取消")
    # By finger: held, let go after a slide upwards, it is gone; a tap, and another one.
    mic = sheet.get_by_role("button", name="轻点开始说话")
    place = mic.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 30, place["y"] + 30)
    page.mouse.down()
    expect(sheet.get_by_role("timer")).to_contain_text("0:01")
    page.mouse.move(place["x"] + 30, place["y"] - 90)
    expect(sheet.get_by_role("status")).to_contain_text("松开取消")
    page.mouse.up()
    expect(sheet.get_by_role("status")).to_contain_text("已取消")
    mic.click()
    expect(sheet.get_by_role("timer")).to_contain_text("0:02")
    sheet.get_by_role("button", name="发送语音").click()
    expect(sheet).to_have_count(0)
    for heard in (theirs, page.get_by_role("log")):
        voice = heard.get_by_role("article").filter(has=heard.page.get_by_role("slider", name="播放进度"))
        voice.get_by_role("button", name="播放语音").press("Enter")
        expect(voice.get_by_role("button", name="暂停")).to_be_visible()
        expect(voice.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile(r"^0:01 / 0:0[23]$"))
        expect(voice.get_by_role("button", name="播放语音")).to_be_visible()  # to its end
        voice.get_by_role("slider").press("End")
        expect(voice.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile(r"^0:0([23]) / 0:0\1$"))
        assert faults_of(heard.page) == []
    assert house.sql("select count(*) from media where kind = 'voice' and duration_ms between 1900 and 6000") == 1


async def routed(house: House, policy: Policy | None) -> Policy:
    """The policy that held before; None: with the bot as a pool, steps that lead to it at once, and whoever waits may
    wait; messages are handed out quickly."""
    pool = await postgres.open_pool(house.postgres_url, least=1, most=1, name="steps")
    async with pool.acquire() as conn, conn.transaction():
        before = await admin_read.policy(conn, house.shop.id)
        if policy is None:
            await admin_record.add_pool(conn, house.shop.id, new_id(), "小助手池", outsourced=False, kind="bot")
            stages = (Stage("own"), Stage("any", 0), Stage("bot", 0))
            policy = Policy(stages=stages, nobody_ms=None, message_box_ms=None, backlog_every_ms=0)
        await admin_record.put_policy(conn, house.shop.id, policy, new_id())
        await admin_record.routing_changed(conn, house.shop.id)
    await pool.close()
    return before


def nobody_came_and_he_chooses(page: Page) -> None:
    """The steps end with the bot: beside the sentence that says so stands what he can do instead."""
    page.get_by_role("navigation", name="自助菜单").get_by_role("button", name="转人工").click()
    expect(page.get_by_role("log")).to_contain_text("已不在排队中")
    choices = page.get_by_role("group", name="等候方式")
    expect(choices.get_by_role("button")).to_have_text(["轮到我时叫我", "留言", "先问智能助手"])
    assert faults_of(page) == []
    choices.get_by_role("button", name="轮到我时叫我").click()
    strip = page.get_by_role("status").filter(has_text="可以关闭窗口")
    expect(strip).to_be_visible()
    page.get_by_role("button", name="我就在这里等").click()
    expect(strip).to_have_count(0)
    expect(choices.get_by_role("button")).to_have_count(3)  # the line was over for him once more
    choices.get_by_role("button", name="先问智能助手").click()
    expect(choices).to_have_count(0)


def test_who_waits_is_helped_by_the_bot_may_be_called_back_and_his_message_is_answered_at_opening(
    chromium: Browser, house: House
) -> None:
    short = Policy(stages=(Stage("own"),), nobody_ms=None, message_box_ms=1_000, fallback="bot")
    usual = house.run(routed(house, short))
    with window(chromium, house) as (shown, page), house.shopper("先留言") as first, screen(chromium) as desk:
        first.says("昨晚先问的")
        first.wants_a_person()  # before anybody: whoever asks again keeps his place
        nobody_came_and_he_chooses(page)
        house.run(routed(house, None))
        first.wants_a_person()
        first.until(lambda frame: frame.get("type") == "queue.position" and frame.get("helped"), "the bot helps")
        first.ask({"type": "queue.leave", "leave_message": True})
        first.until(lambda frame: "conversation.message_box" in str(frame), "the message box")
        log = page.get_by_role("log")
        page.get_by_role("navigation", name="自助菜单").get_by_role("button", name="转人工").click()
        strip = page.get_by_role("status").filter(has_text="下一位就是您")
        expect(strip).to_contain_text("智能助手先回答您的话；位置保留")  # the step leads there: he need not ask for it
        answers = log.get_by_role("article", name=re.compile("^小助手"))
        before = answers.count()
        says(page, "怎么退货")
        expect(answers).to_have_count(before + 1)
        page.get_by_role("button", name="轮到我时叫我").click()
        expect(strip).to_contain_text("可以关闭窗口")
        page.get_by_role("button", name="我就在这里等").click()
        expect(strip).not_to_contain_text("可以关闭窗口")
        assert faults_of(page) == []
        page.get_by_role("button", name="留言", exact=True).click()
        expect(log).to_contain_text("请在这里留言，客服会尽快回复您")
        expect(strip).to_have_count(0)
        says(page, "毛衣还有灰色吗")
        # At opening: the oldest message first, to an agent who has room for one at a time.
        agent = sign_in(desk, house, "own1")
        agent.get_by_role("button", name=re.compile("我的状态")).click()
        agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        rows = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
        expect(rows).to_have_count(1)
        rows.get_by_role("button").first.click()
        theirs, box = agent.get_by_role("log"), agent.get_by_role("textbox", name=re.compile("^回复"))
        expect(theirs).to_contain_text("昨晚先问的")
        box.fill("早上好，先回复您")
        box.press("Enter")
        first.hears("早上好，先回复您")
        agent.get_by_role("button", name="结束会话", exact=True).click()
        agent.get_by_role("dialog").get_by_role("button", name="结束会话").click()
        rows.filter(has_text="毛衣还有灰色吗").get_by_role("button").first.click()
        box.fill("有灰色的")
        box.press("Enter")
        expect(log).to_contain_text("有灰色的")
        agent.get_by_role("button", name="结束会话", exact=True).click()
        agent.get_by_role("dialog").get_by_role("button", name="结束会话").click()
        expect(log).to_contain_text("本次服务已结束")
        assert shown.complaints == []
    reasons = house.sql("select array_agg(reason order by assigned_at) from assignment where reason = 'message_box'")
    house.run(routed(house, usual))
    assert reasons == ["message_box", "message_box"]
    assert house.sql("select count(*) from shopper where lang = 'zh-CN'") > 0, "what the window speaks is known"


def test_words_said_without_a_network_arrive_once_and_in_order(chromium: Browser, house: House) -> None:
    with window(chromium, house) as (shown, page):
        log = page.get_by_role("log")
        says(page, "断网以前")
        expect(log.get_by_role("article").filter(has_text="断网以前")).to_contain_text("送达")
        page.wait_for_function("performance.getEntriesByName && document.querySelectorAll('link[href*=later]').length")
        shown.context.set_offline(True)
        expect(page.get_by_role("status").filter(has_text="正在重连")).to_be_visible()
        says(page, "断网第一句")
        says(page, "断网第二句")
        page.get_by_role("button", name="尺码与商品").click()
        page.get_by_role("dialog").get_by_role("button", name="面料与洗护").click()
        expect(log.get_by_role("article").filter(has_text="断网第二句")).to_contain_text("发送中")
        shown.context.set_offline(False)
        expect(log).to_contain_text("关于面料与洗护，大家常问")
        expect(page.get_by_role("status").filter(has_text="正在重连")).to_have_count(0)
        expect(log.get_by_text("发送中")).to_have_count(0)
        lines = "\n".join(said(page))
        order = [lines.index(words) for words in ("断网以前", "断网第一句", "断网第二句", "面料与洗护")]
        assert order == sorted(order)
        assert [stored(house, words) for words in ("断网第一句", "断网第二句")] == [1, 1]
        page.reload()
        expect(log).to_contain_text("断网第二句")
        assert "\n".join(said(page)).count("断网第一句") == 1
        assert shown.policy_breaches() == []


def test_an_input_method_and_the_keyboard_alone(chromium: Browser, house: House) -> None:
    with window(chromium, house) as (shown, page):
        field = page.get_by_role("textbox", name="输入消息")
        field.focus()
        keys = shown.context.new_cdp_session(page)
        keys.send("Input.imeSetComposition", {"text": "fahuo", "selectionStart": 5, "selectionEnd": 5})
        # The Enter that chooses a word: it is neither sent nor typed.
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
        keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
        keys.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
        keys.send("Input.insertText", {"text": "几天发货"})
        expect(field).to_have_value("几天发货")
        assert page.get_by_role("article").filter(has_text="发货").count() == 0
        field.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("几天发货")
        expect(field).to_have_value("")
        field.press("Shift+Enter")
        expect(field).to_have_value("\n")
        field.fill("")
        # From the field backwards to the menu, into a sheet, out of it, and on.
        chip = page.get_by_role("button", name="优惠活动")
        for _ in range(8):
            page.keyboard.press("Shift+Tab")
            if chip.evaluate("at => at === document.activeElement"):
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="优惠活动")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(chip).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name=re.compile("领新人券")).press("Enter")
        expect(page.get_by_role("log")).to_contain_text("满 199 元可用")
        expect(chip).to_be_focused()
        assert shown.complaints == []


def test_what_a_guest_said_follows_the_member_he_turns_out_to_be(chromium: Browser, house: House) -> None:
    """On the shop's page: the launcher, the guest, the member, and the launcher again while the window is closed."""
    with screen(chromium, width=1280, height=900) as shown, house.agent("hai1") as agent:
        page, inside = shown.page, shown.page.frame_locator("iframe")
        page.goto(f"{house.url}/demo/{house.shop.slug}")
        launcher = page.get_by_role("button", name=re.compile("^在线客服"))
        launcher.click()
        says(inside, "我还没登录，先问一句")
        expect(inside.get_by_role("log")).to_contain_text("我还没登录，先问一句")
        expect(inside.get_by_text("送达")).to_be_visible()
        page.get_by_role("radio", name=re.compile("会员")).check()
        expect(page.get_by_role("combobox", name=re.compile("会员"))).to_have_value("m1")
        inside.get_by_role("button", name="更多操作").click()
        expect(inside.get_by_role("dialog")).to_contain_text("会员身份")
        page.keyboard.press("Escape")
        expect(inside.get_by_role("log")).to_contain_text("我还没登录，先问一句")
        merged: UUID = house.sql(
            "select p.merged_into from entry e join thread t on t.id = e.thread_id"
            " join shopper p on p.id = t.shopper_id where e.body->>'text' = '我还没登录，先问一句'"
        )
        assert house.sql("select external_id from shopper where id = $1", merged) == "m1"
        # A member has orders to send; the page hands in what he looks at.
        inside.get_by_role("button", name="更多", exact=True).click()
        inside.get_by_role("button", name="我的订单").click()
        inside.get_by_role("button", name=re.compile("轻薄立领羽绒服")).click()
        expect(inside.get_by_role("log")).to_contain_text("D1001")
        page.get_by_role("button", name=re.compile("咨询这件商品")).click()
        expect(inside.get_by_role("log")).to_contain_text("¥359.00")
        inside.get_by_role("navigation").get_by_role("button", name="转人工").click()
        expect(inside.get_by_role("log")).to_contain_text("客服 海棠 已接入")
        page.keyboard.press("Escape")
        expect(page.locator("iframe")).to_be_hidden()
        expect(launcher).to_be_focused()
        # Closed, the launcher says how much is unread, and the last line.
        thread: UUID = house.sql("select id from thread where shopper_id = $1", merged)
        for words in ("您好，我是海棠", "这件还有货，您要什么码？"):
            house.run(agent.say(thread, words, epoch=int(agent.views[thread]["epoch"])))
        expect(page.get_by_role("button", name="在线客服 (2)")).to_be_visible()
        last = page.get_by_role("button", name="这件还有货，您要什么码？")
        expect(last).to_be_visible()
        assert faults_of(page) == []
        last.click()
        expect(inside.get_by_text("这件还有货，您要什么码？")).to_be_visible()
        expect(page.get_by_role("button", name="在线客服", exact=True)).to_be_visible()
        assert shown.complaints == []
        # Signed in again on another day, he finds it all by scrolling up; as a guest again, nothing of it.
        house.run(talked_of_old(house, thread, merged, 60))
        page.goto(f"{house.url}/demo/{house.shop.slug}?as=member")
        launcher.click()
        history = inside.get_by_role("log")
        expect(history).to_contain_text("旧话 59")
        expect(history).not_to_contain_text("旧话 9")
        for words in ("这件还有货，您要什么码？", "我还没登录，先问一句"):
            for _ in range(4):
                if words in history.inner_text():
                    break
                history.evaluate("at => at.scrollTo(0, 0)")
                page.wait_for_timeout(500)
            expect(history).to_contain_text(words)
        # What comes meanwhile does not move what he reads: it is announced, and one press away.
        house.run(agent.say(thread, "您还在看吗？", epoch=int(agent.views[thread]["epoch"])))
        inside.get_by_role("button", name="1 条新消息").click()
        expect(inside.get_by_text("您还在看吗？")).to_be_in_viewport()
        expect(inside.get_by_role("button", name="1 条新消息")).to_have_count(0)
        page.get_by_role("radio", name=re.compile("访客")).check()
        expect(inside.get_by_role("log")).to_contain_text("智能客服小森")
        expect(inside.get_by_role("log")).not_to_contain_text("我还没登录，先问一句")
        assert shown.policy_breaches() == []


@pytest.mark.parametrize(("theme", "lang"), [("light", "en"), ("dark", "zh-CN")])
def test_no_screen_of_the_window_breaks_wcag(chromium: Browser, house: House, theme: str, lang: str) -> None:
    with window(chromium, house, theme=theme, lang=lang) as (shown, page):
        human, options, more = (
            ("转人工", "更多操作", "更多") if lang == "zh-CN" else ("Talk to a person", "More actions", "More")
        )
        found: dict[str, list[str]] = {"empty": faults_of(page)}
        for chip, leaf in (("尺码与商品", "羽绒服专区"), ("优惠活动", "领新人券"), ("退换售后", "质量问题登记")):
            page.get_by_role("button", name=chip).click()
            found[chip] = faults_of(page)
            page.get_by_role("dialog").get_by_role("button", name=re.compile(leaf)).click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("log").get_by_role("group").last).to_be_visible()
        found["cards and a form"] = faults_of(page)
        for button in (options, more):
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.get_by_role("dialog")).to_be_visible()
            found[button] = faults_of(page)
            page.keyboard.press("Escape")
        page.get_by_role("navigation").get_by_role("button", name=human).click()
        expect(page.get_by_role("status").first).to_be_visible()
        found["asked for a person"] = faults_of(page)
        wide: Any = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], "nothing runs off the side"
        assert {name: faults for name, faults in found.items() if faults} == {}
        assert shown.complaints == []
