"""What the bot costs its neighbours: a hub's acknowledgements while a process beside it understands; memory a shop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import halves, median, memory_kib
from benchmarks.stage import Arrangement, Stage
from menus.demo import questions
from menus.understand.matcher import Matcher
from menus.understand.pinyin import PinyinRepair
from menus.understand.topics import shop_router
from menus.understand.words import Words

RATE = 300
SECONDS = 4.0
ROUNDS = 5
SHOPS = 100


def _phrasings(shop: int = 0) -> list[tuple[str, str]]:
    return [(f"{shop}-{one['id']}", text) for one in questions() for text in one["phrasings"]]


def understand(per_s: float) -> None:
    """As a worker does: matcher and topics for each question, so many a second (0: without pause), until killed."""
    matcher, router = Matcher(_phrasings()), shop_router()
    matcher.listen()
    texts = [text for _, text in _phrasings()]
    print("ready", flush=True)
    began, n = time.monotonic(), 0
    while True:
        matcher.match(texts[n % len(texts)] + "呢")
        router.route(texts[n % len(texts)])
        n += 1
        if per_s:
            time.sleep(max(0.0, began + n / per_s - time.monotonic()))


@contextlib.contextmanager
def _beside(per_s: float | None) -> Iterator[None]:
    if per_s is None:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.bot_beside", str(per_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as bot:
        assert bot.stdout is not None
        bot.stdout.readline()
        try:
            yield
        finally:
            bot.kill()


async def _hub() -> None:
    server_cpus, load_cpus = halves()
    cases: dict[str, float | None] = {"no bot": None, "50 questions a second": 50.0, "questions without a pause": 0.0}
    found: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in cases}
    os.sched_setaffinity(0, server_cpus)  # stores, hub and bot inherit it: they share one half of the CPUs
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as name:
        os.chmod(name, 0o755)
        stage = Stage(Arrangement("wangxin", 1, 100), Path(name) / "beside", load_cpus)
        try:
            await stage.open()
            for _ in range(ROUNDS):
                for case, per_s in cases.items():
                    with _beside(per_s):
                        asked = stage.ask("open", rate=RATE, seconds=SECONDS, warm_s=0.5, watch=stage.watch())
                        found[case].append(await asked)
        finally:
            await stage.close()
    print(f"acknowledgements of one hub at {RATE} messages a second, the bot in a process of its own on the same CPUs:")
    for case, rounds in found.items():
        p50, p99 = (median(one["ack_ms"][key] for one in rounds) for key in ("p50", "p99"))
        print(f"  {case:28s} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms (median of {len(rounds)} rounds)")


def _memory() -> None:
    words = Words()
    PinyinRepair((), ()).repair("shenme")
    shop_router()
    before = memory_kib(os.getpid())
    spent = time.process_time()
    kept = [Matcher(_phrasings(shop), words) for shop in range(SHOPS)]
    for matcher in kept:
        matcher.listen()
    spent = time.process_time() - spent
    each = (memory_kib(os.getpid()) - before) / SHOPS
    print(f"dictionaries, topics and everything shared: {before / 1024:.0f} MiB a process, once")
    print(
        f"a shop of {len(questions())} questions in {len(_phrasings())} phrasings: {each:.0f} KiB and"
        f" {spent / SHOPS * 1000:.0f} ms of CPU to read; 1,000 such shops: {each * 1000 / 1024:.0f} MiB"
    )


def beside() -> None:
    _memory()
    asyncio.run(_hub())


if __name__ == "__main__":
    understand(float(sys.argv[1]))
