"""Grants on their way: claimed, redeemed, expired, withdrawn; and what a benefit brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push.record.runs import at
from wangxin.storage.postgres import Connection

_GRANT = """g.id, g.rule_id, g.run_key, g.step, g.shopper_id, g.kind, g.amount, g.title, g.state, g.tap, g.redeemed_for,
 g.order_cents, (extract(epoch from g.expires_at) * 1000)::bigint as expires_ms,
 (extract(epoch from g.at) * 1000)::bigint as at_ms, (extract(epoch from g.claimed_at) * 1000)::bigint as claimed_ms,
 (extract(epoch from g.redeemed_at) * 1000)::bigint as redeemed_ms"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One benefit of one shopper. ``redeemed_for``: the order it went into, which came to ``order_cents`` fen."""

    id: UUID
    rule_id: UUID
    run_key: str
    step: int
    shopper_id: UUID
    kind: str
    amount: int
    title: str
    state: str
    tap: bool
    redeemed_for: str | None
    order_cents: int | None
    expires_ms: int | None
    at_ms: int
    claimed_ms: int | None
    redeemed_ms: int | None


async def lock(conn: Connection, shop: UUID, grant: UUID) -> Grant | None:
    row = await conn.fetchrow(
        f"select {_GRANT} from benefit_grant g where g.shop_id = $1 and g.id = $2 for update", shop, grant
    )
    return Grant(**dict(row)) if row else None


async def of_shopper(conn: Connection, shop: UUID, shopper: UUID, limit: int = 100) -> list[Grant]:
    """Newest first."""
    rows = await conn.fetch(
        f"select {_GRANT} from benefit_grant g where g.shop_id = $1 and g.shopper_id = $2 order by g.at desc limit $3",
        shop,
        shopper,
        limit,
    )
    return [Grant(**dict(row)) for row in rows]


async def claimed(conn: Connection, shop: UUID, grant: UUID, now_ms: int) -> None:
    await conn.execute(
        "update benefit_grant set state = 'claimed', claimed_at = $3, changed_at = $3 where shop_id = $1 and id = $2",
        shop,
        grant,
        at(now_ms),
    )


async def redeemed(
    conn: Connection, shop: UUID, grant: UUID, order: str, order_cents: int | None, now_ms: int
) -> None:  # fmt: skip
    await conn.execute(
        """update benefit_grant set state = 'redeemed', redeemed_at = $3, changed_at = $3, redeemed_for = $4,
             order_cents = $5 where shop_id = $1 and id = $2""",
        shop, grant, at(now_ms), order, order_cents,
    )  # fmt: skip


async def expire(conn: Connection, now_ms: int, limit: int = 5_000) -> int:
    """Grants whose time is over; returns how many."""
    status = await conn.execute(
        """update benefit_grant g set state = 'expired', changed_at = $1
             from (select shop_id, id from benefit_grant where state in ('granted', 'claimed') and expires_at <= $1
                    order by expires_at limit $2 for update skip locked) old
            where g.shop_id = old.shop_id and g.id = old.id""",
        at(now_ms),
        limit,
    )
    return int(status.split()[-1])


# --- withdrawing -----------------------------------------------------------------------------------------------------
async def withdraw(conn: Connection, shop: UUID, rule: UUID, now_ms: int) -> bool:
    """From now on nobody gets the rule's benefit; what is unread is taken back by the ticker. False: there is none, or
    it is withdrawn already."""
    status = await conn.execute(
        "update benefit_stock set withdrawn_at = $3, withdrawing = true, withdrawn_key = '',"
        " withdrawn_shopper = '00000000-0000-0000-0000-000000000000' where shop_id = $1 and rule_id = $2"
        " and withdrawn_at is null",
        shop,
        rule,
        at(now_ms),
    )
    return status != "UPDATE 0"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A benefit whose unread messages are being taken back; its grants up to ``key`` and ``shopper`` are done."""

    shop_id: UUID
    rule_id: UUID
    step: int
    key: str
    shopper: UUID


async def lock_withdrawal(conn: Connection) -> Withdrawal | None:
    """One that is under way. No chunk gives of the benefit meanwhile."""
    row = await conn.fetchrow(
        "select shop_id, rule_id, step, withdrawn_key as key, withdrawn_shopper as shopper from benefit_stock"
        " where withdrawing limit 1 for update skip locked"
    )
    return Withdrawal(**dict(row)) if row else None


async def next_grants(conn: Connection, of: Withdrawal, limit: int) -> list[Any]:
    """The next grants in the order of their key, locked. ``unread``: nobody has claimed it or seen its message."""
    return list(
        await conn.fetch(
            """with next as (
                 select g.* from benefit_grant g
                  where g.shop_id = $1 and g.rule_id = $2 and g.step = $3
                    and (g.run_key, g.step, g.shopper_id) > ($4, $3, $5)
                  order by g.run_key, g.step, g.shopper_id limit $6 for update)
               select g.id, g.run_key, g.step, g.shopper_id, g.kind, g.amount, d.thread_id,
                      coalesce(g.state = 'granted' and coalesce(r.read_seq, 0) < coalesce(e.seq, d.archived_seq), false)
                        as unread
                 from next g
                 left join push_delivery d on d.shop_id = g.shop_id and d.rule_id = g.rule_id
                                          and d.run_key = g.run_key and d.step = g.step
                                          and d.shopper_id = g.shopper_id
                 left join entry e on e.shop_id = d.shop_id and e.thread_id = d.thread_id and e.sender_id = d.rule_id
                                  and e.client_msg_id = d.msg_id
                 left join receipt r on r.shop_id = d.shop_id and r.thread_id = d.thread_id and r.party = d.shopper_id
                order by g.run_key, g.step, g.shopper_id""",
            of.shop_id, of.rule_id, of.step, of.key, of.shopper, limit,
        )
    )  # fmt: skip


async def withdrawn_up_to(conn: Connection, of: Withdrawal, last: Any | None, *, done: bool) -> None:
    await conn.execute(
        """update benefit_stock set withdrawing = not $4, withdrawn_key = $5, withdrawn_shopper = $6
            where shop_id = $1 and rule_id = $2 and step = $3""",
        of.shop_id, of.rule_id, of.step, done, last["run_key"] if last else of.key,
        last["shopper_id"] if last else of.shopper,
    )  # fmt: skip


async def lines_of(
    conn: Connection, shop: UUID, rule: UUID, threads: Sequence[UUID], messages: Sequence[UUID]
) -> list[tuple[UUID, int]]:
    """(thread, seq) of the rule's lines under these ids."""
    rows = await conn.fetch(
        "select thread_id, seq from entry where shop_id = $1 and thread_id = any($2) and sender_id = $3"
        " and client_msg_id = any($4) and recalled_at is null order by thread_id, seq",
        shop, list(threads), rule, list(messages),
    )  # fmt: skip
    return [(row["thread_id"], row["seq"]) for row in rows]


async def take_back(conn: Connection, shop: UUID, grants: Sequence[Any], now_ms: int) -> None:
    """The grants are withdrawn, points among them booked back; the ledger says why the message is gone."""
    await conn.execute(
        "update benefit_grant set state = 'withdrawn', changed_at = $3 where shop_id = $1 and id = any($2)",
        shop,
        [grant["id"] for grant in grants],
        at(now_ms),
    )
    await conn.execute(
        """update push_delivery d set reason = 'benefit.withdrawn' from benefit_grant g
            where g.shop_id = $1 and g.id = any($2) and d.shop_id = g.shop_id and d.rule_id = g.rule_id
              and d.run_key = g.run_key and d.step = g.step and d.shopper_id = g.shopper_id""",
        shop,
        [grant["id"] for grant in grants],
    )
    points = [grant for grant in grants if grant["kind"] == "points"]
    if points:
        await conn.execute(
            """with booked as (
                 insert into points_ledger (shop_id, shopper_id, ref, delta)
                 select $1, * from unnest($2::uuid[], $3::text[], $4::int[]) on conflict do nothing
                 returning shopper_id, delta),
               per_shopper as (select shopper_id, sum(delta)::int as delta from booked group by shopper_id)
               update profile p set points = greatest(0, coalesce(p.points, 0) + b.delta) from per_shopper b
                where p.shop_id = $1 and p.shopper_id = b.shopper_id""",
            shop, [g["shopper_id"] for g in points], [f"withdrawn:{g['id']}" for g in points],
            [-g["amount"] for g in points],
        )  # fmt: skip


# --- what it brought -------------------------------------------------------------------------------------------------
async def overview(conn: Connection, shop: UUID) -> list[Any]:
    """One row a benefit of a rule: what is left, its grants by where they stand, what it cost and brought."""
    return list(
        await conn.fetch(
            """select s.rule_id, s.step, u.body->>'name' as rule_name, u.status as rule_status,
                 u.body->'steps'->s.step->'benefit' as benefit, s.remaining, s.budget_cents, s.spent_cents,
                 (extract(epoch from s.withdrawn_at) * 1000)::bigint as withdrawn_ms, s.withdrawing,
                 count(g.id) as granted, count(*) filter (where g.claimed_at is not null) as claimed,
                 count(*) filter (where g.state = 'redeemed') as redeemed,
                 count(*) filter (where g.state = 'expired') as expired,
                 count(*) filter (where g.state = 'withdrawn') as withdrawn,
                 coalesce(sum(g.amount) filter (where g.state = 'redeemed'), 0)::bigint as cost_cents,
                 coalesce(sum(g.order_cents) filter (where g.state = 'redeemed'), 0)::bigint as order_cents
               from benefit_stock s
               join push_rule u on u.shop_id = s.shop_id and u.id = s.rule_id
               left join benefit_grant g on g.shop_id = s.shop_id and g.rule_id = s.rule_id and g.step = s.step
              where s.shop_id = $1 group by s.shop_id, s.rule_id, s.step, u.shop_id, u.id order by u.changed_at desc""",
            shop,
        )
    )


async def grants_of(conn: Connection, shop: UUID, rule: UUID, state: str, limit: int) -> list[Any]:
    """Grants of a rule with their shoppers' names, newest first; ``state`` "": of any."""
    return list(
        await conn.fetch(
            f"""select {_GRANT}, s.name, s.external_id as ref from benefit_grant g
                 join shopper s on s.shop_id = g.shop_id and s.id = g.shopper_id
                where g.shop_id = $1 and g.rule_id = $2 and ($3 = '' or g.state = $3) order by g.at desc limit $4""",
            shop, rule, state, limit,
        )
    )  # fmt: skip
