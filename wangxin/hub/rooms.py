"""Who follows which thread here, and what happens to them when it changes hands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from wangxin.hub import views, wire
from wangxin.hub.delivery import Feed
from wangxin.hub.peer import Hold, Peer, Side
from wangxin.hub.session import Stage
from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.protocol.answers import ThreadGone, ThreadUpdate, ThreadView
from wangxin.protocol.close_codes import CloseCode
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import ThreadRow, read_receipts, read_threads

if TYPE_CHECKING:
    from wangxin.hub.hub import Hub

FRESH_S = 3
"""A thread just attached is compared a few times: another node may have committed before it heard of us."""
HELD = frozenset({"assigned", "parked", "wrap_up"})


class Rooms:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._refreshing: set[UUID] = set()
        self._rereading: dict[Peer, bool] = {}
        """Lines whose agent's threads are being read, and whether they must be read once more."""
        self.fresh: dict[UUID, int] = {}
        """Threads attached a moment ago, and until which second they count as that."""

    def view(self, peer: Peer, row: ThreadRow) -> ThreadView:
        assert peer.party is not None
        feed = self._hub.delivery.feeds.get(row.thread)
        if feed is not None and feed.row.public_seq > row.public_seq:
            # Where it stands, by the newer reading; what is still to be sent begins where the older one ended.
            row = replace(feed.row, public_seq=row.public_seq, internal_seq=row.internal_seq)
        name = orjson.loads(self._hub.names.get("agent", row.agent, row.shop) or '""') if row.agent else ""
        return views.thread_view(peer.party, row, feed.receipts.values() if feed else (), name)

    # --- holds ------------------------------------------------------------------------------------------------

    def follow(self, peer: Peer, row: ThreadRow, side: Side, mode: str, after: Sequence[int] | None) -> Hold:
        known = row.thread in self._hub.delivery.feeds
        hold = self._hub.delivery.hold(peer, row, side, mode, after)
        if not known:
            self.fresh[row.thread] = self._hub.wheel.second + FRESH_S
        self._sides(hold.feed)
        return hold

    def let_go(self, hold: Hold) -> None:
        if self._hub.delivery.release(hold):
            self._hub.links.here(hold.feed.thread, None)
            self.fresh.pop(hold.feed.thread, None)
            self._hub.ephemeral.sides_changed([hold.feed.thread])
        else:
            self._sides(hold.feed)

    def _sides(self, feed: Feed) -> None:
        self._hub.links.here(feed.thread, feed.sides())
        self._hub.ephemeral.sides_changed([feed.thread])

    async def attach(self, peer: Peer, row: ThreadRow, side: Side, mode: str) -> None:
        """Follow one more thread from now on."""
        if row.thread in peer.holds or len(peer.holds) >= limits.THREADS_PER_CONNECTION_MAX:
            return
        hold = self.follow(peer, row, side, mode, None)
        try:
            await self._hub.links.settled()
            receipts = await read_receipts(self._hub.pool, [(row.shop, row.thread)])
            hold.feed.receipts.update({receipt.party: receipt for receipt in receipts})
            await self._hub.names.renew([row.agent] if row.agent else [])
            peer.send(wire.answer(ThreadUpdate(view=self.view(peer, row))))
            hold.shown = True
            if await self._hub.delivery.catch_up(peer, [hold]):
                for frame in self._hub.ephemeral.frames(hold.feed, hold):
                    peer.send(frame)
        except TRANSIENT:
            peer.close(CloseCode.STORE_AWAY, "come back and resume")

    def drop(self, hold: Hold, reason: str) -> None:
        self.let_go(hold)
        hold.peer.send(wire.answer(ThreadGone(thread=hold.feed.thread, reason=reason)))

    # --- moves ------------------------------------------------------------------------------------------------

    def moved(self, feed: Feed) -> None:
        """A state event went by: agents hear no more until it is known whether the thread is still theirs."""
        for hold in feed.holds:
            if hold.side == "agent" or hold.peer.actor.provider is not None:
                hold.unsure = True
                if hold.cursors is None:
                    hold.cursors = list(feed.sent)
        if not self._refreshing:
            self._hub.spawn(self._refresh())
        self._refreshing.add(feed.thread)

    async def _refresh(self) -> None:
        await asyncio.sleep(0)
        while self._refreshing:
            feeds = [self._hub.delivery.feeds[t] for t in self._refreshing if t in self._hub.delivery.feeds]
            self._refreshing.clear()
            if not feeds:
                return
            try:
                rows = await read_threads(self._hub.pool, [(feed.shop, feed.thread) for feed in feeds])
                await self._hub.names.renew(row.agent for row in rows if row.agent is not None)
            except TRANSIENT:
                self._refreshing.update(feed.thread for feed in feeds)
                await asyncio.sleep(0.2)
                continue
            for row in rows:
                feed = self._hub.delivery.feeds.get(row.thread)
                if feed is not None:
                    self._stand(feed, row)

    def _stand(self, feed: Feed, row: ThreadRow) -> None:
        before, changed = feed.row, not views.same_standing(feed.row, row)
        feed.row = row
        for hold in list(feed.holds):
            peer = hold.peer
            if hold.as_of > row.public_seq:  # read before the thread was given to this line: look once more
                hold.as_of = row.public_seq
                self._refreshing.add(feed.thread)
                continue
            if hold.side == "agent" and (row.agent != peer.actor.id or row.state not in HELD):
                self.drop(hold, row.state)
                continue
            if hold.side == "watch" and peer.actor.provider is not None and row.agent != before.agent:
                self.drop(hold, "moved")  # perhaps to another house: who may watch his new agent asks again
                continue
            hold.unsure = False
            if changed and hold.shown:
                peer.send(wire.answer(ThreadUpdate(view=self.view(peer, row))))
            if hold.side != "shopper" and hold.cursors is not None and not hold.claimed:
                hold.claimed = True
                self._hub.spawn(self._resume(peer, hold))

    async def _resume(self, peer: Peer, hold: Hold) -> None:
        try:
            await self._hub.delivery.catch_up(peer, [hold])
        except TRANSIENT:
            peer.close(CloseCode.STORE_AWAY, "come back and resume")

    def reread(self, agents: Iterable[UUID]) -> None:
        """These agents' threads changed: attach what is new, drop what is gone. One reading of a line at a time."""
        for agent in agents:
            for peer in self._hub.people.get(agent, ()):
                if peer.actor.role is not Role.AGENT or peer.session.stage is not Stage.LIVE:
                    continue
                begun = peer in self._rereading
                self._rereading[peer] = True
                if not begun:
                    self._hub.spawn(self._reread(peer))

    async def _reread(self, peer: Peer) -> None:
        await asyncio.sleep(0)
        try:
            while self._rereading[peer] and peer.socket.open:
                self._rereading[peer] = False
                try:
                    await self._reread_once(peer)
                except TRANSIENT:
                    self._rereading[peer] = True
                    await asyncio.sleep(0.5)
        finally:
            del self._rereading[peer]

    async def _reread_once(self, peer: Peer) -> None:
        assert peer.party is not None
        before = frozenset(peer.holds)
        rows = await self._hub.door.threads_of(peer.party)
        now = {row.thread: row for row in rows}
        for hold in list(peer.holds.values()):
            if hold.side == "agent" and hold.feed.thread not in now:
                self.moved(hold.feed)  # the refresh looks again and says why
        for row in rows:
            held = peer.holds.get(row.thread)
            if held is None and row.thread in before:
                self._rereading[peer] = True  # it was taken away since: this reading is the older one
            elif held is None:
                await self.attach(peer, row, "agent", "")
            elif held.side == "watch":
                self.let_go(held)
                await self.attach(peer, row, "agent", "")
            elif not views.same_standing(held.feed.row, row):
                self.moved(held.feed)
