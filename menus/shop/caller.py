"""Calls to a shop's server: signed, bounded in time and size, and given up for a while where it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel, ValidationError

from menus.shop import wire
from wangxin import outbound
from wangxin.clock import now_ms
from wangxin.model import limits
from wangxin.outbound import Answer, Network, Unreachable

A = TypeVar("A", bound=BaseModel)
LOOPBACK = outbound.networks(("127.0.0.1/32",))


class ShopSilent(Exception):
    """No answer that can be used; ``code`` is that of :class:`Unreachable`, ``status.NNN``, ``answer.wrong`` or
    ``shop.resting``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Source:
    """Where a shop answers itself. ``calls``: what its server said it can, at the last good check."""

    shop: UUID
    slug: str
    url: str
    secret: str
    calls: frozenset[str] = frozenset()


@dataclass(slots=True)
class Resting:
    """Shops that did not answer several times in a row are left alone for a while, so that none waits for them."""

    failures: dict[UUID, int] = field(default_factory=dict)
    until_ms: dict[UUID, int] = field(default_factory=dict)

    def check(self, shop: UUID, now: int) -> None:
        if self.until_ms.get(shop, 0) > now:
            raise ShopSilent("shop.resting", "it did not answer several times in a row")

    def went(self, shop: UUID, good: bool, now: int) -> None:
        if good:
            self.failures.pop(shop, None)
            return
        count = self.failures[shop] = self.failures.get(shop, 0) + 1
        if count >= limits.SHOP_DATA_FAILURES_MAX:
            self.until_ms[shop] = now + limits.SHOP_DATA_REST_MS
            self.failures[shop] = 0


@dataclass(slots=True)
class Caller:
    """The one guarded client. ``own``: an address of this installation that may be called although it is private (the
    demo's shop)."""

    allowed: Sequence[Network] = ()
    own: str = ""
    resting: Resting = field(default_factory=Resting)
    clock: Callable[[], int] = now_ms

    def networks(self, url: str) -> Sequence[Network]:
        return (*self.allowed, *LOOPBACK) if self.own and url == self.own else self.allowed

    async def ask(
        self, source: Source, call: str, answer: type[A], asked: Mapping[str, Any], *, request: UUID | None = None
    ) -> A:
        """One call of the interface. Raises ShopSilent."""
        body = {"call": call, "shop": source.slug, **asked} | ({} if request is None else {"request": str(request)})
        return await self.post(source.shop, source.url, source.secret, body, answer, id_=str(request or uuid4()))

    async def post(self, shop: UUID, url: str, secret: str, body: Mapping[str, Any], answer: type[A], *, id_: str) -> A:
        """A signed call to any address of a shop, and its answer in form. Raises ShopSilent."""
        self.resting.check(shop, self.clock())
        try:
            found = await self.raw(url, secret, orjson.dumps(body), id_=id_)
            if found.status != 200:
                raise ShopSilent(f"status.{found.status}", "200 was expected")
            read = answer.model_validate_json(found.body)
        except Unreachable as why:
            self.resting.went(shop, False, self.clock())
            raise ShopSilent(why.code, why.detail) from None
        except ValidationError as why:
            first = why.errors()[0]
            raise ShopSilent("answer.wrong", f"{'.'.join(str(one) for one in first['loc'])}: {first['msg']}") from None
        self.resting.went(shop, True, self.clock())
        return read

    async def raw(
        self, url: str, secret: str, body: bytes, *, id_: str, at_s: int | None = None, broken: bool = False
    ) -> Answer:
        """The answer as it came. ``at_s``, ``broken``: another time, a wrong signature, to see them refused.

        Raises Unreachable."""
        at = self.clock() // 1000 if at_s is None else at_s
        proof = wire.signed(secret, id_, at, body)
        if broken:
            proof["webhook-signature"] = wire.signature(secret, id_, at, body + b" ")
        return await outbound.call(
            "POST", url, {"Content-Type": "application/json", **proof}, body, allowed=self.networks(url),
            timeout_s=limits.SHOP_DATA_MS_MAX / 1000, answer_bytes_max=limits.SHOP_DATA_BYTES_MAX,
        )  # fmt: skip
