"""The people of the chat benchmark, in a process of their own: many websockets, one command a line on stdin.

``enter`` opens lines and says hello, ``closed`` and ``open`` talk for a while and answer with what was measured. The
client is cheap (``benchmarks/line.py``), but it checks what it gets: every line must see the numbers of its thread
without a gap, where there are numbers.
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

import uvloop

from benchmarks.line import LINES, Line, client_frame
from benchmarks.measure import cpu_us, family, percentile

PATIENCE_S = 20.0
"""What has not come by then is missing."""
HELLO_S = 60.0
TICK_S = 0.001
now = time.perf_counter


class Conversation:
    """Two lines on one thread, and what is on its way between them, by client_msg_id."""

    __slots__ = ("frames", "lines", "out", "turn")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.frames: list[bytes] = []
        self.out: dict[str, Way] = {}
        self.turn = 0

    def ready(self) -> None:
        self.frames = [line.opening() for line in self.lines]


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
            speaks = LINES[person.get("speaks", "wangxin")]
            async with gate:
                _, line = await loop.create_connection(
                    lambda: speaks(f"{person['host']}:{person['port']}", person["token"], self._heard),
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
        line.transport.write(client_frame(conversation.frames[turn] + msg.encode() + line.tail))

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
            if line.numbered:
                self.gaps += entry["seq"] != line.seq + 1
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
