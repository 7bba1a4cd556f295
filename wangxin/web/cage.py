"""A process for one upload, in which nothing else can be reached: what breaks a reader breaks only this.

Parent side: ``caged(module, content, bounds)``. Child side: ``main(work, bounds)`` of that module, which reads the
upload on stdin and writes one line of JSON and then bytes. Between the two it shuts itself in: bounds on memory and
time, nothing written, and, where the system allows it, no file opened and no address reached any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from wangxin.model import limits
from wangxin.model.refusals import Refusal

_at_once = asyncio.Semaphore(limits.UPLOADS_AT_ONCE)
_KEPT_ENV = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""No setting of ours: a child holds no secret."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``broken``: the code where the child ends without an answer; ``too_large``: where its memory does not do."""

    memory: int
    ms: int
    broken: str
    too_large: str
    words: str


Work = Callable[[bytes], tuple[dict[str, Any], Sequence[bytes]]]


async def caged(module: str, content: bytes, bounds: Bounds) -> tuple[dict[str, Any], bytes]:
    """(what it found, further bytes). Raises what the child refused, or ``bounds.broken``."""
    async with _at_once:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=2**20, env={name: os.environ[name] for name in _KEPT_ENV if name in os.environ},
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(child.communicate(content), bounds.ms / 1_000)
        except TimeoutError:
            raise Refusal(bounds.broken, bounds.words, status=422) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    head, _, rest = out.partition(b"\n")
    if child.returncode != 0 or not head:
        raise Refusal(bounds.broken, bounds.words, status=422)
    found: dict[str, Any] = orjson.loads(head)
    if "code" in found:
        raise Refusal(found["code"], found["detail"], field=found["field"], status=found["status"])
    return found, rest


def main(work: Work, bounds: Bounds) -> int:
    """The whole life of a child."""
    content = sys.stdin.buffer.read()
    seal(memory=bounds.memory, cpu_s=bounds.ms // 1_000)
    try:
        found, parts = work(content)
        sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
        for part in parts:
            sys.stdout.buffer.write(part)
    except Refusal as why:
        _refuse(why)
    except MemoryError:
        _refuse(Refusal(bounds.too_large, bounds.words, status=422))
    return 0


def _refuse(why: Refusal) -> None:
    told = {"code": why.code, "detail": why.detail, "field": why.field, "status": why.status}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


# --- shut in -------------------------------------------------------------------------------------------------------
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same number on every machine
_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of Landlock knows; later ones as the fifth."""


def without_network() -> bool:
    """From here on this process reaches no address, where the system lets it shut itself in."""
    with contextlib.suppress(AttributeError):
        return bool(ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NET) == 0)
    return False


def seal(*, memory: int, cpu_s: int) -> frozenset[str]:
    """From here on this process has so much, and reaches nothing. Returns what holds beside the bounds: ``files`` (none
    can be opened), ``network`` (no address can be reached). A system that knows neither leaves the bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(what, (0, 0))
    held = {"network"} if without_network() else set()
    if not sys.platform.startswith("linux"):
        return frozenset(held)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version >= 1:
        files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
        rules = struct.pack("=Q", files)
        if version >= 4:
            rules += struct.pack("=Q", 0b11)  # TCP: to be called, to call
        if version >= 6:
            rules += struct.pack("=Q", 0b11)  # other processes' sockets and signals
        ruleset = libc.syscall(_CREATE_RULESET, rules, len(rules), 0)
        if ruleset >= 0 and libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0:
            held.add("files")
    return frozenset(held)
