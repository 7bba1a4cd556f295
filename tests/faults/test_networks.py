"""Cables are pulled and narrowed while people talk: what was acknowledged is there, once, in one order, for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import make_chat
from tests.faults import networks
from tests.faults.crowd import PATIENCE_S, Crowd
from tests.faults.networks import Network, network
from tests.places import folder_for
from wangxin.clock import new_id
from wangxin.storage import entries, postgres
from wangxin.storage.entries import Line
from wangxin.storage.migrate import migrate

WHY_NOT = networks.why_not()
pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]
CUT_S = 5.0
"""Longer than the lease of a dispatcher, shorter than a hub's patience with a silent line."""


@pytest.fixture(scope="module")
def wires() -> Iterator[Network]:
    with folder_for("wxn-") as folder, network(folder) as found:
        asyncio.run(migrate(found.postgres.url))
        for name, words in (
            ("hub-a", ("hub", "--node", "a", "--port", str(networks.HUB_PORT))),
            ("hub-b", ("hub", "--node", "b", "--port", str(networks.HUB_PORT))),
            ("dispatcher-1", ("dispatcher",)), ("dispatcher-2", ("dispatcher",)), ("worker", ("worker",)),
        ):  # fmt: skip
            found.start(name, *words)
        for hub in ("hub-a", "hub-b"):
            asyncio.run(found.listening(hub))
        yield found


class FarCrowd(Crowd):
    """People who reach the hubs by address."""

    def _urls(self, first: int) -> list[str]:
        wires: Any = self.hubs
        nodes = ("hub-a", "hub-b") if first % 2 == 0 else ("hub-b", "hub-a")
        return [wires.url(node) for node in nodes]


async def test_a_hub_is_cut_off_and_another_comes_through_a_straw_while_people_talk(wires: Network) -> None:
    async with AsyncExitStack() as stack:
        crowd = FarCrowd(wires, stack)  # type: ignore[arg-type]
        await crowd.gather()
        crowd.talk()
        await crowd.more(30)
        wires.cut("hub-a")
        await crowd.more(20)  # those of the other hub go on
        await asyncio.sleep(CUT_S)
        wires.mend("hub-a")
        await crowd.more(60)
        wires.narrow("hub-b", "64kbit")
        await crowd.more(60)
        wires.widen("hub-b")
        await crowd.more(40)
        verdict = await crowd.judged()
        assert verdict.kept, str(verdict)


async def leader(conn: Any) -> tuple[int, str]:
    """(epoch, holder) of who decides now."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await conn.fetchrow("select epoch, holder from dispatch_lease where until_at > clock_timestamp()")
            if row is not None:
                return row["epoch"], row["holder"]
            await asyncio.sleep(0.05)


async def test_the_dispatcher_that_leads_is_cut_off_and_the_other_leads(wires: Network) -> None:
    conn = await asyncpg.connect(wires.postgres.url)
    first, _ = await leader(conn)
    addresses = {
        str(row["client_addr"]).split("/")[0]: row["pid"]
        for row in await conn.fetch(
            "select client_addr, pid from pg_stat_activity where application_name like 'dispatcher%'"
        )
    }
    assert {wires.address(f"dispatcher-{n}") for n in (1, 2)} <= addresses.keys()
    epochs = [first]
    for name in ("dispatcher-1", "dispatcher-2"):
        wires.cut(name)
        async with asyncio.timeout(PATIENCE_S):  # whichever led: somebody leads without this one
            while True:
                row = await conn.fetchrow("select epoch, until_at > clock_timestamp() as leads from dispatch_lease")
                await asyncio.sleep(CUT_S)
                then = await conn.fetchrow("select epoch, until_at > clock_timestamp() as leads from dispatch_lease")
                if row["leads"] and then["leads"] and row["epoch"] == then["epoch"]:
                    break
        epochs.append(then["epoch"])
        wires.mend(name)
    assert epochs == sorted(epochs), "epochs only grow"
    assert epochs[-1] > epochs[0], "one of the two led when it was cut off"
    await conn.close()


async def test_a_worker_that_is_cut_off_answers_everybody_once_when_it_is_back(wires: Network) -> None:
    pool = await postgres.open_pool(wires.postgres.url, least=1, most=3, name="test")
    try:
        shop = await pool.fetchval("select shop_id from shop limit 1")

        async def asks(number: int) -> UUID:
            chat = await make_chat(pool, shop, f"客{number}", f"w{number}-{uuid4().hex[:8]}")
            body = json.dumps({"text": f"第{number}个问题"})
            line = Line(shop, chat.thread, "shopper", chat.shopper, uuid4(), "text", body, opens=new_id())
            await entries.append(pool, [line])
            return chat.thread

        async def taken_up(threads: list[UUID]) -> list[int]:
            rows = await pool.fetch("select count(*) as n from bot_turn where thread_id = any($1) group by thread_id",
                                    threads)  # fmt: skip
            return [row["n"] for row in rows]

        async def all_of(threads: list[UUID]) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while len(await taken_up(threads)) < len(threads):
                    await asyncio.sleep(0.05)

        await all_of([await asks(0)])
        wires.cut("worker")
        meanwhile = [await asks(n) for n in range(1, 6)]
        await asyncio.sleep(CUT_S)
        wires.mend("worker")
        after = [await asks(n) for n in range(6, 9)]
        await all_of(meanwhile + after)
        assert await taken_up(meanwhile + after) == [1] * 8
        said = await pool.fetch("select thread_id, count(*) as n from entry where thread_id = any($1) and lane = 0"
                                " and sender_kind = 'bot' group by 1", meanwhile + after)  # fmt: skip
        assert {row["n"] for row in said} <= {1}
    finally:
        pool.terminate()
