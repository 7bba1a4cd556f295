"""The merchant's menu and bot pages in a real browser, with shoppers' windows open beside them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import menus.demo
from tests.web.api.clips import mp4
from tests.web.browsing import Screen, faults_of, launched, screen, sign_in
from tests.web.house import PASSWORD, House, free_port, open_house
from wangxin.clock import new_id, now_ms
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.postgres import open_pool

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "consoles"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)
CSV = "\r\n".join(
    (
        "编号,分类,问法,回答",
        "engrave,服务,可以定制刻字吗|能刻上名字吗,下单时备注文字即可。",
        ",服务,,没有问法",
        "x,服务,没有回答,",
        "坏 号,服务,编号不对,好",
    )
)


CONVERTER = """#!{python}
# Stands for an ffmpeg: says how far it is, waits until it may go on, and writes a film that every desk plays.
import os, sys, time
print("out_time_us=1720000\\nprogress=continue", flush=True)
while not os.path.exists("{folder}/go"):
    time.sleep(0.05)
open(sys.argv[-1], "wb").write(open("{folder}/film", "rb").read())
"""


def converter(folder: Path) -> str:
    (folder / "film").write_bytes(mp4())
    path = folder / "ffmpeg"
    path.write_text(CONVERTER.format(python=sys.executable, folder=folder))
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def house(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    # Where the demo shop's own server will answer; the flow that needs it starts it.
    folder = tmp_path_factory.mktemp("menuhouse")
    settings = {
        "WANGXIN_FFMPEG": converter(folder), "WANGXIN_DEMO": "1", "WANGXIN_DEMO_SHOP": f"http://127.0.0.1:{free_port()}/wangxin",
        "WANGXIN_OUTBOUND_NETWORKS": "[]",
    }  # fmt: skip
    with open_house(embedded_postgres, embedded_valkey, folder, settings) as house:

        async def fill() -> None:
            pool = await open_pool(house.postgres_url)
            async with pool.acquire() as conn, conn.transaction():
                await menus.demo.seed(conn, house.shop.id)
                demo = {"demo": True, "demo_members": {"m1001": "V4"}}
                await conn.execute("update shop set settings = settings || $2 where shop_id = $1", house.shop.id, demo)
                await conn.execute(
                    "insert into shopper (shop_id, id, external_id, name) values ($1, $2, 'm1001', '林晓')",
                    house.shop.id, new_id(),
                )  # fmt: skip
            await pool.close()

        house.run(fill())
        yield house


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    with launched() as found:
        yield found


def merchant(shown: Screen, house: House, where: str, *, lang: str = "zh-CN", theme: str = "light") -> Page:
    page = shown.page
    page.goto(f"{house.url}/merchant/{where}?lang={lang}&theme={theme}")
    page.locator("#login").fill("boss")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#content").wait_for()
    return page


def window(shown: Screen, house: House) -> Page:
    """A guest's chat window with the menu shown."""
    shown.page.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
    expect(chip(shown.page, "查订单物流")).to_be_visible()
    return shown.page


def chip(page: Page, label: str) -> Any:
    return page.get_by_role("navigation", name="自助菜单").get_by_role("button", name=label)


def tree_item(page: Page, label: str) -> Any:
    return page.get_by_role("treeitem", name=label)


def say(page: Page, text: str) -> None:
    page.get_by_label("输入消息").fill(text)
    page.keyboard.press("Enter")


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "#336699").save(out, "PNG")
    return out.getvalue()


def publish(page: Page, note: str = "") -> None:
    page.get_by_role("button", name="发布…").click()
    page.get_by_label("版本备注").fill(note)
    page.get_by_role("button", name="现在发布").click()


def test_what_the_merchant_publishes_is_in_the_open_window_and_the_bots_mouth(chromium: Browser, house: House) -> None:
    with screen(chromium, width=390, height=844) as phone, screen(chromium) as desk:
        shopper = window(phone, house)
        # While he types, questions like his stand above the field; a tap asks one and the bot answers it.
        shopper.get_by_label("输入消息").fill("修改收货")
        near = shopper.get_by_role("group", name="相近的问题")
        near.get_by_role("button", name="可以修改收货地址吗").click()
        expect(shopper.get_by_text("未发货前可以修改")).to_be_visible()
        expect(shopper.get_by_label("输入消息")).to_have_value("")
        expect(near).to_have_count(0)
        assert faults_of(shopper) == []
        page = merchant(desk, house, "menus")
        # By keyboard alone: to the fifth item and up past its neighbours, then a new name and another answer.
        page.get_by_role("treeitem").first.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowUp")
        expect(tree_item(page, "开发票")).to_be_focused()
        page.keyboard.press("Alt+ArrowUp")
        page.keyboard.press("Alt+ArrowUp")
        expect(page.get_by_text("开发票 移到 第一层 第 3 项，共 6 项")).to_be_attached()
        page.keyboard.press("Enter")
        expect(page.get_by_label("名称", exact=True)).to_be_focused()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("电子发票")
        page.get_by_label("点击后").select_option("answer")
        # A mistake is named at its item, in the tree and in the list, and stops the publishing.
        expect(page.get_by_role("list", name="这一项的问题")).to_contain_text("死胡同")
        expect(tree_item(page, "电子发票")).to_contain_text("有错误")
        tree_item(page, "查物流").click()
        page.get_by_role("region", name="发布前要改的").get_by_role("button", name="电子发票").click()
        expect(page.get_by_label("名称", exact=True)).to_have_value("电子发票")
        page.get_by_role("button", name="发布…").click()
        expect(page.get_by_role("button", name="现在发布")).to_be_disabled()
        page.keyboard.press("Escape")
        page.get_by_label("回复内容").fill("签收后 3 天内发到您的邮箱。")
        expect(page.get_by_label("手机预览")).to_contain_text("签收后 3 天内发到您的邮箱。")
        expect(page.get_by_role("list", name="这一项的问题")).to_have_count(0)
        assert faults_of(page) == []
        # A new question for the bot; leaving the menu asks about the changes first.
        page.get_by_role("link", name="机器人").click()
        page.get_by_role("button", name="保存草稿并离开").click()
        page.get_by_role("button", name="添加问题").click()
        page.get_by_label("买家会怎么问").fill("可以到店自提吗\n能自己去拿吗")
        page.get_by_label("回答", exact=True).fill("可以，下单时选自提门店。")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_text("已保存，机器人马上就会用")).to_be_visible()
        page.get_by_role("link", name="自助菜单").click()
        expect(tree_item(page, "电子发票")).to_be_visible()
        assert not chip(shopper, "电子发票").is_visible()
        publish(page, "发票改成自动")
        expect(page.get_by_text("版本 2 已上线")).to_be_visible()
        # The open window changes by itself, the tap and the question get the new answers.
        chip(shopper, "电子发票").click()
        expect(shopper.get_by_role("log")).to_contain_text("签收后 3 天内发到您的邮箱。")
        say(shopper, "能自己去拿吗")
        expect(shopper.get_by_role("log")).to_contain_text("可以，下单时选自提门店。")
        expect(shopper.get_by_role("button", name="转人工")).to_be_visible()
        # One click back.
        expect(page.get_by_role("listitem").filter(has_text="发票改成自动")).to_contain_text("线上")
        page.get_by_role("button", name="恢复版本 1").click()
        expect(page.get_by_text("版本 3 已上线")).to_be_visible()
        expect(chip(shopper, "开发票")).to_be_visible()
        expect(chip(shopper, "电子发票")).to_have_count(0)
        assert desk.policy_breaches() + phone.policy_breaches() == []


def test_a_menu_goes_live_at_its_moment_and_back_at_its_end(chromium: Browser, house: House) -> None:
    with screen(chromium, width=390, height=844) as phone, screen(chromium) as desk:
        shopper = window(phone, house)
        page = merchant(desk, house, "menus")
        tree_item(page, "查订单物流").click()
        page.get_by_label("名称", exact=True).fill("全 网 最 低 专区")
        expect(page.get_by_role("list", name="这一项的问题")).to_contain_text("绝对化用语「全网最低」")
        page.get_by_text("店铺禁用词（0）").click()
        page.get_by_label("菜单里不能出现的词").fill("全网最低\n")
        page.get_by_role("button", name="保存禁用词").click()
        expect(page.get_by_role("list", name="这一项的问题")).to_contain_text("禁用词「全网最低」")
        page.get_by_label("名称", exact=True).fill("双十一专区")
        expect(page.get_by_role("list", name="这一项的问题")).to_have_count(0)
        page.get_by_role("button", name="发布…").click()
        page.get_by_label("定时").check()
        page.get_by_label("上线时间").fill("2020-11-11T00:00:00")
        page.get_by_role("button", name="定时发布").click()
        expect(page.get_by_role("alert").filter(has_text="已经过去").first).to_be_visible()
        page.get_by_label("上线时间").fill("2037-11-11T00:00:00")
        page.get_by_label("结束时间").fill("2037-11-12T00:00:00")
        page.get_by_role("button", name="定时发布").click()
        planned = page.get_by_role("region", name="定时发布").get_by_role("listitem")
        expect(planned).to_contain_text("等待中")
        assert faults_of(page) == []
        assert not chip(shopper, "双十一专区").is_visible()
        # The moment comes, and then the end: the worker does both by itself.
        house.sql("update menu_plan set at = clock_timestamp() where shop_id = $1 returning 1", house.shop.id)
        expect(chip(shopper, "双十一专区")).to_be_visible()
        house.sql("update menu_plan set until = clock_timestamp() where shop_id = $1 returning 1", house.shop.id)
        expect(chip(shopper, "查订单物流")).to_be_visible()
        page.reload()
        expect(planned).to_contain_text("已完成")
        house.sql("update menu_desk set draft = null where shop_id = $1 returning 1", house.shop.id)


def test_guests_see_a_menu_of_their_own_and_half_of_them_as_a_trial(chromium: Browser, house: House) -> None:
    with (
        house.shopper("何会员"), screen(chromium, width=390, height=844) as phone, screen(chromium) as desk,
    ):  # fmt: skip
        shopper = window(phone, house)
        page = merchant(desk, house, "menus")
        page.get_by_role("button", name="给一部分买家另一份菜单").click()
        expect(page.get_by_label("菜单名称")).to_be_focused()
        page.keyboard.type("访客菜单")
        expect(page.get_by_role("list", name="这份菜单的问题")).to_contain_text("没有任何条件")
        page.get_by_label("买家", exact=True).select_option("guests")
        expect(page.get_by_role("list", name="这份菜单的问题")).to_have_count(0)
        tree_item(page, "查订单物流").click()
        page.get_by_label("名称", exact=True).fill("新人专享")
        # As whom, and why: the guest sees it, the member lacks being one.
        member = house.sql("select id from shopper where name = '何会员'")
        reasons = page.get_by_role("region", name="为什么看到这份菜单").get_by_role("listitem")
        expect(reasons.filter(has_text="访客菜单")).to_contain_text("看到这份")
        page.get_by_label("以谁的身份预览").select_option(str(member))
        expect(reasons.filter(has_text="访客菜单")).to_contain_text("不符合：会员或访客")
        expect(reasons.filter(has_text="默认菜单")).to_contain_text("看到这份")
        assert faults_of(page) == []
        publish(page, "访客菜单")
        expect(chip(shopper, "新人专享")).to_be_visible()
        expect(chip(shopper, "查订单物流")).to_have_count(0)
        chip(shopper, "新人专享").click()
        shopper.get_by_role("dialog").get_by_role("button", name="查物流").click()
        expect(shopper.get_by_role("log")).to_contain_text("查物流")
        # A test question that the default menu passes and the guests' menu fails is told with that menu's name.
        tree_item(page, "查物流").click()
        page.get_by_text("让买家的话直接走到这里").click()
        page.get_by_label("话题编号（空格分隔）").fill("logistics_track install")
        publish(page, "访客问安装")
        expect(page.get_by_role("listitem").filter(has_text="访客问安装")).to_contain_text("线上")
        page.get_by_role("link", name="机器人").click()
        page.get_by_role("link", name="测试题").click()
        page.get_by_role("region", name="测试题").get_by_label("买家的话").fill("安装师傅什么时候上门安装")
        page.get_by_label("应该", exact=True).select_option("none")
        page.get_by_role("button", name="添加", exact=True).click()
        row = page.get_by_role("listitem").filter(has_text="安装师傅")
        expect(row).to_contain_text("默认菜单答得对，这些菜单里答错：访客菜单")
        assert faults_of(page) == []
        row.get_by_role("button", name="删除：安装师傅").click()
        expect(row).to_have_count(0)
        page.get_by_role("button", name="撤销").click()
        row.get_by_role("button", name="删除：安装师傅").click()
        expect(row).to_have_count(0)
        page.get_by_role("link", name="自助菜单").click()
        page.get_by_role("button", name=re.compile("访客菜单")).first.click()
        # Hours without a day are refused at their place.
        page.get_by_role("button", name="添加时段").click()
        for day in ("周一", "周二", "周三", "周四", "周五", "周六", "周日"):
            page.get_by_label(day).uncheck()
        expect(page.get_by_role("list", name="这份菜单的问题")).to_contain_text("「时段的日子」没有填对")
        page.get_by_role("button", name="删除时段 1").click()
        # A trial: half of the guests see it, the figures tell both sides and that nothing can be said yet.
        page.get_by_label("给符合条件的百分之几").fill("50")
        expect(page.get_by_role("button", name=re.compile("访客菜单")).first).to_contain_text("试验 50%")
        publish(page, "试验")
        live = page.get_by_role("listitem").filter(has_text="试验").filter(has_text="线上")
        expect(live).to_be_visible()
        expect(chip(shopper, "新人专享").or_(chip(shopper, "查订单物流"))).to_be_visible()
        page.get_by_role("link", name="效果").click()
        trial = page.get_by_role("region", name="试验：访客菜单")
        expect(trial).to_contain_text("50%")
        expect(trial.get_by_role("row").filter(has_text="转人工")).to_contain_text("还看不出")
        assert faults_of(page) == []
        page.get_by_role("link", name="编辑").click()
        page.get_by_role("button", name=re.compile("访客菜单")).first.click()
        page.get_by_role("button", name="删除 访客菜单").click()
        publish(page)
        expect(chip(shopper, "查订单物流")).to_be_visible()
        assert desk.policy_breaches() + phone.policy_breaches() == []


@contextlib.contextmanager
def demo_shop(house: House, secret: str) -> Iterator[None]:
    """The demo shop's own server, with the secret that its merchant was given."""
    port = house.environment["WANGXIN_DEMO_SHOP"].rsplit(":", 1)[1].partition("/")[0]
    environment = {
        **os.environ, "DEMO_SHOP_PORT": port, "DEMO_SHOP_SECRET": secret, "DEMO_SHOP_KEY": "wxk_none",
        "DEMO_SHOP_EVENTS": f"{house.url}/api/v1/events", "DEMO_SHOP_SINCE_MS": str(now_ms()),
        "DEMO_SHOP_FILE": str(house.folder / "demo-shop.json"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "wangxin.demo_shop"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "answers at port" in process.stderr.readline()
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def test_a_shops_own_server_is_connected_checked_and_answers_a_ready_menu_of_three_levels(
    chromium: Browser, house: House
) -> None:
    with screen(chromium) as desk, screen(chromium, width=1280, height=900) as shown, screen(chromium) as third:
        page = merchant(desk, house, "settings")
        panel = page.get_by_role("region", name="店铺接口")
        panel.get_by_label("接口地址").fill("ftp://shop.example")
        panel.get_by_role("button", name="保存地址").click()
        expect(panel.get_by_role("alert")).to_contain_text("https://")
        panel.get_by_label("接口地址").fill(house.environment["WANGXIN_DEMO_SHOP"])
        panel.get_by_role("button", name="保存地址").click()
        secret = panel.get_by_role("region", name="签名密钥").inner_text()
        # Nobody answers there yet: the check says so, and nothing is asked of it.
        panel.get_by_role("button", name="检查接口").click()
        expect(panel.locator("[data-check='hello']")).to_contain_text("connection.refused")
        expect(panel.get_by_text("没有通过，暂时不用它")).to_be_visible()
        with demo_shop(house, secret):
            panel.get_by_label(re.compile("用哪位会员检查")).fill("m1001")
            panel.get_by_role("button", name="检查接口").click()
            expect(panel.get_by_text("检查通过，8 项功能由您的服务器回答")).to_be_visible()
            expect(panel.locator("tbody tr")).to_have_count(18)
            expect(panel.locator("[data-check='order_of_others']")).to_contain_text("通过")
            assert faults_of(page) == []
            # Something for the library, to be sent with an answer.
            page.get_by_role("link", name="自助菜单").click()
            page.get_by_role("link", name="素材库").click()
            page.get_by_label(re.compile("^名称")).fill("洗护图解")
            expect(page.get_by_text("素材库还是空的")).to_be_visible()
            picked = {"name": "care.png", "mimeType": "image/png", "buffer": picture()}
            page.locator("input[type=file]").set_input_files([picked])
            care = page.locator("[data-media='洗护图解']")
            expect(care).to_contain_text("还没有用到")
            care.get_by_role("button", name="从素材库移除 洗护图解").click()
            expect(care).to_have_count(0)
            page.get_by_role("button", name="撤销").click()
            expect(care.get_by_role("button", name="查看图片")).to_be_visible()
            assert faults_of(page) == []
            # A ready menu of the trade, a third level, and an item that leads out.
            page.get_by_role("link", name="编辑").click()
            page.get_by_text("从现成的菜单开始").click()
            page.get_by_role("button", name="用「服饰」的菜单").click()
            expect(page.get_by_text("草稿换成了「服饰」的菜单")).to_be_visible()
            page.get_by_label("菜单最多几层").select_option("3")
            expect(page.get_by_text("菜单最多 3 层，马上生效")).to_be_visible()
            tree_item(page, "查尺码库存").click()
            page.get_by_label("点击后").select_option("submenu")
            page.get_by_role("button", name="在「查尺码库存」下添加").click()
            expect(page.get_by_label("名称", exact=True)).to_be_focused()
            page.keyboard.type("羽绒服库存")
            page.get_by_label("点击后").select_option("stock")
            page.get_by_label("标题里含有").fill("羽绒服")
            expect(page.get_by_label("手机预览")).to_contain_text("轻薄立领羽绒服")
            tree_item(page, "洗涤与保养").click()
            page.get_by_label(re.compile("^附带素材")).select_option("洗护图解")
            tree_item(page, "帮我选码").click()
            page.get_by_label("点击后").select_option("link")
            page.get_by_label("网址").fill("https://127.0.0.1:9/care")
            expect(page.get_by_role("list", name="这一项的问题")).to_have_count(0)
            page.get_by_role("button", name="发布…").click()
            expect(page.get_by_role("dialog")).to_contain_text("帮我选码：链接没有正常回答（address.private）")
            assert faults_of(page) == []
            page.get_by_role("button", name="现在发布").click()
            expect(page.get_by_text(re.compile("版本 [0-9]+ 已上线"))).to_be_visible()
            # The member in the shop's own page: every answer is the server's; the record knows no order of his.
            assert house.sql("select count(*) from shop_order where shop_id = $1", house.shop.id) == 0
            shopper, inside = shown.page, shown.page.frame_locator("iframe")
            shopper.goto(f"{house.url}/demo/{house.shop.slug}?as=member")
            shopper.get_by_role("button", name=re.compile("^在线客服")).click()
            bar, log = inside.get_by_role("navigation", name="自助菜单"), inside.get_by_role("log")
            bar.get_by_role("button", name="查订单物流").click()
            inside.get_by_role("dialog").get_by_role("button", name="我的订单").click()
            log.get_by_role("button", name="取消订单").click()
            expect(log).to_contain_text(re.compile("订单 [0-9-]+ 已取消"))
            bar.get_by_role("button", name="尺码与面料").click()
            inside.get_by_role("dialog").get_by_role("button", name="查尺码库存").click()
            inside.get_by_role("dialog", name="查尺码库存").get_by_role("button", name="羽绒服库存").click()
            log.get_by_role("button", name=re.compile("轻薄立领羽绒服")).last.click()
            expect(log).to_contain_text(re.compile("(藏青|黑色|军绿) / 1[0-9]+/"))
            bar.get_by_role("button", name="尺码与面料").click()
            inside.get_by_role("dialog").get_by_role("button", name="洗涤与保养").click()
            expect(log.get_by_role("button", name="查看图片")).to_be_visible()
            bar.get_by_role("button", name="优惠与会员").click()
            inside.get_by_role("dialog").get_by_role("button", name="会员中心").click()
            expect(log).to_contain_text("会员等级：钻石会员")
            # The agent who takes over sees the orders that only the shop's server knows.
            bar.get_by_role("button", name="转人工").click()
            agent = sign_in(third, house, "own1")
            status = agent.get_by_role("button", name=re.compile("我的状态"))
            expect(status).to_be_visible()
            if "在线" not in status.inner_text():
                status.click()
                agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
            talks = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
            talks.filter(has_text="林晓").get_by_role("button").first.click()
            agent.get_by_role("tab", name="订单").click()
            expect(agent.get_by_role("article", name=re.compile("^订单 ")).first).to_be_visible()
            # What the shop's system would do about an order is done from beside the chat, and passed on in its words.
            deeds = agent.get_by_role("group", name=re.compile("可以办理")).first
            deeds.get_by_role("button", name="改地址").click()
            sure = agent.get_by_role("dialog", name="改地址")
            sure.get_by_label("新地址、收件人和电话").fill("杭州市文一路 1 号 何晓 13800001111")
            assert faults_of(agent) == []
            sure.get_by_role("button", name="确定办理").click()
            expect(sure.get_by_role("status")).to_contain_text("地址")
            sure.get_by_role("button", name="写进回复框").click()
            box = agent.get_by_role("textbox", name=re.compile("^回复"))
            expect(box).to_have_value(re.compile("地址"))
            box.press("Enter")
            expect(log.get_by_role("article", name=re.compile("^小禾|客服")).last).to_contain_text("地址")
            assert house.sql("select count(*) from audit where action = 'order.deed'") == 1
            assert house.sql("select count(*) from shop_order where shop_id = $1", house.shop.id) == 0
            page.get_by_role("link", name="素材库").click()
            expect(care).to_contain_text("线上菜单：洗涤与保养")
            expect(care.get_by_role("button", name="从素材库移除 洗护图解")).to_be_disabled()
            page.get_by_role("link", name="编辑").click()
        # With the server gone the tap is answered all the same, and a person is one tap away.
        bar.get_by_role("button", name="优惠与会员").click()
        inside.get_by_role("dialog").get_by_role("button", name="会员中心").click()
        expect(log).to_contain_text("店铺系统暂时没有回应")
        agent.reload()
        talks.filter(has_text="林晓").get_by_role("button").first.click()
        agent.get_by_role("tab", name="订单").click()
        expect(agent.get_by_text("店铺系统暂时没有回应，下面是它之前推送的订单。")).to_be_visible()
        assert faults_of(agent) == []
        assert desk.policy_breaches() + shown.policy_breaches() == []
        house.sql("delete from shop_data where shop_id = $1 returning 1", house.shop.id)
        back = "update menu_desk set published = 1, draft = null where shop_id = $1 returning 1"
        house.sql(back, house.shop.id)
        house.sql("update shop set settings = settings - 'menu_depth' where shop_id = $1 returning 1", house.shop.id)


def test_two_merchants_do_not_overwrite_each_other_unasked(chromium: Browser, house: House) -> None:
    with screen(chromium) as one, screen(chromium, width=390, height=844, theme="dark") as two:
        first = merchant(one, house, "menus")
        second = merchant(two, house, "menus", theme="dark")
        # A menu may live in a file: out, changed, and in again; what is no menu changes nothing.
        first.get_by_text("菜单文件").click()
        with first.expect_download() as taken:
            first.get_by_role("button", name="导出草稿").click()
        kept_file = json.loads(Path(taken.value.path()).read_text())
        assert "查订单物流" in [item["label"] for item in kept_file["items"]]
        kept_file["greeting"] = "文件里的欢迎语"
        for name, content in (("坏.json", b"{"), ("menu.json", json.dumps(kept_file).encode())):
            chosen = {"name": name, "mimeType": "application/json", "buffer": content}
            first.get_by_label("导入到草稿").set_input_files([chosen])
            expect(first.get_by_text(f"{name} 不是 JSON 文件。" if content == b"{" else "还没有保存")).to_be_visible()
        expect(first.get_by_label("欢迎语")).to_have_value("文件里的欢迎语")
        for page, words in ((first, "先来的欢迎语"), (second, "后来的欢迎语")):
            page.get_by_label("欢迎语").fill(words)
            page.get_by_role("button", name="存为草稿").click()
        expect(first.get_by_text("草稿已保存")).to_be_visible()
        warned = second.get_by_role("alert").filter(has_text="同事刚刚改过草稿")
        expect(warned).to_be_visible()
        assert faults_of(second) == []
        warned.get_by_role("button", name="看同事的").click()
        expect(second.get_by_label("欢迎语")).to_have_value("先来的欢迎语")
        second.get_by_label("欢迎语").fill("商量好的欢迎语")
        second.get_by_role("button", name="存为草稿").click()
        expect(second.get_by_text("草稿已保存")).to_be_visible()
        # The other one publishes what he has not seen: refused, until he says that his own shall win.
        publish(first)
        expect(first.get_by_role("alert").filter(has_text="同事刚刚改过草稿")).to_be_visible()
        first.keyboard.press("Escape")
        first.get_by_role("button", name="用我的覆盖").click()
        expect(first.get_by_text("草稿已保存")).to_be_visible()
        kept = house.sql("select draft->>'greeting' from menu_desk where shop_id = $1", house.shop.id)
        assert kept == "先来的欢迎语"


def test_the_menu_gives_own_orders_and_carries_a_form_with_a_picture_to_the_agent(
    chromium: Browser, house: House
) -> None:
    with (
        screen(chromium, width=390, height=844) as phone,
        screen(chromium) as desk,
        screen(chromium, width=390, height=844, theme="dark") as desk_of_boss,
    ):
        shopper = window(phone, house)
        agent = sign_in(desk, house, "own1")
        status = agent.get_by_role("button", name=re.compile("我的状态"))
        expect(status).to_be_visible()
        if "在线" not in status.inner_text():
            status.click()
            agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        expect(status).to_contain_text("在线")
        # What the bot answers brings a picture of the library, which the merchant chose on his phone.
        figures = merchant(desk_of_boss, house, "menus/library")
        figures.get_by_label(re.compile("^名称")).fill("洗涤图")
        figures.locator("input[type=file]").set_input_files(
            [{"name": "wash.png", "mimeType": "image/png", "buffer": picture()}]
        )
        expect(figures.locator("[data-media='洗涤图']")).to_be_visible()
        figures.goto(f"{house.url}/merchant/bot")
        figures.get_by_label("搜索问法或回答").fill("怎么清洗")
        figures.get_by_role("button", name="修改：怎么清洗").click()
        figures.get_by_label(re.compile("^附带素材")).select_option("洗涤图")
        assert faults_of(figures) == []
        figures.get_by_role("button", name="保存").click()
        expect(figures.get_by_text("已保存，机器人马上就会用")).to_be_visible()
        expect(figures.get_by_role("region", name="问题与回答").get_by_text("洗涤图")).to_be_visible()
        say(shopper, "怎么清洗")
        expect(shopper.get_by_role("log").get_by_role("button", name="查看图片")).to_be_visible()
        # An unsure bot shows three questions; a tap answers. The way to a person stays in sight all the while.
        say(shopper, "尺码")
        choices = shopper.get_by_role("group", name="选项")
        expect(choices.get_by_role("button")).to_have_count(4)
        choices.get_by_role("button").first.click()
        log = shopper.get_by_role("log")
        expect(log.get_by_text("您想问的是下面哪一个？")).to_be_visible()
        human = shopper.get_by_role("navigation", name="自助菜单").get_by_role("button", name="转人工")
        expect(human).to_be_in_viewport()
        me = house.sql("select shopper_id from thread where shop_id = $1 order by last_at desc limit 1", house.shop.id)
        for order, owner in (("20261108-70001", me), ("20261108-70002", None)):
            house.sql(
                "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, created_at)"
                " values ($1, $2, $3, 'paid', 18900, $4, now()) returning id",
                house.shop.id, order, owner, [{"title": "粗针圆领毛衣", "count": 1}],
            )  # fmt: skip
        chip(shopper, "查订单物流").click()
        shopper.get_by_role("button", name="我的订单").click()
        expect(log).to_contain_text("20261108-70001")
        expect(log).not_to_contain_text("20261108-70002")
        chip(shopper, "退换售后").click()
        shopper.get_by_role("button", name="质量问题登记").click()
        shopper.get_by_role("button", name="提交").click()
        expect(log.get_by_text("请填写订单号")).to_be_visible()
        shopper.get_by_label("订单号").fill("20261108-70001")
        shopper.get_by_label("问题类型").select_option("起球掉色")
        shopper.get_by_label("详细描述").fill("穿了两次就起球")
        shopper.get_by_label("照片 选择图片").set_input_files(
            {"name": "sleeve.png", "mimeType": "image/png", "buffer": picture()}
        )
        expect(log.get_by_text("sleeve.png")).to_be_visible()
        assert faults_of(shopper) == []
        shopper.get_by_role("button", name="提交").click()
        expect(log).to_contain_text("不用再重复说明")
        # What the menu brought stands on the merchant's page, and who asked for a person is no solved case.
        figures.goto(f"{house.url}/merchant/menus/figures")
        for item, cells in (
            ("质量问题登记", ["1", "1", "0 (0.0%)", "1 (100.0%)"]),
            ("我的订单", ["1", "1", "0 (0.0%)"]),
        ):
            row = figures.get_by_role("row", name=item).first  # the default menu stands before others
            for cell in cells:
                expect(row).to_contain_text(cell)
        expect(figures.get_by_role("row", name="领新人券")).to_contain_text("没人点过")
        assert faults_of(figures) == []
        # The agent has it all: the form by its fields' names, the picture, and the card of what went before.
        listed = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
        listed.filter(has_not_text="林林晓").first.get_by_role("button").first.click()  # the member of a test before
        seen = agent.get_by_role("log")
        expect(seen).to_contain_text("问题类型")
        expect(seen).to_contain_text("穿了两次就起球")
        expect(seen.get_by_role("button", name="查看图片")).to_have_count(2)  # the bot's, and the form's
        expect(seen).to_contain_text("买家提交了表单")
        # The same answer is offered to the agent, with its picture.
        shown = log.get_by_role("button", name="查看图片").count()
        say(shopper, "怎么清洗")
        offered = agent.get_by_role("group", name="回复建议").get_by_role("button").first
        expect(offered).to_contain_text("怎么清洗")
        offered.click()
        expect(agent.get_by_role("list", name="会一起发送的图片").get_by_role("listitem")).to_have_count(1)
        agent.keyboard.press("Enter")
        expect(log.get_by_role("button", name="查看图片")).to_have_count(shown + 1)
        # A return is a case: the shopper asks, the agent approves beside the chat, the merchant ends it on his page.
        chip(shopper, "退换售后").click()
        shopper.get_by_role("button", name="申请退换货").click()
        log.get_by_role("button", name="粗针圆领毛衣").last.click()
        form = log.get_by_role("article").filter(has=shopper.get_by_label("您希望"))
        form.get_by_label("您希望").select_option("退货退款")
        form.get_by_label("原因").select_option("质量问题")
        form.get_by_label("照片凭证 选择图片").set_input_files(
            {"name": "hole.png", "mimeType": "image/png", "buffer": picture()}
        )
        expect(form.get_by_text("hole.png")).to_be_visible()
        form.get_by_role("button", name="提交").click()
        expect(log.get_by_role("article").filter(has_text="待处理")).to_contain_text("退货退款")
        assert faults_of(shopper) == []
        agent.get_by_role("tab", name="订单").click()
        case = agent.get_by_role("article", name="订单 20261108-70001 的售后申请")
        expect(case).to_contain_text("聊天里有 1 份凭证")
        case.get_by_label("告诉买家（可不填）").fill("请寄回杭州仓")
        case.get_by_role("button", name="同意", exact=True).click()
        expect(case).to_contain_text("商家已同意")
        assert faults_of(agent) == []
        expect(log.get_by_role("article").filter(has_text="商家已同意")).to_contain_text("请寄回杭州仓")
        boss = figures
        boss.goto(f"{house.url}/merchant/aftersale")
        boss.get_by_role("button", name=re.compile("^商家已同意")).click()
        mine = boss.get_by_role("article", name="订单 20261108-70001 的售后申请")
        states = boss.get_by_role("group", name="按进度看")
        mine.get_by_role("button", name="已收到退货").click()
        expect(mine).to_have_count(0)  # it stands under its new progress
        states.get_by_role("button", name=re.compile("^已收到退货")).click()
        mine.get_by_role("button", name="办完了").click()
        expect(mine).to_have_count(0)
        states.get_by_role("button", name=re.compile("^已完成")).click()
        expect(mine).to_be_visible()
        expect(mine.get_by_role("button")).to_have_count(0)
        assert faults_of(boss) == []
        expect(log.get_by_role("article").filter(has_text="已完成").last).to_contain_text("退货退款")
        assert desk.policy_breaches() + phone.policy_breaches() == []


def test_a_phones_film_says_on_the_desk_how_far_it_is_and_that_it_may_not_play(chromium: Browser, house: House) -> None:
    with house.shopper("罗拍客") as guest, screen(chromium) as desk:
        agent = sign_in(desk, house, "own1")
        status = agent.get_by_role("button", name=re.compile("我的状态"))
        expect(status).to_be_visible()
        if "在线" not in status.inner_text():
            status.click()
            agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        guest.wants_a_person()
        # The worker's own rq process takes the upload up, tells how far it is, and shows what came out of it.
        token = house.run(guest.person._token())
        uploaded = httpx.post(
            f"{house.url}/api/v1/media", headers={"Authorization": f"Bearer {token}"},
            files={"file": ("film.mp4", mp4(codec=b"hvc1"), "video/mp4"), "poster": ("p.png", picture(), "image/png")},
        )  # fmt: skip
        assert uploaded.status_code == 201, uploaded.text
        film = uploaded.json()["id"]
        sent = {"kind": "video", "media": str(film), "width": 320, "height": 240, "duration_ms": 4_000}
        frame = {"type": "message.send", "thread": str(guest.thread), "client_msg_id": str(new_id()), "ref": "film"}
        house.run(guest.person._put({**frame, "body": sent}))
        rows = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
        rows.filter(has_text="罗拍客").get_by_role("button").first.click()
        seen = agent.get_by_role("log")
        expect(seen).to_contain_text("正在转换成每台电脑都能放的格式，43%")
        (house.folder / "go").touch()
        expect(seen.get_by_text("正在转换成每台电脑都能放的格式")).to_have_count(0)
        assert house.sql("select plays from media where id = $1", film) == "converted"
        # Where none could be made, the desk offers the file.
        house.sql("update media set plays = 'no' where id = $1 returning true", film)
        agent.reload()
        rows.filter(has_text="罗拍客").get_by_role("button").first.click()
        expect(seen.get_by_role("link", name="下载视频")).to_be_visible()
        assert faults_of(agent) == []


def test_files_unknown_questions_and_trials_on_the_bots_page(chromium: Browser, house: House) -> None:
    with screen(chromium, lang="en", theme="dark") as shown, house.shopper() as guest:
        guest.says("火星上的猫会织毛衣吗")
        guest.until(lambda frame: frame["type"] == "message.new" and "choices" in str(frame), "the bot asks back")
        page = merchant(shown, house, "bot/files", lang="en", theme="dark")
        page.get_by_label("Choose a file").set_input_files(
            {"name": "faq.csv", "mimeType": "text/csv", "buffer": CSV.encode("gb18030")}
        )
        report = page.get_by_role("region", name="What was found")
        expect(report).to_contain_text("1 new, 0 replaced, 3 rows with errors")
        for row, words in ((3, "phrasings”"), (4, "answer”"), (5, "坏 号")):
            expect(report.get_by_role("row", name=f"Row {row}")).to_contain_text(words)
        assert faults_of(page) == []
        report.get_by_role("button", name="Leave the bad rows out and import 1").click()
        expect(page.get_by_text("Imported: 1 new")).to_be_visible()
        with page.expect_download() as taken:
            page.get_by_role("button", name="Export as CSV").click()
        assert "能刻上名字吗" in Path(taken.value.path()).read_text(encoding="utf-8-sig")
        # What the bot could not answer becomes a phrasing of the question just imported.
        page.get_by_role("link", name="Not answered").click()
        row = page.get_by_role("listitem").filter(has_text="火星上的猫会织毛衣吗")
        row.get_by_label("To which question").select_option(label="可以定制刻字吗")
        row.get_by_role("button", name="Add as its phrasing").click()
        expect(row).to_have_count(0)
        assert faults_of(page) == []
        # The trial says what the bot does and why.
        for text, why in (
            ("火星上的猫会织毛衣吗", "It answers."),
            ("三条腿的狗呢", "offers a person"),
            ("那只狗会开飞机吗", "Two turns failed"),
        ):
            page.get_by_label("What a shopper writes").fill(text)
            page.keyboard.press("Enter")
            expect(page.get_by_role("log")).to_contain_text(why)
        # An outcome that is right becomes a test question; a change that breaks it says so at once.
        page.get_by_role("button", name="That is right, keep it").first.click()
        expect(page.get_by_role("button", name="Kept as a test question")).to_be_visible()
        page.get_by_role("link", name="Test questions").click()
        page.get_by_role("button", name="Examine the bot (1 questions)").click()
        expect(page.get_by_text("1 right, 0 among the choices, 0 wrong")).to_be_visible()
        page.get_by_label("What the shopper says").fill("我要找真人")
        page.get_by_label("What should happen").select_option("human")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_text("2 right, 0 among the choices, 0 wrong")).to_be_visible()
        page.get_by_label("What the shopper says").fill("查一下我的包裹物流到哪里了")
        page.get_by_label("What should happen").select_option("item")
        page.get_by_label("Which menu item").select_option(label="查物流")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_text("3 right, 0 among the choices, 0 wrong")).to_be_visible()
        card = page.get_by_role("region", name="How well the bot does")
        expect(card.get_by_text("Over 2 test questions that have a right reply.")).to_be_visible()
        expect(card.locator("dd").first).to_have_text("100.0%")
        expect(card.locator("circle")).not_to_have_count(0)
        expect(card.get_by_text("It confused none of them.")).to_be_visible()
        page.get_by_label("A menu that breaks test questions").select_option("block")
        expect(page.get_by_text("Kept.", exact=True)).to_be_visible()
        assert faults_of(page) == []
        page.get_by_role("link", name="Questions", exact=True).click()
        page.get_by_label("Search questions").fill("刻上名字")
        expect(page.get_by_role("region", name="Questions").get_by_role("heading")).to_have_count(1)
        page.get_by_role("button", name="Delete: 可以定制刻字吗").click()
        expect(page.get_by_text("No question matches")).to_be_visible()
        broken = page.get_by_role("alert").filter(has_text="1 test questions were not wrong before")
        expect(broken).to_contain_text("火星上的猫会织毛衣吗")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", name="可以定制刻字吗")).to_be_visible()
        assert faults_of(page) == []
        # A menu without the parcel's item would break the third; the publishing dialogue says what would change, and
        # as the shop wants no such menu, it does not publish it.
        page.get_by_role("link", name="Self-service menu").click()
        tree_item(page, "查物流").focus()
        page.keyboard.press("Delete")
        expect(page.get_by_text("查物流 was deleted")).to_be_visible()
        page.get_by_role("button", name="Publish…").click()
        changed = page.get_by_role("list", name="Test questions that this menu answers otherwise")
        expect(changed).to_contain_text("查一下我的包裹物流到哪里了: showed the menu item 查物流 →")
        expect(changed).to_contain_text("wrong now")
        expect(page.get_by_text("Your shop publishes no menu that breaks test questions.")).to_be_visible()
        expect(page.get_by_role("button", name="Publish now")).to_be_disabled()
        assert faults_of(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Bot").click()
        page.get_by_role("button", name="Leave without saving").click()
        expect(page.get_by_label("Search questions")).to_be_visible()
        assert shown.policy_breaches() == []
