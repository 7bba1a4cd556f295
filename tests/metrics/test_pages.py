"""The merchant reads overview and report in a real browser, opens a figure to its turns, and takes a CSV home."""

from __future__ import annotations

import asyncio
import csv
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import openpyxl
import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, async_playwright, expect
from pydantic import SecretStr

from metrics import rest_provider, rest_statements
from metrics.rest import router
from metrics.rest_drill import router as drill_router
from metrics.schedules import rest as schedules
from metrics.schedules.sending import Reports
from metrics.service import Figures
from tests import browser
from tests.conftest import Shop
from tests.metrics.conftest import NIGHT_CONTRACT, agreements_of, serve, teams_of
from tests.metrics.talk import BEN, NIGHT, PROVIDER
from tests.metrics.test_rollups import back_in_time
from tests.web.api.conftest import make_person
from wangxin.config import Settings
from wangxin.edge import Deps, Gate
from wangxin.storage import valkey
from wangxin.storage.hints import Hints
from wangxin.web.app import create_app
from wangxin.web.static import STATIC

pytestmark = pytest.mark.timeout(240)
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
SLOW_MS = 30_000


@dataclass
class Office:
    page: Page
    base: str
    complaints: list[str]
    chief: str  # the token of the provider's boss
    context: BrowserContext

    async def opens(self, path: str) -> Page:
        await self.page.goto(f"{self.base}/merchant/{path}")
        return self.page


@pytest.fixture
async def office(
    pool: asyncpg.Pool, busy_shop: Shop, database_url: str, valkey_url: str, tmp_path: Path
) -> AsyncIterator[Office]:
    if not (STATIC / "consoles" / "merchant" / "index.html").exists():
        pytest.skip("the pages are not built here: python hatch_build.py")
    settings = Settings(
        data=tmp_path,
        postgres_url=SecretStr(database_url),
        valkey_url=SecretStr(valkey_url),
        secret=SecretStr("k" * 48),
        smtp_url=SecretStr("smtp://127.0.0.1:9"),
    )
    live = valkey.connect(valkey_url)
    deps = Deps(settings, pool, live, Hints(live), Gate(pool, settings.signing_key()))
    boss = await make_person(deps, "boss", [busy_shop.id], role="merchant")
    await pool.execute("insert into provider (provider_id, name) values ($1, '客满满')", PROVIDER)
    chief = await make_person(deps, "chief", [], role="provider", provider=PROVIDER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    routers = [
        router(deps, teams_of),
        drill_router(deps, teams_of),
        schedules.router(deps),
        rest_provider.router(deps, teams_of, agreements_of),
        rest_statements.router(deps, agreements_of),
        rest_statements.provider_router(deps),
    ]
    app = create_app(settings, deps, routers)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    path = browser.find()
    if path is None:
        pytest.skip("no browser here: python -m tests.browser")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
        context = await chromium.new_context(
            locale="zh-CN", timezone_id="Asia/Shanghai", reduced_motion="reduce", accept_downloads=True
        )
        context.set_default_timeout(SLOW_MS)
        await context.add_init_script(f"sessionStorage.setItem('wangxin.account', '{boss.token}')")
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda wrong: complaints.append(str(wrong)))
        yield Office(page, f"http://127.0.0.1:{port}", complaints, chief.token, context)
        await chromium.close()
    server.should_exit = True
    await serving
    await live.aclose()


async def no_violations(page: Page) -> None:
    found: Any = await Axe().run(page, options=WCAG)
    assert found.violations_count == 0, found.generate_report()


async def test_the_overview_shows_who_waits_and_follows_by_itself(
    office: Office, pool: asyncpg.Pool, busy_shop: Shop
) -> None:
    page = await office.opens("overview")
    now = page.get_by_role("region", name="此刻")
    await expect(now).to_contain_text("接待中5", timeout=SLOW_MS)
    await expect(page.get_by_role("region", name="客服池").first).to_contain_text("夜间组")
    await expect(now).to_contain_text("排队中0")
    await serve(pool, busy_shop, None, None)
    await expect(now).to_contain_text("排队中1", timeout=SLOW_MS)
    await serve(pool, busy_shop, BEN, NIGHT, 9_900)
    await Figures(pool).catch_up()
    today = page.get_by_role("region", name="今天至今").first
    await expect(today).to_contain_text("¥449.00", timeout=SLOW_MS)
    await today.get_by_role("button", name="查看「成交额」背后的明细").click()
    await expect(page.get_by_role("region", name="今天至今：订单明细").first.get_by_role("row")).to_have_count(5)
    await no_violations(page)
    assert office.complaints == []


async def test_the_report_sets_own_team_and_pools_side_by_side_and_opens_to_the_turns(
    office: Office, pool: asyncpg.Pool
) -> None:
    page = await office.opens("report")
    teams = page.get_by_role("table", name="自有客服与各外包池对比")
    own = teams.get_by_role("row").filter(has_text="自有客服")
    night = teams.get_by_role("row").filter(has_text="夜间组")
    await expect(own).to_contain_text("33.3%", timeout=SLOW_MS)
    await expect(night).to_contain_text("100.0%")
    await expect(night).to_contain_text("¥250.00")
    await expect(night).to_contain_text("样本太少")
    await expect(page.get_by_role("table", name="成交从哪里来")).to_contain_text("¥357.00")
    await expect(page.locator("canvas")).to_be_visible()
    await page.get_by_text("图表数据").click()
    await expect(page.get_by_role("columnheader", name="客满满")).to_be_visible()

    reach = page.get_by_role("region", name="多久接上人工")
    await expect(reach).to_contain_text("5 / 6 次")
    await expect(reach).to_contain_text("1 位还在等")
    await expect(reach).to_contain_text("平均耐心")
    await expect(reach).to_contain_text("慢响应会话0")

    await teams.get_by_role("button", name="查看「夜间组」的明细").click()
    turns = page.get_by_role("region", name="夜间组：问答明细").first
    await expect(turns.get_by_role("row")).to_have_count(3)
    await expect(turns).to_contain_text("小本")
    await turns.get_by_label("筛选结果").select_option("unanswered")
    await expect(turns).to_contain_text("没有问答")
    await teams.get_by_role("button", name="查看「夜间组」的订单").click()
    orders = page.get_by_role("region", name="夜间组：订单明细").first
    await expect(orders.get_by_role("row")).to_have_count(3)
    await page.get_by_role("button", name="查看「静默下单」的订单").click()
    await expect(page.get_by_role("region", name="静默下单：订单明细").first).to_contain_text("静默下单")
    agents = page.get_by_role("region", name="客服", exact=True).last
    await agents.get_by_role("button", name="查看「小本」的明细").click()
    await expect(page.get_by_role("region", name="小本：问答明细").first.get_by_role("row")).to_have_count(3)
    topics = page.get_by_role("region", name="话题", exact=True).last
    await expect(topics.get_by_role("row").filter(has_text="未归类")).to_contain_text("样本")
    await topics.get_by_role("button", name="查看「未归类」的订单").click()
    await expect(page.get_by_role("region", name="未归类：订单明细").first.get_by_role("row")).to_have_count(4)
    await page.get_by_role("button", name="查看「放弃率」背后的明细").click()
    lost = page.get_by_role("region", name="全店：会话明细").first
    await expect(lost.get_by_role("row")).to_have_count(2)
    await expect(lost.get_by_label("筛选结果")).to_have_value("lost")
    async with page.expect_download() as drawn:
        await page.get_by_role("button", name="存为图片").click()
    assert (await (await drawn.value).path()).read_bytes().startswith(b"\x89PNG")

    await page.get_by_role("button", name="计算各平台口径").click()
    tmall = page.get_by_role("row").filter(has_text="tmall_3min")
    await expect(tmall).to_be_visible()
    await page.locator("summary").filter(has_text="选择本店看哪些口径").click()
    await page.get_by_role("checkbox", name="旺旺 3 分钟人工响应率").click()
    await expect(tmall).to_have_count(0)
    await expect(page.get_by_role("row").filter(has_text="douyin_3min")).to_be_visible()

    await page.get_by_label("分组").select_option("push")
    pushes = page.get_by_role("region", name="推送规则", exact=True).last
    await expect(pushes.get_by_role("row").filter(has_text="不是推送带来")).to_be_visible()

    await page.get_by_role("button", name="查看定时报表").click()
    plans = page.get_by_role("region", name="定时报表").first
    await plans.get_by_role("button", name="加一个定时报表").click()
    form = plans.get_by_role("form")
    await expect(form.get_by_label("名称")).to_be_focused()
    await form.get_by_label("收件人").fill("boss@shop.example")
    await page.keyboard.press("Enter")
    await expect(plans.locator("[data-schedule='日报']")).to_contain_text("每天 08:00")
    await plans.get_by_role("button", name="立即发送「日报」").click()
    await expect(plans.locator("[data-state='waiting']")).to_contain_text("等待发送")
    assert await Reports(pool, teams_of).work() == 1
    await plans.get_by_role("button", name="刷新").click()
    await expect(plans.locator("[data-state='waiting']")).to_contain_text("no mail server is set")

    change = page.get_by_role("region", name="某天以来的变化").first
    await change.get_by_label("从哪天起").fill(await page.get_by_label("从哪天起").get_attribute("max") or "")
    await change.get_by_label("服务商").select_option("客满满")
    await change.get_by_role("button", name="看变化").click()
    await expect(change.get_by_role("row").filter(has_text="平均响应").first).to_contain_text("样本不足")
    beside = change.get_by_role("table", name="客满满与同时段的自有客服")
    await expect(beside.get_by_role("row").filter(has_text="询单转化率")).to_contain_text("33.3%")
    await no_violations(page)
    await page.evaluate("document.documentElement.classList.add('dark')")
    await no_violations(page)
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="导出对比 CSV").click()
    text = (await (await coming.value).path()).read_text(encoding="utf-8")
    assert text.startswith("\ufeffpool,name,")
    rows = {row["name"]: row for row in csv.DictReader(StringIO(text.lstrip("\ufeff")))}
    assert rows["夜间组"]["paid_fen"] == "25000", "the CSV is the table that is shown"
    await page.get_by_label("时间", exact=True).select_option("yesterday")
    await expect(page.get_by_role("status").filter(has_text="还没有会话")).to_be_visible(timeout=SLOW_MS)
    await expect(page.get_by_text("这个范围内还没有数据。").first).to_be_visible()
    assert office.complaints == []


async def test_the_statement_shows_what_each_contract_owes_and_every_line_its_evidence(
    office: Office, pool: asyncpg.Pool, busy_shop: Shop
) -> None:
    page = await office.opens("statements")
    table = page.get_by_role("table", name="合同结算")
    # Two conversations of the month: the first at ¥2.00, the second at ¥1.00; 1.5 % of ¥250.00 of orders.
    await expect(page.get_by_role("heading", name="合计")).to_contain_text("¥6.75", timeout=SLOW_MS)
    await expect(table.get_by_role("row").filter(has_text="有效会话")).to_have_count(2)
    commission = table.get_by_role("row").filter(has_text="成交佣金")
    await expect(commission).to_contain_text("¥3.75")
    await commission.get_by_role("button").click()
    evidence = page.get_by_role("region", name="成交佣金")
    bought = await pool.fetch(
        "select order_id from order_credit where shop_id = $1 and pool_id = $2 and rule = 'last_touch'",
        busy_shop.id, NIGHT,
    )  # fmt: skip
    for row in bought:
        await expect(evidence).to_contain_text(row["order_id"])
    await table.get_by_role("row").filter(has_text="有效会话").first.get_by_role("button").click()
    served = page.get_by_role("region", name="有效会话").get_by_role("link")
    known = {str(row["conversation_id"]) for row in await pool.fetch("select conversation_id from tally")}
    assert (await served.first.get_attribute("href") or "").rpartition("/")[2] in known
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="导出 CSV").click()
    text = (await (await coming.value).path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(StringIO(text.lstrip("\ufeff"))))
    assert sum(int(row["amount_fen"]) for row in rows) == 675
    await no_violations(page)
    await office.page.set_viewport_size({"width": 390, "height": 844})
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
    assert office.complaints == []


async def test_a_provider_disputes_a_line_the_merchant_answers_and_what_is_signed_is_frozen(
    office: Office, pool: asyncpg.Pool, busy_shop: Shop, tmp_path: Path
) -> None:
    await back_in_time(pool, busy_shop.id, 1)
    await pool.execute(
        """insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, terms, created_by)
           values ($1, $2, 1, $3, $4, '2020-01-01', '{}', $2)""",
        busy_shop.id, NIGHT_CONTRACT, PROVIDER, [NIGHT],
    )  # fmt: skip
    assert await Figures(pool).settle(agreements_of) > 0
    day = (await pool.fetchval("select min(day) from tally")).isoformat()
    assert office.context.browser is not None
    desk = await office.context.browser.new_context(locale="zh-CN", reduced_motion="reduce", accept_downloads=True)
    desk.set_default_timeout(SLOW_MS)
    await desk.add_init_script(f"sessionStorage.setItem('wangxin.account', '{office.chief}')")
    theirs = await desk.new_page()
    theirs.on("console", lambda said: office.complaints.append(said.text) if said.type == "error" else None)
    await theirs.goto(f"{office.base}/merchant/provider/statements")
    issued = theirs.locator(f"[data-statement='{day}']")
    await expect(issued).to_contain_text("待服务商确认", timeout=SLOW_MS)
    await issued.get_by_role("button", name="提出异议").first.click()
    form = issued.get_by_role("form")
    await form.get_by_label("应为").fill("4.00")
    await form.get_by_label("理由").fill("少算一个会话")
    await no_violations(theirs)
    await form.get_by_role("button", name="提交异议").click()
    await expect(issued).to_have_attribute("data-state", "disputed")
    await expect(issued.get_by_role("button", name="确认签收")).to_have_count(0)

    page = await office.opens("statements")
    asked = page.locator(f"[data-statement='{day}']")
    await expect(asked).to_contain_text("异议：应为 ¥4.00，少算一个会话", timeout=SLOW_MS)
    await asked.get_by_role("button", name="答复异议").click()
    await asked.get_by_label("改为").fill("3.50")
    await asked.get_by_label("答复说明").fill("按半价补")
    await asked.get_by_role("button", name="按此金额").click()
    await expect(asked).to_have_attribute("data-state", "open")
    await expect(asked).to_contain_text("¥8.25")

    await theirs.reload()
    await expect(issued).to_contain_text("改为 ¥3.50：按半价补", timeout=SLOW_MS)
    await issued.get_by_role("button", name="确认签收").click()
    await expect(issued).to_have_attribute("data-state", "signed")
    await expect(issued.get_by_role("button", name="提出异议")).to_have_count(0)
    await theirs.get_by_role("button", name="全部签收").click()
    await theirs.get_by_role("group", name="全部签收").get_by_role("button", name="确认签收").click()
    await expect(theirs.locator("[data-state='open']")).to_have_count(0)
    await no_violations(theirs)
    async with theirs.expect_download() as coming:
        await theirs.get_by_role("button", name="导出 XLSX").click()
    await (await coming.value).save_as(tmp_path / "s.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "s.xlsx")["lines"].iter_rows(values_only=True))
    mine = [row for row in rows if row[rows[0].index("day")] == day]
    assert sum(row[rows[0].index("agreed_fen")] for row in mine) == 825
    await theirs.goto(f"{office.base}/merchant/provider/figures")
    shops = theirs.get_by_role("region", name="服务的店铺").last
    await expect(shops.get_by_role("row").nth(1)).to_contain_text("¥250.00", timeout=SLOW_MS)
    await shops.get_by_role("button", name="的明细").click()
    people = theirs.get_by_role("region", name="的客服").last
    await expect(people.get_by_role("row").filter(has_text="小本")).to_contain_text("受保护")
    await people.get_by_role("button", name="查看「小本」的明细").click()
    await expect(theirs.get_by_role("region", name="小本：问答明细").first.get_by_role("row")).to_have_count(3)
    await people.get_by_role("button", name="查看「小本」的订单").click()
    await expect(theirs.get_by_role("region", name="小本：订单明细").first.get_by_role("row")).to_have_count(3)
    await no_violations(theirs)
    await theirs.set_viewport_size({"width": 390, "height": 844})
    wide = await theirs.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
    await page.reload()
    await expect(asked).to_have_attribute("data-state", "signed", timeout=SLOW_MS)
    assert office.complaints == []


async def test_the_report_can_be_read_on_a_phone_and_in_english(office: Office, pool: asyncpg.Pool) -> None:
    await office.page.set_viewport_size({"width": 390, "height": 844})
    page = await office.opens("report?lang=en")
    await expect(page.get_by_role("heading", name="Reports", exact=True)).to_be_visible()
    await expect(page.get_by_role("table", name="Own team beside each pool")).to_contain_text(
        "Own team", timeout=SLOW_MS
    )
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
    await page.get_by_label("Period").select_option("days7")
    await expect(page.get_by_role("heading", name="Teams by day")).to_be_visible()
    await no_violations(page)
    await office.opens("pools/directory?lang=en")
    await expect(page.get_by_text("which takes about 1 seats")).to_be_visible(timeout=SLOW_MS)
    provider = page.locator("[data-provider='客满满']")
    await expect(provider.get_by_role("img", name="4 stars")).to_be_visible()
    await expect(provider).to_contain_text("not graded yet")
    await expect(provider).to_contain_text("too small")
    offer = provider.get_by_role("link", name="Offer a contract")
    await expect(offer).to_have_attribute("href", f"/merchant/pools/contracts/offer/{PROVIDER}")
    looking = page.get_by_role("search", name="Find a provider")
    await expect(looking).to_contain_text("1 of 1 providers")
    for narrow in ("large enough only", "Stars"):
        if narrow == "Stars":
            await looking.get_by_label("Stars").select_option("5")
        else:
            await looking.get_by_label(narrow).check()
        await expect(page.get_by_text("No provider is like that.")).to_be_visible()
        await page.get_by_role("button", name="Look for all").click()
        await expect(provider).to_be_visible()
    await pool.execute(
        "insert into seat (owner_id, provider_id, agent_id, name, seats_max) select $1, $1, gen_random_uuid(), '某', 3"
        " from generate_series(1, 3)", PROVIDER,
    )  # fmt: skip
    await page.reload()
    await expect(provider).to_contain_text("large enough", timeout=SLOW_MS)
    await looking.get_by_label("Seats looked for").fill("4")
    await expect(provider).to_contain_text("too small")
    await looking.get_by_label("without those who serve this shop").check()
    await looking.get_by_label("Name contains").fill("客满")
    await expect(looking).to_contain_text("1 of 1 providers")
    await no_violations(page)
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
