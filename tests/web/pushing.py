"""What the browser tests of push do on the merchant's page and on a shop's own."""

from __future__ import annotations

import re
from uuid import UUID

from playwright.sync_api import Browser, Page, expect

from tests.web.browsing import go_online, screen, sign_in
from tests.web.house import PASSWORD, Guest, House
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.storage import entries
from wangxin.storage.entries import Line, body_json
from wangxin.storage.postgres import open_pool


def signed_in(page: Page, house: House, where: str, *, theme: str = "light", login: str = "boss") -> None:
    page.goto(f"{house.url}/merchant/{where}?lang=zh-CN&theme={theme}")
    page.locator("#login").fill(login)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav").first.wait_for()


def tagged(house: House, guest: Guest, tag: str) -> UUID:
    """The guest is a member whom the shop's own systems know by this tag."""
    sql = "update profile set tags = array[$2::text] where shop_id = $1 and shopper_id = (select shopper_id from thread"
    house.sql(f"{sql} where id = $3) returning true", house.shop.id, tag, guest.thread)
    shopper: UUID = house.sql("select shopper_id from thread where id = $1", guest.thread)
    return shopper


def ref_of(house: House, shopper: UUID) -> str:
    return str(house.sql("select external_id from shopper where id = $1", shopper))


HOST = """<!doctype html><html lang="zh-CN"><title>shop</title><body><h1>shop</h1>
<script>window.wangxinSettings = { shop: "SHOP" }; window.$wangxin = [["setUser", { token: "TOKEN" }]];</script>
<script src="/sdk.js"></script></body></html>"""


def visits_the_shop(page: Page, house: House, guest: Guest) -> None:
    """The guest's browser on the shop's own page, with the launcher that the shop has put there."""
    token = auth.sign_member(str(house.shop.id), guest.person.party.name, guest.name, "V4", house.shop.secret, now_ms())
    text = HOST.replace("SHOP", house.shop.slug).replace("TOKEN", token)
    page.route("**/our-shop", lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
    page.goto(f"{house.url}/our-shop")


APP = """<!doctype html><html lang="zh-CN"><title>app</title><body><h1>app</h1><p role="status"></p>
<iframe src="/inbox?lang=zh-CN" title="inbox" width="380" height="600"></iframe><script>
const frame = document.querySelector("iframe"), status = document.querySelector("p");
addEventListener("message", ({ data, source }) => {
  if (source !== frame.contentWindow || data.wangxin !== 1) return;
  if (data.did === "ready") source.postMessage({ wangxin: 1, do: "tokens", tokens: { "SHOP": "TOKEN" } }, "*");
  if (data.did === "unread" && data.count) status.textContent = `${data.count} unread`;
  if (data.did === "open") status.textContent = `open ${data.shop}`;
});
</script>"""


def in_an_apps_page(page: Page, house: House, guest: Guest) -> None:
    """All threads in a frame on a page of the shop's app, which hands in the member's token."""
    token = auth.sign_member(str(house.shop.id), guest.person.party.name, guest.name, "V4", house.shop.secret, now_ms())
    text = APP.replace("SHOP", house.shop.slug).replace("TOKEN", token)
    page.route("**/our-app", lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
    page.goto(f"{house.url}/our-app")


def agent_reads(chromium: Browser, house: House, guest: Guest, *lines: str) -> None:
    """An agent takes the shopper's conversation up and reads these lines, one above the other."""
    guest.wants_a_person()
    with screen(chromium) as shown:
        desk = sign_in(shown, house, "own1")
        go_online(desk)
        desk.get_by_role("region", name="会话列表").get_by_role("button", name=re.compile(guest.name)).click()
        log = desk.get_by_role("log")
        expect(log).to_contain_text(re.compile(".*".join(re.escape(line) for line in lines), re.DOTALL))


def open_all_day(page: Page) -> None:
    """The test runs at any hour: no quiet hours, no caps that an earlier test has used up."""
    page.get_by_label("勿扰时段内不发").uncheck()
    page.get_by_label("每人每天最多").fill("0")
    page.get_by_label("每人每周最多").fill("0")


def by_hand_to(page: Page, name: str, tag: str, text: str) -> None:
    """A new rule, sent by hand at any hour to who has the tag, also while he talks to the bot."""
    page.get_by_label("规则名称").fill(name)
    page.get_by_label("手动发送").check()
    open_all_day(page)
    page.get_by_text("更多限制").click()
    page.get_by_label("正在会话中的人等会话结束再发").uncheck()
    page.get_by_role("button", name="添加条件", exact=True).click()
    page.get_by_label("条件值").fill(tag)
    page.get_by_label("消息内容").fill(text)


def starts(page: Page, button: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name="保存草稿").click()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name="暂停").or_(page.get_by_text("已结束"))).to_be_visible()


def shop_says(house: House, slug: str, text: str, thread: UUID | None = None) -> None:
    """A rule's line in a thread of a shop, the newest one if none is named."""

    async def said() -> None:
        pool = await open_pool(house.postgres_url, least=1, most=1)
        found = await pool.fetchrow(
            "select t.shop_id, t.id from thread t join shop s using (shop_id)"
            " where s.slug = $1 and ($2::uuid is null or t.id = $2) order by last_at desc limit 1",
            slug,
            thread,
        )
        assert found is not None, "somebody has written to the shop"
        line = Line(found["shop_id"], found["id"], "push", new_id(), new_id(), "text", body_json({"text": text}))
        await entries.append(pool, [line])
        await pool.close()

    house.run(said())


def groups_blocks_and_follow_ups_by_keyboard(page: Page) -> None:
    """To one condition and one block: none of a group, a card before the words, a second message; no mouse."""
    page.get_by_role("button", name="添加一组条件").press("Enter")
    inner = page.get_by_role("group", name="条件组 2", exact=True)
    joined = inner.get_by_role("combobox", name="条件组 2")
    expect(joined).to_be_focused()
    joined.select_option("none")
    inner.get_by_label("条件值").fill("潜水")
    counted = page.get_by_role("group", name=re.compile("发给谁")).get_by_text("人符合")
    expect(counted.locator("xpath=following-sibling::dd")).to_have_text("1")
    page.get_by_role("group", name="添加内容").get_by_role("button", name="商品或链接卡片").press("Enter")
    expect(page.get_by_label("标题")).to_be_focused()
    page.keyboard.type("山野手册")
    page.get_by_label("链接", exact=True).fill("shop.example/hike")
    page.get_by_role("button", name="保存草稿").press("Enter")
    # What the server refuses stands at its field, and the field is gone to.
    expect(page.get_by_label("链接", exact=True)).to_be_focused()
    expect(page.get_by_label("链接", exact=True)).to_have_accessible_description("有一项填得不对，请检查标出的地方。")
    page.get_by_label("链接", exact=True).fill("https://shop.example/hike")
    page.get_by_role("button", name="上移第 2 块").press("Enter")
    expect(page.get_by_role("button", name="下移第 1 块")).to_be_focused()
    page.get_by_role("button", name="添加后续消息").press("Enter")
    expect(page.get_by_label("上一条之后（小时）")).to_be_focused()
    page.get_by_label("上一条之后（小时）").fill("48")
    page.get_by_role("group", name="第 2 条消息").get_by_label("消息内容").fill("还在路上吗？")
