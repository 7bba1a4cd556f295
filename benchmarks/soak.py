"""Does it hold for hours? ``python -m benchmarks.soak [--minutes 60] [--rate 200] [--seed 1] [--json]``.

Shoppers and agents talk over two hubs at a steady rate, with web, worker, PostgreSQL and Valkey beside (no dispatcher:
who serves whom is given, and stays; ``benchmarks.kills`` is its own). At random moments one of the hubs is killed or
frozen, Valkey is killed and wiped, PostgreSQL stops as in a crash. Memory is looked at every ten seconds; its slope is
that of the straight line through what was seen after the first tenth, for the processes that are never killed: one hub,
web, worker. Everybody stays with his own hub and waits for it when it was killed, or that one hub would hold more
people after each kill, and its memory would say so. At the end everything that was acknowledged and heard is judged
against the record. Exit 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.measure import end_on_term, machine, memory_kib, percentile
from tests.faults.crowd import KEY, Crowd, Hubs
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

PAIRS, AGENTS = 60, 12
LOOK_S = 10.0
CALM_S = (45.0, 120.0)
"""Between two faults: at least and at most."""
OTHERS = ("web", "worker")
KEPT = ("hub a", *OTHERS)
GOAL_KIB_H = 1024.0


class Installation:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.postgres, self.valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
        self.hubs = Hubs(self.postgres, self.valkey, folder)
        self.others: dict[str, subprocess.Popen[bytes]] = {}
        self.happened: dict[str, int] = defaultdict(int)
        self.seen: dict[str, list[tuple[float, float]]] = defaultdict(list)

    async def start(self) -> None:
        await asyncio.gather(self.postgres.start(), self.valkey.start())
        await migrate(self.postgres.url)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environment = {
            **os.environ, "WANGXIN_POSTGRES_URL": self.postgres.url, "WANGXIN_VALKEY_URL": self.valkey.url,
            "WANGXIN_SECRET": KEY, "WANGXIN_DATA": str(self.folder), "WANGXIN_PORT": str(port),
        }  # fmt: skip
        for name in OTHERS:
            with (self.folder / f"{name}.log").open("ab") as log:
                words = [sys.executable, "-m", "wangxin", name]
                self.others[name] = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        await asyncio.gather(self.hubs.start("a"), self.hubs.start("b"))

    def close(self) -> None:
        self.hubs.close()
        for process in self.others.values():
            process.kill()
            process.wait()
        self.postgres.stop(how="immediate")
        self.valkey.stop(how="kill")

    # --- faults ---------------------------------------------------------------------------------------------------

    async def suffer(self) -> None:
        """Faults at random moments, until cancelled."""
        ways = {
            "hub killed": self._kill,
            "hub frozen": self._freeze,
            "Valkey wiped": self._wipe,
            "PostgreSQL": self._crash,
        }
        while True:
            await asyncio.sleep(self.chance.uniform(*CALM_S))
            name = self.chance.choice(sorted(ways))
            await asyncio.shield(ways[name]())
            self.happened[name] += 1

    async def _kill(self) -> None:
        self.hubs.kill("b")
        await asyncio.sleep(self.chance.uniform(0.1, 2.0))
        await self.hubs.start("b")

    async def _freeze(self) -> None:
        os.kill(self.hubs.running["b"].pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
        finally:
            os.kill(self.hubs.running["b"].pid, signal.SIGCONT)

    async def _wipe(self) -> None:
        self.valkey.stop(how="kill", wipe=True)
        await asyncio.sleep(self.chance.uniform(0.1, 2.0))
        await self.valkey.start()

    async def _crash(self) -> None:
        self.postgres.stop(how="immediate")
        await asyncio.sleep(self.chance.uniform(0.1, 2.0))
        await self.postgres.start()

    # --- memory ---------------------------------------------------------------------------------------------------

    async def watch(self, began: float) -> None:
        """What each process keeps for itself, every ten seconds, until cancelled."""
        while True:
            pids = {name: process.pid for name, process in self.others.items()}
            pids |= {f"hub {node}": process.pid for node, process in self.hubs.running.items()}
            for name, pid in pids.items():
                with contextlib.suppress(OSError):
                    self.seen[name].append((time.monotonic() - began, memory_kib(pid)))
            await asyncio.sleep(LOOK_S)


def slope(seen: list[tuple[float, float]]) -> float:
    """KiB an hour, by least squares over what was seen after the first tenth of the time."""
    late = [(at, kib) for at, kib in seen if at >= seen[-1][0] / 10]
    middle_at, middle = sum(at for at, _ in late) / len(late), sum(kib for _, kib in late) / len(late)
    spread = sum((at - middle_at) ** 2 for at, _ in late)
    return 3600 * sum((at - middle_at) * (kib - middle) for at, kib in late) / spread if spread else 0.0


async def measure(folder: Path, minutes: float, rate: float, seed: int) -> dict[str, Any]:
    end_on_term()
    about = machine()
    running = Installation(folder, random.Random(seed))
    try:
        await running.start()
        async with AsyncExitStack() as stack:
            crowd = Crowd(running.hubs, stack, pairs=PAIRS, agents=AGENTS, pause_s=2 * PAIRS / rate, roam=False)
            await crowd.gather()
            began = time.monotonic()
            crowd.talk()
            beside = [asyncio.create_task(running.suffer()), asyncio.create_task(running.watch(began))]
            while time.monotonic() - began < minutes * 60:
                await asyncio.sleep(min(20.0, minutes * 60))
                said = f"{(time.monotonic() - began) / 60:.1f} min, {crowd.acks:,} acknowledged"
                print(said, file=sys.stderr, flush=True)
                broken = [task.exception() for task in (*crowd.talking, *beside) if task.done()]
                if broken:
                    raise RuntimeError(f"somebody stopped: {broken[0]!r}")
            took = time.monotonic() - began
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            ended = [name for name, process in running.others.items() if process.poll() is not None]
            verdict = await crowd.judged()
    finally:
        running.close()
    return {
        "machine": about, "minutes": took / 60, "acknowledged": crowd.acks, "per_s": crowd.acks / took, "seed": seed,
        "faults": dict(running.happened), "ended": ended, "kept": verdict.kept, "verdict": str(verdict),
        "memory": {
            name: {
                "first_mib": seen[min(len(seen) - 1, len(seen) // 10)][1] / 1024,
                "last_mib": seen[-1][1] / 1024,
                "highest_mib": percentile(sorted(kib for _, kib in seen), 1.0) / 1024,
                "kib_an_hour": slope(seen),
            }
            for name, seen in sorted(running.seen.items())
            if seen
        },
    }  # fmt: skip


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    lines = [
        f"{m['cpu']}, {m['cpus']} CPUs, load {m['load_before']} before",
        f"{found['minutes']:.0f} minutes, {found['acknowledged']:,} messages acknowledged, {found['per_s']:.0f} a"
        f" second, seed {found['seed']}; "
        + ", ".join(f"{name} {n} times" for name, n in sorted(found["faults"].items())),
        found["verdict"],
    ]
    for name, one in found["memory"].items():
        kept = name in KEPT
        grew = f"{one['kib_an_hour'] / 1024:+.2f} MiB an hour" if kept else "was killed now and then"
        goal = "" if not kept else ", reached" if one["kib_an_hour"] < GOAL_KIB_H else ", MISSED"
        lines.append(
            f"{name:<11} {one['first_mib']:6.1f} MiB after a tenth, {one['last_mib']:6.1f} at the end,"
            f" {one['highest_mib']:6.1f} at most; {grew}{goal}"
        )
    lines += [f"{name} ENDED by itself" for name in found["ended"]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=200, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wx-soak-") as name:
        os.chmod(name, 0o755)
        found = asyncio.run(measure(Path(name), asked.minutes, asked.rate, asked.seed))
    print(json.dumps(found) if asked.json else text(found))
    sys.exit(0 if found["kept"] and not found["ended"] else 1)


if __name__ == "__main__":
    main()
