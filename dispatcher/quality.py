"""The floor of quality in a contract: who falls below it gets nothing more until the merchant takes it up again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dispatcher.admin_record import NOBODY, routing_changed
from dispatcher.contracts import QualityFloor, Terms
from wangxin.clock import new_id
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Connection, Pool

WITHIN_MS = {"within_30s": 30_000, "reply_rate_3min": 180_000}
REASON = "quality"

_RUNNING = """
select c.shop_id, c.id, c.version, c.pool_ids, c.terms, coalesce(w.at, '-infinity') as since
  from agreed_contract c left join contract_switch w on w.shop_id = c.shop_id and w.contract_id = c.id
 where c.terms->'quality_floor' <> 'null' and not coalesce(w.paused, false)
   and c.starts_at <= clock_timestamp() and (c.ends_at is null or c.ends_at > clock_timestamp())
   and not exists (select 1 from agreed_contract n where n.shop_id = c.shop_id and n.id = c.id
                    and n.version > c.version and n.starts_at <= clock_timestamp())
 order by c.shop_id, c.id"""

# Cases of before the merchant took the contract up again count no more, or it would be paused at once.
_CASES = """
from assignment a join lateral (
  select {what} from entry e
   where e.shop_id = a.shop_id and e.thread_id = a.thread_id and e.lane = 0 and e.at >= a.assigned_at and {which}
   order by e.seq limit 1) r on true
 where a.shop_id = $1 and a.pool_id = any($2) and a.reason <> 'resume'
   and a.assigned_at >= greatest($3::timestamptz, clock_timestamp() - $4 * interval '1 day')"""


async def measured(
    conn: Connection, shop: UUID, pools: Sequence[UUID], floor: QualityFloor, since: object
) -> tuple[int, int]:
    """(value, cases) of the floor's figure: per mille of assignments first answered in time (those still open and young
    left out), or the mean of ratings in hundredths of a star."""
    if floor.metric == "csat":
        # A rating is of whoever served last.
        which = """e.kind = 'rating' and e.body->>'conversation' = a.conversation_id::text
            and not exists (select 1 from assignment n where n.shop_id = a.shop_id
                             and n.conversation_id = a.conversation_id and n.epoch > a.epoch)"""
        cases = _CASES.format(what="(e.body->>'stars')::int as stars", which=which)
        row = await conn.fetchrow(
            f"select coalesce(avg(r.stars) * 100, 0)::int as value, count(*) as cases {cases}",
            shop, list(pools), since, floor.days,
        )  # fmt: skip
    else:
        which = """e.conversation_id = a.conversation_id and e.sender_kind = 'agent' and e.sender_id = a.agent_id
            and e.kind <> 'event'"""
        cases = _CASES.format(what="extract(epoch from e.at - a.assigned_at) * 1000 as ms", which=which)
        row = await conn.fetchrow(
            f"""select coalesce(count(*) filter (where r.ms <= $5) * 1000 / nullif(count(*), 0), 0)::int as value,
                       count(*) as cases
                  {cases.replace("join lateral", "left join lateral")}
                   and (r.ms is not null or a.assigned_at < clock_timestamp() - $5 * interval '1 millisecond')""",
            shop, list(pools), since, floor.days, WITHIN_MS[floor.metric],
        )  # fmt: skip
    assert row is not None, "an aggregate has a row"
    return row["value"], row["cases"]


async def sweep(pool: Pool, hints: Hints) -> int:
    """Pause each running contract that is below its floor; how many were. Any number may run at once."""
    paused = 0
    async with pool.acquire() as conn:
        rows = await conn.fetch(_RUNNING)
    for row in rows:
        floor = Terms.model_validate(row["terms"]).quality_floor
        assert floor is not None, "only contracts with a floor were asked for"
        async with pool.acquire() as conn, conn.transaction():
            value, cases = await measured(conn, row["shop_id"], row["pool_ids"], floor, row["since"])
            if cases < floor.sample_min or value >= floor.value:
                continue
            done = await conn.fetchval(
                """insert into contract_switch (shop_id, contract_id, paused, by, reason) values ($1, $2, true, $3, $4)
                   on conflict (shop_id, contract_id) do update set paused = true, by = excluded.by,
                     reason = excluded.reason, at = clock_timestamp()
                     where not contract_switch.paused returning true""",
                row["shop_id"], row["id"], NOBODY, REASON,
            )  # fmt: skip
            if not done:
                continue
            await conn.execute(
                "insert into audit (shop_id, id, actor_role, actor_id, action, subject, detail)"
                " values ($1, $2, 'house', $3, 'contract.switched', $4, $5)",
                row["shop_id"], new_id(), NOBODY, str(row["id"]),
                {"paused": True, "reason": REASON, "metric": floor.metric, "value": value, "cases": cases},
            )  # fmt: skip
            await routing_changed(conn, row["shop_id"])
            paused += 1
    if paused:
        await hints.wake("dispatcher")
    return paused
