"""One admitted line and what it follows. Writes are corked: all frames of a loop turn leave in one write."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from wangxin.hub.session import Session
from wangxin.hub.socket import Socket
from wangxin.model import limits
from wangxin.model.actor import Actor
from wangxin.protocol.close_codes import CloseCode
from wangxin.protocol.frames import AnyFrame
from wangxin.storage.threads import Party
from wangxin.visibility import Viewer

if TYPE_CHECKING:
    from wangxin.hub.delivery import Feed

Side = Literal["shopper", "agent", "watch"]
Key = tuple[Viewer, frozenset[str]]
NOTHING: frozenset[str] = frozenset()


class Cork:
    """Lines with frames to write, written together at the end of the loop turn."""

    def __init__(self) -> None:
        self._dirty: list[Peer] = []
        self._loop = asyncio.get_running_loop()

    def add(self, peer: Peer) -> None:
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(peer)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            peer.flush()


class Hold:
    """One line's hold on one thread. ``cursors`` (per lane) are set while it catches up and None once it is live.

    ``shown``: the reader was told of the thread. ``claimed``: somebody brings it up to date; nobody else may, or lines
    would arrive twice. ``unsure``: the thread moved, and until its new standing is read an agent hears no more of it.
    ``as_of``: the public seq up to which the record had been read when the hold was given; an older standing says
    nothing about it. ``mode`` is a supervisor's, empty for the people whose thread it is.
    """

    __slots__ = ("as_of", "claimed", "cursors", "feed", "key", "mode", "peer", "shown", "side", "unsure")

    def __init__(self, peer: Peer, feed: Feed, side: Side, mode: str, key: Key, cursors: list[int] | None) -> None:
        self.peer = peer
        self.feed = feed
        self.side: Side = side
        self.mode = mode
        self.key = key
        self.cursors = cursors
        self.as_of = 0
        self.shown = False
        self.claimed = True
        self.unsure = False

    @property
    def lanes(self) -> tuple[int, ...]:
        return (0,) if self.side == "shopper" else (0, 1)


class Peer:
    __slots__ = (
        "_cork", "_out", "_out_bytes", "backlog", "busy", "device", "holds", "party", "session", "socket", "typing",
        "unacked",
    )  # fmt: skip

    def __init__(self, socket: Socket, cork: Cork) -> None:
        self.socket = socket
        self.session = Session()
        self.party: Party | None = None
        self.device = ""
        self.holds: dict[UUID, Hold] = {}
        self.unacked = 0
        """Lines of this peer that are being stored."""
        self.busy = False
        """A frame that must be finished before the next is at work."""
        self.backlog: deque[AnyFrame] | None = None
        self.typing: dict[UUID, int] | None = None
        self._cork = cork
        self._out: list[bytes] = []
        self._out_bytes = 0

    @property
    def actor(self) -> Actor:
        assert self.party is not None, "only admitted peers act"
        return self.party.actor

    def key_for(self, shop: UUID) -> Key:
        assert self.party is not None
        return (self.party.viewer, self.party.open_fields.get(shop, NOTHING))

    @property
    def unsent_bytes(self) -> int:
        """What waits for the end of the loop turn."""
        return self._out_bytes

    def send(self, frame: bytes) -> None:
        """Queue one server frame."""
        out = self._out
        if not out:
            self._cork.add(self)
        out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > limits.OUTBOX_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        out = self._out
        if not out:
            return
        self.socket.write(out[0] if len(out) == 1 else b"".join(out))
        self._out = []
        self._out_bytes = 0
        if self.socket.waiting_bytes > limits.OUTBOX_BYTES_MAX:
            self.socket.close(CloseCode.TOO_SLOW, "come back and resume")

    async def room(self) -> bool:
        """Wait until the reader has taken most of what was written; False: the line is gone."""
        self.flush()
        while self.socket.open and self.socket.waiting_bytes > 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # an event for each of 10,000 idle lines would cost more
        return self.socket.open

    def close(self, code: CloseCode, reason: str = "") -> None:
        self.flush()
        self.socket.close(code, reason)
