"""Which of several PostgreSQL servers is the primary: a URL may name all of them, and any of them may take over.

``postgresql://wangxin:…@db1,db2:5433/wangxin`` names two. Whoever connects finds the one that writes; a standby
that has been promoted is found when the line to its predecessor breaks. A predecessor that comes back as it was, still
taking itself for the primary, is known by its timeline, which grows with every promotion.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

HOST_S = 4.0
"""How long one of several servers may take to answer before it counts as gone."""
_TIMELINE = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"


class LeftBehind(ConnectionError):
    """A server that takes itself for the primary, and was replaced by one that was promoted."""


def each_host(url: str) -> tuple[str, ...]:
    """One URL for each server that ``url`` names, in its order. Raises ValueError where it cannot be read."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "target_session_attrs"]
    account, at, places = parts.netloc.rpartition("@")
    found = dict(query)
    hosts = [host for host in places.split(",") if host]
    if not hosts and "host" in found:
        names, ports = found["host"].split(","), found.get("port", "").split(",")
        if len(ports) not in (1, len(names)):
            raise ValueError(f"it names {len(names)} hosts and {len(ports)} ports")
        each = ports if len(ports) == len(names) else ports * len(names)
        rest = [(name, value) for name, value in query if name not in ("host", "port")]
        queries = [
            [("host", name), *([("port", port)] if port else []), *rest] for name, port in zip(names, each, strict=True)
        ]
        return tuple(
            urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(one, quote_via=quote, safe="/"), ""))
            for one in queries
        )
    words = urlencode(query, quote_via=quote, safe="/")
    return tuple(urlunsplit((parts.scheme, account + at + host, parts.path, words, "")) for host in hosts or [""])


class Hosts:
    """The servers of one URL, as one process knows them."""

    def __init__(self, url: str) -> None:
        self.urls = each_host(url)
        self._known: str | None = None
        self._timeline = 0

    async def connect(self, *_: Any, **more: Any) -> asyncpg.Connection:
        """A connection to the server that writes (to be given to ``asyncpg.create_pool`` as ``connect`` too).

        ``timeout``, in seconds, is for one server; each of several has ``HOST_S``. Raises what the driver raises,
        its TargetServerAttributeNotMatched where no server writes, or LeftBehind.
        """
        one_s = more.pop("timeout", 60.0)
        if len(self.urls) == 1:
            return await _writing(self.urls[0], one_s, more)
        known = self._known
        if known is not None:
            try:
                return (await self._primary(known, more))[1]
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                if self._known == known:
                    self._known = None
        return await self._found(more)

    async def _primary(self, url: str, more: dict[str, Any]) -> tuple[int, asyncpg.Connection, str]:
        conn = await _writing(url, HOST_S, more)
        try:
            timeline: int = await conn.fetchval(_TIMELINE, timeout=HOST_S)
        except BaseException:
            conn.terminate()
            raise
        if timeline < self._timeline:
            conn.terminate()
            raise LeftBehind(f"a server of timeline {timeline} was replaced by one of timeline {self._timeline}")
        return timeline, conn, url

    async def _found(self, more: dict[str, Any]) -> asyncpg.Connection:
        """Ask all of them: of two that take themselves for the primary, the one that was promoted last is."""
        asked = await asyncio.gather(*(self._primary(url, more) for url in self.urls), return_exceptions=True)
        writing = sorted((one for one in asked if isinstance(one, tuple)), key=lambda one: one[0])
        if not writing:
            errors = [one for one in asked if isinstance(one, BaseException)]
            raise next((one for one in errors if isinstance(one, asyncpg.PostgresError)), errors[0])
        for _, conn, _ in writing[:-1]:
            conn.terminate()
        self._timeline, newest, self._known = writing[-1]
        return newest


async def _writing(url: str, timeout_s: float, more: dict[str, Any]) -> asyncpg.Connection:
    return await asyncpg.connect(url, timeout=timeout_s, target_session_attrs=SessionAttribute.read_write, **more)


async def connect(url: str, **more: Any) -> asyncpg.Connection:
    """One connection to the server of ``url`` that writes."""
    return await Hosts(url).connect(**more)


def turned_read_only(conn: Any) -> bool:
    """Whether the server has told us meanwhile that it only reads (it says so by itself, without being asked)."""
    told = conn.get_settings()
    return "on" in (getattr(told, "in_hot_standby", "off"), getattr(told, "default_transaction_read_only", "off"))
