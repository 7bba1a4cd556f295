"""The people of the chat benchmark, in a process of their own: many websockets, one command a line on stdin.

``enter`` opens lines and says hello, ``closed`` and ``open`` talk for a while and answer with what was measured. The
client is as cheap as it can be (it speaks the websocket protocol by hand) so that it is not what is measured, but it
checks what it gets: every line must see the numbers of its thread without a gap.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from websockets.speedups import apply_mask

from benchmarks.measure import cpu_us, family, percentile

WORDS = (
    "您好，这件羽绒服的尺码偏大还是偏小？我身高一米七二，体重六十五公斤，"
    "平时穿大码，想问问选哪个更合身，今天下单明天能发货吗"
)
"""60 Chinese characters."""
PATIENCE_S = 20.0
"""What has not come by then is missing."""
HELLO_S = 60.0
TICK_S = 0.001
now = time.perf_counter


def client_frame(payload: bytes, opcode: int = 1) -> bytes:
    """A masked frame, as clients must send them."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    return head + mask + apply_mask(payload, mask)


class Line(asyncio.Protocol):
    """One websocket of one person. ``heard`` is told of acks and new messages as (frame, line)."""

    def __init__(self, host: str, token: str, heard: Callable[[dict[str, Any], Line], None]) -> None:
        self._host = host
        self._token = token
        self._heard = heard
        self._buffer = b""
        self._shaken = False
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.thread = ""
        self.epoch = 0
        self.seq = 0
        self.closed = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are no subclass of asyncio's
        self.transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.live.done():
            self.live.set_exception(ConnectionError(f"the hub closed the line: {exc}"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        if not self._shaken:
            at = buffer.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = buffer
                return
            assert buffer.startswith(b"HTTP/1.1 101"), buffer[:200]
            self._shaken = True
            hello = {"type": "hello", "token": self._token}
            self.transport.write(client_frame(json.dumps(hello).encode()))
        while end - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                if end - at < 10:
                    break
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if end - at < head + size:
                break
            opcode, payload = buffer[at] & 15, buffer[at + head : at + head + size]
            at += head + size
            if opcode == 1:
                self._text(payload)
            elif opcode == 9:
                self.transport.write(client_frame(payload, 10))
        self._buffer = buffer[at:]

    def _text(self, payload: bytes) -> None:
        frame = orjson.loads(payload)
        kind = frame["type"]
        if kind == "message.new" or kind == "ack":
            self._heard(frame, self)
        elif kind == "welcome":
            if frame["threads"]:
                view = frame["threads"][0]
                self.thread, self.seq, self.epoch = view["thread"], view["public_seq"], view.get("epoch", 0)
        elif kind == "live":
            self.live.set_result(None)
        elif kind == "error":
            raise AssertionError(f"the hub refused: {frame}")


class Conversation:
    """Two lines on one thread, and what is on its way between them, by client_msg_id."""

    __slots__ = ("frames", "lines", "out", "turn")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.frames: list[bytes] = []
        self.out: dict[str, Way] = {}
        self.turn = 0

    def ready(self) -> None:
        for line in self.lines:
            epoch = f'"epoch":{line.epoch},' if line.epoch else ""
            self.frames.append(
                f'{{"type":"message.send","thread":"{line.thread}",{epoch}"body":{{"kind":"text","text":"{WORDS}"}},'
                '"client_msg_id":"'.encode()
            )


class Load:
    def __init__(self) -> None:
        self.conversations: dict[int, Conversation] = {}
        self.of: dict[Line, Conversation] = {}
        self.lines: list[Line] = []
        self.sent = 0
        self.done = 0
        self.gaps = 0
        self.broken = 0
        """What could not be said because the hub had closed the line."""
        self.chain = False
        """Closed loop: a conversation that has nothing on its way says the next thing at once."""
        self.acks: list[float] = []
        self.hears: list[float] = []
        self._prefix = f"{os.getpid():08x}-0000-4000-8000-"

    async def enter(self, path: str, watch: dict[str, list[int]], at_once: int = 40) -> dict[str, Any]:
        """``path``: JSON lines {"host", "port", "token", "conversation": n or null}."""
        people = [json.loads(line) for line in Path(path).read_text().splitlines()]
        gate = asyncio.Semaphore(at_once)
        loop = asyncio.get_running_loop()
        window = Window(self, watch)

        async def come(person: dict[str, Any]) -> None:
            async with gate:
                _, line = await loop.create_connection(
                    lambda: Line(f"{person['host']}:{person['port']}", person["token"], self._heard),
                    person["host"], person["port"],
                )  # fmt: skip
                await asyncio.wait_for(line.live, HELLO_S)
            self.lines.append(line)
            if person["conversation"] is not None:
                conversation = self.conversations.setdefault(person["conversation"], Conversation())
                conversation.lines.append(line)
                self.of[line] = conversation

        await asyncio.gather(*(come(person) for person in people))
        for conversation in self.conversations.values():
            conversation.ready()
        gc.collect()
        gc.freeze()
        gc.disable()
        return {"seconds": now() - window.began, "cpu_us": window.cpu_used()}

    # --- talking ----------------------------------------------------------------------------------------------

    def say(self, conversation: Conversation, due: float) -> None:
        turn = conversation.turn
        conversation.turn = 1 - turn
        self.sent += 1
        msg = f"{self._prefix}{self.sent:012x}"
        line = conversation.lines[turn]
        if line.closed:
            self.broken += 1
            return
        conversation.out[msg] = Way(due, line)
        line.transport.write(client_frame(conversation.frames[turn] + msg.encode() + b'"}'))

    def _heard(self, frame: dict[str, Any], line: Line) -> None:
        conversation = self.of[line]
        if frame["type"] == "ack":
            msg = frame["client_msg_id"]
            known = conversation.out.get(msg)
            if known is None:
                return  # too late: it was counted as missing
            way = known
            way.acked = True
            self.acks.append(now() - way.due)
        else:
            entry = frame["entry"]
            if entry["seq"] != line.seq + 1:
                self.gaps += 1
            line.seq = entry["seq"]
            msg = entry["client_msg_id"]
            found = conversation.out.get(msg)
            if found is None or found.sender is line:
                return  # a sender sees his own words, too
            way = found
            way.heard = True
            self.hears.append(now() - way.due)
        if way.acked and way.heard:
            del conversation.out[msg]
            self.done += 1
            if self.chain and not conversation.out:
                self.say(conversation, now())

    async def _quiet(self) -> int:
        """Wait until nothing is on its way; returns how much never came, and forgets it."""
        deadline = now() + PATIENCE_S
        while (left := sum(len(c.out) for c in self.conversations.values())) and now() < deadline:
            await asyncio.sleep(0.01)
        for conversation in self.conversations.values():
            conversation.out.clear()
        return left

    async def closed(self, seconds: float, warm_s: float, watch: dict[str, list[int]]) -> dict[str, Any]:
        """Every conversation has one message on its way at any time; the two parties take turns."""
        self.chain = True
        for conversation in self.conversations.values():
            self.say(conversation, now())
        await asyncio.sleep(warm_s)
        window = Window(self, watch)
        await asyncio.sleep(seconds)
        result = window.close()
        self.chain = False
        return {**result, "missing": await self._quiet(), "gaps": self.gaps, "broken": self.broken}

    async def open(self, rate: float, seconds: float, warm_s: float, watch: dict[str, list[int]]) -> dict[str, Any]:
        """A message every 1/rate seconds whatever comes back; latency counts from when it was due."""
        talking = list(self.conversations.values())
        began, n, window = now(), 0, None
        while True:
            at = now()
            while (due := began + n / rate) <= at:
                self.say(talking[n % len(talking)], due)
                n += 1
            if window is None and at - began >= warm_s:
                window = Window(self, watch)
            elif window is not None and at - window.began >= seconds:
                break
            await asyncio.sleep(TICK_S)
        result = window.close()
        return {**result, "missing": await self._quiet(), "gaps": self.gaps, "broken": self.broken}


class Way:
    """A message on its way."""

    __slots__ = ("acked", "due", "heard", "sender")

    def __init__(self, due: float, sender: Line) -> None:
        self.due = due
        self.sender = sender
        self.acked = self.heard = False


class Window:
    """What happens between now and ``close``. ``watch``: process ids by name, whose CPU time is counted."""

    def __init__(self, load: Load, watch: dict[str, list[int]]) -> None:
        self._load = load
        self._watch = watch
        load.acks.clear()
        load.hears.clear()
        self._done = load.done
        self._cpu = self._cpu_now()
        self.began = now()

    def _cpu_now(self) -> dict[str, float]:
        groups = {**self._watch, "client": [os.getpid()]}
        return {name: cpu_us(p for pid in pids for p in family(pid)) for name, pids in groups.items()}

    def cpu_used(self) -> dict[str, float]:
        """µs so far, by name."""
        return {name: used - self._cpu[name] for name, used in self._cpu_now().items()}

    def close(self) -> dict[str, Any]:
        seconds = now() - self.began
        cpu = self.cpu_used()
        done = self._load.done - self._done
        acks, hears = sorted(self._load.acks), sorted(self._load.hears)
        return {
            "messages": done,
            "per_s": done / seconds,
            "cpu_us": {name: used / max(done, 1) for name, used in cpu.items()},
            "busy": {name: used / seconds / 1e6 for name, used in cpu.items()},
            "ack_ms": {"p50": percentile(acks, 0.5) * 1e3, "p99": percentile(acks, 0.99) * 1e3},
            "delivery_ms": {"p50": percentile(hears, 0.5) * 1e3, "p99": percentile(hears, 0.99) * 1e3},
        }


async def serve() -> None:
    load = Load()
    commands: dict[str, Callable[..., Any]] = {"enter": load.enter, "closed": load.closed, "open": load.open}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        print(json.dumps(await commands[command.pop("do")](**command)), flush=True)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(cpu) for cpu in sys.argv[1].split(",")})
    uvloop.run(serve())
