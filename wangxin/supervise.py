"""``wangxin up``: everything on one machine, started in order, watched, restarted, and stopped cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from wangxin.config import Settings
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.sockets import hub_socket

Say = Callable[[str], None]
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
    """One process of ours: ``wangxin <words>``. ``ready`` says when it serves."""

    name: str
    words: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
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
            [sys.executable, "-m", "wangxin", *self.words],
            env=environment,
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


def port_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _answers(host: str, port: int) -> bool:
    try:
        wildcard = host in ("0.0.0.0", "")  # noqa: S104 - asked for, not chosen here
        with socket.create_connection(("127.0.0.1" if wildcard else host, port), timeout=0.5) as line:
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


class Stores:
    """The two servers, embedded or named by URL; starts again whichever of the embedded ones exits."""

    def __init__(self, settings: Settings) -> None:
        self.postgres = EmbeddedPostgres(settings.data) if settings.embedded_postgres else None
        self.valkey = EmbeddedValkey(settings.data) if settings.embedded_valkey else None
        self._urls = (settings.postgres_url, settings.valkey_url)

    async def start(self) -> tuple[str, str]:
        """Returns the URLs of PostgreSQL and Valkey."""
        postgres, valkey = await asyncio.gather(
            self.postgres.start()
            if self.postgres
            else _value(self._urls[0].get_secret_value() if self._urls[0] else ""),
            self.valkey.start() if self.valkey else _value(self._urls[1].get_secret_value() if self._urls[1] else ""),
        )
        return postgres, valkey

    async def keep(self, say: Say) -> None:
        for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
            if server is not None and not server.running:
                say(f"{name} stopped; starting it again")
                try:
                    await server.start()
                    say(f"{name} is back")
                except CannotStart as why:
                    say(f"{name} does not start: {why}")

    def stop(self) -> None:
        if self.valkey is not None:
            self.valkey.stop()
        if self.postgres is not None:
            self.postgres.stop()


async def _value(text: str) -> str:
    return text


def folder_ready(data: Path) -> None:
    """Make the data folder; raises CannotStart with the way out where that is impossible."""
    try:
        for folder in (data, data / "log", data / "secret"):
            folder.mkdir(parents=True, exist_ok=True)
        (data / "secret").chmod(0o700)
        probe = data / ".write"
        probe.touch()
        probe.unlink()
    except OSError as why:
        raise CannotStart(
            f"The data folder {data} cannot be written ({why.strerror}). Set WANGXIN_DATA to a folder of yours."
        ) from None


class Lock:
    """One supervisor a data folder."""

    def __init__(self, data: Path) -> None:
        self._file = open(data / "up.lock", "w")  # noqa: SIM115 - held open while we run
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"wangxin is already running on {data}. Stop it there first, or set WANGXIN_DATA to another folder."
            ) from None

    def release(self) -> None:
        self._file.close()


def children_of(settings: Settings, *, demo: bool) -> list[Child]:
    """The processes of one installation, in the order in which they start."""
    children = [Child("dispatcher", ("dispatcher",))]
    for number in range(1, settings.hubs + 1):
        path = hub_socket(settings.data, str(number))
        children.append(Child(f"hub {number}", ("hub", "--node", str(number)), lambda path=path: _listening(path)))  # type: ignore[misc]
    children.append(Child("worker", ("worker",)))
    children.append(Child("web", ("web",), lambda: _answers(settings.host, settings.port)))
    if demo:
        children.append(Child("demo shoppers", ("demo", "--shoppers")))
    return children


class Supervisor:
    """Runs the children until it is told to stop."""

    def __init__(self, settings: Settings, stores: Stores, children: Sequence[Child], say: Say) -> None:
        self.settings = settings
        self.stores = stores
        self.children = list(children)
        self._say = say
        self._stopping = asyncio.Event()
        self._log: IO[bytes] = open(settings.data / "log" / "wangxin.log", "ab")  # noqa: SIM115 - closed in stop()

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def environment(self, postgres: str, valkey: str) -> dict[str, str]:
        """The settings of the children; secrets travel in the environment, never as arguments."""
        return {
            **os.environ,
            "WANGXIN_POSTGRES_URL": postgres,
            "WANGXIN_VALKEY_URL": valkey,
            "WANGXIN_DATA": str(self.settings.data.resolve()),
            "WANGXIN_DEMO": "1" if self.settings.demo else "0",
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
                    raise CannotStart(f"{child.name} stopped while starting:\n{self._tail()}")
                if time.monotonic() > deadline:
                    raise CannotStart(f"{child.name} did not come up within {READY_S:.0f} s:\n{self._tail()}")
                if self._stopping.is_set():
                    return
                await asyncio.sleep(0.05)

    def _tail(self) -> str:
        text = (self.settings.data / "log" / "wangxin.log").read_text(errors="replace")
        return "\n".join(text.strip().splitlines()[-8:])

    async def run(self) -> None:
        """Watch until asked to stop."""
        while not self._stopping.is_set():
            await self.stores.keep(self._say)
            now = time.monotonic()
            for child in self.children:
                if child.process is not None and not child.running:
                    code = child.process.returncode
                    child.stopped(now)
                    self._say(f"{child.name} stopped (exit {code}); again in {child.due - now:.1f} s")
                elif child.process is None and now >= child.due:
                    child.start(self._environment, self._log)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.25)

    async def stop(self) -> None:
        """Ask every child to end, wait, then insist; stores last, so that the others can finish their writing."""
        running = [child for child in self.children if child.running and child.process is not None]
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()  # type: ignore[union-attr]
        deadline = time.monotonic() + STOP_S
        while any(child.running for child in running) and time.monotonic() < deadline:  # noqa: ASYNC110 - processes
            await asyncio.sleep(0.05)
        for child in running:
            if child.running:
                self._say(f"{child.name} did not end in {STOP_S:.0f} s; ended by force")
                child.process.kill()  # type: ignore[union-attr]
                child.process.wait()  # type: ignore[union-attr]
        await asyncio.to_thread(self.stores.stop)
        self._log.close()


async def up(settings: Settings, *, demo: bool, say: Say, ready: Callable[[Supervisor, Any], None], fill: Any) -> None:
    """Start everything, call ``ready`` once all serve, and watch until SIGINT or SIGTERM.

    ``fill`` is awaited after migration, when a demo shop is wanted; its value goes to ``ready``. Raises CannotStart
    with one sentence and the way out.
    """
    from wangxin.storage.migrate import migrate

    folder_ready(settings.data)
    lock = Lock(settings.data)
    try:
        if not port_free(settings.host, settings.port):
            raise CannotStart(
                f"Port {settings.port} on {settings.host} is taken."
                " Stop what uses it, or set WANGXIN_PORT to a free one."
            )
        stores = Stores(settings)
        say("starting PostgreSQL and Valkey")
        try:
            postgres, valkey = await stores.start()
            applied = await migrate(postgres)
            say(f"database ready ({len(applied)} migrations applied)" if applied else "database ready")
            full = settings.model_copy(
                update={
                    "postgres_url": _secret(postgres),
                    "valkey_url": _secret(valkey),
                    "data": settings.data.resolve(),
                    "demo": settings.demo or demo,
                }
            )
            filled = await fill(full) if demo else None
            supervisor = Supervisor(full, stores, children_of(full, demo=demo), say)
        except BaseException:
            stores.stop()
            raise
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.ask_to_stop)
        try:
            say(f"starting {', '.join(child.name for child in supervisor.children)}")
            await supervisor.start(supervisor.environment(postgres, valkey))
            ready(supervisor, filled)
            await supervisor.run()
        finally:
            say("stopping")
            await supervisor.stop()
    finally:
        lock.release()


def _secret(text: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(text)
