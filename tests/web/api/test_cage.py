"""What is uploaded is read by a process that reaches nothing, holds no secret, and ends.

Bombs, and the largest pictures that are taken: ``tests/faults/test_uploads.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import psutil
import pytest

from tests.web.api.test_media import picture
from wangxin.model.refusals import Refusal
from wangxin.web.cage import Bounds, caged

_TRIES = """
import json, os, socket, sys
from wangxin.web.cage import seal
held = seal(memory=256 * 2**20, cpu_s=20)
def fails(what):
    try:
        what()
    except (OSError, MemoryError) as why:
        return type(why).__name__
    return ""
def call(kind, to):
    with socket.socket(socket.AF_INET, kind) as one:
        one.connect(to)
        one.send(b"x")
print(json.dumps({
    "held": sorted(held),
    "read": fails(lambda: open("/etc/passwd").read()),
    "write": fails(lambda: open("/tmp/wangxin-cage", "w").write("x" * 10)),
    "list": fails(lambda: os.listdir("/")),
    "tcp": fails(lambda: call(socket.SOCK_STREAM, ("127.0.0.1", int(sys.argv[1])))),
    "udp": fails(lambda: call(socket.SOCK_DGRAM, ("192.0.2.1", 53))),
    "memory": fails(lambda: bytearray(512 * 2**20)),
}))
"""


async def test_a_child_opens_no_file_calls_no_address_and_takes_no_more_memory() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _TRIES, str(port)], capture_output=True, text=True, timeout=60
    )
    server.close()
    found = json.loads(done.stdout)
    assert found["memory"] == "MemoryError"
    assert found["write"] != "", "nothing is written, whatever the system"
    if "files" in found["held"]:
        assert (found["read"], found["list"]) == ("PermissionError", "PermissionError")
    if "network" in found["held"]:
        assert found["tcp"] != ""
        assert found["udp"] != ""
    if os.uname().release.split(".")[0] >= "6" and os.geteuid() == 0:
        assert found["held"] == ["files", "network"]


async def test_a_child_is_handed_no_setting_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGXIN_SECRET", "s" * 43)
    seen: dict[str, Any] = {}
    real = asyncio.create_subprocess_exec

    async def looked_at(*words: str, **how: Any) -> Any:
        seen.update(how["env"])
        return await real(*words, **how)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", looked_at)
    await caged("wangxin.web.picture_child", picture(), Bounds(2**30, 20_000, "media.broken", "media.too_large", ""))
    assert "PATH" in seen
    assert not [name for name in seen if name.startswith("WANGXIN")]


async def test_a_child_that_does_not_end_is_ended_and_its_code_is_told() -> None:
    endless = Bounds(2**30, 10, "media.broken", "media.too_large", "the picture cannot be read")
    with pytest.raises(Refusal, match=r"media\.broken"):
        await caged("wangxin.web.picture_child", picture(), endless)
    with pytest.raises(Refusal, match=r"media\.broken"):
        await caged("wangxin.web.no_such_child", picture(), replace(endless, ms=20_000))
    assert not [one for one in psutil.Process().children() if "picture_child" in " ".join(one.cmdline())]
