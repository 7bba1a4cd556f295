"""Questions merchants ask: what became of everyone, what it brought, why somebody did or did not get a message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.storage.postgres import Connection

_REAL = "not exists (select 1 from push_run n where n.shop_id = d.shop_id and n.id = d.run_id and n.kind = 'test')"


async def totals(conn: Connection, shop: UUID) -> dict[UUID, dict[str, int]]:
    """rule → state → deliveries, of all its runs but tests."""
    rows = await conn.fetch(
        f"select d.rule_id, d.state, count(*) as n from push_delivery d where d.shop_id = $1 and {_REAL} group by 1, 2",
        shop,
    )
    found: dict[UUID, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["rule_id"], {})[row["state"]] = row["n"]
    return found


async def reasons(conn: Connection, shop: UUID, rule: UUID) -> Counter[tuple[str, str]]:
    """(state, reason) → deliveries."""
    rows = await conn.fetch(
        "select d.state, d.reason, count(*) as n from push_delivery d"
        f" where d.shop_id = $1 and d.rule_id = $2 and {_REAL} group by 1, 2",
        shop,
        rule,
    )
    return Counter({(row["state"], row["reason"]): row["n"] for row in rows})


@dataclass(frozen=True, slots=True)
class Response:
    delivered: int
    seen: int
    replied: int
    refused_after: int
    opened: int
    served: int


async def response(conn: Connection, shop: UUID, rule: UUID) -> Response:
    """Of the messages sent: which reached a device, were read, were answered within a day, and led to a refusal.
    Answers open conversations: ``opened``, and those of them that came to a person: ``served``."""
    row = await conn.fetchrow(
        f"""with sent as (
              select d.shopper_id, d.at, e.thread_id, e.seq from push_delivery d
                join entry e on e.shop_id = d.shop_id and e.thread_id = d.thread_id and e.sender_id = d.rule_id
                            and e.client_msg_id = d.msg_id
               where d.shop_id = $1 and d.rule_id = $2 and d.state = 'sent' and {_REAL})
            select count(*) filter (where r.delivered_seq >= s.seq or r.read_seq >= s.seq) as delivered,
                   count(*) filter (where r.read_seq >= s.seq) as seen,
                   count(*) filter (where exists (
                     select 1 from entry w where w.shop_id = $1 and w.thread_id = s.thread_id and w.lane = 0
                        and w.seq > s.seq and w.sender_kind = 'shopper' and w.at < s.at + interval '1 day')) as replied,
                   count(*) filter (where exists (
                     select 1 from consent_log c where c.shop_id = $1 and c.shopper_id = s.shopper_id
                        and not c.granted and c.at > s.at and c.at < s.at + interval '1 day')) as refused
              from sent s left join receipt r on r.shop_id = $1 and r.thread_id = s.thread_id
                                             and r.party = s.shopper_id""",
        shop,
        rule,
    )
    assert row is not None, "an aggregate answers with one row"
    answers = await conn.fetchrow(
        f"""select count(*) as opened, count(c.assigned_at) as served from conversation c
             where c.shop_id = $1 and c.outbound_rule = $2 and exists (
               select 1 from push_delivery d where d.shop_id = c.shop_id and d.thread_id = c.thread_id
                  and d.rule_id = $2 and d.state = 'sent' and {_REAL})""",
        shop,
        rule,
    )
    assert answers is not None, "an aggregate answers with one row"
    return Response(row["delivered"], row["seen"], row["replied"], row["refused"], answers["opened"], answers["served"])


async def conversions(
    conn: Connection, shop: UUID, rule: UUID, event_type: str, window_ms: int
) -> list[tuple[bool, str, int, int, int]]:
    """(held out, state, variant, people, converted), by assignment: whoever was not held out counts for the push."""
    rows = await conn.fetch(
        f"""select d.state = 'held_out' as held, d.state, d.variant, count(*) as n,
              count(*) filter (where exists (
                select 1 from shop_event e where e.shop_id = d.shop_id and e.shopper_id = d.shopper_id and e.type = $3
                   and e.at >= d.at and e.at < d.at + $4 * interval '1 millisecond')) as hits
            from push_delivery d
            where d.shop_id = $1 and d.rule_id = $2 and {_REAL}
              and d.state not in ('not_matching', 'no_consent', 'cancelled')
            group by 1, 2, 3""",
        shop, rule, event_type, window_ms,
    )  # fmt: skip
    return [(row["held"], row["state"], row["variant"], row["n"], row["hits"]) for row in rows]


async def benefits(conn: Connection, shop: UUID, rule: UUID) -> tuple[dict[str, int], int]:
    """Grants by state, and their sum (points, or fen)."""
    rows = await conn.fetch(
        "select state, count(*) as n, sum(amount)::bigint as amount from benefit_grant"
        " where shop_id = $1 and rule_id = $2 group by state",
        shop,
        rule,
    )
    return {row["state"]: row["n"] for row in rows}, sum(row["amount"] for row in rows)


async def runs_of(conn: Connection, shop: UUID, rule: UUID, limit: int = 30) -> list[Any]:
    return list(
        await conn.fetch(
            """select r.id, r.occurrence, r.rule_version, r.state, r.audience_n,
                 (extract(epoch from r.started_at) * 1000)::bigint as started_ms,
                 (select count(*) from push_delivery d where d.shop_id = r.shop_id and d.run_id = r.id) as decided
               from push_run r where r.shop_id = $1 and r.rule_id = $2 and r.kind <> 'test'
               order by r.started_at desc limit $3""",
            shop,
            rule,
            limit,
        )
    )


async def skipped(conn: Connection, shop: UUID, rule: UUID) -> list[tuple[str, str]]:
    rows = await conn.fetch(
        "select occurrence, coalesce(reason, '') as reason from push_due"
        " where shop_id = $1 and rule_id = $2 and state = 'skipped' order by due_at desc limit 20",
        shop,
        rule,
    )
    return [(row["occurrence"], row["reason"]) for row in rows]


async def deliveries_of(conn: Connection, shop: UUID, shopper: UUID, limit: int = 50) -> list[Any]:
    """What push decided about one shopper, newest first."""
    return list(
        await conn.fetch(
            """select d.rule_id, u.body->>'name' as name, d.state, d.reason,
                 (extract(epoch from d.at) * 1000)::bigint as at_ms
               from push_delivery d join push_rule u on u.shop_id = d.shop_id and u.id = d.rule_id
               where d.shop_id = $1 and d.shopper_id = $2 order by d.at desc limit $3""",
            shop,
            shopper,
            limit,
        )
    )


async def open_dues(conn: Connection, shop: UUID) -> list[Any]:
    """What is planned: of running rules, the coming day and a half."""
    return list(
        await conn.fetch(
            """select d.rule_id, u.body->>'name' as name, (u.body->>'priority')::int as priority,
                 (extract(epoch from d.due_at) * 1000)::bigint as due_ms
               from push_due d join push_rule u on u.shop_id = d.shop_id and u.id = d.rule_id
               where d.shop_id = $1 and d.state = 'open' order by d.due_at limit 200""",
            shop,
        )
    )


async def changed(conn: Connection, shop: UUID) -> dict[UUID, int]:
    rows = await conn.fetch(
        "select id, (extract(epoch from changed_at) * 1000)::bigint as ms from push_rule where shop_id = $1", shop
    )
    return {row["id"]: row["ms"] for row in rows}


async def next_dues(conn: Connection, shop: UUID) -> dict[UUID, int]:
    rows = await conn.fetch(
        "select rule_id, (extract(epoch from min(due_at)) * 1000)::bigint as ms from push_due"
        " where shop_id = $1 and state = 'open' group by rule_id",
        shop,
    )
    return {row["rule_id"]: row["ms"] for row in rows}


async def unread(conn: Connection, shop: UUID, shopper: UUID) -> Any:
    """The shopper's thread with what he has not read of others' public lines; None: he has none."""
    return await conn.fetchrow(
        """select t.id, coalesce(t.last_public, '') as last_line,
             (extract(epoch from t.last_at) * 1000)::bigint as last_ms,
             (select count(*) from (
                select 1 from entry e where e.shop_id = t.shop_id and e.thread_id = t.id and e.lane = 0
                   and e.seq > coalesce((select r.read_seq from receipt r where r.shop_id = t.shop_id
                                          and r.thread_id = t.id and r.party = t.shopper_id), 0)
                   and e.sender_kind not in ('shopper', 'system') limit 100) x) as unread
           from thread t where t.shop_id = $1 and t.shopper_id = $2""",
        shop,
        shopper,
    )
