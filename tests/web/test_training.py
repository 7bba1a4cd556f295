"""From the merchant's pack to a newcomer's first shopper, on the pages of all three."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dispatcher.training.talks import HELLO
from tests.web.browsing import faults_of, launched, screen
from tests.web.browsing import sign_in as sign_in_agent
from tests.web.house import PASSWORD, House, open_house
from wangxin.clock import new_id
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "consoles"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)
ANSWERS = {
    "怎么退货": "七天内在订单页点申请退货，邮费由店铺承担。",
    "能换尺码吗": "可以换，七天内在订单页点申请换货。",
    "多久发货": "下午四点前付款当天发货，其余次日发。",
    "发什么快递": "默认发顺丰，偏远地区发邮政。",
}
OWN = ("云杉怎么称呼买家", "一律称呼为亲")
"""Of the provider's trainer."""
EVERY = {**ANSWERS, OWN[0]: OWN[1]}


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


def sign_in(page: Page, house: House, path: str, login: str) -> None:
    page.goto(f"{house.url}/merchant/{path}?lang=zh-CN")
    page.locator("#login").fill(login)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")


@pytest.fixture
def merchant(chromium: Browser, house: House) -> Iterator[Page]:
    with screen(chromium) as shown:
        sign_in(shown.page, house, "pools", "boss")
        yield shown.page
        assert shown.policy_breaches() == []


def furnish(house: House) -> None:
    """Questions of the shop."""
    for question, answer in ANSWERS.items():
        house.sql(
            "insert into faq_entry (shop_id, id, key, topic, phrasings, answer) values ($1, $2, $3, '售后', $4, $5)"
            " returning id",
            house.shop.id, new_id(), question, [question], answer,
        )  # fmt: skip


def recorded(house: House) -> str:
    """A conversation that a person answered and that is closed now: what he said."""
    said = "亲，毛衣七天内可以退，在订单页点申请就行"
    with house.agent("yun2") as colleague, house.shopper("黎明") as guest:
        guest.says("我叫黎明，电话 13812345678，毛衣能退吗")
        guest.wants_a_person()
        guest.until(lambda f: "conversation.assigned" in str(f), "an agent")
        epoch = house.sql("select epoch from thread where id = $1", guest.thread)
        house.run(colleague.until(lambda: guest.thread in colleague.views))
        house.run(colleague.say(guest.thread, said, epoch=epoch))
        guest.hears(said)
        house.run(colleague.ask({"type": "conversation.close", "thread": str(guest.thread), "epoch": epoch}))
        guest.until(lambda f: "conversation.closed" in str(f), "the end")
    return said


def write_pack_and_ask(page: Page, house: House) -> None:
    """The merchant: a pack, marks, and a contract version that asks for everything."""
    page.get_by_role("link", name="培训", exact=True).click()
    page.get_by_role("button", name="加一篇").click()
    page.get_by_label("标题").fill("称呼")
    page.get_by_label("内容").fill("称呼买家为亲，先问好再回答。")
    page.get_by_label("考题数").fill("4")
    page.get_by_label("演练轮数").fill("1")
    page.get_by_label("不及格后间隔（分钟）").fill("0")
    page.get_by_label("允许服务商用隐去个人信息的历史会话演练").check()
    assert faults_of(page) == []
    page.get_by_role("button", name="保存为新版本").click()
    expect(page.get_by_text("已保存为第 1 版")).to_be_visible()
    page.get_by_role("link", name="合同", exact=True).click()
    contract = page.locator("section[data-contract='云杉客服']")
    contract.get_by_role("button", name="修改条款").click()
    for one in ("通过考试", "通过案例演练", "通过模拟接待"):
        contract.get_by_label(one).check()
    contract.get_by_label("打字速度（每分钟字数，0 为不要求）").fill("50")
    assert faults_of(page) == []
    contract.get_by_role("button", name="看改动").click()
    expect(contract.locator("tr[data-changed='training']")).to_contain_text("通过案例演练")
    contract.get_by_role("button", name="提交给服务商").click()
    expect(contract.get_by_text("等待服务商答复", exact=True).first).to_be_visible()


def accept(page: Page) -> None:
    """The provider: the newest version."""
    page.get_by_role("link", name="合同", exact=True).click()
    asked = page.locator("[data-version='2']")
    expect(asked).to_contain_text("打字每分钟 50 字")
    asked.get_by_role("button", name="接受").click()
    expect(asked.get_by_text("已接受", exact=True)).to_be_visible()


def write_script(page: Page) -> None:
    """The provider's trainer: words to use, and a question that stands in the exam beside the shop's."""
    page.get_by_role("link", name="培训", exact=True).click()
    page.get_by_text("本方的话术与考题").click()
    page.get_by_role("button", name="加一条话术").click()
    page.get_by_label("标题").fill("开场白")
    page.get_by_label("内容").fill("亲，欢迎光临，我是云杉的客服。")
    page.get_by_role("button", name="加一道考题").click()
    page.get_by_label("考题 1", exact=True).fill(OWN[0])
    page.get_by_label("考题 1 的答案").fill(OWN[1])
    assert faults_of(page) == []
    page.get_by_role("button", name="保存话术与考题").click()
    expect(page.get_by_text("话术与考题已保存为第 1 版")).to_be_visible()


def begin(page: Page, step: str) -> None:
    row = page.locator(f"[data-step='{step}']")
    row.get_by_role("button").click()
    expect(page.get_by_role("button", name="返回培训")).to_be_visible()


def back(page: Page, step: str) -> None:
    """The step was passed, and the list of steps says so."""
    result = page.get_by_role("status").filter(has_text="已通过")
    expect(result).to_be_focused()
    page.get_by_role("button", name="返回培训").click()
    expect(page.locator(f"[data-step='{step}']")).to_contain_text("已通过")


def take_exam(page: Page) -> None:
    """By keyboard: a question is answered with arrows and space, handed in with Enter."""
    questions = page.locator("fieldset")
    expect(questions).to_have_count(len(ANSWERS))
    assert faults_of(page) == []
    for one in questions.all():
        asked = one.locator("legend").inner_text().partition(". ")[2]
        choices = [label.inner_text().strip() for label in one.locator("label").all()]
        one.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        for _ in range(choices.index(EVERY[asked])):
            page.keyboard.press("ArrowDown")
        expect(one.get_by_label(EVERY[asked])).to_be_checked()
    page.get_by_role("button", name="交卷").focus()
    page.keyboard.press("Enter")


def take_typing(page: Page) -> None:
    """An input method's letters begin the time but are no text; pasting is refused; the last character ends it."""
    box = page.get_by_label("在这里输入")
    expect(box).to_be_focused()
    text = page.locator(".text").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")
    expect(page.get_by_role("alert")).to_contain_text("不能粘贴")
    expect(box).to_have_value("")
    typing = page.context.new_cdp_session(page)
    typing.send("Input.imeSetComposition", {"text": "qi tian", "selectionStart": 7, "selectionEnd": 7})
    expect(page.get_by_text(f"0 / {len(text)} 字")).to_be_visible()
    typing.send("Input.insertText", {"text": text[:2]})
    expect(page.get_by_text(f"2 / {len(text)} 字")).to_be_visible()
    page.keyboard.type(text[2:], delay=75)  # as fast as somebody may type, and no faster


def take_practice(page: Page) -> None:
    expect(page.get_by_text(HELLO)).to_be_visible()
    asked = page.locator(".said.shopper .words").last.inner_text()
    assert faults_of(page) == []
    page.keyboard.type(EVERY[asked])
    page.keyboard.press("Enter")


def take_drill(page: Page, then: str) -> None:
    shown = page.locator(".said.shopper .words").last
    expect(shown).to_contain_text("毛衣能退吗")
    expect(shown).to_contain_text("［姓名］")
    assert "黎明" not in shown.inner_text()
    assert "138" not in shown.inner_text()
    page.keyboard.type(then)
    page.keyboard.press("Enter")
    expect(page.locator(".said.then")).to_contain_text(then)


def test_a_newcomer_gets_no_shopper_before_he_has_passed_what_the_contract_asks(
    merchant: Page, chromium: Browser, house: House
) -> None:
    furnish(house)
    then = recorded(house)
    write_pack_and_ask(merchant, house)
    with screen(chromium) as chief, screen(chromium) as desk:
        sign_in(chief.page, house, "provider", "yunboss")
        accept(chief.page)
        write_script(chief.page)

        page = sign_in_agent(desk, house, "yun1")
        page.get_by_role("button", name="我的状态").click()
        page.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        with house.shopper("林溪") as guest:
            guest.says("你好")
            guest.wants_a_person()
            guest.until(lambda f: f["type"] == "queue.position" or "message_box" in str(f), "the line")
            page.get_by_role("navigation").get_by_role("button", name="培训").click()
            expect(page.locator("[data-shop]")).to_contain_text("未认证")
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert faults_of(page) == []
            page.set_viewport_size({"width": 1366, "height": 768})
            page.get_by_text("本方话术 1 条").click()
            expect(page.get_by_text("亲，欢迎光临，我是云杉的客服。")).to_be_visible()
            begin(page, "exam")
            expect(page.get_by_role("button", name="我的状态")).to_contain_text("培训")
            take_exam(page)
            back(page, "exam")
            begin(page, "typing")
            take_typing(page)
            back(page, "typing")
            begin(page, "practice")
            take_practice(page)
            back(page, "practice")
            assert house.sql("select state from thread where id = $1", guest.thread) in ("waiting", "message_box")
            begin(page, "drill")
            take_drill(page, then)
            back(page, "drill")
            expect(page.locator("[data-shop]")).to_contain_text("已认证")
            guest.until(lambda f: "conversation.assigned" in str(f), "the newcomer")
            assert house.sql("select agent_id from thread where id = $1", guest.thread) == house.agents["yun1"]
        chief.page.reload()
        row = chief.page.locator("tr[data-agent='云朵']")
        expect(row.locator("[data-step='exam']")).to_contain_text("已通过 100%")
        chief.page.get_by_role("button", name="查看 云朵 的案例演练").click()
        chief.page.get_by_label("评语").fill("回答太短")
        assert faults_of(chief.page) == []
        chief.page.get_by_role("button", name="判为不通过").click()
        expect(row).to_contain_text("未认证")
        assert chief.policy_breaches() == desk.policy_breaches() == []
    merchant.get_by_role("link", name="培训", exact=True).click()
    expect(merchant.get_by_text("第 1 版，1 条话术，1 道考题")).to_be_visible()
    merchant.get_by_role("button", name="查看 云朵 的案例演练").click()
    merchant.get_by_label("评语").fill("可以")
    merchant.get_by_role("button", name="判为通过").click()
    expect(merchant.locator("tr[data-agent='云朵']")).to_contain_text("有效至")
    merchant.get_by_role("button", name="收回 云朵 的认证").click()
    merchant.get_by_label("收回原因").fill("抽查不合格")
    assert faults_of(merchant) == []
    merchant.get_by_role("button", name="收回 云朵 的认证").last.click()
    expect(merchant.locator("tr[data-agent='云朵']")).to_contain_text("未认证")


def grade(page: Page, *, good: bool) -> None:
    """By keyboard: each item with arrows, the form with Enter."""
    page.get_by_role("button", name=re.compile("^第 1 个")).click()
    expect(page.get_by_role("heading", name="已隐去客服")).to_be_focused()
    lines = page.get_by_role("region", name="看会话")
    expect(lines).to_contain_text("毛衣七天内可以退")
    expect(lines).not_to_contain_text("云帆")
    form = page.get_by_role("form", name="评分表")
    for group in form.get_by_role("group").all()[:-1]:
        group.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
    if not good:
        form.get_by_role("checkbox", name="虚假承诺").check()
        form.get_by_label("评语").fill("承诺了没有的服务")
        assert faults_of(page) == []
    form.get_by_role("button", name="提交评分").click()


def test_a_conversation_is_graded_blind_by_two_appealed_by_its_agent_and_decided(
    merchant: Page, chromium: Browser, house: House
) -> None:
    """Uses the conversation that the colleague of the newcomer closed."""
    house.run(house.keep_merchant("boss2"))
    deadline = time.monotonic() + 60
    while not house.sql("select 1 from tally where closed_at is not null and agent_id = $1", house.agents["yun2"]):
        assert time.monotonic() < deadline, "the conversation is folded"
        time.sleep(0.2)
    page = merchant
    page.get_by_role("link", name="质检", exact=True).click()
    page.get_by_role("navigation", name="质检").get_by_role("link", name="评分表", exact=True).click()
    page.get_by_label("评分项 1", exact=True).fill("问候")
    assert faults_of(page) == []
    page.get_by_role("button", name="保存评分表").click()
    expect(page.get_by_text("已保存为第 1 版")).to_be_visible()
    page.get_by_role("link", name="评分", exact=True).click()
    page.get_by_role("button", name="抽样").click()
    expect(page.get_by_text("抽到 1 个会话")).to_be_visible()
    grade(page, good=False)
    expect(page.get_by_text("已评：0 分，不合格")).to_be_visible()
    with screen(chromium) as chief, screen(chromium) as desk, screen(chromium, width=390, height=844) as second:
        sign_in(second.page, house, "quality", "boss2")
        grade(second.page, good=True)
        expect(second.page.get_by_text("已评：100 分，合格")).to_be_visible()
        second.page.goto(f"{house.url}/merchant/quality/results?lang=en&theme=dark")
        expect(second.page.get_by_text("Graders differ")).to_be_visible()
        assert second.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(second.page) == []
        # Rules look at every conversation, also those that nobody drew; now at what the shop has forbidden since.
        words = {"wording": {"words": [{"word": "订单页", "act": "warn"}]}}
        house.sql("update shop set settings = settings || $2 where shop_id = $1 returning 1", house.shop.id, words)
        house.sql("delete from quality_check where agent_id = $1 returning 1", house.agents["yun2"])
        second.page.get_by_role("link", name="Found by rules").click()
        looked = second.page.get_by_role("region", name="To read, the newest first")
        looked.wait_for()
        while "订单页" not in looked.inner_text():
            assert time.monotonic() < deadline + 60, "the rules have looked"
            second.page.goto(f"{house.url}/merchant/quality/hints?lang=en&theme=dark")
            looked.wait_for()
        expect(looked).to_contain_text("Words the shop does not want (订单页)")
        assert second.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(second.page) == []
        looked.get_by_role("link").first.click()
        expect(second.page).to_have_url(re.compile("/pools/assignments/"))
        house.sql("update shop set settings = settings - 'wording' where shop_id = $1 returning 1", house.shop.id)

        agent = sign_in_agent(desk, house, "yun2")
        agent.get_by_role("navigation").get_by_role("button", name="数据").click()
        mine = agent.locator("[data-sample]")
        expect(mine).to_contain_text("致命项：虚假承诺")
        mine.get_by_role("button", name=re.compile("的会话$")).click()
        expect(mine.get_by_role("region")).to_contain_text("毛衣七天内可以退")
        mine.get_by_role("button", name=re.compile("^对「")).click()
        mine.get_by_label("申诉理由").fill("退货规则里就是这样写的")
        assert faults_of(agent) == []
        agent.keyboard.press("Enter")
        expect(mine).to_contain_text("客服申诉：退货规则里就是这样写的")
        house.sql(
            "insert into provider_star select provider_id, '2026-10-01'::date, 81.5, 5, $2::jsonb, $3::jsonb, 400, 2"
            " from seat where agent_id = $1 returning 1",
            house.agents["yun2"], {"operating": 80, "brands": 28.6, "reviews": 75, "potential": 50},
            {"response": [360, 400], "quality": [19, 20], "availability": [700, 720]},
        )  # fmt: skip
        sign_in(chief.page, house, "provider/quality", "yunboss")
        expect(chief.page.locator("[data-month='2026-10']")).to_contain_text("95.0% (20)")
        expect(chief.page.locator("[data-sample]")).to_contain_text("云帆")
        assert faults_of(chief.page) == []

        page.get_by_role("link", name="质检结果", exact=True).click()
        one = page.locator("[data-sample]")
        expect(one).to_contain_text("客服申诉")
        one.get_by_role("button", name=re.compile("^终判")).click()
        one.get_by_label("得分").fill("95")
        one.get_by_label("评语").fill("规则如此，改判")
        assert faults_of(page) == []
        one.get_by_role("button", name="确认终判").click()
        expect(one).to_contain_text("店铺终判：合格，95 分")
        expect(page.get_by_text("双人评分一致")).to_contain_text("κ = 0.00")
        expect(page.get_by_role("row").filter(has_text="云杉客服")).to_contain_text("100.0%")
        chief.page.reload()
        expect(chief.page.locator("[data-sample]")).to_contain_text("店铺终判：合格，95 分")
        assert chief.policy_breaches() == desk.policy_breaches() == second.policy_breaches() == []


def test_a_provider_plans_a_week_and_his_agents_see_their_shifts(chromium: Browser, house: House) -> None:
    house.sql(
        "insert into contract (shop_id, id, version, provider_id, pool_ids, starts_at, ends_at, terms, created_by)"
        " select shop_id, id, version + 1, provider_id, pool_ids, starts_at, ends_at, terms || $1::jsonb, created_by"
        " from contract where provider_id = (select provider_id from seat"
        " where agent_id = $2) order by version desc limit 1 returning version",
        {"seats_committed": 1}, house.agents["yun2"],
    )  # fmt: skip
    with screen(chromium) as chief, screen(chromium, width=390, height=844, lang="en", theme="dark") as desk:
        page = chief.page
        sign_in(page, house, "provider/roster", "yunboss")
        row = page.locator("tr[data-agent='云帆']")
        row.get_by_role("button").first.click()
        page.keyboard.type("09:00-13:00; 12:00-18:00")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("重叠")
        page.get_by_label("云帆").last.fill("09:00-13:00; 22:00-06:00")
        page.keyboard.press("Enter")
        expect(row.get_by_role("button").first).to_contain_text("09:00-13:00; 22:00-06:00")
        day = house.sql("select min(day)::text from roster_day")
        expect(page.locator("[data-contract]")).to_contain_text("缺 0/1")
        page.get_by_role("button", name="从 CSV 导入").click()
        page.get_by_label("或者粘贴内容").fill(f"login,date,hours\nyun1,{day},10:00-19:00\nyun2,{day},9-5\n")
        page.get_by_role("button", name="检查").click()
        expect(page.locator("[data-row='3']")).to_contain_text("班次要写成 09:00-18:00")
        expect(page.get_by_role("button", name="全部导入")).to_be_disabled()
        page.get_by_label("或者粘贴内容").fill(f"login,date,hours\nyun1,{day},10:00-19:00\n")
        page.get_by_role("button", name="检查").click()
        page.get_by_role("button", name="全部导入").click()
        expect(page.locator("tr[data-agent='云朵']")).to_contain_text("10:00-19:00")
        assert faults_of(page) == []
        page.get_by_role("button", name="发布（2 处改动）").click()
        expect(page.get_by_text("已发布", exact=False)).to_be_visible()
        # What his pools say in every shop they serve is the leader's to write.
        page.get_by_role("link", name="话术", exact=True).click()
        page.get_by_role("button", name="新建话术").click()
        form = page.get_by_role("form", name="新建话术")
        for label, words in (("代码", "wan"), ("标题", "晚安"), ("文件夹", "收尾"), ("内容", "亲 {昵称}，晚安。")):
            form.get_by_label(label).fill(words)
        assert faults_of(page) == []
        form.get_by_role("button", name="保存").click()
        expect(page.locator("[data-reply='wan']")).to_contain_text("晚安")
        assert faults_of(page) == []
        page.get_by_role("link", name="培训", exact=True).click()
        group = page.get_by_role("form", name="专属项目组")
        group.get_by_label("项目组名称").fill("甲店组")
        group.get_by_label("云帆").check()
        group.get_by_role("button", name="保存项目组").click()
        expect(page.get_by_text("项目组已保存")).to_be_visible()
        assert faults_of(page) == []
        assert house.sql("select agents from project_group") == [house.agents["yun2"]]
        assert chief.policy_breaches() == []
        house.sql("update roster_day set day = current_date + 1 returning day")
        agent = sign_in_agent(desk, house, "yun2", lang="en", theme="dark")
        agent.get_by_role("button", name="Training").click()
        expect(agent.locator("[data-day]")).to_contain_text("22:00-06:00")
        assert agent.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(agent) == []
        agent.get_by_role("button", name="Replies").click()
        theirs = agent.get_by_role("listitem").filter(has_text="/wan")
        expect(theirs).to_contain_text("晚安")
        expect(theirs.get_by_role("button")).to_have_count(0)  # his leader's to change
        assert agent.evaluate("document.documentElement.scrollWidth") <= 390
        assert faults_of(agent) == []
