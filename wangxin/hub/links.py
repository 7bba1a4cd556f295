"""Between hub processes: who is on which node, and one batch per destination node and round trip.

Everything here may vanish at any moment. ``up`` says whether Valkey answers; when it comes back (or was wiped) the node
registers itself again and ``on_up`` is called, so that the hub compares with the record.

Keys: ``{wx}:nodes`` node -> lease end (ms); ``{wx}:node:<node>:threads`` thread -> sides here (with a lease).
Channels: ``{wx}:hubs`` (what changed on a node, and its heartbeat), ``{wx}:to:<node>`` (batches for one node), the
hints of ``wangxin.storage.hints``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import orjson

from wangxin.clock import now_ms
from wangxin.storage.hints import HINT
from wangxin.storage.valkey import VALKEY_DOWN, connect_watchful, ending

log = logging.getLogger("wangxin.hub")

LEASE_MS = 5_000
BEAT_S = 1.0
RETRY_S = 0.3
BATCH_MAX = 1_000
NODES = "{wx}:nodes"
HUBS = "{wx}:hubs"
SELF = "node"
"""A field every registered node has in its thread table: when it is gone, Valkey was emptied."""


def _threads(node: str) -> str:
    return f"{{wx}}:node:{node}:threads"


def _to(node: str) -> str:
    return f"{{wx}}:to:{node}"


class Links:
    def __init__(
        self,
        url: str,
        node: str,
        *,
        on_batch: Callable[[dict[str, Any]], None],
        on_hint: Callable[[dict[str, Any]], None],
        on_up: Callable[[], None],
        on_sides: Callable[[Iterable[UUID]], None],
    ) -> None:
        self.node = node
        self.up = False
        self.nodes: frozenset[str] = frozenset()
        self._url = url
        self._on_batch, self._on_hint, self._on_up = on_batch, on_hint, on_up
        self._on_sides = on_sides
        self._here: dict[UUID, str] = {}
        self._far: dict[UUID, dict[str, str]] = {}
        """thread -> node -> sides there."""
        self._out: dict[str, dict[str, list[Any]]] = {}
        self._delta: dict[str, str] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._valkey: Any = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.published = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        while self._task is not None and not self._task.done():
            self._task.cancel()  # more than once: a cancel that meets an answer of Valkey can be lost in its client
            await asyncio.wait({self._task}, timeout=0.2)
        if self.up:
            with contextlib.suppress(*VALKEY_DOWN):
                pipe = self._valkey.pipeline(transaction=False)
                pipe.zrem(NODES, self.node).delete(_threads(self.node))
                pipe.publish(HUBS, orjson.dumps({"node": self.node, "gone": True}))
                await pipe.execute()
        self.up = False
        if self._valkey is not None:
            with contextlib.suppress(*VALKEY_DOWN):
                await self._valkey.aclose()

    # --- what the hub tells -----------------------------------------------------------------------------------

    def here(self, thread: UUID, sides: str | None) -> None:
        """Who follows a thread on this node; None: nobody any more."""
        if sides is None:
            self._here.pop(thread, None)
        elif self._here.get(thread) == sides:
            return
        else:
            self._here[thread] = sides
        self._delta[str(thread)] = "-" if sides is None else sides
        self._kick()

    async def settled(self) -> None:
        """Wait until the other nodes were told what is here, if they can be told."""
        while self.up and (self._delta or self._flushing is not None):
            flushing = self._flushing
            if flushing is None:
                return
            await asyncio.shield(asyncio.gather(flushing, return_exceptions=True))

    def far_nodes(self, thread: UUID) -> Iterable[str]:
        """Other nodes with somebody of this thread."""
        return self._far.get(thread, ())

    def far_sides(self, thread: UUID) -> str:
        there = self._far.get(thread)
        return "".join(there.values()) if there else ""

    def give(self, node: str, kind: str, item: Any) -> None:
        """Put ``item`` into the next batch for a node."""
        if not self.up:
            return
        self._out.setdefault(node, {}).setdefault(kind, []).append(item)
        if self._flushing is None:
            self._kick()

    # --- writing ----------------------------------------------------------------------------------------------

    def _kick(self) -> None:
        if self.up and self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """One round trip carries all that came together meanwhile."""
        try:
            await asyncio.sleep(0)  # the rest of this loop turn belongs into the same batch
            while self.up and (self._delta or self._out):
                delta, self._delta = self._delta, {}
                out, self._out = self._out, {}
                pipe = self._valkey.pipeline(transaction=False)
                if delta:
                    gone = [thread for thread, sides in delta.items() if sides == "-"]
                    here = {thread: sides for thread, sides in delta.items() if sides != "-"}
                    if gone:
                        pipe.hdel(_threads(self.node), *gone)
                    if here:
                        pipe.hset(_threads(self.node), mapping=here)
                    pipe.publish(HUBS, orjson.dumps({"node": self.node, "delta": delta}))
                for node, batch in out.items():
                    for kind, items in batch.items():
                        for at in range(0, len(items), BATCH_MAX):
                            pipe.publish(_to(node), orjson.dumps({kind: items[at : at + BATCH_MAX]}))
                            self.published += 1
                await pipe.execute()
        except VALKEY_DOWN:
            self._down()
        finally:
            self._flushing = None
        if self._delta or self._out:
            self._kick()

    def _down(self) -> None:
        if self.up:
            log.warning("Valkey is away; delivery between nodes goes by the record meanwhile")
        self.up = False
        self._lost.set()

    # --- living -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not ending():
            try:
                await self._live()
            except VALKEY_DOWN:
                pass
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("the link to other nodes failed; trying again")
            self._down()
            if self._far:
                lost, self._far = list(self._far), {}
                self._on_sides(lost)
            self.nodes = frozenset()
            self._out.clear()
            await asyncio.sleep(RETRY_S)

    async def _live(self) -> None:
        if self._valkey is not None:
            with contextlib.suppress(*VALKEY_DOWN):
                await self._valkey.aclose()
        valkey = self._valkey = connect_watchful(self._url)
        pubsub = valkey.pubsub()
        try:
            await pubsub.subscribe(HINT, HUBS, _to(self.node))
            await self._register()
            self._lost.clear()
            self.up = True
            self._delta.clear()
            log.info("linked as %s", self.node)
            self._on_up()
            beating = asyncio.get_running_loop().create_task(self._beat())
            lost = asyncio.get_running_loop().create_task(self._lost.wait())
            listening = asyncio.get_running_loop().create_task(self._listen(pubsub))
            try:
                done, _ = await asyncio.wait({beating, lost, listening}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (beating, lost, listening):
                    task.cancel()
                await asyncio.gather(beating, lost, listening, return_exceptions=True)
        finally:
            with contextlib.suppress(*VALKEY_DOWN):
                await pubsub.aclose()

    async def _register(self) -> None:
        pipe = self._valkey.pipeline(transaction=True)
        pipe.delete(_threads(self.node))
        pipe.hset(_threads(self.node), mapping={SELF: "1", **{str(t): sides for t, sides in self._here.items()}})
        pipe.pexpire(_threads(self.node), LEASE_MS * 2)
        pipe.zadd(NODES, {self.node: now_ms() + LEASE_MS})
        pipe.zrangebyscore(NODES, now_ms(), "+inf")
        pipe.publish(HUBS, orjson.dumps({"node": self.node, "fresh": True}))
        answers = await pipe.execute()
        self.nodes = frozenset(node.decode() for node in answers[-2]) - {self.node}
        for node in self.nodes:
            await self._learn(node)

    async def _learn(self, node: str) -> None:
        """Read a node's whole table."""
        table = await self._valkey.hgetall(_threads(node))
        changed = self._forget(node)
        for field, sides in table.items():
            name = field.decode()
            if name != SELF:
                thread = UUID(name)
                self._far.setdefault(thread, {})[node] = sides.decode()
                changed.add(thread)
        self.nodes |= {node}
        self._on_sides(changed)

    def _forget(self, node: str) -> set[UUID]:
        changed = set()
        for thread in [thread for thread, there in self._far.items() if node in there]:
            del self._far[thread][node]
            if not self._far[thread]:
                del self._far[thread]
            changed.add(thread)
        return changed

    async def _listen(self, pubsub: Any) -> None:
        """Own heartbeats come back on the same channel: silence for seconds means the line is dead."""
        mine = _to(self.node)
        async for message in pubsub.listen():
            if ending():
                return
            if message["type"] != "message":
                continue
            channel = message["channel"].decode()
            value = orjson.loads(message["data"])
            if channel == mine:
                self._on_batch(value)
            elif channel == HINT:
                self._on_hint(value)
            else:
                await self._heard(value)

    async def _heard(self, value: dict[str, Any]) -> None:
        node = value["node"]
        if node == self.node:
            return
        if value.get("gone"):
            self.nodes -= {node}
            self._on_sides(self._forget(node))
        elif "delta" in value and node in self.nodes:
            changed = []
            for name, sides in value["delta"].items():
                thread = UUID(name)
                changed.append(thread)
                if sides == "-":
                    there = self._far.get(thread)
                    if there is not None:
                        there.pop(node, None)
                        if not there:
                            del self._far[thread]
                else:
                    self._far.setdefault(thread, {})[node] = sides
            self._on_sides(changed)
        elif value.get("fresh") or node not in self.nodes:
            await self._learn(node)

    async def _beat(self) -> None:
        while True:
            now = now_ms()
            pipe = self._valkey.pipeline(transaction=False)
            pipe.zadd(NODES, {self.node: now + LEASE_MS})
            pipe.pexpire(_threads(self.node), LEASE_MS * 2)
            pipe.hexists(_threads(self.node), SELF)
            pipe.zrangebyscore(NODES, "-inf", now - 1)
            pipe.publish(HUBS, orjson.dumps({"node": self.node}))
            answers = await pipe.execute()
            if not answers[2]:
                log.warning("Valkey was emptied; registering again")
                return
            for name in answers[3]:
                await self._bury(name.decode())
            await asyncio.sleep(BEAT_S)

    async def _bury(self, node: str) -> None:
        """A node's lease ran out."""
        self.nodes -= {node}
        self._on_sides(self._forget(node))
        if await self._valkey.zrem(NODES, node):
            log.warning("node %s is gone", node)
            await self._valkey.delete(_threads(node))
