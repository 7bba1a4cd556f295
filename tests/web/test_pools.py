"""The merchant's page of agents and outsourcing, in a real browser against real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

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


@pytest.fixture
def merchant(chromium: Browser, house: House) -> Iterator[Page]:
    with screen(chromium) as shown:
        shown.page.goto(f"{house.url}/merchant/pools?lang=zh-CN")
        shown.page.locator("#login").fill("boss")
        shown.page.locator("#password").fill(PASSWORD)
        shown.page.keyboard.press("Enter")
        expect(shown.page.get_by_role("heading", name="客服与外包", level=1)).to_be_visible()
        yield shown.page
        assert shown.policy_breaches() == []


def test_a_merchant_sees_pools_and_seats_live_and_without_barriers(merchant: Page) -> None:
    expect(merchant.locator("[data-pool='自有客服']")).to_be_visible()
    expect(merchant.locator("[data-seat]").first).to_be_visible()
    assert faults_of(merchant) == []


def test_new_terms_of_a_contract_are_a_new_version_and_it_can_be_paused(merchant: Page) -> None:
    merchant.get_by_role("link", name="合同").click()
    contract = merchant.locator("section[data-contract]").first
    contract.get_by_role("button", name="修改条款").click()
    contract.get_by_label("每日上限（空为不限）").fill("321")
    contract.get_by_role("button", name="保存").click()
    expect(contract.get_by_text("第 2 版", exact=True)).to_be_visible()
    expect(contract).to_contain_text("321")
    contract.get_by_role("button", name="暂停").click()
    expect(contract.get_by_text("已暂停")).to_be_visible()
    contract.get_by_role("button", name="恢复").click()
    expect(contract.get_by_text("已暂停")).to_have_count(0)
    assert faults_of(merchant) == []


def test_the_routing_policy_is_changed_on_the_page(merchant: Page) -> None:
    merchant.get_by_role("link", name="分流规则").click()
    merchant.get_by_label("首次回复超过").fill("45")
    merchant.get_by_role("button", name="保存").click()
    expect(merchant.get_by_text("立即生效")).to_be_visible()
    merchant.reload()
    expect(merchant.get_by_label("首次回复超过")).to_have_value("45")
    assert faults_of(merchant) == []
