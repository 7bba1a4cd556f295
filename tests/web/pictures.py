"""Takes the pictures of the README: ``python -m tests.web.pictures`` starts the demo, plays a scene and writes them.

They land in ``docs/pictures``. Everything on them is the product itself at work on the demo shop.
"""

from __future__ import annotations

import io
import re
import sys
from contextlib import ExitStack
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect

from tests.house.installation import Up, data_folder, up
from tests.web.browsing import launched

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
BYTES_MAX = 200_000
PASSWORD = "wangxin-demo"
GUESTS = ("这款有 XL 吗，身高 180 穿得下吗", "下单的时候忘了用券，能补吗")


def keep(name: str, shot: bytes) -> None:
    """Fewer colours, small enough for a page that is read over a slow line. Raises AssertionError above 200 KB."""
    held = io.BytesIO()
    whole = Image.open(io.BytesIO(shot)).convert("RGB")
    whole.quantize(256, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    assert len(held.getvalue()) < BYTES_MAX, f"{name} weighs {len(held.getvalue())} bytes"
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / name).write_bytes(held.getvalue())
    print(f"{name}: {whole.width} x {whole.height}, {len(held.getvalue()) // 1024} KB", flush=True)


def sleeve() -> bytes:
    """A drawn sleeve with a pulled thread."""
    cloth = Image.new("RGB", (800, 600), "#b5573c")
    pen = ImageDraw.Draw(cloth)
    for y in range(60, 600, 130):
        pen.rectangle([0, y, 800, y + 24], fill="#9a4832")
    pen.ellipse([420, 220, 600, 400], outline="#ffd24a", width=14)
    pen.line([470, 275, 550, 345], fill="#3a170d", width=10)
    pen.line([545, 270, 480, 350], fill="#3a170d", width=10)
    held = io.BytesIO()
    cloth.save(held, "JPEG", quality=88)
    return held.getvalue()


def page_of(browser: Browser, stack: ExitStack, width: int, height: int, scale: float = 1) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=scale, locale="zh-CN",
        timezone_id="Asia/Shanghai", reduced_motion="reduce", has_touch=width < 500,
    )  # fmt: skip
    stack.callback(context.close)
    context.set_default_timeout(60_000)
    return context.new_page()


def signed_in(page: Page, address: str, login: str) -> None:
    page.goto(address)
    page.locator("#login").fill(login)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav").first.wait_for()


def scene(browser: Browser, stack: ExitStack, running: Up) -> None:
    home = f"http://localhost:{running.port}"
    agent = page_of(browser, stack, 1366, 768)
    signed_in(agent, f"{home}/agent?lang=zh-CN&theme=light", "yun1")
    agent.get_by_role("button", name=re.compile("我的状态")).click()
    agent.get_by_role("menuitemradio", name=re.compile("^在线")).click()

    shopper = page_of(browser, stack, 390, 844, 2)
    with shopper.expect_response("**/demo/member"):
        shopper.goto(f"{home}/demo/senye?as=member")
    shopper.get_by_role("button", name="在线客服").click()
    window = shopper.frame_locator("iframe")
    log = window.get_by_role("log")
    expect(log).to_contain_text("智能客服小森", timeout=60_000)
    window.get_by_role("button", name="退换售后").click()
    window.get_by_role("dialog").get_by_role("button", name="售后常见问题").click()
    expect(log).to_contain_text("关于售后，大家常问")
    window.get_by_role("navigation").get_by_role("button", name="转人工").click()
    expect(log).to_contain_text("客服 云朵 已接入", timeout=60_000)
    window.get_by_role("button", name="更多", exact=True).click()
    window.get_by_role("button", name="我的订单").click()
    window.get_by_role("dialog").get_by_role("button", name=re.compile("羊毛开衫")).first.click()
    write(window.get_by_role("textbox"), "这件开衫左袖口勾线了，能换吗？")
    window.get_by_role("button", name="更多", exact=True).click()
    files = window.locator("input[type=file]").first
    files.set_input_files({"name": "sleeve.jpg", "mimeType": "image/jpeg", "buffer": sleeve()})
    expect(window.get_by_role("button", name="查看图片")).to_be_visible()

    for words in GUESTS:
        guest = page_of(browser, stack, 390, 844)
        guest.goto(f"{home}/chat/senye?lang=zh-CN")
        expect(guest.get_by_role("log")).to_contain_text("智能客服小森")
        write(guest.get_by_role("textbox"), words)
        guest.get_by_role("navigation").get_by_role("button", name="转人工").click()
        expect(guest.get_by_role("log")).to_contain_text("已接入", timeout=60_000)

    rows = agent.get_by_role("region", name="会话列表").get_by_role("listitem")
    rows.filter(has_text="林晓").get_by_role("button").first.click()
    box = agent.get_by_role("textbox", name=re.compile("^回复"))
    write(box, "亲，看到照片了，左袖口这处勾线是我们的问题，非常抱歉。换货运费由店铺承担，新的今天就能发出。")
    write(window.get_by_role("textbox"), "好的，谢谢！多久能到？")
    expect(agent.get_by_role("log")).to_contain_text("多久能到")
    expect(window.get_by_text("已读")).to_be_visible()
    expect(window.get_by_role("button", name="查看图片").locator("img")).to_be_visible()
    window.get_by_role("textbox").blur()
    shopper.mouse.move(0, 0)
    keep("shopper-mobile.png", shopper.screenshot())
    expect(agent.get_by_role("button", name="查看图片").locator("img")).to_be_visible()
    box.focus()
    agent.wait_for_timeout(1_500)  # the panel beside the chat draws what it has fetched
    keep("agent-desktop.png", agent.screenshot())
    write(box, "今天 16:00 前登记，顺丰发出，一般两天内送到。")

    merchant = page_of(browser, stack, 1366, 900)
    signed_in(merchant, f"{home}/merchant/report?lang=zh-CN&theme=light", "merchant")
    expect(merchant.get_by_role("heading", level=1)).to_be_visible()
    merchant.get_by_role("table").first.wait_for()
    merchant.wait_for_timeout(2_000)  # figures are folded each second; the chart draws itself
    keep("merchant-report.png", merchant.screenshot())


def write(field: Locator, words: str) -> None:
    field.fill(words)
    field.press("Enter")


def main() -> int:
    with data_folder() as folder, up(folder, "--demo") as running:
        running.until("ready after")
        with launched() as browser, ExitStack() as stack:
            scene(browser, stack, running)
    return 0


if __name__ == "__main__":
    sys.exit(main())
