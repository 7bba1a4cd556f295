"""Who calls from where, and how fast each may go on. In the memory of one process, with the time as an argument:
nothing here asks anybody, so that it can stand before everything else.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from wangxin.model import limits
from wangxin.model.refusals import Refusal

Trusted = Callable[[str], bool]
"""Whether an address is a proxy of ours, whose X-Forwarded-For counts."""


def trusting(written: Sequence[str]) -> Trusted:
    """From addresses and networks (``127.0.0.1``, ``10.0.0.0/8``); ``*`` is everybody. Raises ValueError."""
    networks = [ipaddress.ip_network(one, strict=False) for one in written if one != "*"]
    everybody = "*" in written

    def trusted(address: str) -> bool:
        if everybody:
            return True
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(ip.version == network.version and ip in network for network in networks)

    return trusted


def believed(told: Sequence[str], peer: str, trusted: Trusted) -> str:
    """Where a request comes from. ``told``: what X-Forwarded-For said, left to right.

    A trusted proxy's list counts from its right end up to the first address that is no trusted proxy; anybody else's
    is not read.
    """
    left, address = list(told), peer
    while left and trusted(address):
        address = left.pop() or address
    clean = all(c.isalnum() or c in ".:%[]-" for c in address) and len(address) <= 60
    return address if clean else peer


class Callers:
    """How many connections each address holds. A trusted proxy stands for many people and is not counted."""

    def __init__(self, trusted: Trusted, most: int = limits.CONNECTIONS_PER_ADDRESS_MAX) -> None:
        self._trusted, self._most = trusted, most
        self._held: Counter[str] = Counter()

    def came(self, address: str) -> bool:
        """False: there are too many already, and this one is not counted."""
        if not address or self._trusted(address):
            return True
        if self._held[address] >= self._most:
            return False
        self._held[address] += 1
        return True

    def left(self, address: str) -> None:
        """One that came is gone."""
        if address and not self._trusted(address):
            self._held[address] -= 1
            if not self._held[address]:
                del self._held[address]


@dataclass(slots=True)
class Buckets:
    """A leaky bucket for each of many: ``burst`` at once, ``per_s`` for long."""

    per_s: float
    burst: int
    most: int = limits.BUCKETS_MAX
    _ready: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)
    """The moment at which each owes nothing more."""

    def wait_ms(self, who: Hashable, now_ms: int) -> int:
        """0: he may go on, and it is counted. Else so long he waits."""
        each = 1_000 / self.per_s
        ready = max(self._ready.get(who, 0.0), float(now_ms))
        owed = ready - now_ms - (self.burst - 1) * each
        if owed > 0:
            return int(owed) + 1
        self._ready[who] = ready + each
        self._ready.move_to_end(who)
        if len(self._ready) > self.most:
            self._ready.popitem(last=False)
        return 0


@dataclass(slots=True)
class Pace:
    """How fast requests may come, in one web process: ``rate.address``, ``rate.person``, ``rate.shop`` (429)."""

    trusted: Trusted
    address: Buckets = field(default_factory=lambda: Buckets(*limits.REQUESTS_ADDRESS))
    shopper: Buckets = field(default_factory=lambda: Buckets(*limits.REQUESTS_SHOPPER))
    staff: Buckets = field(default_factory=lambda: Buckets(*limits.REQUESTS_STAFF))
    shop: Buckets = field(default_factory=lambda: Buckets(*limits.REQUESTS_SHOP))

    def of_address(self, address: str, now_ms: int) -> None:
        """Anybody's request, before it is known whose."""
        if address and not self.trusted(address):
            _pay("rate.address", self.address.wait_ms(address, now_ms))

    def of_person(self, who: Hashable, now_ms: int, *, shopper: bool) -> None:
        _pay("rate.person", (self.shopper if shopper else self.staff).wait_ms(who, now_ms))

    def of_shop(self, shop: Hashable, now_ms: int) -> None:
        """A call of the shop's own server."""
        _pay("rate.shop", self.shop.wait_ms(shop, now_ms))


def _pay(code: str, wait_ms: int) -> None:
    if wait_ms:
        raise Refusal(code, "too many requests; please wait a little", retry=wait_ms, status=429)
