"""`wangxin up` as a newcomer starts it: a real process, read line by line."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.places import folder_for
from tests.web.house import free_port

PATIENCE_S = 120.0


def environment(**more: str) -> dict[str, str]:
    """This environment without settings of ours, and with ``more``."""
    return {k: v for k, v in os.environ.items() if not k.startswith("WANGXIN_")} | more


def wangxin(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command, run to its end from a folder without settings."""
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(
            [sys.executable, "-m", "wangxin", *words], capture_output=True, text=True, timeout=PATIENCE_S,
            env=environment(PYTHONPATH=str(Path(__file__).parents[2]), **settings), cwd=elsewhere,
        )  # fmt: skip


@contextmanager
def data_folder() -> Iterator[Path]:
    with folder_for("wx-house-") as folder:
        yield folder


@dataclass
class Up:
    """A running ``wangxin up``. ``said`` is what it printed so far."""

    data: Path
    words: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wangxin", "up", *self.words],
            env=environment(WANGXIN_DATA=str(self.data), WANGXIN_PORT=str(self.port), **self.settings),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def until(self, pattern: str) -> re.Match[str]:
        """The next printed line that matches. Raises AssertionError with everything it said."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never said {pattern!r}:\n" + "\n".join(self.said)) from None
            if line is None:
                raise AssertionError(f"ended without saying {pattern!r}:\n" + "\n".join(self.said))
            self.said.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    @property
    def pids(self) -> dict[str, int]:
        """Name of a process -> its pid, as the screen shows them."""
        rows = (re.match(r"up +(.+?) +pid (\d+)", line) for line in self.said)
        return {row[1]: int(row[2]) for row in rows if row}

    def family(self) -> list[psutil.Process]:
        """Every process that lives below this one."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def get(self, path: str, token: str = "", body: dict[str, Any] | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()

    def stop(self, number: int = signal.SIGINT) -> list[psutil.Process]:
        """Ask it to stop and wait; returns those of its family that are still there."""
        family = self.family()
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
            self.said.append(line)
        _, left = psutil.wait_procs(family, timeout=5)
        return left


@contextmanager
def up(data: Path, *words: str, **settings: str) -> Iterator[Up]:
    running = Up(data, words, settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            family = running.family()
            running.process.terminate()
            try:
                running.process.wait(60)
            except subprocess.TimeoutExpired:
                for process in [*family, psutil.Process(running.process.pid)]:
                    process.kill()
