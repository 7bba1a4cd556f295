"""The merchant's push page in a real browser: an event rule and a scheduled rule, from the form to the member."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import menus.demo
from tests.web.away import SECRET, away, noticed, subscribes_to
from tests.web.browsing import faults_of, launched, screen
from tests.web.house import PASSWORD, House, open_house
from tests.web.pushing import (
    agent_reads,
    by_hand_to,
    groups_blocks_and_follow_ups_by_keyboard,
    in_an_apps_page,
    open_all_day,
    ref_of,
    shop_says,
    signed_in,
    starts,
    tagged,
    visits_the_shop,
)
from wangxin.clock import new_id
from wangxin.passwords import hash_password
from wangxin.storage import accounts, keys
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.postgres import open_pool

pytestmark = pytest.mark.timeout(300)
BUILT = Path(__file__).parents[2] / "wangxin" / "web" / "static" / "consoles"
if not BUILT.exists():
    pytest.skip("the pages are not built: make pages", allow_module_level=True)
EVENTS_KEY = "wxk_" + "p" * 43


@pytest.fixture(scope="module")
def house(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with open_house(embedded_postgres, embedded_valkey, tmp_path_factory.mktemp("pushhouse")) as house:

        async def key() -> None:
            pool = await open_pool(house.postgres_url)
            await keys.keep_api_key(pool, house.shop.id, new_id(), "events", EVENTS_KEY, ["events"])
            async with pool.acquire() as conn, conn.transaction():
                await menus.demo.seed(conn, house.shop.id)
            await pool.close()

        house.run(key())
        yield house


@pytest.fixture(scope="module")
def chromium(house: House) -> Iterator[Browser]:
    with launched() as found:
        yield found


def test_an_event_rule_gives_birthday_points_from_the_page_to_the_window(chromium: Browser, house: House) -> None:
    with house.shopper("林晓") as guest, screen(chromium) as shown, screen(chromium) as theirs:
        shopper, page = tagged(house, guest, "vip"), shown.page
        visits_the_shop(theirs.page, house, guest)
        signed_in(page, house, "push")
        page.get_by_role("link", name="生日礼（按事件）").click()
        expect(page.get_by_label("规则名称")).to_have_value("生日礼（按事件）")
        page.get_by_label("规则名称").fill("会员生日送积分")
        open_all_day(page)
        page.get_by_label("消息内容").fill("{{ name }}，生日快乐！送您 {{ benefit }}。")
        page.get_by_label("以谁的身份预览").select_option(str(shopper))
        expect(page.get_by_label("手机预览")).to_contain_text("林晓，生日快乐！送您 100 积分。")
        assert faults_of(page) == []
        page.get_by_role("button", name="保存草稿").click()
        expect(page.get_by_role("heading", name="会员生日送积分")).to_be_visible()
        page.get_by_label("试发给").select_option(str(shopper))
        page.get_by_role("button", name="试发", exact=True).click()
        guest.hears("林晓，生日快乐！送您 100 积分。")
        assert house.sql("select count(*) from benefit_grant") == 0
        page.get_by_role("button", name="启动").click()
        expect(page.get_by_role("button", name="暂停")).to_be_visible()
        event = {
            "specversion": "1.0", "id": "b1", "source": "/crm", "type": "member.birthday",
            "subject": ref_of(house, shopper),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {EVENTS_KEY}", "Content-Type": "application/cloudevents+json"}
        for _ in range(2):
            assert httpx.post(f"{house.url}/api/v1/events", json=event, headers=headers).status_code == 202
        guest.until(lambda _: len([f for f in guest.heard if "生日快乐" in str(f)]) == 2, "the birthday's own message")
        guest.until(lambda frame: "benefit.granted" in str(frame), "the points")
        expect(page.get_by_text("已送出").locator("xpath=following-sibling::dd").first).to_have_text("1")
        assert house.sql("select points from profile where shopper_id = $1", shopper) == 100
        # The launcher is closed: it says how much is unread, and the last line; opened, the message is there.
        launcher = theirs.page.get_by_role("button", name=re.compile(r"在线客服 \(\d+\)"))
        expect(launcher).to_be_visible()
        expect(theirs.page.get_by_text("林晓，生日快乐！送您 100 积分。", exact=True)).to_be_visible()
        launcher.click()
        inside = theirs.page.frame_locator("iframe")
        expect(inside.get_by_text("林晓，生日快乐！送您 100 积分。").last).to_be_visible()
        expect(theirs.page.get_by_role("button", name="在线客服", exact=True)).to_be_visible()
        inside.get_by_role("textbox").fill("谢谢，这些积分能抵多少钱？")
        theirs.page.keyboard.press("Enter")
        figure = page.get_by_text("回复", exact=True).locator("xpath=following-sibling::dd")
        expect(figure).to_contain_text("1")
        expect(page.get_by_text("带来会话").locator("xpath=following-sibling::dd")).to_contain_text("1")
        # One tap under the message: no more of these.
        inside.get_by_role("button", name="拒收此类消息").first.click()
        expect(inside.get_by_role("button", name="恢复接收").first).to_be_visible()
        assert house.sql("select refused from profile where shopper_id = $1", shopper) == ["*"]
        inside.get_by_role("button", name="恢复接收").first.click()
        expect(inside.get_by_role("button", name="拒收此类消息").first).to_be_visible()
        assert house.sql("select refused from profile where shopper_id = $1", shopper) == []
        assert house.sql("select count(*) from conversation where outbound_rule is not null") == 1
        assert faults_of(page) == []
        page.get_by_role("button", name="暂停").click()
        expect(page.get_by_role("button", name="继续")).to_be_visible()
        again = {**event, "id": "b2"}
        assert httpx.post(f"{house.url}/api/v1/events", json=again, headers=headers).status_code == 202
        page.get_by_role("link", name="返回列表").click()
        row = page.get_by_role("row", name=re.compile("会员生日送积分"))
        expect(row).to_contain_text("已暂停")
        assert house.sql("select points from profile where shopper_id = $1", shopper) == 100
        agent_reads(chromium, house, guest, "林晓，生日快乐！送您 100 积分。", "谢谢，这些积分能抵多少钱？")
        assert shown.policy_breaches() == []


def test_a_scheduled_rule_reaches_a_tagged_crowd_at_its_minute(chromium: Browser, house: House) -> None:
    with (
        house.shopper("周宁") as guest, house.shopper("何川") as other,
        screen(chromium) as shown, screen(chromium, width=390, height=844) as theirs,
    ):  # fmt: skip
        visits_the_shop(theirs.page, house, guest)
        theirs.page.get_by_role("button", name="在线客服").click()  # the window stands open when it comes
        tagged(house, guest, "户外")
        tagged(house, other, "母婴")
        page = shown.page
        signed_in(page, house, "push/new")
        page.get_by_label("规则名称").fill("户外上新")
        page.get_by_label("定时一次").check()
        open_all_day(page)
        page.get_by_role("button", name="添加条件").click()
        page.get_by_label("条件值").fill("户外")
        figures = page.get_by_role("group", name=re.compile("发给谁"))
        expect(figures.get_by_text("人符合").locator("xpath=following-sibling::dd")).to_have_text("1")
        page.get_by_text("看看是哪些人").click()
        expect(figures).to_contain_text("差：标签 户外")
        page.get_by_label("消息内容").fill("{{ name }}，山野系列上新了。")
        # In two hours, in the shop's zone, as the form's field writes it.
        at = house.sql(
            "select to_char(date_trunc('minute', (clock_timestamp() + interval '2 hours') at time zone"
            " 'Asia/Shanghai'), 'YYYY-MM-DD\"T\"HH24:MI')"
        )
        page.get_by_label("发送时间").fill(str(at))
        expect(page.get_by_text("接下来：")).to_be_visible()
        page.get_by_role("button", name="保存草稿").click()
        expect(page.get_by_role("heading", name="户外上新")).to_be_visible()
        page.get_by_role("button", name="发给 1 人").click()
        expect(page.get_by_role("button", name="暂停")).to_be_visible()
        # Paused and started again before its time: it goes out all the same, and once.
        page.get_by_role("button", name="暂停").click()
        page.get_by_role("button", name="继续").click()
        expect(page.get_by_role("button", name="暂停")).to_be_visible()
        house.comes_due(str(at))
        guest.hears("周宁，山野系列上新了。")
        expect(theirs.page.frame_locator("iframe").get_by_text("周宁，山野系列上新了。")).to_be_visible()
        expect(page.get_by_text("已完成")).to_be_visible(timeout=30_000)
        assert not any("山野系列" in str(frame) for frame in other.heard)
        assert house.sql("select count(*) from entry where body->>'text' like '%山野系列%'") == 1


def test_a_weekly_rule_shows_its_next_times_is_tried_started_and_paused(chromium: Browser, house: House) -> None:
    with house.shopper("郑原") as guest, screen(chromium) as shown:
        shopper, page = tagged(house, guest, "徒步"), shown.page
        signed_in(page, house, "push/new")
        page.set_viewport_size({"width": 390, "height": 844})
        page.get_by_label("规则名称").fill("徒步周报")
        page.get_by_label("周期", exact=True).check()
        page.get_by_label("频率").select_option("week")
        in_two_days = "(clock_timestamp() at time zone 'Asia/Shanghai') + interval '2 days'"
        weekday = house.sql(f"select extract(isodow from {in_two_days})::int")
        for number, day in enumerate(("周一", "周二", "周三", "周四", "周五", "周六", "周日"), 1):
            page.get_by_label(day, exact=True).set_checked(number == weekday)
        page.get_by_label("时间", exact=True).fill("10:30")
        page.get_by_role("button", name="添加条件", exact=True).press("Enter")
        page.get_by_label("条件值").fill("徒步")
        page.get_by_label("消息内容").fill("{{ name }}，本周山野见。")
        groups_blocks_and_follow_ups_by_keyboard(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        expect(page.locator(".stale")).to_have_count(0)
        assert faults_of(page) == []
        page.get_by_role("button", name="保存草稿").press("Enter")
        expect(page.get_by_role("heading", name="徒步周报")).to_be_visible()
        page.get_by_role("link", name="编辑").click()
        inner = page.get_by_role("group", name="条件组 2", exact=True)
        expect(inner.get_by_role("combobox", name="条件组 2")).to_have_value("none")
        expect(inner.get_by_label("条件值")).to_have_value("潜水")
        expect(page.get_by_label("上一条之后（小时）")).to_have_value("48")
        page.get_by_role("button", name="保存草稿").click()
        expect(page.get_by_role("heading", name="徒步周报")).to_be_visible()
        steps = house.sql("select body->'steps' from push_rule where body->>'name' = '徒步周报'")
        assert [block["k"] for block in steps[0]["content"]["variants"][0]["blocks"]] == ["card", "text"]
        assert steps[1]["after_ms"] == 48 * 3_600_000
        days = house.sql(
            f"select array_agg(to_char({in_two_days} + n * interval '7 days', 'MM/DD') order by n)"
            " from generate_series(0, 4) n"
        )
        expect(page.get_by_text("接下来：")).to_have_text("接下来：" + " · ".join(f"{day} 10:30" for day in days))
        page.get_by_label("试发给").select_option(str(shopper))
        page.get_by_role("button", name="试发", exact=True).click()
        guest.hears("郑原，本周山野见。")
        page.get_by_role("button", name="发给 1 人").click()
        page.get_by_role("button", name="暂停").click()
        expect(page.get_by_role("button", name="继续")).to_be_visible()
        kept = house.sql(
            "select status from push_rule where shop_id = $1 and id::text = $2",
            house.shop.id,
            page.url.split("/push/")[1].split("?")[0],
        )
        assert kept == "paused"


def test_above_the_shops_size_a_second_person_approves_and_everyone_without_it_has_a_reason(
    chromium: Browser, house: House
) -> None:
    house.sql("insert into push_policy (shop_id, approve_above) values ($1, 0) returning true", house.shop.id)

    async def colleague() -> None:
        pool = await open_pool(house.postgres_url)
        await accounts.keep_account(
            pool, new_id(), login="deputy", password_hash=hash_password(PASSWORD), role="merchant", name="副店长",
            shops=[house.shop.id],
        )  # fmt: skip
        await pool.close()

    house.run(colleague())
    with (
        house.shopper("李静") as guest, house.shopper("吴哲") as other,
        screen(chromium) as shown, screen(chromium, theme="dark") as second,
    ):  # fmt: skip
        tagged(house, guest, "老友")
        refused = tagged(house, other, "老友")
        house.sql("update profile set refused = array['marketing'] where shopper_id = $1 returning true", refused)
        page, theirs = shown.page, second.page
        signed_in(page, house, "push/new")
        page.get_by_label("规则名称").fill("老友回访")
        page.get_by_label("手动发送").check()
        open_all_day(page)
        page.get_by_role("button", name="添加条件").click()
        page.get_by_label("条件值").fill("老友")
        page.get_by_label("消息内容").fill("{{ name }}，好久不见。")
        page.get_by_role("button", name="保存草稿").click()
        page.get_by_role("button", name="发给 2 人").click()
        expect(page.get_by_role("alert")).to_contain_text("需要另一位同事批准")
        page.get_by_role("button", name="提交审批").click()
        page.get_by_role("button", name="批准").click()
        expect(page.get_by_role("alert")).to_contain_text("不能批准自己写的规则")
        signed_in(theirs, house, page.url.split("/merchant/")[1].split("?")[0], theme="dark", login="deputy")
        theirs.get_by_role("button", name="批准").click()
        expect(theirs.get_by_text("已批准").first).to_be_visible()
        assert faults_of(theirs) == []
        page.get_by_role("button", name="发给 2 人").click()
        guest.hears("李静，好久不见。")
        expect(page.get_by_role("row", name=re.compile("已拒收"))).to_contain_text("1")
        assert not any("好久不见" in str(frame) for frame in other.heard)


def test_a_coupon_lives_from_the_uploaded_crowd_to_its_order_and_what_is_unread_is_taken_back(
    chromium: Browser, house: House
) -> None:
    house.sql("delete from push_policy where shop_id = $1 returning true", house.shop.id)
    with (
        house.shopper("赵芸") as guest, house.shopper("钱朗") as other,
        screen(chromium) as shown, screen(chromium, width=390, height=844) as theirs,
    ):  # fmt: skip
        people = [tagged(house, one, "新客") for one in (guest, other)]
        refs = [ref_of(house, person) for person in people]
        visits_the_shop(theirs.page, house, guest)
        theirs.page.get_by_role("button", name=re.compile("在线客服")).click()
        page = shown.page
        signed_in(page, house, "push/crowds")
        page.get_by_label("人群名称").fill("直播间下单")
        page.get_by_label("会员编号").fill(" ".join([*refs, "nobody"]))
        page.get_by_role("button", name="上传 3 个编号").click()
        expect(page.get_by_text("3 个编号中有 2 位会员")).to_be_visible()
        page.get_by_text("本店的划分标准").click()
        page.get_by_label("活跃天数").fill("15")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_text("15 天内下过单")).to_be_visible()
        assert faults_of(page) == []
        page.get_by_role("link", name="推送给他们 直播间下单").click()
        page.get_by_label("规则名称").fill("直播间返券")
        page.get_by_label("手动发送").check()
        open_all_day(page)
        page.get_by_label("消息内容").fill("{{ name }}，送您 {{ benefit }}。")
        page.get_by_label("附带权益").select_option("coupon")
        page.get_by_label("优惠券名称").fill("返场券")
        page.get_by_label("面额（元）").fill("20")
        page.get_by_label("预算（元）").fill("40")
        page.get_by_label("领取方式").select_option("tap")
        page.get_by_role("group", name="添加内容").get_by_role("button", name="商品或链接卡片").click()
        page.get_by_label("标题").fill("粗针圆领毛衣")
        page.get_by_label("链接", exact=True).fill("https://shop.example/p1")
        page.get_by_label("以谁的身份预览").select_option(str(people[0]))
        expect(page.get_by_label("手机预览")).to_contain_text("点击领取")
        assert faults_of(page) == []
        starts(page, "发给 2 人")
        inside = theirs.page.frame_locator("iframe")
        inside.get_by_role("button", name="领取 返场券").click()
        expect(inside.get_by_text("已领取")).to_be_visible()
        inside.get_by_role("link", name=re.compile("粗针圆领毛衣")).click()
        inside.get_by_role("button", name="取消").click()
        other.until(lambda frame: "返场券" in str(frame), "the coupon")
        expect(page.get_by_text("点击", exact=True).locator("xpath=following-sibling::dd")).to_contain_text("1")
        grant = house.sql("select id from benefit_grant where shopper_id = $1 and kind = 'coupon'", people[0])
        key = {"Authorization": f"Bearer {EVENTS_KEY}"}
        asked = f"{house.url}/api/v1/benefits/{grant}/redeem"
        assert httpx.post(asked, json={"order": "A9", "amount_fen": 9_900}, headers=key).json()["state"] == "redeemed"
        again = httpx.post(asked, json={"order": "B1"}, headers=key)
        assert (again.status_code, again.json()["code"]) == (409, "benefit.redeemed")
        page.goto(f"{house.url}/merchant/push/benefits?lang=zh-CN")
        card = page.get_by_role("region", name=re.compile("直播间返券"))
        expect(card.get_by_text("已使用", exact=True).locator("xpath=following-sibling::dd")).to_contain_text("1")
        expect(card.get_by_text("带来订单").locator("xpath=following-sibling::dd")).to_have_text("¥99.00")
        expect(card).to_contain_text("已发 ¥40.00，预算 ¥40.00")
        card.get_by_role("button", name="撤回权益").click()
        card.get_by_role("button", name="确认撤回").click()
        other.until(lambda frame: frame["type"] == "message.recalled", "the unread message is gone")
        card.get_by_role("button", name="领取明细").click()
        expect(card.get_by_role("row", name=re.compile("钱朗"))).to_contain_text("已收回")
        expect(card.get_by_role("row", name=re.compile("赵芸"))).to_contain_text("A9")
        assert faults_of(page) == []
        page.get_by_role("link", name="会员", exact=True).click()
        page.get_by_label("姓名或会员编号").fill("钱朗")
        page.get_by_role("button", name=re.compile("钱朗")).click()
        expect(page.get_by_role("region", name="钱朗")).to_contain_text("权益已撤回")
        page.get_by_label("生日", exact=True).fill("02-30")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_label("生日", exact=True)).to_be_focused()
        expect(page.get_by_label("生日", exact=True)).to_have_accessible_description("这一项读不懂，请检查写法。")
        page.get_by_label("生日", exact=True).fill("02-29")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_text("已保存")).to_be_visible()
        assert house.sql("select birth_md from profile where shopper_id = $1", people[1]) == 229
        # The shopper wants no pushes that are chosen by what the shop knows of her.
        inside.get_by_role("button", name="更多操作").click()
        with theirs.page.expect_response(lambda answer: answer.request.method == "POST" and "consent" in answer.url):
            inside.get_by_label("可按我的情况推荐").click()
        assert house.sql("select personalised from profile where shopper_id = $1", people[0]) is False
        assert faults_of(page) == []
        assert shown.policy_breaches() == []


def test_ready_rules_stand_in_the_calendar_and_a_report_tells_what_it_can_tell(chromium: Browser, house: House) -> None:
    with screen(chromium, theme="dark") as shown:
        page = shown.page
        signed_in(page, house, "push/new/double11", theme="dark")
        expect(page.get_by_text("接下来：")).to_contain_text("11/08 20:00")  # three days before
        page.goto(f"{house.url}/merchant/push/new/unpaid?lang=zh-CN")
        for event in ("付款", "取消订单"):
            expect(page.get_by_role("checkbox", name=event, exact=True)).to_be_checked()
        page.goto(f"{house.url}/merchant/push/new/winBack?lang=zh-CN")
        page.get_by_label("规则名称").fill("老客唤醒计划")
        page.get_by_label("错过时").select_option("run_once")
        page.get_by_label("消息内容").fill("{{ name }}，老友券一张：{{ benefit }}。")
        page.get_by_role("button", name="添加一个版本").click()
        page.get_by_label("版本 B 的份额").fill("3")
        page.get_by_label("消息内容 B").fill("{{ name }}，想您了，{{ benefit }}等您来领。")
        page.get_by_role("button", name="保存草稿").click()
        page.get_by_role("button", name=re.compile("发给")).click()
        expect(page.get_by_role("alert")).to_contain_text("需要另一位同事批准")  # for how much, nobody knows
        page.get_by_role("link", name="编辑").click()
        expect(page.get_by_label("版本 B 的份额")).to_have_value("3")
        page.get_by_label("预算（元）").fill("500")
        starts(page, re.compile("发给"))
        rule = page.url.split("/push/")[1].split("?")[0]
        page.goto(f"{house.url}/merchant/push/calendar?lang=zh-CN")
        expect(page.get_by_role("link", name="老客唤醒计划").first).to_be_visible()
        expect(page.get_by_text("计划中").first).to_be_visible()
        assert faults_of(page) == []
        # A month of it, as the ledger would hold it: 4,000 people, one in twenty held out, and their orders.
        house.sql(
            """with people as (select n, gen_random_uuid() as shopper from generate_series(1, 4000) n),
                 said as (insert into push_delivery
                   (shop_id, rule_id, run_key, step, shopper_id, run_id, variant, state, reason, at)
                   select $1, $2::text::uuid, 'w', 0, shopper, gen_random_uuid(), (n / 20 % 4 > 0)::int,
                          case when n % 20 = 0 then 'held_out' when n % 20 = 1 then 'capped' else 'sent' end,
                          case when n % 20 = 0 then 'holdout.rule' when n % 20 = 1 then 'cap.week' else '' end,
                          clock_timestamp() - interval '2 days' from people returning shopper_id)
               insert into shop_event (shop_id, source, id, type, shopper_id, at, data)
               select $1, 'test', 'lift' || n, 'order.paid', shopper, clock_timestamp() - interval '1 day', '{}'
                 from people where n % 20 <> 0 and n % 3 = 0 returning (select count(*) from said) > 0""",
            house.shop.id, rule,
        )  # fmt: skip
        page.goto(f"{house.url}/merchant/push/{rule}?lang=zh-CN")
        expect(page.get_by_text("推送带来了提升")).to_be_visible()
        expect(page.get_by_text("推送组 3,800 人，对照组 200 人")).to_be_visible()
        expect(page.get_by_text("还看不出哪个方案更好")).to_be_visible()
        expect(page.get_by_text("结论不可信")).to_have_count(0)
        expect(page.get_by_role("row", name=re.compile("本周推送已满"))).to_contain_text("200")
        assert faults_of(page) == []


def test_a_push_of_words_picture_and_buttons_comes_and_who_has_closed_the_window_is_told_elsewhere(
    chromium: Browser, house: House, tmp_path: Path
) -> None:
    listens = "insert into webhook (shop_id, id, url, events, secret, made_by) values ($1, $2, $3, $4, $5, $2)"
    Image.new("RGB", (320, 200), "#c2410c").save(tmp_path / "slope.png")
    with away() as elsewhere, screen(chromium) as shown, screen(chromium, width=390, height=844) as theirs:
        house.sql(f"{listens} returning true", house.shop.id, new_id(), elsewhere.hook, ["push.unreached"], SECRET)
        theirs.context.grant_permissions(["notifications"], origin=house.url)
        subscribes_to(theirs.page, elsewhere.phone)
        window = theirs.page
        window.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        window.wait_for_load_state("networkidle")
        window.get_by_role("textbox").fill("雪场几点开门")
        window.keyboard.press("Enter")
        # Offered once, after own words; taken by a button.
        offer = window.get_by_role("region", name="关掉窗口后，店铺回复时通知您？")
        expect(offer).to_be_visible()
        assert faults_of(window) == []
        offer.get_by_role("button", name="通知我").click()
        expect(offer).to_have_count(0)
        expect(window.get_by_role("textbox")).to_be_focused()
        assert house.sql("select count(*) from shopper_device") == 1
        guest = house.sql("select shopper_id from shopper_device")
        house.sql(
            "with made as (insert into shopper (shop_id, id, external_id, name) values ($1, $2, 'm-away', '外出')"
            " returning id) insert into profile (shop_id, shopper_id, tags) select $1, id, array['滑雪'] from made"
            " returning true",
            house.shop.id, new_id(),
        )  # fmt: skip
        house.sql(
            "insert into profile (shop_id, shopper_id, tags) values ($1, $2, array['滑雪'])"
            " on conflict (shop_id, shopper_id) do update set tags = excluded.tags returning true",
            house.shop.id, guest,
        )  # fmt: skip
        page = shown.page
        signed_in(page, house, "push/new")
        by_hand_to(page, "雪季开板", "滑雪", "雪场开放了。")
        adds = page.get_by_role("group", name="添加内容")
        adds.get_by_role("button", name="图片或视频").click()
        page.get_by_label("图片或视频文件").set_input_files(tmp_path / "slope.png")
        expect(page.get_by_text("已上传")).to_be_visible()
        page.get_by_label("图片说明").fill("雪道")
        adds.get_by_role("button", name="菜单按钮").click()
        page.get_by_label("按钮上方的文字").fill("想先看什么？")
        button = page.get_by_role("group", name="菜单按钮", exact=True).get_by_role("checkbox").first
        item = button.locator("xpath=..").inner_text().strip()
        button.check()
        expect(page.get_by_label("手机预览")).to_contain_text(item)
        assert faults_of(page) == []
        starts(page, "发给 2 人")
        expect(window.get_by_text("雪场开放了。")).to_be_visible()
        expect(window.get_by_role("button", name="查看图片")).to_be_visible()
        window.get_by_role("button", name=item).last.click()
        expect(window.get_by_role("article").filter(has_text=item).last).to_be_visible()
        # The window is closed; the next push reaches the device, and the other member's shop.
        window.goto("about:blank")
        page.goto(f"{house.url}/merchant/push/new?lang=zh-CN")
        by_hand_to(page, "夜场", "滑雪", "今晚有夜场。")
        starts(page, "发给 2 人")
        expect(page.get_by_text("已完成")).to_be_visible(timeout=30_000)
        house.sql("update push_chunk set done_at = done_at - interval '2 minutes' where looked_at is null returning 1")
        device, people = elsewhere.told(page, "今晚有夜场。")
        assert device == {"slug": house.shop.slug, "shop": "森野官方旗舰店", "line": "今晚有夜场。"}
        assert {one["shopper"] for one in people if one["line"] == "今晚有夜场。"} == {"m-away"}
        title, line, opened = noticed(theirs, house.url, device)
        assert (title, line) == ("森野官方旗舰店", "今晚有夜场。")
        assert opened == [f"/chat/{house.shop.slug}"]
        expect(page.get_by_role("row", name=re.compile("会员设备的通知"))).to_contain_text("已交给通知服务")
        expect(page.get_by_role("row", name=re.compile("店铺自有渠道"))).to_contain_text("已转出")
        assert faults_of(page) == []
        # No more of it, in the window's options.
        window.goto(f"{house.url}{opened[0]}?lang=zh-CN")
        expect(window.get_by_text("今晚有夜场。")).to_be_visible()
        window.get_by_role("button", name="更多操作").click()
        window.get_by_label("窗口关着也通知我").uncheck()
        expect(window.get_by_label("窗口关着也通知我")).not_to_be_checked()
        assert faults_of(window) == []
        assert theirs.policy_breaches() == []


def test_one_page_lists_all_shops_threads_of_a_shopper(chromium: Browser, house: House) -> None:
    house.sql(
        "insert into shop (shop_id, slug, name, token_secret) values (gen_random_uuid(), 'other-shop', '云岭茶庄', 'x')"
        " returning true"
    )
    with screen(chromium, width=390, height=844) as theirs:
        page = theirs.page
        page.goto(f"{house.url}/inbox?lang=zh-CN")
        expect(page.get_by_text("还没有店铺给您发过消息。")).to_be_visible()
        for slug in (house.shop.slug, "other-shop"):
            page.goto(f"{house.url}/chat/{slug}?lang=zh-CN")
            page.get_by_role("textbox").fill(f"{slug} 嗯嗯啊啊")
            page.keyboard.press("Enter")
            # Only then: what is on its way stays in the page that is left, and the newest line below is the shop's.
            answered = page.get_by_role("article").filter(has_text=re.compile("您能说得再具体|您想问的是"))
            expect(answered).to_be_visible()
        page.goto(f"{house.url}/inbox?lang=zh-CN")
        row = page.get_by_role("link", name=re.compile("云岭茶庄"))
        expect(row).to_be_visible()
        shop_says(house, "other-shop", "新茶到店")
        expect(row).to_contain_text("新茶到店")
        expect(row).to_contain_text("条未读")
        expect(page.get_by_role("listitem")).to_have_count(2)
        expect(page.get_by_role("listitem").first).to_contain_text("云岭茶庄")
        assert faults_of(page) == []
        # In a frame of an app's page it knows the members' tokens too, and says which thread is to be opened.
        with house.shopper("唐棠") as member:
            shop_says(house, house.shop.slug, "会员日到了", member.thread)
            in_an_apps_page(page, house, member)
            framed = page.frame_locator("iframe").get_by_role("link", name=re.compile("会员日到了"))
            expect(framed).to_be_visible()
            expect(page.get_by_role("status")).to_have_text(re.compile("[1-9] unread"))
            framed.click()
            expect(page.get_by_role("status")).to_have_text(f"open {house.shop.slug}")
        page.goto(f"{house.url}/inbox?lang=zh-CN")
        row.click()
        expect(page.get_by_text("新茶到店")).to_be_visible()
        page.goto(f"{house.url}/inbox?lang=zh-CN")
        expect(row).not_to_contain_text("未读")
        assert theirs.policy_breaches() == []
