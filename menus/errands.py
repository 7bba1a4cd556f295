"""Taps that the shop's own server answers. A shopper's line is acknowledged at once; the answer follows when it comes.

The fact stays in the outbox until its answer stands in the thread, so that a worker that dies forgets nobody. While
the server is asked, nothing is locked but the fact; no thread and no other shop waits for it.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any
from uuid import UUID, uuid5

from menus import answering, components, navigate, record_shopdata, voice
from menus import record_postgres as record
from menus.model import CallOut, Invoice, Menu, everything
from menus.navigate import Outcome
from menus.shop.caller import Caller, ShopSilent
from menus.shop.remote import RemoteShopData
from menus.shopdata import ShopData, StoredShopData
from wangxin.lanes import side_by_side
from wangxin.model import limits
from wangxin.model.facts import ErrandAsked
from wangxin.storage import entries, outbox
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

log = logging.getLogger("wangxin.menus")

LANES = 6
FACTS_A_TURN = 50


def request_of(thread: UUID, seq: int) -> UUID:
    """The name of what a line wishes for: the same however often it is tried."""
    return uuid5(thread, f"errand:{seq}")


class Errands:
    """Consumer "errands" of the outbox."""

    def __init__(self, pool: Pool, hints: Hints, caller: Caller) -> None:
        self._pool, self._hints, self._caller = pool, hints, caller
        self._open: Counter[UUID] = Counter()

    async def follow(self) -> int:
        """Runs what waits, several side by side, of one shop only a few. Returns how many were taken up."""
        return await side_by_side(self._one, lanes=LANES, each=FACTS_A_TURN)

    async def _one(self) -> bool:
        id_ = 0
        full = [shop for shop, count in self._open.items() if count >= limits.SHOP_DATA_AT_ONCE]
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                claimed = await outbox.claim_of_threads(conn, "errands", 1, but=full)
                if not claimed:
                    return False
                id_, fact = claimed[0]
                assert isinstance(fact, ErrandAsked), "only taps are errands"
                self._open[fact.shop] += 1
                try:
                    outcome = await self._outcome(conn, fact)
                finally:
                    self._open[fact.shop] -= 1
                person = await self._say(conn, fact, outcome)
                await outbox.done(conn, [id_])
        except TRANSIENT:
            raise
        except Exception as why:
            log.exception("a tap could not be answered")
            async with self._pool.acquire() as conn, conn.transaction():
                await outbox.failed(conn, id_, f"{type(why).__name__}: {why}")
            return True
        await self._hints.grown([(fact.shop, fact.thread)])
        if person:
            await self._hints.wake("dispatcher")
        return True

    async def _say(self, conn: Connection, fact: ErrandAsked, outcome: Outcome) -> bool:
        await record.log_shown(conn, fact.shop, fact.thread, fact.seq, self._shown(fact, outcome))
        return await voice.carry_out(
            conn, fact.shop, fact.thread, outcome, why="form" if fact.what == "form" else "menu"
        )

    @staticmethod
    def _shown(fact: ErrandAsked, outcome: Outcome) -> list[str]:
        kind, _, order = fact.ref.partition(":")
        about = [f"order:{order}"] if fact.what == "choice" and kind in answering.ABOUT_ORDERS else []
        return [*about, *(one for one in navigate.shown_by(outcome) if one not in about)]

    async def _outcome(self, conn: Connection, fact: ErrandAsked) -> Outcome:
        """What is to be said. A silent server is no failure of ours: the shopper reads it, with a way to a person."""
        menu = await record.published(conn, fact.shop)
        data = await self._data(conn, fact)
        try:
            return await self._asked(conn, data, fact, menu) or components.silent()
        except ShopSilent as why:
            log.warning("shop %s gave no answer (%s %s)", fact.shop, why.code, why.detail)
            item = menu.find(fact.ref) if menu and fact.what == "item" else None
            if item is not None and isinstance(item.action, CallOut):
                return components.spoken(item.action, None)
            return components.silent()

    async def _data(self, conn: Connection, fact: ErrandAsked) -> ShopData:
        source = await record_shopdata.source(conn, fact.shop)
        if source is None:
            return StoredShopData()
        ref = None if fact.guest else await record_shopdata.member_ref(conn, fact.shop, fact.shopper)
        return RemoteShopData(self._caller, source, ref)

    async def _asked(self, conn: Connection, data: ShopData, fact: ErrandAsked, menu: Menu | None) -> Outcome | None:
        request = request_of(fact.thread, fact.seq)
        if fact.what == "item":
            item = menu.find(fact.ref) if menu else None
            if menu is None or item is None:
                return None
            return await answering.of_item(
                conn,
                data,
                menu,
                item,
                fact.shop,
                fact.shopper,
                guest=fact.guest,
                request=request,
                words=str((await _body(conn, fact)).get("text", "")),
            )
        kind, _, rest = fact.ref.partition(":")
        if fact.what == "choice":
            return await answering.of_choice(conn, data, fact.shop, fact.shopper, kind, rest, request)
        values = dict((await _body(conn, fact)).get("values", {}))
        return await answering.of_form(
            conn, data, fact.shop, fact.shopper, fact.ref, values, topic_of_invoices(menu), request
        )


async def _body(conn: Connection, fact: ErrandAsked) -> dict[str, Any]:
    """The shopper's own line."""
    entry = await entries.read_one(conn, fact.shop, fact.thread, "public", fact.seq)
    return {} if entry is None else dict(json.loads(entry.body))


def topic_of_invoices(menu: Menu | None) -> str:
    """What the merchant's own item says invoices are about."""
    found = (item.action for _, item in everything(menu)) if menu else ()
    return next((one.topic for one in found if isinstance(one, Invoice) and one.topic), "")
