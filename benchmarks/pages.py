"""How soon the shopper's window stands on a slow phone and line, whether anything jumps, and what a shift leaves in an
agent's browser. ``python -m benchmarks.pages [--paint] [--shift N]``; both without a flag. Needs a Chromium.

The phone is one fourth of this processor, the line 1.6 Mbit/s with 100 ms there and back, the cache empty. The shift is
``N`` conversations (300 is a full day of eight hours) one after the other and four at a time: each shopper asks for a
person, writes more, is answered by typing and by a canned reply, and is ended by keyboard; some get a note, or have
their panel leafed through; and the line breaks between two looks. One page serves them all and is never loaded again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.web.browsing import launched, screen, sign_in
from tests.web.house import Guest, House, open_house
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

SLOWER = 4
LINE_BITS = 1_600_000
LATENCY_MS = 100
ROUNDS = 7
AT_ONCE = 4
LOOK_EVERY = 50
VITALS = """() => new Promise((done) => {
  const found = { fcp: 0, lcp: 0, cls: 0 };
  new PerformanceObserver((list) => list.getEntries().forEach((one) => one.name === 'first-contentful-paint' && (found.fcp = one.startTime))).observe({ type: 'paint', buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((one) => (found.lcp = one.startTime))).observe({ type: 'largest-contentful-paint', buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((one) => one.hadRecentInput || (found.cls += one.value))).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(found), 500);
})"""  # noqa: E501


@contextmanager
def a_house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        postgres = EmbeddedPostgres(folder, database="template_wangxin")
        valkey = EmbeddedValkey(folder)
        asyncio.run(postgres.start())
        asyncio.run(valkey.start())
        asyncio.run(migrate(postgres.url))
        try:
            with open_house(postgres, valkey, folder / "house") as house:
                yield house
        finally:
            postgres.stop(how="immediate")
            valkey.stop(how="kill")


def paint(browser: Browser, house: House) -> dict[str, Any]:
    """First paint of the window with an empty cache, and what jumps while twenty messages arrive."""
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        with screen(browser, width=390, height=844) as shown:
            driver = shown.context.new_cdp_session(shown.page)
            driver.send("Network.enable")
            driver.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": LATENCY_MS, "downloadThroughput": LINE_BITS / 8,
                 "uploadThroughput": LINE_BITS / 8},
            )  # fmt: skip
            driver.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            shown.page.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
            expect(shown.page.get_by_role("textbox")).to_be_visible()
            rounds.append(shown.page.evaluate(VITALS))
    with screen(browser, width=390, height=844) as shown:
        page = shown.page
        page.goto(f"{house.url}/chat/{house.shop.slug}?lang=zh-CN")
        expect(page.get_by_role("textbox")).to_be_visible()
        page.wait_for_timeout(2_500)  # the parts that come later are there
        before = page.evaluate(VITALS)["cls"]
        for number in range(20):
            page.get_by_role("textbox").fill(f"第 {number} 句，长一点看看会不会跳")
            page.keyboard.press("Enter")
            page.wait_for_timeout(150)
        jumped = page.evaluate(VITALS)["cls"] - before
    return {
        "first contentful paint ms": [round(one["fcp"]) for one in rounds],
        "median ms": round(statistics.median(one["fcp"] for one in rounds)),
        "largest contentful paint, median ms": round(statistics.median(one["lcp"] for one in rounds)),
        "layout shift while opening, median": round(statistics.median(one["cls"] for one in rounds), 4),
        "layout shift while 20 messages are said": round(jumped, 4),
    }


def heap(driver: CDPSession) -> tuple[float, int, int]:
    """(MB of JavaScript in use, nodes of the document, listeners) after everything that can go has gone."""
    for _ in range(2):
        driver.send("HeapProfiler.collectGarbage")
    figures = {one["name"]: one["value"] for one in driver.send("Performance.getMetrics")["metrics"]}
    return figures["JSHeapUsedSize"] / 1e6, int(figures["Nodes"]), int(figures["JSEventListeners"])


def shift(browser: Browser, house: House, conversations: int) -> dict[str, Any]:
    """One agent's day on one page."""
    looks: list[dict[str, Any]] = []
    with screen(browser) as shown:
        page = sign_in(shown, house, "own1")
        status = page.get_by_role("button", name=re.compile("我的状态"))
        status.click()
        page.get_by_role("menuitemradio", name=re.compile("^在线")).click()
        driver = shown.context.new_cdp_session(page)
        driver.send("Performance.enable")
        began = time.monotonic()
        served = 0
        while served < conversations:
            with ExitStack() as stack:
                names = [f"买家{served + at:04d}" for at in range(AT_ONCE)]
                guests = [stack.enter_context(house.shopper(name)) for name in names]
                for guest in guests:
                    guest.says("这件还有货吗")
                    guest.wants_a_person()
                for number, guest in enumerate(guests, served):
                    _serve(page, guest, number)
            served += AT_ONCE
            if served % LOOK_EVERY < AT_ONCE:
                shown.context.set_offline(True)
                page.wait_for_timeout(1_000)
                shown.context.set_offline(False)
                expect(page.get_by_role("status").filter(has_text="重新连接")).to_have_count(0, timeout=60_000)
                mb, nodes, listeners = heap(driver)
                took = round(time.monotonic() - began)
                looks.append({"served": served, "MB": round(mb, 2), "nodes": nodes, "listeners": listeners, "s": took})
                print(json.dumps(looks[-1]), flush=True)
    first, last = looks[0], looks[-1]
    return {
        "looks": looks,
        "MB more from the first look to the last": round(last["MB"] - first["MB"], 2),
        "KB a conversation": round((last["MB"] - first["MB"]) * 1000 / max(1, last["served"] - first["served"]), 2),
    }


TABS = ("订单", "商品", "知识", "买家")


def _serve(page: Page, guest: Guest, number: int) -> None:
    name = guest.name
    row = page.get_by_role("region", name="会话列表").get_by_role("button", name=re.compile(name))
    row.click(timeout=60_000)
    box = page.get_by_role("textbox", name=f"回复 {name}")
    for words in ("您好，在的", "有货的，今天能发"):
        box.fill(words)
        box.press("Enter")
        expect(page.get_by_role("log")).to_contain_text(words)
    guest.says("那我再看看别的颜色")
    expect(page.get_by_role("log")).to_contain_text("那我再看看别的颜色")
    box.fill("")
    box.press_sequentially("/hh")
    box.press("Enter")
    box.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("换货当天登记")
    if number % 3 == 0:
        page.keyboard.press("Alt+n")
        note = page.get_by_role("textbox", name="写一条内部备注")
        note.fill("常客，爱问颜色")
        note.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("常客，爱问颜色")
    if number % 4 == 0:
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
    page.keyboard.press("Alt+e")
    page.get_by_role("checkbox", name="同时邀请评价").uncheck()
    page.get_by_role("button", name="结束会话", exact=True).last.press("Enter")
    expect(row).to_have_count(0, timeout=60_000)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--paint", action="store_true")
    asked.add_argument("--shift", type=int, metavar="N")
    wanted = asked.parse_args()
    both = not wanted.paint and not wanted.shift
    with a_house() as house, launched() as browser:
        if wanted.paint or both:
            print(json.dumps(paint(browser, house), ensure_ascii=False, indent=1), flush=True)
        if wanted.shift or both:
            print(json.dumps(shift(browser, house, wanted.shift or 300), ensure_ascii=False, indent=1), flush=True)


if __name__ == "__main__":
    main()
