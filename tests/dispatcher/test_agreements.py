"""A contract as the settlement reads it."""

from __future__ import annotations

from uuid import UUID

from dispatcher import admin_record
from dispatcher.contracts import Bonus, Price, Target, Terms
from metrics.terms import Band, Base, PerConversation, PerMinute, PerOnlineHour, PerOrder, PerSeat, Promise, Tier
from tests.dispatcher.conftest import House
from wangxin.agreements import agreements_of
from wangxin.app import desk_sources
from wangxin.clock import now_ms


async def test_tiers_commission_and_promises_come_from_the_newest_version(house: House) -> None:
    async with house.pool.acquire() as conn:
        found = {one.provider_name: one.versions[0] for one in await agreements_of(conn, house.shop)}
    first = found["云杉客服"]
    assert first.terms.prices == (PerConversation((Tier(500, 120), Tier(None, 90))), PerOrder(15))
    assert (first.cycle, first.refunds_kept, first.dispute_days) == ("month", False, 7)
    assert first.terms.promises == (
        Promise("frt_p95_ms", False, 30_000, 30, (Band(100, 20),)), Promise("reply_rate_3min", True, 950, 30)
    )  # fmt: skip
    assert first.terms.penalty_per_mille_max == 300
    assert found["海星服务"].terms.prices == (PerConversation((Tier(None, 80),)),)


async def test_every_price_model_is_settled_and_only_what_was_agreed(house: House) -> None:
    async def prices(**price: object) -> tuple[object, ...]:
        async with house.pool.acquire() as conn, conn.transaction():
            terms = Terms(price=Price.model_validate(price), bonuses=(Bonus(metric="csat", better_per_mille=50,
                          fee_per_mille=10),), targets=(Target(metric="csat", op=">=", value=450),))  # fmt: skip
            await admin_record.add_contract_version(
                conn, shop=house.shop, id_=row["id"], provider=row["provider_id"], pools=row["pool_ids"],
                starts_ms=now_ms(), ends_ms=None, terms=terms, by=house.merchant,
                ask=price.get("model") == "per_handled_minute",  # not answered yet
            )  # fmt: skip
            agreements = await agreements_of(conn, house.shop)
        (mine,) = [one for one in agreements if one.contract == row["id"]]
        newest = max(mine.versions, key=lambda one: one.terms.version)
        assert newest.terms.promises[0].bonuses == (Band(50, 10),)
        return newest.terms.prices

    row = await house.pool.fetchrow("select * from contract order by id limit 1")
    assert await prices(model="per_seat_month", price_fen=300_000) == (PerSeat(300_000),)
    assert await prices(model="per_online_hour", price_fen=4_000) == (PerOnlineHour(4_000),)
    tiers = [{"above": 100, "price_fen": 60}]
    assert await prices(model="base_plus_tier", base_fen=9_900, included=30, price_fen=90, tiers=tiers) == (
        Base(9_900), PerConversation((Tier(30, 0), Tier(100, 90), Tier(None, 60)))
    )  # fmt: skip
    assert await prices(model="per_handled_minute", price_fen=120) != (PerMinute(120),)


async def test_the_promised_answer_is_that_of_the_version_in_force(house: House) -> None:
    async def promised(provider: UUID | None) -> dict[UUID, int]:
        assert sources.reply_limits is not None
        return await sources.reply_limits(provider, frozenset({house.shop}))

    async def agree(seconds: int, starts_ms: int, ends_ms: int | None = None) -> None:
        terms = Terms.model_validate(row["terms"]).model_copy(
            update={"targets": (Target(metric="frt_p95_ms", op="<=", value=seconds * 1_000),)}
        )
        async with house.pool.acquire() as conn:
            await admin_record.add_contract_version(
                conn, shop=house.shop, id_=row["id"], provider=row["provider_id"], pools=row["pool_ids"],
                starts_ms=starts_ms, ends_ms=ends_ms, terms=terms, by=house.merchant,
            )  # fmt: skip

    sources = desk_sources(house.pool)
    row = await house.pool.fetchrow(
        "select c.* from contract c join seat s on s.provider_id = c.provider_id where s.agent_id = $1",
        house.agents["yun1"],
    )
    provider = row["provider_id"]
    await agree(20, now_ms() - 2_000)
    await agree(5, now_ms() + 86_400_000)
    assert await promised(provider) == {house.shop: 20_000}
    await agree(40, now_ms() - 1_500, now_ms() - 1_000)
    assert await promised(provider) == {}
    assert await promised(None) == {}
