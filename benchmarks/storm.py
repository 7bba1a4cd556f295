"""Everybody comes back at once: ``python -m benchmarks.storm [--people 5000] [--rounds 3] [--json]``.

Two hubs on the whole road. On one sit that many silent shoppers; on the other twenty pairs talk, twenty-five messages a
second. The first hub is killed with -9 and started again at once. Its people try again and again until they are live:
``hurried`` ones every tenth of a second, ``polite`` ones as our pages do. Measured: until all are live again, counted
from the hub taking lines; how often they were turned away; the hub's memory; and how long the others' messages took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks.line import Line, client_frame
from benchmarks.measure import machine, percentile
from benchmarks.stage import KEY, Arrangement, Stage

PAIRS, PER_S = 20, 25.0
CALM_S = 6.0
PATIENCE_S = 120.0
now = time.perf_counter


@dataclass
class Storm:
    manner: str
    people: int
    entered_s: float
    """At first, two hundred at a time."""
    hub_up_s: float
    """From the kill until the hub takes lines again."""
    back_s: float
    """From then on until the last one is live."""
    half_s: float
    turned_away: int
    hub_mib: int
    calm_p50_ms: float
    calm_p99_ms: float
    storm_p50_ms: float
    storm_p99_ms: float
    lost: int
    """Messages of the others that were not acknowledged."""


class Talk:
    """An open loop of messages between people who are not in the storm."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.out: dict[str, float] = {}
        self.acks: list[tuple[float, float]] = []
        self.sent = 0

    def heard(self, frame: dict[str, Any], line: Line) -> None:
        if frame["type"] == "ack" and (due := self.out.pop(frame["client_msg_id"], None)) is not None:
            self.acks.append((due, now() - due))

    async def run(self) -> None:
        due = now()
        while True:
            due += 1 / PER_S
            await asyncio.sleep(max(0.0, due - now()))
            line = self.lines[self.sent % len(self.lines)]
            self.sent += 1
            msg = f"{os.getpid():08x}-0000-4000-8000-{self.sent:012x}"
            self.out[msg] = due
            line.transport.write(client_frame(line.opening() + msg.encode() + line.tail))

    def took(self, begin: float, end: float) -> list[float]:
        return [took * 1_000 for due, took in self.acks if begin <= due < end]


def hurried(tries: int) -> float:
    return 0.1


BACK_S = (0.3, 1, 2, 4, 8, 15)
"""As in frontend/src/shared/socket.ts."""


def polite(tries: int) -> float:
    """Longer each time, and never all at once."""
    span = BACK_S[min(tries, len(BACK_S) - 1)]
    return span / 3 + random.random() * span * 2 / 3


MANNERS: dict[str, Callable[[int], float]] = {"hurried": hurried, "polite": polite}


async def come(person: dict[str, Any], port: int, heard: Callable[[dict[str, Any], Line], None]) -> Line:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(
        lambda: Line(f"{person['host']}:{port}", person["token"], heard), person["host"], port
    )
    await asyncio.wait_for(line.live, PATIENCE_S)
    return line


async def storm(people: int, manner: str, folder: Path, cpus: set[int]) -> Storm:
    stage = Stage(Arrangement("wangxin", 2, PAIRS, people), folder, cpus)
    talk, idle = Talk(), []
    try:
        await stage.open(enter=False)
        everybody = [json.loads(one) for one in (folder / "people.jsonl").read_text().splitlines()]
        storming, calm = stage.ports
        talk.lines = [await come(one, calm, talk.heard) for one in everybody if one["conversation"] is not None]
        silent = [one for one in everybody if one["conversation"] is None]
        gate, began = asyncio.Semaphore(200), now()

        async def enter(one: dict[str, Any]) -> Line:
            async with gate:
                return await come(one, storming, talk.heard)

        idle = list(await asyncio.gather(*(enter(one) for one in silent)))
        entered = now() - began
        talking = asyncio.create_task(talk.run())
        await asyncio.sleep(CALM_S)
        killed = now()
        up, back, away = asyncio.Event(), [], 0

        async def again(one: dict[str, Any]) -> None:
            nonlocal away
            tries = 0
            while True:
                try:
                    line = await come(one, storming, talk.heard)
                except (OSError, ConnectionError, AssertionError, TimeoutError):
                    away += up.is_set()
                    await asyncio.sleep(MANNERS[manner](tries))
                    tries += 1
                    continue
                back.append(now())
                idle.append(line)
                return

        stage.hubs[0].send_signal(signal.SIGKILL)
        stage.hubs[0].wait()
        idle.clear()
        coming = [asyncio.create_task(again(one)) for one in silent]
        environment = {
            **os.environ, "WANGXIN_DATA": str(folder), "WANGXIN_SECRET": KEY,
            "WANGXIN_POSTGRES_URL": stage.postgres.url, "WANGXIN_VALKEY_URL": stage.valkey.url,
        }  # fmt: skip
        with open(folder / "hub-again.log", "wb") as log:
            stage.hubs[0] = subprocess.Popen(
                stage._command("bench0", storming), env=environment, stdout=log, stderr=log
            )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", storming)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            break
        opened = now()
        up.set()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*coming)
        ended = max(back)
        await asyncio.sleep(2)
        talking.cancel()
        await asyncio.sleep(2)
        calm_ms, storm_ms = talk.took(killed - CALM_S + 1, killed), talk.took(killed, ended)
        back.sort()
        return Storm(
            manner, people, round(entered, 2), round(opened - killed, 2), round(ended - opened, 2),
            round(back[len(back) // 2] - opened, 2), away, psutil.Process(stage.hubs[0].pid).memory_info().rss >> 20,
            *(round(percentile(sorted(part), at), 1) for part in (calm_ms, storm_ms) for at in (0.5, 0.99)),
            lost=len(talk.out),
        )  # fmt: skip
    finally:
        for line in [*idle, *talk.lines]:
            line.transport.abort()
        await stage.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = []
    for number in range(asked.rounds):
        for manner in MANNERS:
            with tempfile.TemporaryDirectory(prefix="wx-storm-") as made:
                folder = Path(made) / f"{number}"
                found.append(uvloop.run(storm(asked.people, manner, folder, set(range(os.cpu_count() or 1)))))
    if asked.json:
        print(json.dumps({"machine": machine(), "storms": [asdict(one) for one in found]}, indent=2))
        return
    print("| they come | people | hub up | half back | all back | turned away | hub | others, before | during | lost |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for one in found:
        calm = f"{one.calm_p50_ms} / {one.calm_p99_ms} ms"
        during = f"{one.storm_p50_ms} / {one.storm_p99_ms} ms"
        print(
            f"| {one.manner} | {one.people:,} | {one.hub_up_s} s | {one.half_s} s | {one.back_s} s | {one.turned_away} "
            f"| {one.hub_mib} MiB | {calm} | {during} | {one.lost} |"
        )


if __name__ == "__main__":
    main()
