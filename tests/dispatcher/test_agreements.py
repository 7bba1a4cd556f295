"""A contract as the settlement reads it."""

from __future__ import annotations

from metrics.settlement import PerConversation, PerOrder, Tier
from tests.dispatcher.conftest import House
from wangxin.app import agreements_of


async def test_tiers_commission_and_what_no_statement_computes_come_from_the_newest_version(house: House) -> None:
    async with house.pool.acquire() as conn:
        found = {one.provider_name: one.versions[0] for one in await agreements_of(conn, house.shop)}
    first = found["云杉客服"]
    assert first.terms.prices == (PerConversation((Tier(500, 120), Tier(None, 90))), PerOrder(15))
    assert (first.cycle, first.refunds_kept, first.unsettled) == ("month", False, ("penalties",))
    assert found["海星服务"].terms.prices == (PerConversation((Tier(None, 80),)),)
