"""A scripted person on a real socket: resumes, sends until acknowledged, and keeps testimony for the judge."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from uuid import UUID

import orjson
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from wangxin.checker import Acked, Begun, LaneKey, Party, Received, Sent
from wangxin.clock import monotonic_ms, new_id

RETRY_MS = 200
LOST: dict[str, Any] = {"type": "lost"}
STAY_AWAY = range(4_500, 5_000)
AWAY: tuple[type[BaseException], ...] = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError)


class Refused(RuntimeError):
    """The hub answered a request with an error; the text is its code."""


class Person:
    """One shopper or agent. ``token`` is asked for at every connection (it may have expired).

    ``url`` is ``ws://…`` or ``unix:<path>``. Use as an async context manager: the line is up inside it, and comes back
    by itself when it breaks.
    """

    def __init__(
        self, name: str, role: Literal["shopper", "agent"], url: str, token: Callable[[], Awaitable[str]]
    ) -> None:
        self.party = Party(name, role)
        self.url = url
        self.views: dict[UUID, dict[str, Any]] = {}
        self.heard: asyncio.Condition = asyncio.Condition()
        self.connections = 0
        self.seat: str | None = None
        self.closed_threads: dict[UUID, int] = defaultdict(int)
        """How often a conversation of the thread has been seen to close."""
        self._token = token
        self._last: dict[LaneKey, int] = {}
        self._unacked: dict[UUID, dict[str, Any]] = {}
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._line: ClientConnection | None = None
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self.frames_seen: dict[str, int] = defaultdict(int)

    async def __aenter__(self) -> Person:
        self._task = asyncio.create_task(self._stay())
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            up.cancel()
            await self._task
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, *AWAY):
                await self._task

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Call ``listener`` with every frame that comes in."""
        self._listeners.append(listener)

    async def _stay(self) -> None:
        while True:
            try:
                await self._once()
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                if code in STAY_AWAY:
                    raise Refused(f"closed with {code}") from closed
            except AWAY:
                pass
            finally:
                self._line = None
                self._up.clear()
                self._requests_lost()
            await asyncio.sleep(RETRY_MS / 1000)

    def _requests_lost(self) -> None:
        """What was asked over a line that broke is asked again over the next one; messages wait in ``_unacked``."""
        for ref, answer in self._answers.items():
            if UUID(ref) not in self._unacked and not answer.done():
                answer.set_result(LOST)

    async def _once(self) -> None:
        opening = (
            unix_connect(self.url.removeprefix("unix:"), "ws://localhost/ws")
            if self.url.startswith("unix:")
            else connect(self.url)
        )
        async with opening as line:
            self.connections += 1
            resume = [{"thread": str(t), "lane": lane, "after": seq} for (t, lane), seq in self._last.items()]
            await line.send(orjson.dumps({"type": "hello", "token": await self._token(), "resume": resume}), text=True)
            async for message in line:
                await self._take(orjson.loads(message), line)

    async def _take(self, frame: dict[str, Any], line: ClientConnection) -> None:
        kind = frame["type"]
        self.frames_seen[kind] += 1
        if kind == "welcome":
            self.seat = frame.get("seat")
            for view in frame["threads"]:
                self._view(view)
        elif kind == "live":  # words before it would be refused
            self._line = line
            self._up.set()
            for waiting in list(self._unacked.values()):
                await self._put(waiting)
        elif kind == "thread.update":
            self._view(frame["view"])
        elif kind == "thread.gone":
            thread = UUID(frame["thread"])
            self.views.pop(thread, None)
            for lane in ("public", "internal"):  # what comes after is no longer owed to this person
                self.party.attached.pop((thread, lane), None)
                self._last.pop((thread, lane), None)
        elif kind == "message.new":
            self._receive(frame["entry"])
        elif kind == "snapshot":
            thread, lane = UUID(frame["thread"]), frame["lane"]
            first = min((entry["seq"] for entry in frame["entries"]), default=1)
            self.party.received.append(Begun(thread, lane, first - 1))
            for entry in frame["entries"]:
                self._receive(entry)
        elif kind == "ack":
            self._acknowledge(frame)
        elif kind == "seat":
            self.seat = frame["state"]
        ref = frame.get("ref") or frame.get("client_msg_id")
        if kind in ("ok", "error", "ack", "history.page", "pong") and ref in self._answers:
            answer = self._answers.pop(ref)
            if not answer.done():
                answer.set_result(frame)
        for listener in self._listeners:
            listener(frame)
        async with self.heard:
            self.heard.notify_all()

    def _view(self, view: dict[str, Any]) -> None:
        thread = UUID(view["thread"])
        new = thread not in self.views
        self.views[thread] = view
        self.party.threads.add(thread)
        if new:
            lanes = ("public",) if self.party.role == "shopper" else ("public", "internal")
            for lane in lanes:
                after = self._last[thread, lane] = view[f"{lane}_seq"]
                self.party.attached[thread, lane] = after
                self.party.received.append(Begun(thread, lane, after))

    def _receive(self, entry: dict[str, Any]) -> None:
        thread, lane, seq = UUID(entry["thread"]), entry["lane"], entry["seq"]
        body = entry["body"] or {}
        message = UUID(entry["client_msg_id"]) if entry.get("client_msg_id") else None
        words = body.get("text") if body.get("kind") in ("text", "note") else None
        self.party.received.append(Received(thread, lane, seq, message, words))
        if body.get("kind") == "event" and body["event"] == "conversation.closed":
            self.closed_threads[thread] += 1
        self._last[thread, lane] = max(seq, self._last.get((thread, lane), 0))

    def _acknowledge(self, frame: dict[str, Any]) -> None:
        message = UUID(frame["client_msg_id"])
        self._unacked.pop(message, None)
        self.party.acked.append(
            Acked(UUID(frame["thread"]), message, frame["seq"], monotonic_ms(), frame.get("lane", "public"))
        )

    async def _put(self, frame: dict[str, Any]) -> None:
        line = self._line
        if line is not None:
            with contextlib.suppress(*AWAY):
                await line.send(orjson.dumps(frame), text=True)

    async def say(self, thread: UUID, words: str, *, epoch: int | None = None, patience_s: float = 60.0) -> int:
        """Send a text and wait until it is acknowledged, over as many connections as it takes; returns its seq.

        Raises Refused with the hub's code (``message.stale_epoch`` when the assignment has moved on).
        """
        message = new_id()
        frame: dict[str, Any] = {
            "type": "message.send", "thread": str(thread), "client_msg_id": str(message), "ref": str(message),
            "body": {"kind": "text", "text": words},
        }  # fmt: skip
        if epoch is not None:
            frame["epoch"] = epoch
        self.party.sent.append(Sent(thread, message, words, monotonic_ms()))
        self._unacked[message] = frame
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[str(message)] = answer
        try:
            await self._put(frame)
            got = await asyncio.wait_for(answer, patience_s)
        finally:
            self._unacked.pop(message, None)
            self._answers.pop(str(message), None)
        if got["type"] == "error":
            raise Refused(got["code"])
        seq: int = got["seq"]
        return seq

    async def ask(self, frame: dict[str, Any], *, patience_s: float = 60.0) -> dict[str, Any]:
        """Send a request and wait for its answer; sent again over a new line. Raises Refused with the hub's code."""
        ref = str(new_id())
        deadline = monotonic_ms() + patience_s * 1000
        while True:
            await asyncio.wait_for(self._up.wait(), max(0.1, (deadline - monotonic_ms()) / 1000))
            answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._answers[ref] = answer
            await self._put({**frame, "ref": ref})
            try:
                got = await asyncio.wait_for(answer, min(10.0, max(0.1, (deadline - monotonic_ms()) / 1000)))
            except TimeoutError:
                if monotonic_ms() >= deadline:
                    raise
                continue
            if got is LOST:
                continue
            if got["type"] == "error":
                if isinstance(got["retry"], int) and monotonic_ms() + got["retry"] < deadline:
                    await asyncio.sleep(got["retry"] / 1000)
                    continue
                raise Refused(got["code"])
            return got

    async def until(self, true: Callable[[], bool], *, patience_s: float = 60.0) -> None:
        """Wait until ``true()`` holds; looked at after every frame."""
        async with asyncio.timeout(patience_s), self.heard:
            await self.heard.wait_for(true)

    def last(self, thread: UUID, lane: str = "public") -> int:
        return self._last.get((thread, lane), 0)
