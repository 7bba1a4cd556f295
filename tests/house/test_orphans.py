"""Nothing of an installation outlives the process that keeps it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wangxin.app import until_stopped
from wangxin.work import _RQ_CHILD

KEEPER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
print(child.pid, flush=True)
time.sleep(600)
"""


def lives(pid: int) -> bool:
    """A process that has ended and was not yet taken note of does not live."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_rq_worker_ends_though_its_keeper_died_before_it_could_ask_to_be_told(tmp_path: Path) -> None:
    nowhere = {
        "WANGXIN_DATA": str(tmp_path), "WANGXIN_VALKEY_URL": f"unix://{tmp_path}/no-valkey",
        "WANGXIN_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none", "WANGXIN_SECRET": "k" * 48,
    }  # fmt: skip
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, _RQ_CHILD], env={**os.environ, **nowhere}, stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdout is not None
    child = int(keeper.stdout.readline())
    assert lives(child)
    keeper.kill()
    keeper.wait(10)
    deadline = time.monotonic() + 60
    while lives(child):
        assert time.monotonic() < deadline, "it works on for nobody"
        time.sleep(0.1)


async def test_a_part_that_ends_untold_ends_its_process_with_an_error() -> None:
    async def ends() -> None: ...

    async def goes_on() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nobody told it to"):
        await until_stopped(goes_on(), ends())
