"""Finds the one Valkey server that takes our writes, where several stand in for each other.

Every key of ours, rq's included, has the hash tag ``{wx}``: in a cluster all of it lies in one slot, so that what is
done in one step on a single server is done in one step there. A connection asks its way anew each time it is opened;
when its server turns out to be the primary no longer, it closes, as if the server had gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import redis
import redis.asyncio as aioredis
import redis.asyncio.connection as aside
import redis.connection as blocking
from redis.asyncio.retry import Retry as AsideRetry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, AuthenticationError, ClusterDownError, MasterDownError, ReadOnlyError, RedisError
from redis.retry import Retry

SLOT = key_slot(b"{wx}")
ASK_S = 1.0
"""A machine that is frozen takes connections and says nothing: the next one is asked after this long."""
SCHEMES = ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
FORMS = (
    "redis+sentinel://:password@host1:26379,host2:26379,host3:26379/service",
    "redis+cluster://:password@host1:6379,host2:6379,host3:6379",
)
NOT_THE_ONE = (ReadOnlyError, AskError, ClusterDownError, MasterDownError)  # MOVED is an AskError
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """What a URL with several hosts says."""

    kind: Literal["sentinel", "cluster"]
    places: tuple[Place, ...]
    service: str
    """The name under which the Sentinels watch the primary."""
    login: dict[str, Any]
    asking: dict[str, Any]
    """The login of the servers that are asked for the way."""
    tls: bool

    @property
    def words(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.places)

    def question(self) -> tuple[str, ...]:
        if self.kind == "sentinel":
            return ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return ("CLUSTER", "SLOTS")

    def read(self, answer: Any, asked: Place) -> Place | None:
        """The primary in an answer; None: it names none."""
        if self.kind == "sentinel":
            return (_text(answer[0]), int(answer[1])) if answer else None
        for first, last, primary, *_ in answer or ():
            if first <= SLOT <= last:
                return _text(primary[0]) or asked[0], int(primary[1])  # no name: the host that was asked
        return None

    def client(self, place: Place) -> dict[str, Any]:
        """The arguments of a connection that only asks."""
        return {
            "host": place[0], "port": place[1], "ssl": self.tls, "socket_timeout": ASK_S,
            "socket_connect_timeout": ASK_S, **self.asking,
        }  # fmt: skip

    def nobody(self, whys: list[BaseException]) -> redis.ConnectionError:
        refused = [why for why in whys if isinstance(why, AuthenticationError)]
        if refused:
            return AuthenticationError(str(refused[0]))
        said = f" ({whys[-1]})" if whys else ""
        return redis.ConnectionError(f"none of {self.words} names a primary{said}")


def group_of(url: str) -> Group | None:
    """The group that a URL names; None: it names one server. Raises ValueError for what cannot be read."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        return None
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    tls, kind = parts.scheme.startswith("rediss"), parts.scheme.partition("+")[2]
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(options) - {"db", "sentinel_username", "sentinel_password"}):
        raise ValueError(f"{unknown[0]} is unknown")
    service = parts.path.strip("/")
    if kind == "cluster":
        if service or options:
            raise ValueError("a cluster has one database and no service")
        asked = _login(unquote(user), unquote(password))
        return Group("cluster", _places(hosts, 6379), "", asked, asked, tls)
    if not service:
        raise ValueError("the name of the service is missing")
    own = {**_login(unquote(user), unquote(password)), "db": int(options.get("db", "0"))}
    asked = _login(options.get("sentinel_username", ""), options.get("sentinel_password", ""))
    return Group("sentinel", _places(hosts, 26379), service, own, asked, tls)


def _places(hosts: str, port: int) -> tuple[Place, ...]:
    found = []
    for host in hosts.split(","):
        one = urlsplit(f"//{host}")
        if not one.hostname:
            raise ValueError("a host is missing")
        found.append((one.hostname, one.port or port))
    return tuple(found)


def _login(user: str, password: str) -> dict[str, Any]:
    return {name: value for name, value in (("username", user), ("password", password)) if value}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


async def find(group: Group) -> Place:
    """Ask one after the other where the primary is."""
    whys: list[BaseException] = []
    for place in group.places:
        one = aioredis.Redis(**group.client(place), retry=AsideRetry(NoBackoff(), 0))
        try:
            found = group.read(await one.execute_command(*group.question()), place)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as why:
            whys.append(why)
        else:
            if found is not None:
                return found
        finally:
            await one.aclose()
    raise group.nobody(whys)


def find_blocking(group: Group) -> Place:
    whys: list[BaseException] = []
    for place in group.places:
        one = redis.Redis(**group.client(place), retry=Retry(NoBackoff(), 0))
        try:
            found = group.read(one.execute_command(*group.question()), place)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as why:
            whys.append(why)
        else:
            if found is not None:
                return found
        finally:
            one.close()
    raise group.nobody(whys)


class _Aside(aside.Connection):
    def __init__(self, *, group: Group, **others: Any) -> None:
        self._group = group
        super().__init__(**others)

    async def _connect(self) -> None:
        self.host, self.port = await find(self._group)
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **others: Any) -> Any:
        try:
            return await super().read_response(*args, **others)
        except NOT_THE_ONE as why:
            await self.disconnect(nowait=True)
            raise redis.ConnectionError(f"{self.host}:{self.port} is the primary no longer ({why})") from why


class _AsideTls(_Aside, aside.SSLConnection):
    pass


class _Blocking(blocking.Connection):
    def __init__(self, *, group: Group, **others: Any) -> None:
        self._group = group
        super().__init__(**others)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = find_blocking(self._group)
        return super()._connect()  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **others: Any) -> Any:
        try:
            return super().read_response(*args, **others)
        except NOT_THE_ONE as why:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError(f"{self.host}:{self.port} is the primary no longer ({why})") from why


class _BlockingTls(_Blocking, blocking.SSLConnection):
    pass


def connect(group: Group, *, retries: int, **others: Any) -> Any:
    """An asyncio client of whoever is the primary when a connection opens."""
    pool = aside.ConnectionPool(
        connection_class=_AsideTls if group.tls else _Aside,
        group=group, retry=AsideRetry(NoBackoff(), retries), **group.login, **others,
    )  # fmt: skip
    return aioredis.Redis.from_pool(pool)


def connect_blocking(group: Group, **others: Any) -> Any:
    pool = blocking.ConnectionPool(
        connection_class=_BlockingTls if group.tls else _Blocking,
        group=group, retry=Retry(NoBackoff(), 1), **group.login, **others,
    )  # fmt: skip
    return redis.Redis.from_pool(pool)
