"""A contract as the settlement reads it."""

from __future__ import annotations

from uuid import UUID

from dispatcher import admin_record
from dispatcher.contracts import Target, Terms
from metrics.settlement import PerConversation, PerOrder, Tier
from tests.dispatcher.conftest import House
from wangxin.app import agreements_of, desk_sources
from wangxin.clock import now_ms


async def test_tiers_commission_and_what_no_statement_computes_come_from_the_newest_version(house: House) -> None:
    async with house.pool.acquire() as conn:
        found = {one.provider_name: one.versions[0] for one in await agreements_of(conn, house.shop)}
    first = found["云杉客服"]
    assert first.terms.prices == (PerConversation((Tier(500, 120), Tier(None, 90))), PerOrder(15))
    assert (first.cycle, first.refunds_kept, first.unsettled) == ("month", False, ("penalties",))
    assert found["海星服务"].terms.prices == (PerConversation((Tier(None, 80),)),)


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
