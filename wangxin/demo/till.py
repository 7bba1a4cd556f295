"""The demo shop's own order system: tells of orders as any shop does, by CloudEvents to the public endpoint."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import urllib.request
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from wangxin.clock import new_id, now_ms
from wangxin.config import Settings
from wangxin.demo.goods import SENYE
from wangxin.storage import keys
from wangxin.storage.postgres import Pool

log = logging.getLogger("wangxin.demo")

KEY_NAME = "森野订单系统"
PATIENCE_S = 10.0


class Till:
    """``open`` it once; then every ``rings`` makes an order of one member, paid a little later or never."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    @classmethod
    async def open(cls, pool: Pool, settings: Settings, shop: UUID, shop_secret: str) -> Till:
        """The key follows from the shop's own secret, so that a restart finds it again."""
        key = "wxk_" + hashlib.sha256(f"{shop_secret}/orders".encode()).hexdigest()[:43]
        await keys.keep_api_key(pool, shop, new_id(), KEY_NAME, key, ["events"])
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - not bound here
        return cls(f"http://{host}:{settings.port}/api/v1/events", key)

    async def rings(self, member: str, chance: random.Random, *, pays_after_s: float | None) -> None:
        """One order of one or two goods; ``pays_after_s`` None: it stays unpaid."""
        goods = chance.sample(SENYE, chance.choice((1, 1, 1, 2)))
        lines = [
            {"product": good.id, "title": good.title, "sku": f"{chance.choice(good.colours)} / "
             f"{chance.choice(good.sizes)}", "count": 1, "price_fen": good.price_fen, "picture": ""}
            for good in goods
        ]  # fmt: skip
        day = datetime.fromtimestamp(now_ms() / 1000, UTC)
        order = {
            "order_id": f"{day:%Y%m%d}-{chance.randrange(100_000, 1_000_000)}",
            "amount_fen": sum(good.price_fen for good in goods),
            "lines": lines,
        }
        await self._tell("order.created", member, order)
        if pays_after_s is not None:
            await asyncio.sleep(pays_after_s)
            await self._tell("order.paid", member, order)

    async def _tell(self, kind: str, member: str, order: dict[str, Any]) -> None:
        event = {
            "specversion": "1.0", "id": str(new_id()), "source": "/demo/orders", "type": kind, "subject": member,
            "time": datetime.fromtimestamp(now_ms() / 1000, UTC).isoformat(), "data": order,
        }  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._url,
            json.dumps(event).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/cloudevents+json"},
        )
        try:
            await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=PATIENCE_S).close())  # noqa: S310
        except OSError as why:
            log.info("the demo's order system waits for the web process (%s)", why)
