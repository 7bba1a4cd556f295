"""A run of two rules whose workers are killed at random moments, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import asyncpg

from tests.conftest import Shop
from tests.push.shops import World
from wangxin.clock import new_id

ROOT = Path(__file__).parent.parent.parent
UNDONE = "select exists (select 1 from push_chunk where done_at is null)"


async def disturbed_run(
    pool: asyncpg.Pool,
    shop: Shop,
    database_url: str,
    *,
    people_n: int,
    stock: int,
    kills_max: int,
    kills_min: int,
    together: bool = False,
) -> None:
    """Both rules go to all ``people_n``; at most ``kills_max`` workers are killed, and no fewer than ``kills_min``,
    all while there was work left; ``together``: both at a time, so that nobody goes on meanwhile."""
    world, chance = World(pool, shop.id), random.Random(3)
    people = [new_id() for _ in range(people_n)]
    await pool.executemany(
        "insert into shopper (shop_id, id, name) values ($1, $2, 'x')", [(shop.id, person) for person in people]
    )
    await pool.executemany(
        "insert into profile (shop_id, shopper_id, refused) values ($1, $2, $3)",
        [(shop.id, person, ["marketing"] if chance.random() < 0.06 else []) for person in people],
    )
    # Two rules meet in the same people: the cap of one a day must hold across them, and the stock within the first.
    gift = {"gift": {"k": "points", "amount": 7}, "stock": stock}
    first = await world.rule(priority=60, benefit=gift, experiment={"salt": "k", "holdout_permille": 50})
    second = await world.rule(priority=50)
    await world.push.tick()

    kills = 0
    workers = [await _worker(database_url), await _worker(database_url)]
    while kills < kills_max and await world.push.tick():
        victims = range(2) if together else [chance.randrange(2)]
        for victim in victims:
            begun = workers[victim].stdout
            assert begun is not None
            await begun.readline()
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        for victim in victims:
            if workers[victim].returncode is None and await pool.fetchval(UNDONE):
                workers[victim].kill()
                kills += 1  # it had work left
            else:
                await workers[victim].communicate()
        for victim in victims:
            await workers[victim].wait()
            workers[victim] = await _worker(database_url)
    for worker in workers:
        await worker.communicate()
        assert worker.returncode == 0
    assert kills >= kills_min, "the run was over before it was disturbed"
    await world.push.tick()

    async def number(sql: str, *args: object) -> int:
        return int(await pool.fetchval(sql, *args))

    for rule in (first, second):
        assert await number("select count(*) from push_delivery where rule_id = $1", rule.id) == people_n
        sent = await number("select count(*) from push_delivery where rule_id = $1 and state = 'sent'", rule.id)
        assert sent == await number("select count(*) from entry where sender_id = $1", rule.id)
    over_cap = await pool.fetch(
        """select e.thread_id, e.seq, e.kind, e.sender_kind, e.at, to_jsonb(d) as delivery, to_jsonb(k) as contacts
             from entry e left join push_delivery d on d.shop_id = e.shop_id and d.msg_id = e.client_msg_id
             left join push_contact k on k.shop_id = d.shop_id and k.shopper_id = d.shopper_id
            where e.thread_id in (select thread_id from entry group by thread_id having count(*) > 1)
            order by e.thread_id, e.seq limit 6"""
    )
    assert not over_cap, [dict(row) for row in over_cap]
    assert (
        await number(
            "select count(*) from push_delivery d where d.state = 'sent' and not exists (select 1 from entry e"
            " where e.shop_id = d.shop_id and e.thread_id = d.thread_id and e.client_msg_id = d.msg_id)"
        )
        == 0
    )
    granted = await number("select count(*) from benefit_grant")
    assert granted == stock
    assert await number("select granted from benefit_stock") == stock
    assert await number("select sum(points) from profile") == stock * 7
    assert await number("select sum(delta) from points_ledger") == stock * 7

    # The worst a job queue can do: everything once more. Nothing changes.
    before = await number("select count(*) from entry")
    await pool.execute("update push_chunk set done_at = null")
    await pool.execute("update push_run set state = 'running'")
    await world.push.work()
    assert await number("select count(*) from entry") == before
    assert await number("select count(*) from push_delivery") == 2 * people_n


async def _worker(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.push.worker", url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
