"""The chat road under load: ``make bench``, or ``python -m benchmarks.chat [--quick] [--json]``.

Real hub processes over real embedded stores and real websockets, beside the naive build of ``benchmarks/naive.py``
that makes the same promise. All arrangements stand at the same time, each with stores and people of its own, and talk
in turns, so that a noisy minute meets all of them; figures are medians of the rounds. Servers run on one half of the
CPUs, the people on the other. What the columns mean: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.measure import end_on_term, halves, machine, memory_kib
from benchmarks.stage import Arrangement, NaiveStage, Stage

Round = dict[str, Any]
SYSTEMS = ("wangxin", "naive")
STAGES: dict[str, type[Stage]] = {"wangxin": Stage, "naive": NaiveStage}


@dataclass(frozen=True)
class Plan:
    sizes: tuple[int, ...]
    """Conversations at once; each has two people on lines of their own."""
    hubs: tuple[int, ...]
    rounds: int
    seconds: float
    warm_s: float
    rates: tuple[int, ...]
    """Messages a second of the open loop, at the first size."""
    idle: int
    """Silent lines whose memory is weighed."""


FULL = Plan((200, 2_000), (1, 2), 3, 3.0, 1.0, (300, 1_000, 5_000), 10_000)
QUICK = Plan((100,), (1,), 3, 1.0, 0.5, (300,), 500)


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def stages(folder: Path, arrangements: Sequence[Arrangement], load_cpus: set[int]) -> AsyncIterator[list[Stage]]:
    opened: list[Stage] = []
    try:
        for what in arrangements:
            tell(f"  {what.name}: stores, hubs and {what.conversations * 2 + what.idle:,} people are coming in")
            stage = STAGES[what.system](
                what, folder / f"{what.system}-{what.hubs}-{what.conversations}-{what.idle}", load_cpus
            )
            opened.append(stage)
            await stage.open(enter=what.conversations > 0)
        yield opened
    finally:
        for stage in opened:
            await stage.close()


async def closed_loop(plan: Plan, together: list[Stage]) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {stage.what.name: [] for stage in together}
    for n in range(plan.rounds):
        for stage in together if n % 2 == 0 else together[::-1]:
            found = await stage.ask("closed", seconds=plan.seconds, warm_s=plan.warm_s, watch=stage.watch())
            rounds[stage.what.name].append(found)
        told = ", ".join(f"{name} {found[-1]['per_s']:,.0f}/s" for name, found in rounds.items())
        tell(f"  round {n + 1} of {plan.rounds}: {told}")
    return rounds


async def open_loop(plan: Plan, together: list[Stage]) -> dict[str, dict[int, list[Round]]]:
    """Of those with one hub. A rate that is not held once is not tried again."""
    rounds: dict[str, dict[int, list[Round]]] = {}
    for rate in plan.rates:
        tell(f"  {rate:,} messages a second, whatever comes back")
        for _ in range(plan.rounds):
            for stage in together:
                found = rounds.setdefault(stage.what.name, {}).setdefault(rate, [])
                if stage.what.hubs > 1 or any(not report.held(rate, one) for one in found):
                    continue
                found.append(
                    await stage.ask("open", rate=rate, seconds=plan.seconds, warm_s=plan.warm_s, watch=stage.watch())
                )
    return {name: rates for name, rates in rounds.items() if any(rates.values())}


async def idle_memory(plan: Plan, folder: Path, load_cpus: set[int]) -> dict[str, dict[str, float]]:
    weighed: dict[str, dict[str, float]] = {}
    for system in SYSTEMS:
        async with stages(folder, [Arrangement(system, 1, 0, plan.idle)], load_cpus) as (stage,):
            before = memory_kib(stage.hubs[0].pid)
            came = await stage.enter()
            await asyncio.sleep(1.0)
            after = memory_kib(stage.hubs[0].pid)
            weighed[system] = {
                "lines": plan.idle,
                "kib_per_line": (after - before) / plan.idle,
                "hello_hub_us": came["cpu_us"]["hub"] / plan.idle,
                "hellos_per_s": plan.idle / came["seconds"],
            }
    return weighed


async def measure(plan: Plan) -> dict[str, Any]:
    end_on_term()
    server_cpus, load_cpus = halves()
    found: dict[str, Any] = {"machine": machine(), "server_cpus": len(server_cpus), "closed": {}, "open": {}}
    os.sched_setaffinity(0, server_cpus)  # stores and hubs inherit it; the clients choose their own
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        for size in plan.sizes:
            tell(f"{size:,} conversations")
            arrangements = [Arrangement(system, hubs, size) for system in SYSTEMS for hubs in plan.hubs]
            async with stages(folder, arrangements, load_cpus) as together:
                found["closed"][size] = await closed_loop(plan, together)
                if size == plan.sizes[0]:
                    found["open"] = await open_loop(plan, together)
        tell(f"{plan.idle:,} silent lines")
        found["idle"] = await idle_memory(plan, folder, load_cpus)
    found["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a short run: 100 conversations, one hub, 500 silent lines"
    )
    parser.add_argument("--json", action="store_true", help="every round as JSON on stdout instead of tables")
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = asyncio.run(measure(QUICK if asked.quick else FULL))
    print(json.dumps(found) if asked.json else report.text(found))


if __name__ == "__main__":
    main()
