"""What is not numbered: typing, receipts, presence. Lost when Valkey loses it; receipts are stored in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from wangxin.hub import wire
from wangxin.hub.delivery import Delivery, Feed
from wangxin.hub.links import Links
from wangxin.hub.peer import Hold, Peer
from wangxin.hub.views import receipt_frame
from wangxin.model.refusals import Refusal
from wangxin.protocol.answers import Answer, Presence, TypingNow
from wangxin.protocol.frames import ReceiptDelivered, ReceiptRead, Typing
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import ReceiptRow, write_receipts

STORE_EVERY_S = 0.25


class Ephemeral:
    def __init__(self, pool: asyncpg.Pool, delivery: Delivery, links: Links) -> None:
        self._pool = pool
        self._delivery = delivery
        self._links = links
        self._dirty: dict[tuple[UUID, UUID], ReceiptRow] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._presence: dict[UUID, tuple[str, str]] = {}
        """Per feed, what was last said of (shopper, agent)."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._store())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._dirty:
            try:
                await write_receipts(self._pool, list(self._dirty.values()))
            except TRANSIENT:
                return

    # --- typing -----------------------------------------------------------------------------------------------

    def typing(self, hold: Hold, frame: Typing) -> None:
        if hold.side == "watch" and hold.mode != "barge":
            return
        peer = hold.peer
        by = "shopper" if hold.side == "shopper" else "agent"
        known = self._delivery.names.get(by, peer.actor.id, hold.feed.shop)
        name = orjson.loads(known) if known else peer.actor.name
        self.spread(hold.feed, TypingNow(thread=frame.thread, by=by, name=name, on=frame.on), peer)  # type: ignore[arg-type]

    def spread(self, feed: Feed, frame: Answer, but: Peer | None) -> None:
        """To everyone of a thread, here and on other nodes, except one line."""
        raw = wire.answer(frame)
        for hold in feed.holds:
            if hold.peer is not but:
                hold.peer.send(raw)
        for node in self._links.far_nodes(feed.thread):
            self._links.give(node, "f", [str(feed.thread), raw.decode("latin-1")])

    def from_afar(self, items: Iterable[Any]) -> None:
        for thread, raw in items:
            feed = self._delivery.feeds.get(UUID(thread))
            if feed is not None:
                frame = raw.encode("latin-1")
                for hold in feed.holds:
                    hold.peer.send(frame)

    # --- receipts ---------------------------------------------------------------------------------------------

    def receipt(self, hold: Hold, frame: ReceiptDelivered | ReceiptRead) -> None:
        """Raises ``receipt.beyond_end`` for lines that are not there."""
        if hold.side == "watch":
            return
        feed = hold.feed
        if frame.up_to_seq > max(feed.sent[0], feed.known[0]):
            raise Refusal("receipt.beyond_end", f"the thread ends at {feed.sent[0]}")
        # A shopper is one party however he came in (a guest who became a member).
        who = feed.row.shopper if hold.side == "shopper" else hold.peer.actor.id
        old = feed.receipts.get(who) or ReceiptRow(feed.shop, feed.thread, who, 0, 0)
        read = max(old.read_seq, frame.up_to_seq if isinstance(frame, ReceiptRead) else 0)
        new = ReceiptRow(feed.shop, feed.thread, who, max(old.delivered_seq, frame.up_to_seq), read)
        if new == old:
            return
        feed.receipts[who] = new
        self._dirty[feed.thread, who] = new
        self._wake.set()
        self.spread(feed, receipt_frame(feed.thread, hold.side == "shopper", new), hold.peer)

    async def _store(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(STORE_EVERY_S)
            self._wake.clear()
            dirty, self._dirty = self._dirty, {}
            try:
                await write_receipts(self._pool, list(dirty.values()))
            except TRANSIENT:
                self._dirty = {**dirty, **self._dirty}
                self._wake.set()

    # --- presence ---------------------------------------------------------------------------------------------

    def state(self, feed: Feed, who: str) -> str:
        letter = who[0]
        if letter in feed.sides() or letter in self._links.far_sides(feed.thread):
            return "here"
        return "away" if self._links.up else "unknown"

    def frames(self, feed: Feed, hold: Hold) -> list[bytes]:
        """What a new hold is told of the other side."""
        who = "agent" if hold.side == "shopper" else "shopper"
        return [wire.answer(Presence(thread=feed.thread, who=who, state=self.state(feed, who)))]  # type: ignore[arg-type]

    def sides_changed(self, threads: Iterable[UUID]) -> None:
        """Tell the other side where a party came or went."""
        for thread in threads:
            feed = self._delivery.feeds.get(thread)
            if feed is None:
                self._presence.pop(thread, None)
                continue
            now = (self.state(feed, "shopper"), self.state(feed, "agent"))
            before = self._presence.get(thread)
            if before == now:
                continue
            self._presence[thread] = now
            for who, index in (("shopper", 0), ("agent", 1)):
                if before is None or before[index] != now[index]:
                    frame = wire.answer(Presence(thread=thread, who=who, state=now[index]))  # type: ignore[arg-type]
                    for hold in feed.holds:
                        if (hold.side == "shopper") != (who == "shopper") and hold.cursors is None:
                            hold.peer.send(frame)
