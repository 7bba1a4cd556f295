"""What a shop's bot knows, held in memory and built again when the merchant changes it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from menus import record_postgres as record
from menus.conditions import variant_of
from menus.dialogue import Understood
from menus.model import Menu, walk
from menus.record_postgres import Executor, FaqEntry
from wangxin.model.limits import BOT_DEADLINE_MS
from wangxin.storage.postgres import Pool

# Loaded with their dictionaries at the first use, off the event loop, and only in processes that have to understand.
if TYPE_CHECKING:
    from menus.understand.matcher import Matcher
    from menus.understand.topics import Router

log = logging.getLogger("wangxin.menus")

SHOPS_KEPT = 200
BUILD_DEADLINE_S = 30.0


@lru_cache(maxsize=1)
def common_router() -> Router:
    """The topics of shop talk, the same for every shop that has labelled nothing itself."""
    from menus.understand.topics import shop_router

    return shop_router()


def _warm() -> None:
    from menus.understand.pinyin import PinyinRepair

    common_router()
    PinyinRepair((), ()).repair("shenme")


@dataclass(frozen=True, slots=True)
class Brain:
    """Immutable: one state of a shop's questions and menu. Slow calls; never from the event loop."""

    revision: tuple[int, int]
    menu: Menu | None
    entries: dict[str, FaqEntry]
    matcher: Matcher
    items_of_topics: dict[str, dict[str, str]]
    """Item by topic, by variant; "" is the default menu."""
    entry_of_topic: dict[str, str]

    def item_of_topic(self, variant: str) -> dict[str, str]:
        """Where topics lead a shopper who sees this menu: its own items first, the default menu's for the rest."""
        return {**self.items_of_topics[""], **self.items_of_topics.get(variant, {})}

    def greeting(self, variant: str) -> str:
        if self.menu is None:
            return ""
        shown = variant_of(self.menu, variant)
        return (shown.greeting if shown else "") or self.menu.greeting

    def understand(self, text: str) -> Understood:
        return Understood(self.matcher.match(text), common_router().route(text))

    def nearest(self, text: str, most: int) -> list[tuple[FaqEntry, float]]:
        """Questions near to ``text`` (also half-typed), best first, each with a score."""
        match = self.matcher.match(text)
        return [(self.entries[c.entry], c.score) for c in match.candidates[:most]]


def topics_of(menu: Menu | None) -> dict[str, dict[str, str]]:
    """Which item of each variant stands for a topic: the first one that names it."""
    if menu is None:
        return {"": {}}
    menus = {"": menu.items, **{variant.id: variant.items for variant in menu.variants}}
    return {id_: {t: i.id for _, i in reversed(list(walk(items))) for t in i.topics} for id_, items in menus.items()}


def build(revision: tuple[int, int], menu: Menu | None, faq: Sequence[FaqEntry], overlay: Sequence[str]) -> Brain:
    from menus.understand.matcher import Matcher
    from menus.understand.words import Words

    active = {str(e.id): e for e in faq if e.active}
    matcher = Matcher([(id_, text) for id_, e in active.items() for text in e.phrasings], Words(overlay))
    matcher.listen()
    router = common_router()
    of_topic: dict[str, tuple[float, str]] = {}
    for id_, entry in active.items():
        routing = router.route(entry.phrasings[0])
        if routing.ranked and routing.confidence > of_topic.get(routing.ranked[0][0], (0.4, ""))[0]:
            of_topic[routing.ranked[0][0]] = (routing.confidence, id_)
    return Brain(revision, menu, active, matcher, topics_of(menu), {t: id_ for t, (_, id_) in of_topic.items()})


class Brains:
    """One brain a shop, the most recently used kept. Understanding runs in one thread, building in another: a shop
    whose questions are read again must not cost other shops' shoppers their time to think."""

    def __init__(self, pool: Pool):
        self._pool = pool
        self._kept: OrderedDict[UUID, Brain] = OrderedDict()
        self._building: dict[UUID, asyncio.Lock] = {}
        self._thread = ThreadPoolExecutor(1, "understand")
        self._builder = ThreadPoolExecutor(1, "read-questions")
        self._warm = False

    async def warm_up(self) -> None:
        """Load dictionary, topics and the words behind Latin spellings: once, and outside of anybody's deadline."""
        if not self._warm:
            await asyncio.get_running_loop().run_in_executor(self._builder, _warm)
            self._warm = True

    async def of(self, shop: UUID, on: Executor | None = None) -> Brain:
        """The shop's brain as of now, read with ``on`` (a connection in hand) or one of the pool."""
        read = on or self._pool
        desk = await record.desk(read, shop)
        revision = (desk.faq_revision, desk.published)
        kept = self._kept.get(shop)
        if kept is not None and kept.revision == revision:
            self._kept.move_to_end(shop)
            return kept
        async with self._building.setdefault(shop, asyncio.Lock()):
            kept = self._kept.get(shop)
            if kept is not None and kept.revision == revision:
                return kept
            menu = await record.published(read, shop)
            faq = await record.faq(read, shop)
            built = await asyncio.get_running_loop().run_in_executor(self._builder, build, revision, menu, faq, ())
            self._kept[shop] = built
            while len(self._kept) > SHOPS_KEPT:
                gone, _ = self._kept.popitem(last=False)
                self._building.pop(gone, None)
            return built

    async def understand(self, brain: Brain, text: str) -> Understood | None:
        """None when it took longer than the bot may think; the shopper is then treated as not understood."""
        await self.warm_up()
        work = asyncio.get_running_loop().run_in_executor(self._thread, brain.understand, text)
        try:
            return await asyncio.wait_for(work, BOT_DEADLINE_MS / 1000)
        except TimeoutError:
            log.warning("understanding took longer than %d ms", BOT_DEADLINE_MS)
            return None

    async def nearest(self, brain: Brain, text: str, most: int) -> list[tuple[FaqEntry, float]]:
        await self.warm_up()
        work = asyncio.get_running_loop().run_in_executor(self._thread, brain.nearest, text, most)
        try:
            return await asyncio.wait_for(work, BOT_DEADLINE_MS / 1000)
        except TimeoutError:
            return []

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._builder.shutdown(wait=False, cancel_futures=True)
