"""One hub process: lines, hellos, and what reaches it from the record, the other nodes and the other processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from websockets.http11 import Request

from wangxin.callers import Trusted
from wangxin.clock import monotonic_ms, now_ms
from wangxin.hub import views, wire
from wangxin.hub.answering import Answering
from wangxin.hub.delivery import Delivery, Feed
from wangxin.hub.door import Door, Said
from wangxin.hub.doorstep import Doorstep
from wangxin.hub.ephemeral import Ephemeral
from wangxin.hub.figures import prometheus
from wangxin.hub.links import Links
from wangxin.hub.names import Names
from wangxin.hub.peer import Cork, Peer, Side
from wangxin.hub.rooms import Rooms
from wangxin.hub.seats import Lost, Seats, Told
from wangxin.hub.session import FRAMES_PER_S, Cut, Stage
from wangxin.hub.socket import Socket, server_frame
from wangxin.hub.standing import Standing
from wangxin.hub.traces import Traces
from wangxin.hub.wheel import Wheel
from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.model.refusals import Refusal
from wangxin.protocol.answers import Live, ThreadGone
from wangxin.protocol.close_codes import CloseCode
from wangxin.protocol.frames import Frame, Hello
from wangxin.protocol.reply import Handler
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import last_seqs, read_receipts
from wangxin.storage.valkey import connect

log = logging.getLogger("wangxin.hub")

SWEEP_S = 30
"""Every attached thread is compared with the record this often, whatever Valkey says."""
ORIGINS_S = 15


class Hub:
    def __init__(
        self,
        *,
        node: str,
        pool: asyncpg.Pool,
        connect_store: Callable[[], Any],
        valkey_url: str,
        door: Door,
        handlers: Mapping[type[Frame], Handler],
        on_connected: Told | None = None,
        on_disconnected: Lost | None = None,
        on_typed: Callable[[UUID, UUID, int, int, int], None] | None = None,
        own_origins: Iterable[str] = (),
        trusted: Trusted = lambda address: address == "127.0.0.1",
        traces: Traces | None = None,
        said: Said | None = None,
    ) -> None:
        """``connect_store`` opens the one connection that commits. ``own_origins`` may open lines of every shop;
        ``trusted`` proxies say for whom they come.

        ``said`` looks at agents' words before they are stored.
        """
        self.said = said
        self.node = node
        self.wheel = Wheel()
        self.peers: set[Peer] = set()
        self.people: dict[UUID, list[Peer]] = {}
        self.door = door
        self.pool = pool
        self._cork = Cork()
        self.doorstep = Doorstep(own_origins, trusted)
        self.names = Names(door.names, door.personas)
        self.rooms = Rooms(self)
        self.standing = Standing(self)
        self.seats = Seats(self, on_connected, on_disconnected)
        self.traces = traces
        self.delivery = Delivery(pool, self.names, moved=self.rooms.moved, traces=traces)
        self._valkey = connect(valkey_url)
        self.hints = Hints(self._valkey)
        self.links = Links(
            valkey_url, node, on_batch=self._from_afar, on_hint=self._hint, on_up=self._link_up,
            on_sides=lambda threads: self.ephemeral.sides_changed(threads),
        )  # fmt: skip
        self.ephemeral = Ephemeral(pool, self.delivery, self.links)
        self.on_typed = on_typed
        self.answering = Answering(self, handlers, connect_store)
        self._tasks: set[asyncio.Task[None]] = set()
        self._polling = False
        self.draining = False
        self.slowed = 0
        """Frames refused because they came too fast."""

    # --- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.wheel.each_second.append(self._each_second)
        self.wheel.start()
        self.delivery.start()
        self.ephemeral.start()
        self.answering.committer.start()
        self.links.start()
        self.doorstep.shop_origins = frozenset(await self.door.origins())

    async def stop(self) -> None:
        """Send everybody to another hub; what was taken is stored and acknowledged first."""
        self.draining = True
        await self.answering.committer.stop()
        for peer in list(self.peers):
            peer.close(CloseCode.DRAINING, "come back and resume")
        for _ in range(limits.CLOSE_TIMEOUT_MS // 20):
            if not self.peers:
                break
            await asyncio.sleep(0.02)
        for peer in list(self.peers):
            peer.socket.abort()
        await asyncio.sleep(0)
        self.wheel.stop()
        self.delivery.stop()
        await self.ephemeral.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.links.stop()
        await self._valkey.aclose()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work in the background failed", exc_info=task.exception())

    def figures(self) -> dict[str, Any]:
        """Figures of this process, for health checks and for whoever chooses the least loaded hub."""
        return {
            "node": self.node,
            "lines": len(self.peers),
            "threads": len(self.delivery.feeds),
            "waiting": self.answering.committer.waiting,
            "stored": self.answering.committer.lines,
            "batches": self.answering.committer.batches,
            "delivered": self.delivery.delivered,
            "read_back": self.delivery.read_back,
            "store": "away" if self.answering.committer.away else "here",
            "links": "up" if self.links.up else "down",
            "draining": self.draining,
            "refused": dict(self.doorstep.refused),
            "slowed": self.slowed,
        }

    # --- lines (what a Socket asks) ---------------------------------------------------------------------------

    def asked(self, socket: Socket, request: Request) -> tuple[int, str] | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return 200, orjson.dumps(self.figures()).decode() + "\n"
        if path == "/metrics":
            return 200, prometheus(self.figures())
        if path != "/ws":
            return 404, "The chat is at /ws.\n"
        if self.draining:
            return 503, "This hub is stopping; another one is there.\n"
        return self.doorstep.asked(socket, request)

    def came(self, socket: Socket) -> bool:
        return self.doorstep.came(socket)

    def left(self, socket: Socket) -> None:
        self.doorstep.left(socket)

    def opened(self, socket: Socket) -> None:
        peer = Peer(socket, self._cork)
        socket.mark = peer
        self.peers.add(peer)

    def silent_since_open(self, socket: Socket) -> bool:
        peer = socket.mark
        return isinstance(peer, Peer) and peer.session.stage is Stage.NEW

    def binary(self, socket: Socket, raw: bytes) -> None:
        socket.fail(CloseCode.UNSUPPORTED, "frames are JSON text")

    def text(self, socket: Socket, raw: bytes) -> None:
        peer = socket.mark
        assert isinstance(peer, Peer)
        try:
            frame = peer.session.receive(raw, monotonic_ms())
        except Refusal as refusal:
            self.slowed += refusal.code == "rate.exceeded"
            peer.send(wire.error(refusal, **wire.marks(raw)))
        except Cut as cut:
            peer.send(wire.error(cut.refusal, **wire.marks(raw)))
            self._over(peer, cut.code)
        else:
            if type(frame) is Hello:
                self.spawn(self._admit(peer, frame))
            else:
                self.answering.take(peer, frame)

    def lost(self, socket: Socket) -> None:
        peer = socket.mark
        assert isinstance(peer, Peer)
        peer.session.stage = Stage.OVER
        self.peers.discard(peer)
        for hold in list(peer.holds.values()):
            self.rooms.let_go(hold)
        if peer.party is not None:
            actor = peer.actor
            here = self.people.get(actor.id, [])
            if peer in here:
                here.remove(peer)
                if not here:
                    self.people.pop(actor.id, None)
                if actor.role is Role.AGENT:
                    self.seats.heard(actor.id, monotonic_ms() - socket.silent_s * 1_000)
                    if not here:
                        self.spawn(self.seats.changed(actor))

    def _over(self, peer: Peer, code: CloseCode) -> None:
        peer.session.stage = Stage.OVER
        peer.close(code)

    # --- hello ------------------------------------------------------------------------------------------------

    async def _admit(self, peer: Peer, hello: Hello) -> None:
        try:
            await self._let_in(peer, hello)
        except Refusal as refusal:
            peer.send(wire.error(refusal, ref=hello.ref))
            self._over(peer, CloseCode.TOKEN_EXPIRED if refusal.retry == "reauth" else CloseCode.TOKEN_WRONG)
        except TRANSIENT:
            peer.send(wire.error(Refusal("store.away", "come back in a moment", retry=1_000), ref=hello.ref))
            self._over(peer, CloseCode.STORE_AWAY)
        except Exception:
            log.exception("a hello failed")
            peer.send(wire.error(Refusal("hub.failed", "come back in a moment", retry=2_000), ref=hello.ref))
            self._over(peer, CloseCode.STORE_AWAY)

    async def _let_in(self, peer: Peer, hello: Hello) -> None:
        party = await self.door.admit(hello.token, hello.guest_token, peer.socket.origin)
        if not peer.socket.open:
            return
        peer.party = party
        peer.device = hello.device
        actor = party.actor
        if actor.role is Role.SHOPPER and hello.locale:
            await self.door.speaks(actor, hello.locale)
        if actor.role is Role.AGENT:
            await self.names.learn(actor.id, actor.name)
        else:
            self.names.remember(actor.id, actor.name)
        self._greet_person(peer)
        after: dict[UUID, list[int | None]] = {}
        for point in hello.resume:
            after.setdefault(point.thread, [None, None])[0 if point.lane == "public" else 1] = point.after
        side: Side = "shopper" if actor.role is Role.SHOPPER else "agent"
        holds = []
        for row in party.threads[: limits.THREADS_PER_CONNECTION_MAX]:
            points = after.pop(row.thread, [None, None])
            here = [row.public_seq, row.internal_seq]
            start = [end if point is None else point for point, end in zip(points, here, strict=True)]
            holds.append(self.rooms.follow(peer, row, side, "", start))
        await self.links.settled()
        pairs = [(row.shop, row.thread) for row in party.threads]
        if pairs:
            for receipt in await read_receipts(self.pool, pairs):
                feed = self.delivery.feeds.get(receipt.thread)
                if feed is not None:
                    feed.receipts[receipt.party] = receipt
        await self.names.fetch(row.agent for row in party.threads if row.agent is not None)
        if not peer.socket.open:
            return
        shown = tuple(self.rooms.view(peer, row) for row in party.threads[: limits.THREADS_PER_CONNECTION_MAX])
        peer.send(wire.answer(views.welcome(party, self.node, now_ms(), shown, FRAMES_PER_S[actor.role])))
        for hold in holds:
            hold.shown = True
        for thread in after:
            peer.send(wire.answer(ThreadGone(thread=thread, reason="not yours")))
        peer.session.admitted(actor.role)
        if not await self.delivery.catch_up(peer, holds):
            return
        for hold in holds:
            for frame in self.ephemeral.frames(hold.feed, hold):
                peer.send(frame)
        peer.send(wire.answer(Live()))
        if actor.role is Role.AGENT:
            await self.seats.changed(actor)

    def _greet_person(self, peer: Peer) -> None:
        here = self.people.setdefault(peer.actor.id, [])
        if here:
            peer.session.bucket = here[0].session.bucket  # one person's pace, however many lines he opens
        here.append(peer)
        while len(here) > limits.CONNECTIONS_PER_PERSON_MAX:
            oldest = here.pop(0)
            self._over(oldest, CloseCode.OTHER_DEVICES)

    def _link_up(self) -> None:
        self.spawn(self._compare(list(self.delivery.feeds.values())))
        self.ephemeral.sides_changed(list(self.delivery.feeds))

    # --- from elsewhere ---------------------------------------------------------------------------------------

    def _from_afar(self, batch: dict[str, Any]) -> None:
        if "e" in batch:
            self.delivery.show(self.answering.entries_from(batch["e"]))
        for thread, public_seq, internal_seq in batch.get("g", ()):
            self.delivery.heard(UUID(thread), public_seq, internal_seq)
        if "f" in batch:
            self.ephemeral.from_afar(batch["f"])

    def _hint(self, hint: dict[str, Any]) -> None:
        for _, thread in hint.get("grown", ()):
            self.delivery.look(UUID(thread))
        if hint.get("agents"):
            self.rooms.reread(UUID(agent) for agent in hint["agents"])
        if "frame" in hint:
            self._tell_frame(hint)
        if hint.get("rights"):
            self.standing.hinted()
        if hint.get("gone"):
            self.standing.shoppers_gone(UUID(shopper) for shopper in hint["gone"])

    def _tell_frame(self, hint: dict[str, Any]) -> None:
        raw = server_frame(orjson.dumps(hint["frame"]))
        roles = set(hint.get("roles", ()))
        peers: set[Peer] = set()
        for shop, thread in hint.get("threads", ()):
            feed = self.delivery.feeds.get(UUID(thread))
            if feed is not None and str(feed.shop) == shop:
                peers.update(hold.peer for hold in feed.holds)
        for person in hint.get("people", ()):
            peers.update(self.people.get(UUID(person), ()))
        shops = {UUID(shop) for shop in hint.get("shops", ())}
        if shops:
            peers.update(peer for peer in self.peers if peer.party is not None and peer.actor.shops & shops)
        for peer in peers:
            if peer.session.stage is Stage.LIVE and peer.actor.role.value in roles:
                peer.send(raw)

    # --- comparing with the record ----------------------------------------------------------------------------

    def _each_second(self, second: int) -> None:
        if not self._polling:
            feeds = self.delivery.feeds
            if not self.links.up:
                due = list(feeds.values())
            else:
                fresh = {thread: until for thread, until in self.rooms.fresh.items() if until >= second}
                self.rooms.fresh = fresh
                due = [feeds[thread] for thread in fresh if thread in feeds]
                due += [feed for feed in feeds.values() if feed.thread.int % SWEEP_S == second % SWEEP_S]
            if due:
                self._polling = True
                self.spawn(self._compare(due))
        self.standing.tick(second)
        if second % ORIGINS_S == 0:
            self.spawn(self._read_origins())

    async def _compare(self, feeds: list[Feed]) -> None:
        try:
            for at in range(0, len(feeds), 5_000):
                part = feeds[at : at + 5_000]
                for _, thread, public_seq, internal_seq in await last_seqs(
                    self.pool, [(feed.shop, feed.thread) for feed in part]
                ):
                    self.delivery.heard(thread, public_seq, internal_seq)
        except TRANSIENT:
            return
        finally:
            self._polling = False

    async def _read_origins(self) -> None:
        with contextlib.suppress(*TRANSIENT):
            self.doorstep.shop_origins = frozenset(await self.door.origins())
