"""The three journeys, walked in a real browser with every key and click counted: ``python -m benchmarks.journeys``.

A program is faster than hands, so minutes are reckoned from what hands do, by the keystroke-level model of Card, Moran
and Newell: 0.28 s a key (an average typist), 1.1 s to point, 0.1 s to click, 0.4 s from keys to mouse or back, 1.35 s
to think before each step. A chosen file counts as three clicks. What the machine took while it was waited for is added
as it was measured.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.pages import a_house
from tests.web import test_agent, test_push, test_settings
from tests.web.browsing import launched, screen
from tests.web.house import PASSWORD, House

KEY_S, POINT_S, CLICK_S, HOME_S, THINK_S = 0.28, 1.1, 0.1, 0.4, 1.35
FILE_CLICKS = 3
QUESTIONS = (
    ("物流", "什么时候发货|多久发货", "四十八小时内发出。"), ("物流", "发什么快递", "默认发顺丰或中通。"),
    ("售后", "怎么退货", "签收七天内在订单里申请。"), ("售后", "退款多久到账", "收到退货后一到三天。"),
    ("尺码", "尺码准吗", "正常尺码，拿不准就选大一号。"), ("发票", "能开发票吗", "可以开电子发票。"),
)  # fmt: skip


@dataclass
class Hands:
    """Counts what hands would do. A step is one thing somebody decides to do."""

    page: Page
    keys: int = 0
    clicks: int = 0
    steps: int = 0
    homes: int = 0
    waited_s: float = 0.0
    _at: str = "keys"
    notes: list[str] = field(default_factory=list)

    def _go(self, to: str) -> None:
        self.homes += self._at != to
        self._at = to

    def click(self, what: Locator) -> None:
        self._go("mouse")
        self.clicks += 1
        self.steps += 1
        self._wait(what.click)

    def type(self, where: Locator, words: str) -> None:
        self._go("keys")
        self.keys += len(words) * (2 if any(ord(one) > 0x2E80 for one in words) else 1)  # pinyin: about two keys a sign
        self.steps += 1
        self._wait(lambda: where.fill(words))

    def press(self, key: str) -> None:
        self._go("keys")
        self.keys += 1
        self._wait(lambda: self.page.keyboard.press(key))

    def choose(self, field_id: str, file: Any) -> None:
        self._go("mouse")
        self.clicks += FILE_CLICKS
        self.steps += 1
        self._wait(lambda: self.page.set_input_files(field_id, file))

    def sees(self, what: Locator) -> None:
        self._wait(lambda: expect(what).to_be_visible())

    def _wait(self, work: Any) -> None:
        began = time.monotonic()
        work()
        self.waited_s += time.monotonic() - began

    def told(self) -> dict[str, Any]:
        hands = (
            self.keys * KEY_S + self.clicks * (POINT_S + CLICK_S) + self.homes * HOME_S + self.steps * THINK_S
        )  # fmt: skip
        return {
            "keys": self.keys, "clicks": self.clicks, "steps": self.steps, "machine s": round(self.waited_s, 1),
            "minutes": round((hands + self.waited_s) / 60, 1),
        }  # fmt: skip


def sign_in(hands: Hands, url: str, login: str, password: str = PASSWORD) -> None:
    hands.page.goto(url)
    hands.type(hands.page.locator("#login"), login)
    hands.type(hands.page.locator("#password"), password)
    hands.press("Enter")


def live_shop(browser: Browser, house: House) -> dict[str, Any]:
    """From the first sign-in to a shopper's question answered by the bot."""
    owner = house.run(test_settings._open_shop(house, "journey", "新开小店"))
    with screen(browser) as shown, screen(browser, width=390, height=844) as phone:
        page, hands = shown.page, Hands(shown.page)
        sign_in(hands, f"{house.url}/merchant?lang=zh-CN", owner.login, owner.password)
        hands.click(page.locator("#content").get_by_role("link", name="开店向导"))
        hands.type(page.get_by_label("欢迎语"), "欢迎来新开小店")
        hands.click(page.get_by_role("button", name="保存"))
        hands.click(page.get_by_role("button", name="下一步"))
        rows = "分类,问法,回答\n" + "".join(f"{topic},{asked},{said}\n" for topic, asked, said in QUESTIONS)
        hands.choose("#questions-file", {"name": "问答.csv", "mimeType": "text/csv", "buffer": rows.encode()})
        hands.click(page.get_by_role("button", name=f"导入 {len(QUESTIONS)} 行"))
        goods = "商品编号,标题,价格,库存\nA1,毛衣,189,12\n"
        hands.choose("#products-file", {"name": "商品.csv", "mimeType": "text/csv", "buffer": goods.encode()})
        hands.click(page.get_by_role("button", name="导入 1 行"))
        people = "会员编号,昵称\nm1,林晓\n"
        hands.choose("#members-file", {"name": "会员.csv", "mimeType": "text/csv", "buffer": people.encode()})
        hands.click(page.get_by_role("button", name="导入 1 行"))
        hands.type(page.get_by_label("客服账号"), "kefu-j")
        hands.type(page.get_by_label("客服名字"), "小满")
        hands.click(page.get_by_role("button", name="添加客服"))
        hands.click(page.get_by_role("button", name="下一步"))
        hands.click(page.get_by_role("button", name="发布这份菜单"))
        hands.sees(page.get_by_role("region", name="嵌入代码"))
        window = Hands(phone.page)
        window.page.goto(f"{house.url}/chat/journey?lang=zh-CN")
        window.type(window.page.get_by_role("textbox"), "你们多久能发货呀")
        window.press("Enter")
        window.sees(window.page.get_by_text("四十八小时内发出。"))
        hands.sees(page.get_by_text("店铺已经开张"))
        return {"merchant": hands.told(), "first question": window.told()}


def first_reply(browser: Browser, house: House) -> dict[str, Any]:
    """From an agent's sign-in to his words on the shopper's phone."""
    with screen(browser) as shown, house.shopper("旅人") as guest:
        page, hands = shown.page, Hands(shown.page)
        sign_in(hands, f"{house.url}/agent?lang=zh-CN", "own1")
        hands.click(page.get_by_role("button", name=test_agent.re.compile("我的状态")))
        hands.click(page.get_by_role("menuitemradio", name=test_agent.re.compile("^在线")))
        guest.says("这件还有货吗")
        guest.wants_a_person()
        hands.sees(test_agent.row_of(page, guest))
        hands.press("Alt+ArrowDown")
        hands.type(test_agent.box(page, guest), "有的，今天就发")
        hands.press("Enter")
        hands._wait(lambda: guest.hears("有的，今天就发"))
        return hands.told()


def first_rule(browser: Browser, house: House) -> dict[str, Any]:
    """From a merchant's sign-in to a pushed message on a member's phone."""
    with screen(browser) as shown, house.shopper("收信人") as guest:
        shopper, page = test_push.tagged(house, guest, "vip"), shown.page
        hands = Hands(page)
        sign_in(hands, f"{house.url}/merchant/push?lang=zh-CN", "boss")
        hands.click(page.get_by_role("link", name="生日礼（按事件）"))
        hands.type(page.get_by_label("规则名称"), "生日送积分")
        hands.type(page.get_by_label("消息内容"), "{{ name }}，生日快乐！送您 {{ benefit }}。")
        hands.click(page.get_by_role("button", name="保存草稿"))
        hands.sees(page.get_by_role("heading", name="生日送积分"))
        hands.click(page.get_by_label("试发给"))
        page.get_by_label("试发给").select_option(str(shopper))
        hands.click(page.get_by_role("button", name="试发", exact=True))
        hands._wait(lambda: guest.hears("收信人，生日快乐！送您 100 积分。"))
        return hands.told()


def main() -> None:
    with a_house() as house, launched() as browser:
        for name, walk in (("live shop", live_shop), ("first reply", first_reply), ("first rule", first_rule)):
            print(name, json.dumps(walk(browser, house), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
