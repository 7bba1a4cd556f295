"""Every screen that a signed-in person can reach, looked at: barriers, overflow, missing words, complaints.

The screens are found, not listed: what the navigation offers, and what any screen links to. A new page is looked at
from its first day. Nobody signs in twice: one page load, then the router of the program itself leads on.
"""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.web.browsing import TAGS, Screen, screen
from wangxin.demo.shown import PASSWORD

LOCALES = Path(__file__).parents[2] / "frontend" / "src" / "locales"
AREAS = "|".join(sorted(file.stem for file in (LOCALES / "en").glob("*.json")))
AXE = Axe().axe_script + ";0"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_COUNT_ASKED = """(() => {
  window.asked = 0;
  const real = window.fetch;
  window.fetch = (...words) => { window.asked++; return real(...words).finally(() => window.asked--); };
})()"""
_QUIET = "() => new Promise(done => { let calm = 0; const look = () => { calm = window.asked ? 0 : calm + 1;"
_QUIET += " calm > 2 ? done() : requestAnimationFrame(look); }; look(); })"
_ROUTER = "document.querySelector('#app').__vue_app__.config.globalProperties.$router"
_WORDS = """areas => {
  const key = `^(${areas})\\\\.[a-z][\\\\w-]*(\\\\.[\\\\w-]+)*$`;
  const odd = new RegExp(`${key}|\\\\{[a-z_]+\\\\}|undefined|NaN|Invalid Date|\\\\[object`);
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const kind = walk.currentNode.parentElement.tagName;
    const said = walk.currentNode.data.trim();
    if (!["SCRIPT", "STYLE", "CODE", "PRE", "TEXTAREA"].includes(kind) && odd.test(said)) found.push(said);
  }
  for (const one of document.querySelectorAll("[aria-label], [placeholder], [title]"))
    for (const name of ["aria-label", "placeholder", "title"])
      if (odd.test(one.getAttribute(name) ?? "")) found.push(`${name}=${one.getAttribute(name)}`);
  return found;
}"""
_BESIDE = """() => {
  const page = document.documentElement, main = document.querySelector("main");
  return [page, main].filter(one => one && one.scrollWidth > one.clientWidth + 1).map(one =>
    `${one.tagName.toLowerCase()} is ${one.scrollWidth} wide in ${one.clientWidth}: ` + [...one.querySelectorAll("*")]
      .filter(part => part.getBoundingClientRect().right > one.getBoundingClientRect().right + 1 && part.clientWidth)
      .slice(0, 3).map(part => part.tagName.toLowerCase() + "." + part.className).join(" "));
}"""
_FOLDED = "main [aria-expanded=false]:not([aria-haspopup]):not([disabled]), main details:not([open]) > summary"


@cache
def _texts(lang: str) -> dict[str, str]:
    files = (LOCALES / lang).glob("*.json")
    return {key: text for file in files for key, text in json.loads(file.read_text("utf-8")).items()}


def shape(path: str) -> str:
    """What addresses of one screen have in common: which rule, which conversation does not matter."""
    words = ID.sub("*", path.split("?")[0].split("#")[0]).strip("/").split("/")[:5]
    return "/".join(word if at < 3 or word == "edit" else "*" for at, word in enumerate(words))


@dataclass
class Walk:
    """A walk through one program; ``faults`` is what was found, ``seen`` the screens, ``opened`` a desk's pages."""

    shown: Screen
    lang: str = "zh-CN"
    theme: str = "light"
    seen: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown.page.add_init_script(_COUNT_ASKED)

    @property
    def page(self) -> Page:
        return self.shown.page

    def quiet(self) -> None:
        """Until the screen has what it asked for."""
        self.page.evaluate(_QUIET)

    def look(self, name: str) -> None:
        """Everything that can be wrong with what is on the screen now."""
        self.seen.append(name)
        self.quiet()
        page = self.page
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE)
        found: Any = page.evaluate(
            "tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
        )
        for fault in found["violations"]:
            for node in fault["nodes"]:
                self.faults.append(f"{name}: {fault['id']}: {node['target']} {node['failureSummary'][:300]}")
        self.faults += [f"{name}: {said!r} is no word" for said in page.evaluate(_WORDS, AREAS)]
        self.faults += [f"{name}: {said}" for said in page.evaluate(_BESIDE)]
        self.faults += [f"{name}: {said}" for said in self.shown.complaints]
        self.shown.complaints.clear()

    def unfold(self, name: str) -> None:
        """Look again with everything open; where one closes another, at each by itself."""
        folded = self.page.locator(_FOLDED)
        opened = 0
        for part in folded.all():
            if not part.is_visible():
                continue
            part.click()
            opened += 1
        if opened:
            self.look(f"{name} (open)")

    def word(self, key: str) -> str:
        """What the pages say for a key in the language of this walk."""
        return _texts(self.lang)[key]

    def sign_in(self, url: str, login: str, password: str) -> None:
        self.page.goto(f"{url}?lang={self.lang}&theme={self.theme}")
        self.page.locator("#login").wait_for()
        self.look("sign in")
        self.page.locator("#login").fill(login)
        self.page.locator("#password").fill(password)
        self.page.keyboard.press("Enter")
        self.page.locator("nav").first.wait_for(state="attached")

    def console(self) -> None:
        """Every page of the console that the person who is signed in may open."""
        page = self.page
        every = "all => all.map(one => one.getAttribute('href'))"
        names = page.locator("nav").first.locator("a").evaluate_all(every)
        waiting, known = deque(names), {shape(path) for path in names}
        while waiting:
            path = waiting.popleft()
            page.evaluate(f"path => {_ROUTER}.push(path)", path.removeprefix("/merchant"))
            page.locator("h1").wait_for()
            self.look(shape(path))
            for link in page.locator("main a[href^='/merchant/']").evaluate_all(every):
                if shape(link) not in known:
                    known.add(shape(link))
                    waiting.append(link)
            self.unfold(shape(path))

    def ready(self) -> None:
        """An agent who is signed in is ready for work."""
        self.page.keyboard.press("Alt+s")
        self.look("desk: state")
        self.page.get_by_role("menuitemradio").first.click()

    def desk(self, *, talks: bool = False) -> None:
        """Every page of an agent's rail; with ``talks``, also the first of his conversations and its layers."""
        page = self.page
        self.quiet()  # what he may see comes with his desk
        rail = page.locator("nav.rail button")
        for button in rail.all():
            if button.is_visible():
                button.click()
                self.opened.append(button.locator("span").first.inner_text())
                name = f"desk: {self.opened[-1]}"
                page.locator("main").wait_for(state="attached")
                self.look(name)
                self.unfold(name)
        rail.first.click()
        if talks:
            self._talk()

    def _talk(self) -> None:
        page = self.page
        page.locator(".desk__list li button").first.click()
        page.get_by_role("log").wait_for()
        self.look("desk: talk")
        for name, chord in (("transfer", "Alt+t"), ("close", "Alt+e")):
            page.keyboard.press(chord)
            page.locator("dialog[open]").wait_for()
            self.look(f"desk: {name}")
            page.keyboard.press("Escape")
        field = page.get_by_role("log").locator("xpath=following::textarea").first
        field.fill("/")
        self.look("desk: canned replies")
        field.fill("")
        page.get_by_role("button", name=self.word("agent.emoji"), exact=True).click()
        self.look("desk: emoji")
        page.keyboard.press("Escape")
        field.blur()
        page.keyboard.press("?")
        page.locator("dialog[open]").wait_for()
        self.look("desk: keys")
        page.keyboard.press("Escape")
        if not page.locator(".panel__tabs").is_visible():
            page.keyboard.press("Alt+r")
        for tab in page.locator(".panel__tabs button").all():
            tab.click()
            self.look(f"desk: panel {tab.inner_text()}")

    def shopper(self, url: str) -> None:
        """A shop's window: its sheets, and somebody who asks for a person."""
        page = self.page
        page.goto(f"{url}?lang={self.lang}&theme={self.theme}")
        page.get_by_role("log").locator("li, article, [data-seq]").first.wait_for()
        self.look("shopper")
        for name, opener in (
            ("menu", page.locator("nav [aria-haspopup=dialog]").first),
            ("options", page.get_by_role("button", name=self.word("shopper.options"))),
            ("attach", page.get_by_role("button", name=self.word("common.more"), exact=True)),
        ):
            opener.click()
            page.get_by_role("dialog").wait_for()
            self.look(f"shopper: {name}")
            page.keyboard.press("Escape")


@dataclass(frozen=True)
class Look:
    """How the pages are looked at."""

    lang: str
    theme: str
    width: int
    height: int


LOOKS = (Look("zh-CN", "light", 1366, 768), Look("en", "dark", 390, 844))


def walk_through(browser: Browser, url: str, slug: str, look: Look) -> dict[str, Walk]:
    """All programs of an installation with the demo shop, each by somebody of its own; who walked -> the walk."""
    walks: dict[str, Walk] = {}
    with ExitStack() as stack:

        def somebody(who: str) -> Walk:
            shown = stack.enter_context(
                screen(browser, width=look.width, height=look.height, lang=look.lang, theme=look.theme)
            )
            walks[who] = Walk(shown, look.lang, look.theme)
            return walks[who]

        agent, shopper = somebody("yun1"), somebody("shopper")
        agent.sign_in(f"{url}/agent", "yun1", PASSWORD)
        agent.ready()
        shopper.shopper(f"{url}/chat/{slug}")
        shopper.page.locator("nav .human").click()
        shopper.look("shopper: waiting")
        agent.desk(talks=True)
        shopper.look("shopper: served")
        shopper.page.goto(f"{url}/inbox?lang={look.lang}&theme={look.theme}")
        shopper.page.locator("main li").first.wait_for()
        shopper.look("inbox")
        somebody("supervisor").sign_in(f"{url}/agent", "supervisor", PASSWORD)
        walks["supervisor"].desk()
        for who in ("merchant", "provider"):
            somebody(who).sign_in(f"{url}/merchant", who, PASSWORD)
            walks[who].console()
    return walks
