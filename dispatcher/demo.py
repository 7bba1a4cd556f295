"""Providers, pools, seats and contracts of the demo shop: one own seat that is soon full, and two providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from dispatcher.admin_record import (
    add_contract_version,
    add_pool,
    add_provider,
    put_policy,
    put_seat,
    routing_changed,
)
from dispatcher.contracts import Commission, Penalty, Price, Target, Terms, Tier
from dispatcher.hours import every_day
from dispatcher.model import Policy, TopicRule
from wangxin.clock import new_id, now_ms
from wangxin.storage.postgres import Connection

OWN_POOL = "自有客服"


@dataclass(frozen=True, slots=True)
class DemoSeat:
    """``login`` is the account the caller makes; ``name`` is what shoppers see."""

    login: str
    name: str
    provider: str | None
    seats_max: int


SEATS: tuple[DemoSeat, ...] = (
    DemoSeat("own1", "小禾", None, 2),
    DemoSeat("yun1", "云朵", "云杉客服", 5),
    DemoSeat("yun2", "云帆", "云杉客服", 5),
    DemoSeat("hai1", "海棠", "海星服务", 5),
)
"""The logins this demo needs: the own team's only seat first, then the outsourced ones."""

_PROVIDERS: dict[str, tuple[int, str, Terms]] = {
    "云杉客服": (
        50,
        "云杉·森野项目组",
        Terms(
            name="云杉客服 首选溢出",
            rank=1,
            daily_max=2_000,
            daily_min=50,
            price=Price(tiers=(Tier(above=0, price_fen=120), Tier(above=500, price_fen=90))),
            commission=Commission(per_mille=15),
            targets=(
                Target(metric="frt_p95_ms", op="<=", value=30_000),
                Target(metric="reply_rate_3min", op=">=", value=950),
            ),
            penalties=(Penalty(metric="frt_p95_ms", off_per_mille=100, fee_per_mille=20),),
            visible_fields=("level", "orders", "tags", "remark", "forms"),
        ),
    ),
    "海星服务": (
        45,
        "海星·夜间组",
        Terms(
            name="海星服务 备选",
            rank=2,
            hours=every_day(0, 1_440),
            daily_max=800,
            price=Price(price_fen=80),
            targets=(Target(metric="frt_p95_ms", op="<=", value=45_000),),
            visible_fields=("level", "orders", "forms"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """``agents``: the seats made, by login; ``providers`` by name."""

    agents: dict[str, UUID]
    providers: dict[str, UUID]


async def seed(conn: Connection, shop: UUID, by: UUID, accounts: Mapping[str, UUID]) -> Seeded:
    """Fill ``shop`` in the caller's transaction; done before: nothing changes.

    ``accounts`` maps each login of SEATS to its account; ``by`` is the merchant in whose name the contracts are made.
    """
    providers: dict[str, UUID] = {}
    pools: dict[str | None, UUID] = {}
    found = await conn.fetchval(
        "select id from pool where owner_id = $1 and kind = 'in_house' order by id limit 1", shop
    )
    pools[None] = found or new_id()
    if found is None:
        await add_pool(conn, shop, pools[None], OWN_POOL, outsourced=False)
    for name, (stars, pool_name, terms) in _PROVIDERS.items():
        provider = await conn.fetchval("select provider_id from provider where name = $1", name)
        if provider is None:
            provider = new_id()
            await add_provider(conn, provider, name, stars_tenths=stars)
        providers[name] = provider
        pool = await conn.fetchval("select id from pool where owner_id = $1 order by id limit 1", provider)
        if pool is None:
            pool = new_id()
            await add_pool(conn, provider, pool, pool_name, outsourced=True)
        pools[name] = pool
        if not await conn.fetchval(
            "select true from contract where shop_id = $1 and provider_id = $2 limit 1", shop, provider
        ):
            await add_contract_version(
                conn, shop=shop, id_=new_id(), provider=provider, pools=[pool], starts_ms=now_ms() - 86_400_000,
                ends_ms=now_ms() + 365 * 86_400_000, terms=terms, by=by,
            )  # fmt: skip
    agents: dict[str, UUID] = {}
    for seat in SEATS:
        agents[seat.login] = accounts[seat.login]
        if await conn.fetchval("select true from seat where agent_id = $1", accounts[seat.login]):
            continue  # as somebody may have changed it since
        owner = shop if seat.provider is None else providers[seat.provider]
        await put_seat(
            conn, owner, accounts[seat.login], seat.name, [pools[seat.provider]],
            outsourced=seat.provider is not None, seats_max=seat.seats_max,
        )  # fmt: skip
    if not await conn.fetchval("select true from routing_policy where shop_id = $1 limit 1", shop):
        topics = (TopicRule("pre_sales", 4, 20_000), TopicRule("after_sales", 5, 40_000))
        await put_policy(conn, shop, Policy(topics=topics), by)
    await routing_changed(conn, shop)
    return Seeded(agents, providers)
