"""``wangxin up``: everything on one machine, started in order, watched, restarted, and stopped cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import SecretStr

from wangxin.config import Settings
from wangxin.storage.embedded import CannotStart
from wangxin.storage.sockets import hub_socket
from wangxin.stores import Lock, Say, Stores, folder_ready, port_free

BACKOFF_S = (0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
STEADY_S = 30.0
"""A process that ran this long starts again at the shortest pause."""
STOP_S = 8.0
READY_S = 60.0


def _die_with_parent() -> None:
    """In the child: end when the supervisor does, however it ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@dataclass(slots=True)
class Child:
    """One process of ours: ``wangxin <words>``, or ``module`` run by itself. ``ready`` says when it serves;
    ``environment``: what it needs beside the others' settings."""

    name: str
    words: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    module: str = "wangxin"
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    restarts: int = field(default=0)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, environment: dict[str, str], log: IO[bytes]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, *self.words],
            env={**environment, **self.environment},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
            preexec_fn=_die_with_parent,
        )
        self.started = time.monotonic()

    def stopped(self, now: float) -> None:
        """It ended: plan the next start."""
        self.failures = 1 if now - self.started > STEADY_S else self.failures + 1
        self.due = now + BACKOFF_S[min(self.failures, len(BACKOFF_S)) - 1]
        self.process = None
        self.restarts += 1


def caller(host: str) -> socket.socket:
    """A socket to ask a port of ours with. While nobody listens there yet, the system may give the asker that very
    port, and connect it with itself: the port must stay free to bind all the same."""
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    line.settimeout(0.5)
    return line


def _answers(host: str, port: int) -> bool:
    try:
        wildcard = host in ("0.0.0.0", "::", "")  # noqa: S104 - asked for, not chosen here
        host = "127.0.0.1" if wildcard else host
        with caller(host) as line:
            line.connect((host, port))
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in line.recv(64)
    except OSError:
        return False


def _listening(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(0.5)
            line.connect(str(path))
            return True
    except OSError:
        return False


def demo_shop_address(settings: Settings) -> str:
    """Where the demo shop's own server will answer: the port after ours, or any that is free."""
    wanted = settings.port + 1 if settings.port < 65_535 and port_free("127.0.0.1", settings.port + 1) else 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", wanted))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/wangxin"


def children_of(settings: Settings, *, demo: Mapping[str, str] | None = None) -> list[Child]:
    """The processes of one installation, in the order in which they start. ``demo``: what the demo shop's needs."""
    children = [Child("dispatcher", ("dispatcher",))]
    for number in range(1, settings.hubs + 1):
        path = hub_socket(settings.data, str(number))
        children.append(Child(f"hub {number}", ("hub", "--node", str(number)), lambda path=path: _listening(path)))  # type: ignore[misc]
    children.append(Child("worker", ("worker",)))
    children.append(Child("web", ("web",), lambda: _answers(settings.host, settings.port)))
    if demo is not None:
        port = int(demo["DEMO_SHOP_PORT"])
        children.append(Child("demo shop", (), lambda: not port_free("127.0.0.1", port), "wangxin.demo_shop", demo))
        children.append(Child("demo shoppers", ("demo", "--shoppers")))
    return children


class Supervisor:
    """Runs the children until it is told to stop."""

    def __init__(self, settings: Settings, stores: Stores, children: Sequence[Child], say: Say) -> None:
        self.settings = settings
        self.stores = stores
        self.children = list(children)
        self._say = say
        self._log_path = settings.data / "log" / "wangxin.log"
        self._log: IO[bytes] = open(self._log_path, "ab")  # noqa: SIM115 - closed in stop()
        self.in_haste = False
        """Asked a second time to stop: do not wait."""

    def environment(self, postgres: str, valkey: str) -> dict[str, str]:
        """The settings of the children; secrets travel in the environment, never as arguments."""
        return {
            **os.environ,
            "WANGXIN_POSTGRES_URL": postgres,
            "WANGXIN_VALKEY_URL": valkey,
            "WANGXIN_DATA": str(self.settings.data.resolve()),
            "WANGXIN_DEMO": "1" if self.settings.demo else "0",
            "WANGXIN_DEMO_SHOP": self.settings.demo_shop,
            "PYTHONUNBUFFERED": "1",
        }

    async def start(self, environment: dict[str, str]) -> None:
        """Start every child and wait until each serves. Raises CannotStart naming the one that does not."""
        self._environment = environment
        for child in self.children:
            child.start(environment, self._log)
        deadline = time.monotonic() + READY_S
        for child in self.children:
            while not child.ready():
                if not child.running:
                    raise CannotStart(f"{child.name} stopped while starting. {self._tail()}")
                if time.monotonic() > deadline:
                    raise CannotStart(f"{child.name} did not come up within {READY_S:.0f} s. {self._tail()}")
                await asyncio.sleep(0.05)

    def _tail(self) -> str:
        lines = self._log_path.read_text(errors="replace").strip().splitlines()[-8:]
        return "\n".join([f"The last lines of {self._log_path}:", *lines])

    async def run(self) -> None:
        """Watch, and start again what ends; until cancelled."""
        back: set[str] = set()
        while True:
            await self.stores.keep(self._say)
            now = time.monotonic()
            for child in self.children:
                if child.process is not None and not child.running:
                    how = _ending(child.process.returncode)
                    child.stopped(now)
                    self._say(f"{child.name} stopped ({how}); again in {child.due - now:.1f} s")
                elif child.process is None and now >= child.due:
                    child.start(self._environment, self._log)
                    back.add(child.name)
                elif child.name in back and child.process is not None and child.ready():
                    back.discard(child.name)
                    self._say(f"{child.name} is running again (pid {child.process.pid})")
            await asyncio.sleep(0.2)

    async def stop(self) -> None:
        """Ask every child to end, wait, then insist; stores last, so that the others can finish their writing."""
        running = [(child, child.process) for child in self.children if child.process is not None and child.running]
        for _, process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        while not self.in_haste and any(child.running for child, _ in running) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for child, process in running:
            if child.running:
                self._say(f"{child.name} did not end by itself; ended by force")
                process.kill()
                process.wait()
        await asyncio.to_thread(self.stores.stop)
        self._log.close()


def _ending(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


Ready = Callable[[Supervisor, Any], None]
Fill = Callable[[Settings], Awaitable[tuple[Any, Mapping[str, str]]]]


async def up(settings: Settings, *, demo: bool, say: Say, ready: Ready, fill: Fill) -> None:
    """Start everything, call ``ready`` once all serve, and watch until SIGINT, SIGTERM or SIGHUP.

    ``fill`` is awaited after migration, when a demo shop is wanted; its first value goes to ``ready``, its second to
    the demo shop's own process. Raises CannotStart,
    NotUsable or MigrationChanged with one sentence and the way out; nothing is left running then.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    folder_ready(settings.data)
    lock = Lock(settings.data)
    try:
        if not port_free(settings.host, settings.port):
            raise CannotStart(
                f"Port {settings.port} on {settings.host} is taken."
                " Stop what uses it, or set WANGXIN_PORT to a free one."
            )
        work = asyncio.ensure_future(_up(settings, demo=demo, say=say, ready=ready, fill=fill, stopping=stopping))
        asked = asyncio.ensure_future(stopping.wait())
        await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        work.cancel()  # tells it to stop what it started
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        lock.release()


async def _up(settings: Settings, *, demo: bool, say: Say, ready: Ready, fill: Fill, stopping: asyncio.Event) -> None:
    """Start and watch until cancelled; then stop everything that was started."""
    from wangxin.storage.migrate import migrate

    stores = Stores(settings)
    supervisor: Supervisor | None = None
    try:
        say(stores.words)
        postgres, valkey = await stores.start()
        applied = await migrate(postgres)
        say(f"database ready ({len(applied)} migrations applied)" if applied else "database ready")
        full = settings.model_copy(
            update={
                "postgres_url": SecretStr(postgres),
                "valkey_url": SecretStr(valkey),
                "data": settings.data.resolve(),
                "demo": settings.demo or demo,
            }
        )
        filled, shop = None, None
        if demo:
            full = full.model_copy(update={"demo_shop": demo_shop_address(full)})
            filled, shop = await fill(full)
        supervisor = Supervisor(full, stores, children_of(full, demo=shop), say)
        say(f"starting {', '.join(child.name for child in supervisor.children)}")
        await supervisor.start(supervisor.environment(postgres, valkey))
        ready(supervisor, filled)
        await supervisor.run()
    finally:
        say("stopping")
        if supervisor is None:
            await asyncio.to_thread(stores.stop)
        else:
            stopping.clear()
            haste = asyncio.ensure_future(_hear_haste(stopping, supervisor))
            await supervisor.stop()
            haste.cancel()
        say(f"stopped; the data stay in {settings.data}")


async def _hear_haste(asked: asyncio.Event, supervisor: Supervisor) -> None:
    await asked.wait()
    supervisor.in_haste = True
