"""A busy shop for the tests of reports."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from metrics.agreements import Agreement, Version
from metrics.service import Figures
from metrics.teams import PoolName, Teams
from metrics.terms import PerConversation, PerOrder, Terms, Tier
from tests.conftest import Shop, make_chat
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, BEN, NIGHT, OWN, PROVIDER
from wangxin.model.conversation import State

TEAMS = Teams(
    {OWN: PoolName(OWN, "售前一组"), NIGHT: PoolName(NIGHT, "夜间组", PROVIDER, "客满满", 2, 10)},
    {ANNA: "安娜", BEN: "小本"},
    frozenset({BEN}),
)


async def teams_of(conn: Any, shop: UUID) -> Teams:
    return TEAMS


NIGHT_CONTRACT = UUID(int=41)


async def agreements_of(conn: Any, shop: UUID) -> list[Agreement]:
    """The night pool: ¥2.00 for the first conversation of a month, ¥1.00 for each further one, 1.5 % of its orders."""
    prices = (PerConversation((Tier(1, 200), Tier(None, 100))), PerOrder(15))
    terms = Terms(NIGHT_CONTRACT, 1, frozenset({NIGHT}), prices)
    return [Agreement(NIGHT_CONTRACT, PROVIDER, "客满满", (Version(terms, 0, None, 0, "month", False),))]


async def serve(pool: asyncpg.Pool, shop: Shop, agent: UUID | None, team: UUID | None, fen: int = 0) -> Counter:
    """A shopper is served by an agent (or by nobody) and perhaps buys."""
    chat = await make_chat(pool, shop.id)
    counter = Counter(pool, chat)
    await counter.asks()
    await counter.wants_a_person()
    if agent is not None and team is not None:
        await counter.assigned(agent, team)
        await counter.replies(agent)
    if fen:
        await counter.orders(f"order-{chat.shopper}", fen)
    return counter


@pytest.fixture
async def busy_shop(pool: asyncpg.Pool, shop: Shop) -> Shop:
    """Own team: 3 served, 1 buys. Night pool: 2 served, 2 buy. One gives up; one buys without a word."""
    for fen in (10_000, 0, 0):
        await serve(pool, shop, ANNA, OWN, fen)
    for fen in (20_000, 5_000):
        await serve(pool, shop, BEN, NIGHT, fen)
    lost = await serve(pool, shop, None, None)
    await pool.execute("update entry set at = at - interval '20 seconds' where thread_id = $1", lost.chat.thread)
    await lost.moves(State.BOT, "queue.left")
    silent = Counter(pool, await make_chat(pool, shop.id))
    await silent.orders("silent", 700)
    await Figures(pool).catch_up()
    return shop
