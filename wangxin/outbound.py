"""Calls to other people's servers: no private address is reached, nothing waits or answers without end.

A name is looked up once and the very address that was judged is connected to, so that a name which answers differently
the second time brings nobody in. Redirects are not followed. Certificates are checked against the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httptools

_HOST = re.compile(r"^[A-Za-z0-9.-]{1,253}$|^[0-9A-Fa-f:]{2,45}$")
URL_CHARS_MAX = 2_000
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Unreachable(Exception):
    """No answer came; ``code`` says why in a word that never changes: ``url.wrong``, ``address.private``,
    ``name.unknown``, ``connection.refused``, ``tls.wrong``, ``timeout``, ``answer.too_large``, ``answer.broken``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` by lower-case name; ``body`` is whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def networks(written: Sequence[str]) -> tuple[Network, ...]:
    """Private networks that may be called all the same (``10.1.0.0/16``). Raises ValueError."""
    return tuple(ipaddress.ip_network(one, strict=False) for one in written)


def split(url: str, *, plain: bool = False) -> SplitResult:
    """A URL that may be called: https (with ``plain`` also http), a host, no name or password. Raises Unreachable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as why:
        raise Unreachable("url.wrong", str(why)) from None
    good = (
        len(url) <= URL_CHARS_MAX and url.isascii() and url.isprintable() and " " not in url
        and parts.scheme in (("https", "http") if plain else ("https",))
        and parts.hostname is not None and _HOST.match(parts.hostname) is not None
        and parts.username is None and parts.password is None and port != 0
    )  # fmt: skip
    if not good:
        raise Unreachable("url.wrong", "https://host/path, without a name and password in it")
    return parts


_UNICAST_6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOBODYS = tuple(ipaddress.ip_network(one) for one in ("192.88.99.0/24", "3fff::/20", "2001:db8::/32"))
"""Relays that are no more, and addresses for books."""
_ISATAP = (0x00005EFE, 0x02005EFE)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, on its way through a translator or a tunnel."""
    low = int(ip) & 0xFFFFFFFF
    if ip in _NAT64 or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(low)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def may_call(address: str, allowed: Sequence[Network]) -> bool:
    """Whether this address is somebody else's public one, or in a network that is allowed.

    Of IPv6 only global unicast counts, and the well-known prefix of NAT64: every other form that holds an IPv4 address
    (compatible, translated, local prefixes of NAT64) and the old site-local ones are nobody's public address.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _inner(ip)
        if inner is not None and not may_call(str(inner), allowed):
            return False
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return True
    if any(ip.version == net.version and ip in net for net in allowed):
        return True
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _UNICAST_6:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip.version == net.version and ip in net for net in _NOBODYS)


@dataclass(slots=True)
class _Reader:
    """What httptools tells of an answer."""

    most: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    done: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body += part
        if len(self.body) > self.most:
            raise Unreachable("answer.too_large", f"more than {self.most} bytes")

    def on_message_complete(self) -> None:
        self.done = True


async def call(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    allowed: Sequence[Network] = (),
    timeout_s: float = 15.0,
    answer_bytes_max: int = 65_536,
) -> Answer:
    """One request and its answer, whatever its status. Raises Unreachable."""
    parts = split(url, plain=bool(allowed))
    try:
        async with asyncio.timeout(timeout_s):
            return await _call(method, parts, headers, body, allowed, answer_bytes_max)
    except TimeoutError:
        raise Unreachable("timeout", f"no answer within {timeout_s:g} s") from None
    except ssl.SSLError as why:
        raise Unreachable("tls.wrong", why.reason or str(why)) from None
    except (ConnectionError, OSError) as why:
        raise Unreachable("connection.refused", type(why).__name__) from None
    except httptools.HttpParserError as why:
        raise Unreachable("answer.broken", str(why)[:200]) from None


async def _address(host: str, port: int, allowed: Sequence[Network]) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as why:
        raise Unreachable("name.unknown", str(why)[:200]) from None
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not all(may_call(one, allowed) for one in addresses):
        raise Unreachable("address.private", "the name leads to an address that is not public")
    return addresses[0]


async def _call(
    method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes, allowed: Sequence[Network], most: int
) -> Answer:
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = await _address(host, port, allowed)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host if secure else None)
    try:
        named = f"[{host}]" if ":" in host else host
        lines = {
            "Host": named if parts.port is None else f"{named}:{port}", "User-Agent": "wangxin", "Accept": "*/*",
            "Connection": "close", "Content-Length": str(len(body)), **headers,
        }  # fmt: skip
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = "".join([f"{method} {target} HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in lines.items()), "\r\n"])
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        return await _answer(reader, most)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, most: int) -> Answer:
    heard = _Reader(most)
    parser: Any = httptools.HttpResponseParser(heard)
    read = 0
    while not heard.done:
        part = await reader.read(16_384)
        if not part:
            if "content-length" in heard.headers or "transfer-encoding" in heard.headers or not read:
                raise Unreachable("answer.broken", "it ended in the middle")
            break
        read += len(part)
        if read > most + 65_536:
            raise Unreachable("answer.too_large", f"more than {most} bytes")
        try:
            parser.feed_data(part)
        except httptools.HttpParserCallbackError as why:
            raise (why.__context__ if isinstance(why.__context__, Unreachable) else why) from None
    return Answer(parser.get_status_code(), heard.headers, bytes(heard.body))
