"""The demo shop: believable goods, members, orders and words, and shoppers who keep its own team busy.

What fills it is loaded only where it is not filled yet.
"""

from __future__ import annotations

from collections.abc import Callable

from wangxin.config import Settings
from wangxin.demo.shown import ROWS, SLUG, Row

__all__ = ["connect", "fill", "shoppers"]


async def connect(settings: Settings) -> dict[str, str]:
    """Tells the record where the demo shop's own server answers; what that process needs, as environment variables."""
    from wangxin.demo import till
    from wangxin.storage import postgres

    assert settings.postgres_url is not None, "the stores are known before the demo is connected"
    pool = await postgres.open_pool(settings.postgres_url.get_secret_value(), least=1, most=1, name="demo")
    try:
        async with pool.acquire() as conn, conn.transaction():
            return await till.connect(conn, settings)
    finally:
        await pool.close()


async def fill(settings: Settings, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Make the demo shop if it is not there; returns the addresses and logins to show."""
    from wangxin.storage import hosts

    assert settings.postgres_url is not None, "the stores are known before the demo is filled"
    conn = await hosts.connect(settings.postgres_url.get_secret_value())
    try:
        filled = await conn.fetchval("select settings ? 'demo_filled' from shop where slug = $1", SLUG)
    finally:
        await conn.close()
    if not filled:
        from wangxin.demo import shop

        say("filling the demo shop (only the first time)")
        await shop.fill(settings)
    return ROWS


async def shoppers(settings: Settings) -> None:
    """Run until cancelled: shoppers who keep the own team's places taken."""
    from wangxin.demo import busy

    await busy.shoppers(settings)
