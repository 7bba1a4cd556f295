"""The merchant's page of agents and outsourcing, in a real browser against real processes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import Shop, make_shop
from tests.web.browsing import faults_of, launched, screen
from tests.web.house import PASSWORD, House, open_house
from wangxin.clock import new_id
from wangxin.passwords import hash_password
from wangxin.storage import accounts
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


def sign_in(page: Page, house: House, path: str, login: str = "boss", password: str = PASSWORD) -> None:
    page.goto(f"{house.url}/merchant/{path}")
    page.locator("#login").fill(login)
    page.locator("#password").fill(password)
    page.keyboard.press("Enter")


@pytest.fixture
def merchant(chromium: Browser, house: House) -> Iterator[Page]:
    with screen(chromium) as shown:
        sign_in(shown.page, house, "pools?lang=zh-CN")
        expect(shown.page.get_by_role("heading", name="客服与外包", level=1)).to_be_visible()
        yield shown.page
        assert shown.policy_breaches() == []


def test_a_merchant_sees_pools_and_seats_live_and_without_barriers(merchant: Page) -> None:
    expect(merchant.locator("[data-pool='自有客服']")).to_be_visible()
    expect(merchant.locator("[data-seat]").first).to_be_visible()
    assert faults_of(merchant) == []


def test_why_a_conversation_went_where_it_went_is_a_page_reached_from_the_lists(merchant: Page, house: House) -> None:
    with house.agent("own1") as own, house.shopper("缘由") as guest:
        guest.says("有人吗")
        guest.wants_a_person()
        guest.until(lambda frame: "conversation.assigned" in str(frame), "assigned")
        house.run(own.until(lambda: guest.thread in own.views))
        house.run(own.say(guest.thread, "您好，缘由", epoch=1))
        guest.hears("您好，缘由")
        merchant.get_by_role("link", name="分配记录", exact=True).click()
        merchant.get_by_role("row").filter(has_text="缘由").get_by_role("link", name="为什么").click()
        step = merchant.locator("[data-step='1']")
        expect(step).to_contain_text("小禾（自有客服）")
        expect(step).to_contain_text("自有客服有空位")
        expect(step).to_contain_text("客服池按合同顺位；客服：最空闲优先")
        expect(step).to_contain_text("小禾：接待 0 / 20")
        assert faults_of(merchant) == []
        merchant.get_by_role("button", name="按日志重判一遍").click()
        expect(merchant.get_by_text(re.compile("个决定，逐字节一致。"))).to_be_visible()
        expect(merchant.get_by_text(re.compile(r"关于这个会话的决定 (\d+) 个，\1 个一致"))).to_be_visible()
        assert faults_of(merchant) == []
        decides_it_under_a_version_without_the_own_team(merchant, house)
        merchant.get_by_role("row").filter(has_text="缘由").get_by_role("link", name="为什么").first.click()
        expect(step).to_contain_text("小禾（自有客服）")
        here = merchant.url
        # From the report: the turns behind a figure lead to the same page. They are counted within seconds.
        deadline = time.monotonic() + 60
        while not house.sql(
            "select exists (select 1 from turn where thread_id = $1 and answered_at is not null)", guest.thread
        ):
            assert time.monotonic() < deadline, "the turn is counted"
            time.sleep(0.1)
        merchant.get_by_role("link", name="报表", exact=True).click()
        merchant.get_by_role("button", name="查看「自有客服」的明细").first.click()
        found = merchant.get_by_role("link", name="为什么").first
        expect(found).to_be_visible()
        found.click()
        expect(step).to_contain_text("小禾（自有客服）")
        assert merchant.url == here


def decides_it_under_a_version_without_the_own_team(page: Page, house: House) -> None:
    """First the one conversation, then the whole day; nobody outsourced was at work, so he would have waited."""
    try:
        house.sql(
            "insert into routing_policy (shop_id, version, policy, created_by) select shop_id, 7,"
            " jsonb_set(policy, '{stages}', (policy->'stages') - 0), created_by from routing_policy where version = 1"
            " and shop_id = $1 returning version", house.shop.id,
        )  # fmt: skip
        page.reload()
        page.get_by_label("分流规则").select_option("7")
        page.get_by_role("button", name="换这一版再判").click()
        expect(page.locator("[data-side='now']")).to_contain_text("等 0.0s，小禾（自有客服）接待：自有客服有空位")
        expect(page.locator("[data-side='now']")).to_contain_text("小禾：接待 0 / 20")
        expect(page.locator("[data-side='then']")).to_contain_text("到记录结束还在等")
        assert faults_of(page) == []
        page.get_by_role("link", name="分配记录", exact=True).click()
        page.get_by_label("分流规则").select_option("7")
        page.get_by_role("button", name="再走一遍").click()
        changed = page.locator("[data-test='changed']").get_by_role("row").filter(has_text="缘由")
        expect(changed).to_contain_text("小禾（自有客服）接待：自有客服有空位")
        expect(changed).to_contain_text("到记录结束还在等")
        expect(page.get_by_text(re.compile("个决定，逐字节一致。"))).to_be_visible()
        expect(page.locator("tr[data-figure='lost']")).to_contain_text("100.0%")
        assert faults_of(page) == []
    finally:
        house.sql("delete from routing_policy where version = 7 returning version")


def test_new_terms_of_a_contract_are_compared_sent_and_accepted(
    merchant: Page, chromium: Browser, house: House
) -> None:
    merchant.get_by_role("link", name="合同", exact=True).click()
    contract = merchant.locator("section[data-contract='云杉客服']")
    contract.get_by_role("button", name="修改条款").click()
    contract.get_by_label("每日上限（空为不限）").fill("321")
    contract.get_by_label("售前").check()
    contract.get_by_label("售后").check()
    contract.get_by_label("全天").uncheck()
    contract.get_by_label("时段 1 开始").fill("20:00")
    contract.get_by_label("时段 1 结束").fill("02:30")
    expect(contract.get_by_text("次日")).to_be_visible()
    for _ in range(6):
        contract.get_by_role("button", name="删除 2", exact=True).click()
    contract.get_by_role("button", name="加节假日或调休").click()
    contract.get_by_label("特殊日 1", exact=True).fill("2027-02-06")
    assert faults_of(merchant) == []
    contract.get_by_role("button", name="看改动").click()
    changed = contract.locator("tr[data-changed='volume']")
    expect(changed).to_contain_text("50 – 2,000")
    expect(changed).to_contain_text("50 – 321")
    expect(contract.locator("tr[data-changed='hours']")).to_contain_text("2027-02-06 休息")
    expect(contract.locator("tr[data-changed]")).to_have_count(4)  # and the day it begins
    contract.get_by_role("button", name="提交给服务商").click()
    expect(contract.get_by_text("等待服务商答复", exact=True).first).to_be_visible()
    terms = house.sql("select terms from contract where version = 2")
    assert terms["topics"] == ["pre_sales", "after_sales"]
    assert terms["hours"]["spans"] == [{"day": 0, "from_min": 1_200, "to_min": 1_590}]
    assert terms["hours"]["special"] == [{"date": "2027-02-06", "spans": []}]
    house.sql(
        "update seat set curve_per_hour = '{6200,7900}', curve_ended = '{32,59,4}', curve_minutes = '{300,90,12}'"
        " where agent_id = (select id from account where login = 'yun1') returning 1"
    )
    with screen(chromium) as shown:
        page = shown.page
        sign_in(page, house, "?lang=zh-CN", "yunboss")
        expect(page.get_by_role("heading", name="服务商", level=1)).to_be_visible()
        expect(page.locator("[data-shop]").first).to_be_visible()
        assert faults_of(page) == []
        page.goto(f"{house.url}/merchant/pools")
        expect(page.get_by_role("heading", name="服务商", level=1)).to_be_visible()
        page.get_by_role("link", name="客服", exact=True).click()
        page.get_by_role("button", name="添加客服").click()
        page.get_by_label("登录账号").fill("yun9")
        page.get_by_label("昵称").fill("云九")
        page.get_by_role("button", name="保存").click()
        expect(page.locator("[data-agent='yun9']")).to_contain_text("云杉")
        expect(page.locator("[data-agent='yun9']")).to_contain_text("每小时完成会话: 尚未学到")
        curve = page.locator("[data-agent='yun1'] [data-test='curve']")
        curve.get_by_text("每小时完成会话").click()
        expect(curve.get_by_role("row")).to_have_text(
            ["同时接待每小时已完成在这一档（小时）", "16.2325.0", "27.9591.5", "3尚未学到40.2"]
        )
        page.locator("[data-agent='yun1']").get_by_role("button", name="修改").click()
        page.get_by_label("用手填的数字，不用学到的").check()
        expect(page.get_by_label("同时 2 个")).to_have_value("7.9")
        page.get_by_label("同时 3 个").fill("7")
        assert faults_of(page) == []
        page.get_by_role("button", name="保存").click()
        expect(page.locator("[data-fault='curve_set']")).to_be_visible()
        page.get_by_label("同时 3 个").fill("9.5")
        for level in (4, 5):
            if page.get_by_label(f"同时 {level} 个").count():
                page.get_by_label(f"同时 {level} 个").fill("10")
        page.get_by_role("button", name="保存").click()
        expect(curve).to_contain_text("手填")
        expect(curve.get_by_role("row").nth(3)).to_have_text("3尚未学到9.540.2")
        page.get_by_role("link", name="合同", exact=True).click()
        asked = page.locator("[data-version='2']")
        expect(asked.locator("tr[data-changed='volume']")).to_contain_text("50 – 321")
        asked.get_by_label("答复说明").fill("可以")
        assert faults_of(page) == []
        asked.get_by_role("button", name="接受").click()
        expect(asked.get_by_text("已接受", exact=True)).to_be_visible()
        assert shown.policy_breaches() == []
    merchant.reload()
    expect(contract.get_by_text("等待服务商答复", exact=True)).to_have_count(0)
    contract.get_by_text("全部版本").click()
    second = contract.locator("[data-listed='2']")
    expect(second).to_contain_text("提出 店主")
    expect(second).to_contain_text("答复 云杉主管")
    expect(second).to_contain_text("可以")
    second.get_by_role("button", name="和前一版比").click()
    expect(second.locator("tr[data-changed='volume']")).to_be_visible()
    contract.get_by_role("button", name="暂停").click()
    expect(contract.get_by_text("已暂停")).to_be_visible()
    contract.get_by_role("button", name="恢复").click()
    expect(contract.get_by_text("已暂停")).to_have_count(0)
    assert faults_of(merchant) == []


def open_for_a_day(form: Locator) -> None:
    """One span that began an hour ago and runs past midnight for 23 hours, and a holiday."""
    begun = datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(hours=1)
    form.get_by_label("全天").uncheck()
    for _ in range(6):
        form.get_by_role("button", name="删除 2", exact=True).click()
    form.get_by_label("时段 1 星期").select_option(str(begun.weekday()))
    form.get_by_label("时段 1 开始").fill(f"{begun:%H:%M}")
    form.get_by_label("时段 1 结束").fill(f"{begun - timedelta(hours=1):%H:%M}")
    expect(form.get_by_text("次日")).to_be_visible()
    form.get_by_role("button", name="加节假日或调休").click()
    form.get_by_label("特殊日 1", exact=True).fill("2030-02-06")


def follows_the_contract(page: Page, house: House) -> None:
    """What it opens of a shopper, and its end, come to an open console though nobody sends a hint."""
    again = (
        "insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, ends_at, terms, created_by)"
        " select shop_id, id, version + 1, provider_id, pool_ids, clock_timestamp(), {ends}, terms || $1, created_by"
        " from contract where terms->>'name' = '夜间接待' order by version desc limit 1 returning version"
    )
    panel = page.get_by_role("complementary", name="买家资料")
    assert house.sql(again.format(ends="null"), {"visible_fields": ["level", "orders"]}) == 2
    expect(panel.locator("[data-hidden='orders']")).to_have_count(0, timeout=30_000)
    expect(panel.locator("[data-hidden='remark']")).to_be_visible()
    assert house.sql(again.format(ends="clock_timestamp() + interval '1 second'"), {}) == 3
    expect(panel).to_contain_text("这位买家已不由你接待，资料不再显示。", timeout=30_000)
    assert house.sql(again.format(ends="null"), {"visible_fields": ["level"]}) == 4


def test_a_provider_is_written_down_signs_and_its_agent_serves_under_the_contract(
    merchant: Page, chromium: Browser, house: House
) -> None:
    merchant.get_by_role("link", name="服务商与客服池").click()
    merchant.get_by_role("button", name="添加服务商").click()
    merchant.get_by_label("名称").fill("晚风客服")
    merchant.get_by_label("负责人登录账号").fill("yunboss")
    merchant.get_by_role("button", name="加联系人").click()
    merchant.get_by_label("联系人 1 姓名").fill("王姐")
    merchant.get_by_label("联系人 1 电话").fill("021-5555")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.locator("[data-fault='login']")).to_be_visible()
    merchant.get_by_label("负责人登录账号").fill("wanfeng")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.locator("[data-provider='晚风客服']")).to_contain_text("王姐")
    password = merchant.locator("[data-test='password']").inner_text()
    merchant.get_by_role("button", name="添加客服池").click()
    form = merchant.get_by_role("form", name="添加客服池")
    form.get_by_label("名称").fill("夜班")
    form.get_by_label("属于谁").select_option(label="晚风客服")
    form.get_by_label("最多排队，空为不限").fill("50")
    open_for_a_day(form)
    assert faults_of(merchant) == []
    form.get_by_role("button", name="保存").click()
    expect(merchant.locator("[data-written='夜班']")).to_contain_text("2030-02-06 休息")

    merchant.get_by_role("link", name="合同", exact=True).click()
    merchant.get_by_role("button", name="新建合同").click()
    form = merchant.get_by_role("form", name="新建合同")
    form.get_by_label("合同名称").fill("夜间接待")
    form.get_by_label("夜班", exact=True).check()
    form.get_by_label("每日保底量").fill("9")
    form.get_by_label("每日上限（空为不限）").fill("8")
    for n, (above, yuan) in enumerate((("0", "1.2"), ("500", "0.9")), 1):
        form.get_by_role("button", name="加一个阶梯").click()
        form.get_by_label(f"阶梯 {n} 从第几个会话之后").fill(above)
        form.get_by_label(f"阶梯 {n} 每个（元）").fill(yuan)
    form.get_by_role("button", name="加一项扣费").click()
    form.get_by_label("扣费 1 差了 %").fill("10")
    form.get_by_label("扣费 1 扣费用 %").fill("2")
    form.get_by_role("button", name="加一项奖励").click()
    form.get_by_label("奖励 1 好于 %").fill("5")
    form.get_by_label("奖励 1 加费用 %").fill("1")
    for field in ("订单", "备注", "标签"):
        form.get_by_label(field, exact=True).uncheck()
    form.get_by_role("button", name="提交给服务商").click()
    expect(form.locator("[data-fault='terms.daily_min']")).to_be_visible()
    form.get_by_label("每日上限（空为不限）").fill("800")
    assert faults_of(merchant) == []
    form.get_by_role("button", name="提交给服务商").click()
    contract = merchant.locator("section[data-contract='晚风客服']")
    expect(contract.locator("[data-term='price']")).to_contain_text("超过 500：¥0.90")
    expect(contract.locator("[data-term='penalties']")).to_contain_text("差 10% 扣费用的 2%")
    expect(contract.locator("[data-term='bonuses']")).to_contain_text("好 5% 加费用的 1%")

    with screen(chromium) as shown:
        page = shown.page
        sign_in(page, house, "?lang=zh-CN", "wanfeng", password)
        page.get_by_role("link", name="合同", exact=True).click()
        page.get_by_role("button", name="接受").click()
        expect(page.get_by_text("已接受第 1 版")).to_be_visible()
        page.get_by_role("link", name="客服", exact=True).click()
        page.get_by_role("button", name="从 CSV 导入").click()
        with page.expect_download() as template:
            page.get_by_role("button", name="下载模板").click()
        assert template.value.suggested_filename == "agents.csv"
        rows = "账号,昵称,客服池,技能\nye1,小夜,夜班,尺码:3\nye2,小晚,白班,\n"
        page.get_by_label("或者粘贴内容").fill(rows)
        page.get_by_role("button", name="检查").click()
        expect(page.locator("[data-row='3']")).to_contain_text("没有这个客服池")
        expect(page.get_by_role("button", name="全部导入")).to_be_disabled()
        assert house.sql("select count(*) from seat where name in ('小夜', '小晚')") == 0
        page.get_by_label("或者粘贴内容").fill(rows.replace("白班", "夜班"))
        page.get_by_role("button", name="检查").click()
        page.get_by_role("button", name="全部导入").click()
        expect(page.locator("[data-agent='ye1']")).to_contain_text("尺码 3 级")
        agent_password = page.locator("li", has_text="ye1").locator("[data-test='password']").inner_text()
        assert shown.policy_breaches() == []

    with screen(chromium) as shown, house.shopper("赵晚") as shopper:
        page = shown.page
        sign_in(page, house, "../agent?lang=zh-CN", "ye1", agent_password)
        status = page.get_by_role("button", name=re.compile("我的状态"))
        status.click()
        page.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        expect(status).to_contain_text("在线")
        shopper.says("现在有人吗")
        shopper.wants_a_person()
        page.get_by_role("region", name="会话列表").get_by_role("button", name=re.compile("赵晚")).click()
        panel = page.get_by_role("complementary", name="买家资料")
        expect(panel.locator("[data-hidden='orders']")).to_contain_text("合同未开放")
        expect(panel.locator("[data-hidden='remark']")).to_be_visible()
        expect(panel.locator("[data-hidden='level']")).to_have_count(0)
        assert faults_of(page) == []
        follows_the_contract(page, house)
    served = (
        "select count(*) from assignment a join contract c on c.id = a.contract_id and c.version = 1"
        " join shopper p on p.shop_id = a.shop_id and p.id = a.shopper_id where p.name = '赵晚'"
    )
    assert house.sql(f"{served} and a.contract_version = 1 and c.terms->>'name' = '夜间接待'") == 1

    merchant.reload()
    contract.get_by_role("button", name="修改条款").click()
    contract.get_by_label("阶梯 2 每个（元）").fill("0.8")
    contract.get_by_role("button", name="看改动").click()
    expect(contract.locator("tr[data-changed]")).to_have_count(1)
    expect(contract.locator("tr[data-changed='price']")).to_contain_text("超过 500：¥0.80")
    contract.get_by_role("button", name="提交给服务商").click()
    contract.get_by_text("全部版本").click()
    expect(contract.locator("[data-listed='5']")).to_contain_text("等待服务商答复")
    expect(contract.locator("[data-listed='4']")).to_contain_text("生效中")
    deeds = house.sql("select array_agg(distinct action) from audit")
    assert {"provider.made", "pool.created", "contract.made", "contract.changed", "contract.accepted"} <= set(deeds)
    assert "agents.imported" in deeds


def test_agents_are_enrolled_and_imported_and_a_first_password_lets_one_in(
    merchant: Page, chromium: Browser, house: House
) -> None:
    merchant.get_by_role("navigation", name="客服与外包").get_by_role("link", name="客服", exact=True).click()
    merchant.get_by_role("button", name="从 CSV 导入").click()
    good = "账号,昵称,客服池,能力\nmei,小梅,自有客服,80\n"
    merchant.get_by_label("或者粘贴内容").fill(good + "own1,小禾,自有客服,\nlan,小兰,没有的池,\nyun1,抢人,自有客服,\n")
    merchant.get_by_role("button", name="检查").click()
    expect(merchant.locator("[data-row='4']")).to_contain_text("没有这个客服池")
    expect(merchant.locator("[data-row='5']")).to_contain_text("账号已被别人使用")
    expect(merchant.get_by_role("button", name="全部导入")).to_be_disabled()
    assert faults_of(merchant) == []
    merchant.get_by_label("或者粘贴内容").fill(good)
    merchant.get_by_role("button", name="检查").click()
    merchant.get_by_role("button", name="全部导入").click()
    password = merchant.locator("[data-test='password']").inner_text()
    expect(merchant.locator("[data-agent='mei']")).to_contain_text("能力 80%")
    merchant.get_by_role("button", name="修改 小梅").click()
    merchant.get_by_role("button", name="加一项技能").click()
    merchant.get_by_label("技能 1", exact=True).fill("尺码")
    merchant.get_by_label("技能 1 等级").select_option("4")
    merchant.get_by_label("受保护：不单按速度排名和考核").check()
    merchant.get_by_label("新人爬坡").check()
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.locator("[data-agent='mei']")).to_contain_text("尺码 4 级")
    expect(merchant.locator("[data-agent='mei']")).to_contain_text("受保护")
    expect(merchant.locator("[data-agent='mei']")).to_contain_text("接待上限 2 / 5：第 1 天")
    with screen(chromium) as shown:
        sign_in(shown.page, house, "../agent?lang=zh-CN", "mei", password)
        status = shown.page.get_by_role("button", name="我的状态")
        status.click()
        shown.page.get_by_role("menuitemradio", name="培训").click()
        expect(status).to_contain_text("培训")
        expect(shown.page.get_by_role("meter")).to_contain_text("0 / 2")
        merchant.reload()
        day = merchant.locator("[data-day='小梅']")
        expect(day).to_be_visible()
        assert faults_of(merchant) == []
        merchant.get_by_role("button", name="停用 小梅").click()
        merchant.get_by_role("button", name="停用", exact=True).click()
        expect(merchant.locator("[data-agent='mei']")).to_have_count(0)
        shown.page.reload()
        expect(shown.page.locator("#login")).to_be_visible()


def figure(page: Page, name: str) -> Locator:
    return page.locator(f"tr[data-figure='{name}']")


def test_a_change_of_the_routing_is_previewed_saved_and_taken_back(merchant: Page, house: House) -> None:
    merchant.get_by_role("link", name="服务商与客服池").click()
    for kind, name, label, most in (
        ("机器人", "小助手池", "同时最多帮几位", "9"),
        ("留言箱", "夜间留言", "最多几条留言", "300"),
    ):
        merchant.get_by_role("button", name="添加客服池").click()
        form = merchant.get_by_role("form", name="添加客服池")
        form.get_by_label("种类").select_option(label=kind)
        form.get_by_label("名称").fill(name)
        form.get_by_label(re.compile(label)).fill(most)
        form.get_by_role("button", name="保存").click()
        expect(merchant.locator(f"[data-written='{name}']")).to_contain_text(kind)
    merchant.get_by_role("link", name="分流规则").click()
    steps = merchant.get_by_role("listitem").filter(has_text="首选外包")
    merchant.get_by_role("button", name="成本优先").click()
    expect(merchant.get_by_label("客服池选择")).to_have_value("value")
    merchant.get_by_role("button", name="响应优先").click()
    expect(merchant.get_by_label("客服池选择")).to_have_value("rank")
    merchant.reload()
    merchant.get_by_role("group", name="第 2 步").get_by_role("button", name="删除条件 1").click()
    merchant.get_by_role("button", name="加一个话题").click()
    merchant.get_by_label("话题 3", exact=True).fill("尺码")
    merchant.get_by_label("话题 3 优先级").fill("2")
    merchant.get_by_label("话题 3 技能").fill("尺码")
    merchant.get_by_label("话题 3 最低等级").select_option("3")
    merchant.get_by_label("话题 3 最多排队").fill("40")
    merchant.locator("summary").filter(has_text="尺码 的服务时间").click()
    merchant.get_by_role("group", name="尺码 的服务时间").get_by_label("全天").uncheck()
    for step, where in (("第 4 步", "bot"), ("第 5 步", "some")):
        merchant.get_by_role("button", name="加一步").click()
        merchant.get_by_role("group", name=step).get_by_label("找谁").select_option(where)
    merchant.get_by_role("group", name="第 5 步").get_by_label("夜间留言").check()
    merchant.get_by_label("等会说买家语言的客服").fill("7")
    merchant.get_by_label("等到头了怎么办").select_option("bot")
    merchant.get_by_label("几次收回算在多久内").fill("20")
    merchant.get_by_label("首次回复超过").fill("45")
    guard = merchant.get_by_role("group", name="慢响应守护")
    guard.get_by_role("group", name="第 1 级").get_by_label("等待超过").fill("15")
    guard.get_by_role("group", name="第 1 级").get_by_label("提醒客服").check()
    guard.get_by_role("button", name="删除第 2 级").click()
    guard.get_by_label("适用于").select_option("自有客服")
    guard.get_by_label("为这个客服池单独设置").check()
    guard.get_by_role("button", name="添加一级").click()
    expect(merchant.get_by_text("有未保存的修改")).to_be_visible()
    merchant.get_by_label("自有客服 客服").fill("1")
    merchant.get_by_label("自有客服 每人上限").fill("2")
    merchant.get_by_label("每天转人工次数").fill("600")
    merchant.get_by_label("天数").fill("4")
    merchant.get_by_role("button", name="开始预览").click()
    expect(figure(merchant, "wait_ms")).to_contain_text("更差")
    expect(figure(merchant, "overflow")).to_contain_text("更少")
    expect(figure(merchant, "converted")).to_contain_text("%")
    expect(figure(merchant, "net_fen")).to_contain_text("¥")
    expect(merchant.locator("canvas")).to_be_visible()
    merchant.get_by_label("30 秒应答率达到 %").fill("50")  # what a few agents reach on any day and with any luck
    merchant.get_by_role("button", name="算一算").click()
    expect(merchant.get_by_text("30 秒应答率平均")).to_be_visible()
    assert faults_of(merchant) == []
    merchant.get_by_label("自有客服 的会话").select_option("offer")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.get_by_text("立即生效")).to_be_visible()
    merchant.reload()
    expect(merchant.get_by_label("首次回复超过")).to_have_value("45")
    expect(merchant.get_by_label("自有客服 的会话")).to_have_value("offer")
    expect(guard.get_by_label("等待超过").first).to_have_value("15")
    expect(guard.get_by_label("提醒客服").first).to_be_checked()
    expect(guard.get_by_role("group", name="第 3 级")).to_contain_text("向买家如实说明")
    guard.get_by_label("适用于").select_option("自有客服")
    expect(guard.get_by_label("等待超过").last).to_have_value("180")
    expect(steps.first).to_be_visible()
    policy = house.sql("select policy from routing_policy where version = 2")
    assert (policy["fallback"], policy["strike_window_ms"], policy["agent_rule"]) == ("bot", 1_200_000, "least_loaded")
    sizes = next(one for one in policy["topics"] if one["topic"] == "尺码")
    assert (sizes["priority"], sizes["skill"], sizes["skill_level"], sizes["waiting_max"]) == (2, "尺码", 3, 40)
    assert len(sizes["hours"]["spans"]) == 7
    box = str(house.sql("select id from pool where kind = 'message_box' and waiting_max = 300"))
    assert [step["pools"] for step in policy["stages"][-2:]] == ["bot", [box]]
    assert policy["language_wait_ms"] == 7_000
    merchant.get_by_text("历史版本").click()
    expect(merchant.get_by_text("店主 保存").first).to_be_visible()
    merchant.get_by_role("button", name="取回这一版 1", exact=True).click()
    expect(merchant.get_by_label("首次回复超过")).to_have_value("60")
    guard.get_by_label("适用于").select_option("全店")
    expect(guard.get_by_label("等待超过").first).to_have_value("20")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.get_by_text("已保存为第 3 版")).to_be_visible()


def test_how_many_agents_a_pool_needs_is_answered_with_two_charts_and_fits_a_phone(
    merchant: Page, chromium: Browser, house: House
) -> None:
    merchant.get_by_role("link", name="人手测算").click()
    merchant.get_by_label("自有客服 客服").fill("1")
    merchant.get_by_label("自有客服 每人上限").fill("2")
    merchant.get_by_label("每天转人工次数").fill("400")
    merchant.get_by_label("天数").fill("3")
    merchant.get_by_label("应答率达到 %").fill("80")
    merchant.get_by_role("button", name="算一算").click()
    expect(merchant.get_by_text("秒应答率平均")).to_be_visible()
    expect(merchant.get_by_text("排队公式（Erlang A")).to_be_visible()
    expect(merchant.locator("canvas")).to_have_count(2)
    merchant.get_by_text("图表数据").first.click()
    assert faults_of(merchant) == []
    with screen(chromium, width=390, height=844, lang="en", theme="dark") as shown:
        sign_in(shown.page, house, "pools/staffing?lang=en&theme=dark")
        shown.page.get_by_label("Days", exact=True).fill("2")
        shown.page.get_by_role("button", name="Work it out").click()
        expect(shown.page.locator("canvas")).to_have_count(2)
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(shown.page) == []


def test_the_pages_fit_a_phone(chromium: Browser, house: House) -> None:
    with screen(chromium, width=390, height=844, lang="en", theme="dark") as shown:
        page = shown.page
        sign_in(page, house, "pools/policy?lang=en&theme=dark")
        page.get_by_role("button", name="Preview", exact=True).click()
        expect(figure(page, "lost")).to_be_visible()
        for tab, button in (
            ("", ""),
            ("people", "Add a pool"),
            ("agents", "Add an agent"),
            ("contracts", "New contract"),
        ):
            page.goto(f"{house.url}/merchant/pools/{tab}?lang=en&theme=dark")
            if button:
                page.get_by_role("button", name=button).click()
            expect(page.get_by_role("heading", level=2).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
            wide = page.evaluate(
                "document.querySelector('#content').scrollWidth - document.querySelector('#content').clientWidth"
            )
            assert wide <= 0, f"{tab}: tables scroll in boxes of their own"
            assert faults_of(page) == []


async def another_shop(house: House) -> Shop:
    """The same merchant's, with nobody of its own at work."""
    conn = await asyncpg.connect(house.postgres_url)
    shop = await make_shop(conn, "yunfan", "云帆旗舰店")
    await conn.execute(
        "insert into account_shop (account_id, shop_id) select id, $1 from account where login = 'boss'", shop.id
    )
    provider = await conn.fetchval("select provider_id from provider where name = '海星服务'")
    await accounts.keep_account(
        conn, new_id(), login="haiboss", password_hash=hash_password(PASSWORD), role="provider", name="海星主管",
        provider=provider,
    )  # fmt: skip
    await conn.close()
    return shop


def test_one_contract_holds_for_two_shops_by_rules_of_its_own_and_each_has_its_own_persona(
    chromium: Browser, house: House
) -> None:
    second = house.run(another_shop(house))
    with screen(chromium) as shown, screen(chromium) as theirs, screen(chromium) as desk:
        page = shown.page
        sign_in(page, house, "pools/contracts?lang=zh-CN")
        contract = page.locator("section[data-contract='海星服务']")
        contract.get_by_role("button", name="修改条款").click()
        contract.get_by_label("云帆旗舰店").check()
        contract.get_by_label("按本合同自己的条件").check()
        contract.get_by_role("button", name="删除条件 1").click()
        contract.get_by_role("button", name="看改动").click()
        contract.get_by_role("button", name="提交给服务商").click()
        expect(contract.locator("[data-fault='terms.overflow']")).to_contain_text("要有条件或等待时间")
        contract.get_by_role("button", name="加一个条件").click()  # no free slot
        contract.get_by_label("订单", exact=True).uncheck()
        assert faults_of(page) == []
        contract.get_by_role("button", name="提交给服务商").click()
        expect(contract.get_by_text("等待服务商答复", exact=True).first).to_be_visible()
        provider = theirs.page
        sign_in(provider, house, "?lang=zh-CN", "haiboss")
        provider.get_by_role("link", name="合同", exact=True).click()
        asked = provider.locator("[data-version='2']")
        expect(asked.get_by_role("heading", level=2)).to_have_text("云帆旗舰店 · 森野官方旗舰店")
        expect(asked.locator("tr[data-changed='overflow']")).to_contain_text("没有空位")
        expect(asked.locator("tr[data-changed='shops']")).to_contain_text("云帆旗舰店")
        asked.get_by_role("button", name="接受").click()
        expect(provider.get_by_text("已接受第 2 版")).to_be_visible()
        agent = desk.page
        sign_in(agent, house, "../agent?lang=zh-CN", "hai1")
        agent.get_by_role("link", name="设置").or_(agent.get_by_role("button", name="设置")).first.click()
        agent.get_by_label("云帆旗舰店", exact=True).fill("小帆")
        assert faults_of(agent) == []
        agent.get_by_role("button", name="保存在 云帆旗舰店 的称呼").click()
        expect(agent.get_by_text("云帆旗舰店 的称呼已保存")).to_be_visible()
        status = agent.get_by_role("button", name=re.compile("我的状态"))
        status.click()
        agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        with house.shopper("钱云", shop=second) as there, house.shopper("孙森") as here:
            for guest in (there, here):
                guest.wants_a_person()
            there.until(lambda frame: "小帆" in str(frame), "the persona of his shop")
            here.until(lambda frame: "海棠" in str(frame), "the usual one")
            agent.get_by_role("navigation", name="主导航").get_by_role("button", name=re.compile("^接待")).click()
            agent.get_by_role("region", name="会话列表").get_by_role("button", name=re.compile("钱云")).click()
            reply = agent.get_by_role("textbox", name=re.compile("^回复"))
            reply.fill("您好，钱云")
            reply.press("Enter")
            there.until(
                lambda frame: frame["type"] == "message.new" and frame["entry"]["sender"]["name"] == "小帆", "his words"
            )
            assert "钱云" not in str(here.heard), "one shop hears nothing of the other"
            panel = agent.get_by_role("complementary", name="买家资料")
            expect(panel.locator("[data-hidden='orders']")).to_contain_text("合同未开放")
        page.goto(f"{house.url}/merchant/pools/assignments?lang=zh-CN")
        page.get_by_role("row").filter(has_text="孙森").get_by_role("link", name="为什么").click()
        step = page.locator("[data-step='1']")
        expect(step).to_contain_text("何时分流由合同自己的条件决定")
        expect(step).to_contain_text("合同条件：溢出：没有空位")
        assert faults_of(page) == []
        # The merchant goes over to his second shop: every page follows, also after a reload and another login.
        page.get_by_label("店铺", exact=True).select_option("云帆旗舰店")
        expect(page.get_by_label("店铺", exact=True).locator("option:checked")).to_have_text("云帆旗舰店")
        wanted: list[str] = []
        page.on("request", lambda request: wanted.append(request.url))
        for path in ("pools", "settings", "menus", "push", "report"):
            page.goto(f"{house.url}/merchant/{path}")
            page.wait_for_load_state("networkidle")
        assert faults_of(page) == []
        assert sum(str(second.id) in url for url in wanted) > 5
        assert not [url for url in wanted if str(house.shop.id) in url], "nothing of the first shop is asked for"
