"""Delivery follows the log. Each attached thread has one feed; a feed sends, per lane, what lies above ``sent``.

Lines come from memory (a commit of this hub, or a batch from another one) and are shown when they are the very next
ones; anything else (a gap, a name not known, a hint without words) makes the feed read PostgreSQL.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import asyncpg
import orjson

from wangxin.hub import wire
from wangxin.hub.commit import Pending
from wangxin.hub.names import NAMELESS, Names
from wangxin.hub.peer import Hold, Key, Peer, Side
from wangxin.hub.traces import Traces
from wangxin.model import limits
from wangxin.storage import entries
from wangxin.storage.entries import LANES, Entry
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import ReceiptRow, ThreadRow
from wangxin.visibility import visible

log = logging.getLogger("wangxin.hub")

PAGE = 100
MISSED_BYTES = limits.OUTBOX_BYTES_MAX // 8
"""Whoever catches up is sent so much at once, and more when he has taken it."""
UNSURE_S = 0.02
"""How often is looked whether a thread's new standing has been read."""
LANE_INDEX = {"public": 0, "internal": 1}


class Feed:
    """One attached thread on this node.

    ``sent``: newest seq shown to live holds, per lane. ``known``: newest seq heard of. ``looked``: bumped by every hint
    that names no seq, so that a read that began before it does not count as an answer to it.
    """

    __slots__ = ("holds", "known", "looked", "looked_at", "receipts", "row", "sent", "shop", "thread")

    def __init__(self, row: ThreadRow) -> None:
        self.shop = row.shop
        self.thread = row.thread
        self.row = row
        self.sent = [row.public_seq, row.internal_seq]
        self.known = [row.public_seq, row.internal_seq]
        self.holds: list[Hold] = []
        self.looked = 0
        self.looked_at = 0
        self.receipts: dict[UUID, ReceiptRow] = {}

    @property
    def behind(self) -> bool:
        return self.known[0] > self.sent[0] or self.known[1] > self.sent[1] or self.looked != self.looked_at

    def sides(self) -> str:
        """Who is here: letters of ``s`` (the shopper) and ``a`` (an agent)."""
        here = {hold.side for hold in self.holds}
        return ("s" if "shopper" in here else "") + ("a" if "agent" in here else "")


class Delivery:
    def __init__(
        self,
        pool: asyncpg.Pool,
        names: Names,
        *,
        moved: Callable[[Feed], None],
        traces: Traces | None = None,
    ) -> None:
        """``moved`` hears of feeds in whose log a state event went by."""
        self._pool = pool
        self.names = names
        self._moved = moved
        self._traces = traces
        self.feeds: dict[UUID, Feed] = {}
        self._behind: set[UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.delivered = 0
        self.read_back = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._read_behind())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # --- holds ------------------------------------------------------------------------------------------------

    def hold(self, peer: Peer, row: ThreadRow, side: Side, mode: str, after: Sequence[int] | None) -> Hold:
        """Start following a thread. The hold is claimed by the caller and not live before his ``catch_up``.

        ``after``: seqs the reader has.
        """
        feed = self.feeds.get(row.thread)
        if feed is None:
            feed = self.feeds[row.thread] = Feed(row)
            self.names.remember(row.shopper, row.shopper_name)
        else:
            self.heard(row.thread, row.public_seq, row.internal_seq)
        cursors = list(after) if after is not None else [row.public_seq, row.internal_seq]
        hold = Hold(peer, feed, side, mode, peer.key_for(row.shop), cursors)
        hold.as_of = row.public_seq
        feed.holds.append(hold)
        peer.holds[row.thread] = hold
        return hold

    def release(self, hold: Hold) -> bool:
        """Stop following; True when nobody here follows that thread any more."""
        feed = hold.feed
        hold.peer.holds.pop(feed.thread, None)
        if hold in feed.holds:
            feed.holds.remove(hold)
        if not feed.holds and self.feeds.get(feed.thread) is feed:
            del self.feeds[feed.thread]
            self._behind.discard(feed.thread)
            return True
        return False

    # --- lines in ---------------------------------------------------------------------------------------------

    def show(self, lines: Iterable[Entry], origins: dict[tuple[UUID, str, int], Pending] | None = None) -> None:
        """Lines from memory, by (thread, lane, seq). ``origins``: who wrote which; that line gets its ack here."""
        for entry in lines:
            feed = self.feeds.get(entry.thread)
            if feed is None:
                continue
            lane = LANE_INDEX[entry.lane]
            seq = entry.seq
            if seq > feed.known[lane]:
                feed.known[lane] = seq
            name = self.names.get(entry.sender_kind, entry.sender, entry.shop)
            if seq != feed.sent[lane] + 1 or name is None:
                if seq > feed.sent[lane]:
                    self._lag(feed)
                continue
            origin = origins.pop((entry.thread, entry.lane, seq), None) if origins else None
            self._show(feed, lane, entry, name, origin)

    def _show(self, feed: Feed, lane: int, entry: Entry, name: str, origin: Pending | None) -> None:
        seq = entry.seq
        feed.sent[lane] = seq
        made: dict[tuple[Key, bool], bytes | None] = {}
        if origin is not None:
            origin.peer.send(wire.ack(entry.thread, origin.client_msg_id, entry.lane, seq, entry.at_ms))
        for hold in feed.holds:
            if hold.cursors is not None:
                continue
            me = self._is_me(hold, entry)
            kind = (hold.key, me)
            if kind not in made:
                made[kind] = self._frame(hold.key, entry, name, me)
            frame = made[kind]
            if frame is not None:
                hold.peer.send(frame)
                self.delivered += 1
        if self._traces is not None:
            got: Counter[str] = Counter(
                hold.side
                for hold in feed.holds
                if hold.cursors is None and made[hold.key, self._is_me(hold, entry)] is not None
            )
            self._traces.shown(entry, got)
        if entry.kind == "event" and lane == 0:
            self._event(feed, entry)

    @staticmethod
    def _is_me(hold: Hold, entry: Entry) -> bool:
        if hold.side == "shopper":
            return entry.sender_kind == "shopper"
        return entry.sender_kind == "agent" and entry.sender == hold.peer.actor.id

    @staticmethod
    def _view(key: Key, entry: Entry, name: str, me: bool) -> str | None:
        shown = visible(
            key[0],
            lane=entry.lane,
            kind=entry.kind,
            body=entry.body,
            recalled=entry.recalled_at_ms is not None,
            sender_kind=entry.sender_kind,
            sender_name=name,
            open_fields=key[1],
        )
        return None if shown is None else wire.entry_json(entry, shown, name, me=me)

    def _frame(self, key: Key, entry: Entry, name: str, me: bool) -> bytes | None:
        view = self._view(key, entry, name, me)
        return None if view is None else wire.message_new(view)

    def _event(self, feed: Feed, entry: Entry) -> None:
        body = orjson.loads(entry.body)
        if body.get("event") == "message.recalled" and isinstance(body.get("seq"), int):
            frame = wire.message_recalled(feed.thread, body["seq"])
            for hold in feed.holds:
                if hold.cursors is None:
                    hold.peer.send(frame)
        else:
            self._moved(feed)

    def committed(self, thread: UUID, lane: str, seq: int) -> None:
        """A line is stored under ``seq``, but whether it was shown is not known."""
        feed = self.feeds.get(thread)
        if feed is not None:
            index = LANE_INDEX[lane]
            feed.known[index] = max(feed.known[index], seq)
            if feed.behind:
                self._lag(feed)

    def heard(self, thread: UUID, public_seq: int, internal_seq: int) -> None:
        """The record stands there."""
        feed = self.feeds.get(thread)
        if feed is not None:
            feed.known[0] = max(feed.known[0], public_seq)
            feed.known[1] = max(feed.known[1], internal_seq)
            if feed.behind:
                self._lag(feed)

    def look(self, thread: UUID) -> None:
        """Something was appended; nobody said up to where."""
        feed = self.feeds.get(thread)
        if feed is not None:
            feed.looked += 1
            self._lag(feed)

    def _lag(self, feed: Feed) -> None:
        self._behind.add(feed.thread)
        self._wake.set()

    # --- reading the log --------------------------------------------------------------------------------------

    async def _read_behind(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._behind:
                try:
                    await self._read_once()
                except TRANSIENT:
                    await asyncio.sleep(0.2)

    async def _read_once(self) -> None:
        feeds = [self.feeds[thread] for thread in self._behind if thread in self.feeds][:500]
        if not feeds:
            self._behind.clear()
            return
        looked = [feed.looked for feed in feeds]
        known = [tuple(feed.known) for feed in feeds]
        wanted = [(feed.shop, feed.thread, LANES[lane], feed.sent[lane]) for feed in feeds for lane in (0, 1)]
        found = await entries.read_many_after(self._pool, wanted, PAGE)
        self.read_back += len(found)
        await self.names.fetch(entry.sender for entry in found if entry.sender_kind in ("shopper", "agent"))
        full: dict[UUID, int] = {}
        for entry in found:
            full[entry.thread] = full.get(entry.thread, 0) + 1
        self.show(found)
        for feed, began, heard in zip(feeds, looked, known, strict=True):
            if full.get(feed.thread, 0) < PAGE:
                feed.looked_at = began
                if not full.get(feed.thread) and tuple(feed.known) == heard:
                    feed.known = list(feed.sent)  # numbers that are not there: the record was put back to an older day
            if not feed.behind:
                self._behind.discard(feed.thread)
        self._behind &= self.feeds.keys()

    async def catch_up(self, peer: Peer, holds: Sequence[Hold]) -> bool:
        """Send each hold what lies above its cursors, in order, then make it live. False: the line went away.

        The caller has claimed the holds; they are free again afterwards.
        """
        assert all(hold.claimed for hold in holds), "two who catch up side by side would send every line twice"
        try:
            for hold in holds:
                await self._snapshots(peer, hold)
            while waiting := [hold for hold in holds if hold.cursors is not None and hold in hold.feed.holds]:
                sure = [hold for hold in waiting if not hold.unsure]
                if sure:
                    await self._catch_up_once(peer, sure)
                else:
                    await asyncio.sleep(UNSURE_S)
                if not await peer.room():
                    return False
            return True
        finally:
            for hold in holds:
                hold.claimed = False

    async def _catch_up_once(self, peer: Peer, holds: Sequence[Hold]) -> None:
        """Read a page for each hold, from where the slower of hold and feed stands, so that both end at one number."""
        wanted = [
            (hold.feed.shop, hold.feed.thread, LANES[lane], min(hold.cursors[lane], hold.feed.sent[lane]))
            for hold in holds
            if hold.cursors is not None
            for lane in hold.lanes
        ]
        began = {hold.feed.thread: tuple(hold.feed.sent) for hold in holds}
        found = await entries.read_many_after(self._pool, wanted, PAGE)
        await self.names.fetch(entry.sender for entry in found if entry.sender_kind in ("shopper", "agent"))
        by_thread = {hold.feed.thread: hold for hold in holds}
        got: dict[tuple[UUID, int], int] = {}
        for entry in found:
            lane = LANE_INDEX[entry.lane]
            got[entry.thread, lane] = got.get((entry.thread, lane), 0) + 1
            hold = by_thread.get(entry.thread)
            if hold is None or hold.unsure or hold not in hold.feed.holds:
                continue
            if hold.cursors is not None and entry.seq > hold.cursors[lane]:
                hold.cursors[lane] = entry.seq
                self._send_missed(hold, lane, entry)
                if peer.unsent_bytes > MISSED_BYTES and not await peer.room():
                    return  # a page of long lines would be more than an outbox holds
        self.show(found)  # what this read found is news for the others, too
        for hold in by_thread.values():
            cursors, sent = hold.cursors, hold.feed.sent
            if cursors is None or hold.unsure:
                continue
            for lane in hold.lanes:
                if not got.get((hold.feed.thread, lane)):
                    if cursors[lane] > sent[lane]:
                        cursors[lane] = sent[
                            lane
                        ]  # numbers that are not there: the record was put back to an older day
                    else:  # what was there before the read and was not found is in the archive
                        cursors[lane] = max(cursors[lane], began[hold.feed.thread][lane])
            if all(cursors[lane] == sent[lane] for lane in hold.lanes):
                hold.cursors = None

    def _send_missed(self, hold: Hold, lane: int, entry: Entry) -> None:
        name = self.names.get(entry.sender_kind, entry.sender, entry.shop) or NAMELESS
        frame = self._frame(hold.key, entry, name, self._is_me(hold, entry))
        if frame is not None:
            hold.peer.send(frame)
        is_move = entry.kind == "event" and lane == 0 and entry.seq > max(hold.feed.row.public_seq, hold.as_of)
        if is_move and hold.side == "agent":
            self._moved(hold.feed)

    async def _snapshots(self, peer: Peer, hold: Hold) -> None:
        """Too far behind to replay (or ahead of the record): the newest page instead."""
        assert hold.cursors is not None
        for lane in hold.lanes:
            end = max(hold.feed.sent[lane], hold.feed.known[lane])
            after = hold.cursors[lane]
            if after <= end and end - after <= limits.RESUME_ENTRIES_MAX:
                continue
            views, _, last = await self.page(hold, LANES[lane], after=None, before=None, limit=limits.HISTORY_PAGE_MAX)
            peer.send(wire.page("snapshot", hold.feed.thread, LANES[lane], views))
            hold.cursors[lane] = last
            await peer.room()

    async def page(
        self, hold: Hold, lane: entries.Lane, *, after: int | None, before: int | None, limit: int
    ) -> tuple[list[str], bool, int]:
        """(entry views ascending, whether there is more in that direction, newest seq of the page)."""
        feed = hold.feed
        if after is not None:
            found = await entries.read_after(self._pool, feed.shop, feed.thread, lane, after, limit + 1)
            more = len(found) > limit
            found = found[:limit]
        else:
            found = await entries.read_before(self._pool, feed.shop, feed.thread, lane, before, limit + 1)
            more = len(found) > limit
            found = found[-limit:]
        await self.names.fetch(entry.sender for entry in found if entry.sender_kind in ("shopper", "agent"))
        views: list[str] = []
        size = 0
        ordered = found if after is not None else found[::-1]
        last = found[-1].seq if found else 0
        for entry in ordered:
            name = self.names.get(entry.sender_kind, entry.sender, entry.shop) or '""'
            view = self._view(hold.key, entry, name, self._is_me(hold, entry))
            if view is None:
                continue
            size += len(view) * 2
            if size > limits.OUTBOX_BYTES_MAX // 2 and views:
                more = True  # long lines make a shorter page
                break
            views.append(view)
            if after is not None:
                last = entry.seq
        if after is None:
            views.reverse()
        return views, more, last
