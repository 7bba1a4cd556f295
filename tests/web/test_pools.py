"""The merchant's page of agents and outsourcing, in a real browser against real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.browsing import faults_of, launched, screen
from tests.web.house import PASSWORD, House, open_house
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


def test_new_terms_of_a_contract_are_a_new_version_that_its_provider_accepts(
    merchant: Page, chromium: Browser, house: House
) -> None:
    merchant.get_by_role("link", name="合同", exact=True).click()
    contract = merchant.locator("section[data-contract]").first
    contract.get_by_role("button", name="修改条款").click()
    contract.get_by_label("每日上限（空为不限）").fill("321")
    contract.get_by_label("接待范围").fill("pre_sales；after_sales")
    contract.get_by_label("全天").uncheck()
    contract.get_by_label("时段 1 开始").fill("20:00")
    contract.get_by_label("时段 1 结束").fill("02:30")
    expect(contract.get_by_text("次日")).to_be_visible()
    for _ in range(6):
        contract.get_by_role("button", name="删除 2").click()
    contract.get_by_role("button", name="加节假日或调休").click()
    contract.get_by_label("特殊日 1", exact=True).fill("2027-02-06")
    assert faults_of(merchant) == []
    contract.get_by_role("button", name="保存").click()
    expect(contract.get_by_text("第 2 版", exact=True)).to_be_visible()
    expect(contract).to_contain_text("321")
    expect(contract.get_by_text("等待服务商答复", exact=True)).to_be_visible()
    terms = house.sql("select terms from contract where version = 2")
    assert terms["topics"] == ["pre_sales", "after_sales"]
    assert terms["hours"]["spans"] == [{"day": 0, "from_min": 1_200, "to_min": 1_590}]
    assert terms["hours"]["special"] == [{"date": "2027-02-06", "spans": []}]
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
        page.get_by_role("link", name="合同", exact=True).click()
        asked = page.locator("[data-version='2']")
        asked.get_by_label("答复说明").fill("可以")
        assert faults_of(page) == []
        asked.get_by_role("button", name="接受").click()
        expect(asked.get_by_text("已接受", exact=True)).to_be_visible()
        assert shown.policy_breaches() == []
    merchant.reload()
    expect(contract.get_by_text("等待服务商答复", exact=True)).to_have_count(0)
    contract.get_by_role("button", name="暂停").click()
    expect(contract.get_by_text("已暂停")).to_be_visible()
    contract.get_by_role("button", name="恢复").click()
    expect(contract.get_by_text("已暂停")).to_have_count(0)
    assert faults_of(merchant) == []


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
    merchant.get_by_label("技能").fill("退货；尺码")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.locator("[data-agent='mei']")).to_contain_text("尺码")
    with screen(chromium) as shown:
        sign_in(shown.page, house, "../agent?lang=zh-CN", "mei", password)
        expect(shown.page.get_by_role("button", name="我的状态")).to_be_visible()
        merchant.get_by_role("button", name="停用 小梅").click()
        merchant.get_by_role("button", name="停用", exact=True).click()
        expect(merchant.locator("[data-agent='mei']")).to_have_count(0)
        shown.page.reload()
        expect(shown.page.locator("#login")).to_be_visible()


def figure(page: Page, name: str) -> Locator:
    return page.locator(f"tr[data-figure='{name}']")


def test_a_change_of_the_routing_is_previewed_saved_and_taken_back(merchant: Page) -> None:
    merchant.get_by_role("link", name="分流规则").click()
    steps = merchant.get_by_role("listitem").filter(has_text="首选外包")
    merchant.get_by_role("group", name="第 2 步").get_by_role("button", name="删除条件 1").click()
    merchant.get_by_label("首次回复超过").fill("45")
    expect(merchant.get_by_text("有未保存的修改")).to_be_visible()
    merchant.get_by_label("自有客服 客服").fill("1")
    merchant.get_by_label("自有客服 每人上限").fill("2")
    merchant.get_by_label("每天转人工次数").fill("600")
    merchant.get_by_label("天数").fill("4")
    merchant.get_by_role("button", name="开始预览").click()
    expect(figure(merchant, "wait_ms")).to_contain_text("更差")
    expect(figure(merchant, "overflow")).to_contain_text("更少")
    expect(merchant.locator("canvas")).to_be_visible()
    merchant.get_by_label("30 秒应答率达到 %").fill("50")  # what a few agents reach on any day and with any luck
    merchant.get_by_role("button", name="算一算").click()
    expect(merchant.get_by_text("30 秒应答率平均")).to_be_visible()
    assert faults_of(merchant) == []
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.get_by_text("立即生效")).to_be_visible()
    merchant.reload()
    expect(merchant.get_by_label("首次回复超过")).to_have_value("45")
    expect(steps.first).to_be_visible()
    merchant.get_by_text("历史版本").click()
    merchant.get_by_role("button", name="取回这一版 1", exact=True).click()
    expect(merchant.get_by_label("首次回复超过")).to_have_value("60")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.get_by_text("已保存为第 3 版")).to_be_visible()


def test_the_routing_fits_a_phone(chromium: Browser, house: House) -> None:
    with screen(chromium, width=390, height=844, lang="en", theme="dark") as shown:
        sign_in(shown.page, house, "pools/policy?lang=en&theme=dark")
        shown.page.get_by_role("button", name="Preview", exact=True).click()
        expect(figure(shown.page, "lost")).to_be_visible()
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(shown.page) == []
