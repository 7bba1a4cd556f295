"""Where the demo's shoppers buy: at the demo shop's own server, which reports its orders as any shop does."""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict

from menus import record_shopdata
from menus.shop import wire
from menus.shop.caller import Caller, ShopSilent
from wangxin.clock import new_id, now_ms
from wangxin.config import Settings
from wangxin.storage import keys
from wangxin.storage.postgres import Connection, Pool

log = logging.getLogger("wangxin.demo")

KEY_NAME = "森野订单系统"
CALLED = "wangxin"


class _Sold(BaseModel):
    model_config = ConfigDict(extra="ignore")

    order_id: str


def event_key(shop_secret: str) -> str:
    """The key follows from the shop's own secret, so that a restart finds it again."""
    return "wxk_" + hashlib.sha256(f"{shop_secret}/orders".encode()).hexdigest()[:43]


def call_secret(shop_secret: str) -> str:
    return "whsec_" + base64.b64encode(hashlib.sha256(f"{shop_secret}/calls".encode()).digest()).decode()


async def connect(conn: Connection, settings: Settings) -> dict[str, str]:
    """Tells the record where the demo shop answers; returns what its process needs, as environment variables."""
    from wangxin.demo.shown import SLUG

    row = await conn.fetchrow("select shop_id, token_secret, settings from shop where slug = $1", SLUG)
    assert row is not None, "the demo shop is filled before it is connected"
    shop, secret = row["shop_id"], call_secret(row["token_secret"])
    await keys.keep_api_key(conn, shop, new_id(), KEY_NAME, event_key(row["token_secret"]), ["events"])
    before = await record_shopdata.kept(conn, shop)
    await record_shopdata.keep(conn, shop, settings.demo_shop, secret)
    if before is None or before.secret == secret:  # rule: secrets-in-equals: both are this process's own
        await conn.execute("update shop_data set calls = $2 where shop_id = $1", shop, list(wire.CALLS))
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - not bound here
    return {
        "DEMO_SHOP_PORT": settings.demo_shop.rsplit(":", 1)[1].partition("/")[0],
        "DEMO_SHOP_SECRET": secret,
        "DEMO_SHOP_KEY": event_key(row["token_secret"]),
        "DEMO_SHOP_EVENTS": f"http://{host}:{settings.port}/api/v1/events",
        "DEMO_SHOP_SINCE_MS": str(row["settings"].get("demo_filled_ms") or now_ms()),
        "DEMO_SHOP_FILE": str(settings.data / "demo-shop.json"),
    }


@dataclass(frozen=True, slots=True)
class Till:
    """``rings`` makes an order of one member, paid a little later or never."""

    caller: Caller
    shop: UUID
    url: str
    secret: str

    @classmethod
    async def open(cls, pool: Pool, settings: Settings, shop: UUID, shop_secret: str) -> Till:
        kept = await record_shopdata.kept(pool, shop)
        called = settings.demo_shop or (kept.url if kept else "")
        url = called.removesuffix(CALLED) + "buy"
        return cls(Caller(own=url), shop, url, call_secret(shop_secret))

    async def rings(self, member: str, *, pays_after_s: float | None) -> None:
        """Nobody waits for an order system that is starting."""
        body: dict[str, Any] = {"member": member, "pays_after_s": pays_after_s}
        try:
            await self.caller.post(self.shop, self.url, self.secret, body, _Sold, id_=str(uuid4()))
        except ShopSilent as why:
            log.info("the demo shop does not answer yet (%s %s)", why.code, why.detail)
