"""A shopper's own device is told of a push, or of an agent's words, that no window of his took: Web Push, sealed for
the device. Every endpoint is somebody's address: it is called through ``wangxin.outbound`` alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from push import reach
from push.record import devices
from push.record import reach as record
from push.record.devices import Answered, Held
from push.record.reach import Ringing
from wangxin import clock, outbound, webpush
from wangxin.outbound import Network, Unreachable
from wangxin.storage.postgres import Pool

ANSWERED_AFTER_S = 15.0
"""Words that an open window takes at once are there by then."""
ANSWERED_UNTIL_S = 600.0
AT_ONCE = 50
AGAIN_S = 60.0
TRIES_MAX = 3
TTL_S = 86_400
GONE = (404, 410)
CONTACT = "mailto:wangxin@localhost"
LINE_CHARS_MAX = 120

Came = Literal["taken", "gone", "lost"]


def words(slug: str, shop_name: str, line: str) -> bytes:
    """What the device shows, as JSON: the shop's name, how the line begins, and whose window a tap opens. Pure."""
    return orjson.dumps({"slug": slug, "shop": shop_name[:60], "line": line[:LINE_CHARS_MAX]})


def topic(slug: str) -> str:
    """While a device is away, a newer call of the same shop takes the older one's place. Pure."""
    return hashlib.sha256(slug.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ShopperCalls:
    """``key`` signs; ``allowed``: private networks it may reach."""

    pool: Pool
    key: str
    allowed: Sequence[Network] = ()

    async def ring(self) -> int:
        """Tell what is due; returns how many messages and words were told of."""
        async with self.pool.acquire() as conn, conn.transaction():
            due = await record.claim_ringing(conn, AGAIN_S, AT_ONCE)
            answered = await devices.claim_answers(conn, ANSWERED_AFTER_S, ANSWERED_UNTIL_S, AT_ONCE)
        if due or answered:
            own = webpush.voice(self.key)
            await asyncio.gather(*(self._push(own, one) for one in due), *(self._answer(own, one) for one in answered))
        return len(due) + len(answered)

    async def _push(self, own: webpush.Voice, one: Ringing) -> None:
        async with self.pool.acquire() as conn:
            held = await devices.of(conn, one.shop, one.shopper)
        came = await self._all(own, held, words(one.slug, one.shop_name, one.line), one.slug)
        async with self.pool.acquire() as conn, conn.transaction():
            if "taken" in came:
                await record.rang(conn, one, "handed")
            elif "lost" not in came:
                await reach.devices_gone(conn, one, clock.now_ms())
            elif one.tries >= TRIES_MAX:
                await record.rang(conn, one, "failed")

    async def _answer(self, own: webpush.Voice, one: Answered) -> None:
        await self._all(own, [one.device], words(one.slug, one.shop_name, one.line), one.slug)

    async def _all(self, own: webpush.Voice, held: Sequence[Held], said: bytes, slug: str) -> list[Came]:
        """What came of it on each device; those that are gone are forgotten."""
        came = [await self._call(own, one, said, slug) for one in held]
        gone = [one for one, how in zip(held, came, strict=True) if how == "gone"]
        if gone:
            async with self.pool.acquire() as conn:
                await devices.gone(conn, gone[0].shop, [one.id for one in gone])
        return came

    async def _call(self, own: webpush.Voice, to: Held, said: bytes, slug: str) -> Came:
        told = webpush.headers(own, to.endpoint, CONTACT, clock.now_ms(), ttl_s=TTL_S, topic=topic(slug))
        body = webpush.sealed(said, webpush.device(to.p256dh, to.auth), clock.new_bytes(48))
        try:
            answer = await outbound.call(
                "POST", to.endpoint, {**told, **webpush.SEALED}, body, allowed=self.allowed, timeout_s=10
            )
        except Unreachable:
            return "lost"
        if answer.status in GONE:
            return "gone"
        return "taken" if answer.status < 300 else "lost"
