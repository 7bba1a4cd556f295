"""Fills the demo shop, once: doing it again changes nothing that somebody may have changed since."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import dispatcher.demo
import dispatcher.training.demo
import menus.demo
import push.demo
from push.demo import DemoMember
from wangxin.chat.desk import initials
from wangxin.clock import new_id, new_secret, now_ms
from wangxin.config import Settings
from wangxin.demo.canned import CANNED
from wangxin.demo.goods import SENYE
from wangxin.demo.orders import orders
from wangxin.demo.people import MemberOfShop, members
from wangxin.demo.shown import MERCHANT, NAME, NEWCOMER, PASSWORD, PROVIDER, SHOWN_MEMBERS, SLUG, SUPERVISOR
from wangxin.passwords import hash_password
from wangxin.storage import accounts, postgres
from wangxin.storage.postgres import Connection

_SHANGHAI = timezone(timedelta(hours=8))


async def fill(settings: Settings) -> None:
    """Make the demo shop if it is not there."""
    assert settings.postgres_url is not None, "the stores are known before the demo is filled"
    password = await asyncio.to_thread(hash_password, PASSWORD)
    pool = await postgres.open_pool(settings.postgres_url.get_secret_value(), least=1, most=2, name="demo")
    try:
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("select pg_advisory_xact_lock(hashtextextended('demo', 0))")
            if not await conn.fetchval("select settings ? 'demo_filled' from shop where slug = $1", SLUG):
                await _fill(conn, password)
    finally:
        await pool.close()


async def _fill(conn: Connection, password: str) -> None:
    people, now = members(), now_ms()
    shop = await conn.fetchval("select shop_id from shop where slug = $1", SLUG) or new_id()
    shown = {member.external_id: f"V{member.level}" for member in people[:SHOWN_MEMBERS]}
    await conn.execute(
        "insert into shop (shop_id, slug, name, token_secret, accent, settings) values ($1, $2, $3, $4, '#c2410c', $5)"
        " on conflict (slug) do nothing",
        shop, SLUG, NAME, new_secret(), {"demo": True, "demo_members": shown, "demo_filled": True,
         "demo_filled_ms": now},
    )  # fmt: skip
    logins = await _accounts(conn, shop, password)
    seeded = await dispatcher.demo.seed(conn, shop, logins[MERCHANT], logins)
    for seat in dispatcher.demo.SEATS:
        if seat.provider is not None:
            await conn.execute(
                "update account set provider_id = $2 where id = $1", logins[seat.login], seeded.providers[seat.provider]
            )
    await accounts.keep_account(
        conn, new_id(), login=PROVIDER, password_hash=password, role="provider", name="云杉主管",
        provider=seeded.providers["云杉客服"],
    )  # fmt: skip
    spruce = seeded.providers["云杉客服"]
    newcomer = await accounts.keep_account(
        conn, new_id(), login=NEWCOMER, password_hash=password, role="agent", name=dispatcher.training.demo.NEWCOMER,
        persona=dispatcher.training.demo.NEWCOMER, provider=spruce,
    )  # fmt: skip
    team = [logins[seat.login] for seat in dispatcher.demo.SEATS if seat.provider == "云杉客服"]
    await dispatcher.training.demo.seed(conn, shop, logins[MERCHANT], spruce, team, newcomer)
    await push.demo.seed(conn, shop, logins[MERCHANT], [_profile(member) for member in people])
    await menus.demo.seed(conn, shop)
    await _goods_and_orders(conn, shop, people, now)
    for folder, code, text in CANNED:
        await conn.execute(
            "insert into canned_reply (shop_id, id, code, title, body, topic, initials)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
            shop, new_id(), code, text[:16], text, folder, initials(text[:16]),
        )  # fmt: skip


async def _accounts(conn: Connection, shop: UUID, password: str) -> dict[str, UUID]:
    """The merchant, a supervisor, and an account for each seat of the dispatcher's demo."""
    found = {
        MERCHANT: await accounts.keep_account(
            conn, new_id(), login=MERCHANT, password_hash=password, role="merchant", name="森野店长", shops=[shop]
        ),
        SUPERVISOR: await accounts.keep_account(
            conn, new_id(), login=SUPERVISOR, password_hash=password, role="agent", name="客服主管", persona="主管",
            supervises=True, shops=[shop],
        ),
    }  # fmt: skip
    for seat in dispatcher.demo.SEATS:
        found[seat.login] = await accounts.keep_account(
            conn, new_id(), login=seat.login, password_hash=password, role="agent", name=seat.name, persona=seat.name,
            shops=[shop] if seat.provider is None else [],
        )  # fmt: skip
    return found


def _profile(member: MemberOfShop) -> DemoMember:
    month, day = member.birthday
    since = datetime.fromtimestamp(now_ms() / 1000, _SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    since -= timedelta(days=member.member_days)
    return DemoMember(
        member.external_id, member.name,
        {
            "level": member.level, "points": member.points, "tags": list(member.tags), "city": member.city,
            "province": member.province, "birthday": f"{month:02}-{day:02}", "member_since": since.isoformat(),
        },
        member.marketing,
    )  # fmt: skip


async def _goods_and_orders(conn: Connection, shop: UUID, people: list[MemberOfShop], now: int) -> None:
    await conn.executemany(
        "insert into product (shop_id, id, title, price_fen, attrs, stock, picture) values ($1, $2, $3, $4, $5, $6, $7)"
        " on conflict do nothing",
        [
            (shop, good.id, good.title, good.price_fen,
             {"kind": good.kind, "colours": list(good.colours), "sizes": list(good.sizes)}, good.stock, good.picture)
            for good in SENYE
        ],
    )  # fmt: skip
    known = await conn.fetch("select external_id, id from shopper where shop_id = $1 and external_id is not null", shop)
    ids = {row["external_id"]: row["id"] for row in known}
    await conn.executemany(
        """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, refunded_fen, lines, logistics,
             created_at, paid_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing""",
        [
            (shop, order.id, ids.get(order.member), order.state, order.amount_fen, order.refunded_fen, order.lines,
             order.logistics, _at(order.created_ms), None if order.paid_ms is None else _at(order.paid_ms))
            for order in orders(people, SENYE, now)
        ],
    )  # fmt: skip


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
