"""A browser for tests: one a module, pages with the console's errors collected, axe."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import FLAGS, obtain
from tests.web.house import PASSWORD, House

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@contextmanager
def launched() -> Iterator[Browser]:
    """No event loop can be run in this thread inside."""
    path = obtain()
    expect.set_options(timeout=30_000)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Screen:
    """A page and what its console complained about."""

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def policy_breaches(self) -> list[str]:
        return [said for said in self.complaints if "Content Security Policy" in said or "violates" in said]


@contextmanager
def screen(
    browser: Browser, *, width: int = 1366, height: int = 768, lang: str = "zh-CN", theme: str = "light"
) -> Iterator[Screen]:
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=lang, timezone_id="Asia/Shanghai", reduced_motion="reduce",
        color_scheme="dark" if theme == "dark" else "light", has_touch=width < 500,
    )  # fmt: skip
    context.set_default_timeout(60_000)  # a slow machine is no fault of the page
    shown = Screen(context.new_page(), context)
    try:
        yield shown
    finally:
        context.close()


def sign_in(shown: Screen, house: House, login: str, *, lang: str = "zh-CN", theme: str = "light") -> Page:
    """The agent's desk, signed in by keyboard."""
    page = shown.page
    page.goto(f"{house.url}/agent?lang={lang}&theme={theme}")
    page.locator("#login").fill(login)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav").wait_for()
    return page


def picture(page: Page, name: str) -> None:
    """For the guides: kept where ``WANGXIN_PICTURES`` names a folder (docs/pictures), else nothing is done.

    Few colours make it small enough for a page that is read over a slow line."""
    folder = os.environ.get("WANGXIN_PICTURES")
    if not folder:
        return
    whole = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    whole.quantize(128, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)


def faults_of(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA, readably."""
    found: dict[str, Any] = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary'][:200]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def go_online(page: Page) -> None:
    status = page.get_by_role("button", name=re.compile("我的状态"))
    expect(status).to_be_visible()
    page.wait_for_timeout(300)
    if "在线" not in status.inner_text():
        status.click()
        page.get_by_role("menuitemradio", name=re.compile("^在线")).click()
    expect(status).to_contain_text("在线")
