"""The two servers an installation stands on: embedded ones, started and kept, or real ones, named by URL and asked."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import redis
from pydantic import SecretStr

from wangxin.config import Settings
from wangxin.storage import hosts, primary
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.postgres import TRANSIENT, check_settings
from wangxin.storage.valkey import connect_blocking

Say = Callable[[str], None]
PATIENCE_S = 10.0
"""How long a real server may still be starting before we say that it does not answer."""
VALKEY_LEAST, REDIS_LEAST = (7, 2), (7, 0)


class Stores:
    """The two servers, embedded or named by URL; starts again whichever of the embedded ones exits."""

    def __init__(self, settings: Settings) -> None:
        self.postgres = EmbeddedPostgres(settings.data) if settings.embedded_postgres else None
        self.valkey = EmbeddedValkey(settings.data) if settings.embedded_valkey else None
        self._urls = (settings.postgres_url, settings.valkey_url)

    @property
    def words(self) -> str:
        """What starting them means, for the screen."""
        named = (("PostgreSQL", self.postgres), ("Valkey", self.valkey))
        ours = " and ".join(name for name, server in named if server)
        given = " and ".join(name for name, server in named if not server)
        return ", ".join(f"{verb} {names}" for verb, names in (("starting", ours), ("asking", given)) if names)

    async def start(self, patience_s: float = PATIENCE_S) -> tuple[str, str]:
        """Returns the URLs of PostgreSQL and Valkey once both answer. Raises CannotStart."""
        postgres_url, valkey_url = (url.get_secret_value() if url else "" for url in self._urls)
        started = await asyncio.gather(
            self.postgres.start() if self.postgres else _given(postgres_url, reach_postgres, patience_s),
            self.valkey.start() if self.valkey else _given(valkey_url, reach_valkey, patience_s),
        )
        return started[0], started[1]

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


async def _given(url: str, reach: Callable[[str, float], Awaitable[None]], patience_s: float) -> str:
    await reach(url, patience_s)
    return url


def place_of(url: str) -> str:
    """Host and port, or socket, of a URL: what may be shown of it."""
    parts = urlsplit(url)
    if "," in parts.netloc:
        return parts.netloc.rpartition("@")[2]
    host = parts.hostname or "".join(parse_qs(parts.query).get("host", [])) or parts.path
    return f"{host}:{parts.port}" if parts.port else host


async def reach_postgres(url: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until the server of WANGXIN_POSTGRES_URL answers; raises CannotStart (with the way out) or NotUsable."""
    try:
        place = place_of(url)
    except ValueError as why:
        raise CannotStart(_UNREADABLE.format(name="POSTGRES", why=why, form=_POSTGRES_FORM)) from None
    deadline = time.monotonic() + patience_s
    while True:
        try:
            conn = await hosts.connect(url, timeout=5)
            break
        except (asyncpg.exceptions.ClientConfigurationError, ValueError) as why:
            raise CannotStart(_UNREADABLE.format(name="POSTGRES", why=why, form=_POSTGRES_FORM)) from None
        except asyncpg.exceptions.InvalidAuthorizationSpecificationError as why:
            raise CannotStart(
                f"PostgreSQL at {place} refuses the login ({why}). Correct name and password in WANGXIN_POSTGRES_URL."
            ) from None
        except asyncpg.exceptions.InvalidCatalogNameError as why:
            raise CannotStart(
                f"PostgreSQL at {place} answers, but {why}. Make it with `createdb`, or correct WANGXIN_POSTGRES_URL."
            ) from None
        except asyncpg.exceptions.TargetServerAttributeNotMatched:
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"PostgreSQL at {place} only reads: it is a standby. Name the primary in WANGXIN_POSTGRES_URL, or"
                    " all servers of which one may be it: postgresql://name:password@host1,host2/database."
                ) from None
            await asyncio.sleep(0.25)
        except TRANSIENT as why:
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"PostgreSQL at {place} does not answer ({_words(why)})."
                    " Start it, correct WANGXIN_POSTGRES_URL, or unset it to use the embedded server."
                ) from None
            await asyncio.sleep(0.25)
    try:
        await check_settings(conn)
    finally:
        await conn.close()


async def reach_valkey(url: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until the server of WANGXIN_VALKEY_URL answers and is new enough; raises CannotStart with the way out."""
    try:
        group, connection = primary.group_of(url), connect_blocking(url)
        place = group.words if group else place_of(url)
    except ValueError as why:
        form = " or ".join(("redis://:password@host:6379/0", "unix:///path/to.sock", *primary.FORMS))
        raise CannotStart(_UNREADABLE.format(name="VALKEY", why=why, form=form)) from None
    deadline = time.monotonic() + patience_s
    try:
        while True:
            try:
                found = await asyncio.to_thread(connection.info, "server")
                break
            except redis.AuthenticationError as why:
                raise CannotStart(
                    f"Valkey at {place} refuses the login ({why}). Correct the password in WANGXIN_VALKEY_URL."
                ) from None
            except (redis.RedisError, OSError) as why:
                if time.monotonic() > deadline:
                    raise CannotStart(
                        f"Valkey at {place} does not answer ({_words(why)})."
                        " Start it, correct WANGXIN_VALKEY_URL, or unset it to use the embedded server."
                    ) from None
                await asyncio.sleep(0.25)
    finally:
        connection.close()
    is_valkey = "valkey_version" in found
    version = str(found["valkey_version" if is_valkey else "redis_version"])
    least = VALKEY_LEAST if is_valkey else REDIS_LEAST
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        name = "Valkey" if is_valkey else "Redis"
        raise CannotStart(f"{name} {least[0]}.{least[1]} or newer is needed; the server at {place} is {version}.")


def _words(why: BaseException) -> str:
    return str(why).splitlines()[0] if str(why) else type(why).__name__


_POSTGRES_FORM = "postgresql://name:password@host:5432/database"
_UNREADABLE = "WANGXIN_{name}_URL cannot be read ({why}). It has the form {form}."


def stores_of(settings: Settings) -> Settings:
    """The settings with both URLs set, for commands that join a running installation.

    Raises CannotStart with the way out where an embedded server is not running.
    """
    update: dict[str, SecretStr] = {}
    if settings.postgres_url is None:
        postgres = EmbeddedPostgres(settings.data)
        if not postgres.look():
            raise CannotStart(_NOT_RUNNING.format(store="PostgreSQL", data=settings.data, name="POSTGRES"))
        update["postgres_url"] = SecretStr(postgres.url)
    if settings.valkey_url is None:
        valkey = EmbeddedValkey(settings.data)
        if not valkey.look():
            raise CannotStart(_NOT_RUNNING.format(store="Valkey", data=settings.data, name="VALKEY"))
        update["valkey_url"] = SecretStr(valkey.url)
    return settings.model_copy(update=update)


_NOT_RUNNING = (
    "No {store} is running for the data folder {data}. Start everything with `wangxin up` (or `make run`),"
    " or set WANGXIN_{name}_URL."
)


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
            self._file.close()
            raise CannotStart(
                f"wangxin is already running on {data}. Stop it there first, or set WANGXIN_DATA to another folder."
            ) from None

    def release(self) -> None:
        self._file.close()


def port_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
