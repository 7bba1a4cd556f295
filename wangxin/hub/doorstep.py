"""Who may open a line at a hub: from which page, how many of one address, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from websockets.http11 import Request

from wangxin.callers import Buckets, Callers, Trusted, believed
from wangxin.clock import monotonic_ms
from wangxin.hub.socket import Socket
from wangxin.model import limits


class Doorstep:
    """A line through a trusted proxy, or through the web's tunnel, is counted where that says it comes from."""

    def __init__(self, own_origins: Iterable[str], trusted: Trusted) -> None:
        self._own_origins = frozenset(own_origins)
        self.shop_origins: frozenset[str] = frozenset()
        self._trusted = trusted
        self.callers = Callers(trusted)
        self.pace = Buckets(*limits.LINES_ADDRESS)
        self.refused: Counter[str] = Counter()
        """Lines refused, by why."""

    def came(self, socket: Socket) -> bool:
        """A connection, before it has said anything. False: too many of this address."""
        name = socket.transport.get_extra_info("peername") if socket.transport is not None else None
        peer = str(name[0]) if isinstance(name, tuple) else ""
        if not peer or self._trusted(peer):
            return True  # the web's tunnel or a proxy: counted when it says for whom
        return self._counted(socket, peer)

    def _counted(self, socket: Socket, address: str) -> bool:
        if not self.callers.came(address):
            self.refused["address"] += 1
            return False
        socket.peer_address = address
        return True

    def left(self, socket: Socket) -> None:
        if socket.peer_address:
            self.callers.left(socket.peer_address)
            socket.peer_address = ""

    def asked(self, socket: Socket, request: Request) -> tuple[int, str] | None:
        """None: the line may open. ``socket.origin`` is the page's, unless it is our own."""
        if not socket.peer_address:
            told = [part.strip() for one in request.headers.get_all("X-Forwarded-For") for part in one.split(",")]
            if told and not self._counted(socket, believed(told, "", lambda one: not one or self._trusted(one))):
                return 429, "rate.address: too many lines of this address.\n"
        address = socket.peer_address
        if address and not self._trusted(address) and self.pace.wait_ms(address, monotonic_ms()):
            self.refused["pace"] += 1
            return 429, "rate.address: too many new lines of this address.\n"
        host = request.headers.get("Host", "")
        origins = request.headers.get_all("Origin")
        if len(origins) > 1 or (origins and not self._origin_allowed(origins[0], host)):
            self.refused["origin"] += 1
            return 403, "This origin may not open a line.\n"
        socket.origin = origins[0] if origins else None
        if socket.origin in self._own_origins or self._same_site(socket.origin or "", host):
            socket.origin = None  # our own page: as good as none
        return None

    @staticmethod
    def _same_site(origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(host) and origin == f"{parts.scheme}://{host}"

    def _origin_allowed(self, origin: str, host: str) -> bool:
        """Exactly ours, or exactly one a shop named; the door then checks that it is this shop's."""
        return origin in self._own_origins or origin in self.shop_origins or self._same_site(origin, host)
