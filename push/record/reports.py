"""Questions merchants ask: what became of everyone, what it brought, why somebody did or did not get a message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push.record.runs import at
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
              select d.shopper_id, d.at, d.thread_id, coalesce(e.seq, d.archived_seq) as seq, d.archived_reply
                from push_delivery d
                left join entry e on e.shop_id = d.shop_id and e.thread_id = d.thread_id and e.sender_id = d.rule_id
                            and e.client_msg_id = d.msg_id
               where d.shop_id = $1 and d.rule_id = $2 and d.state = 'sent' and {_REAL}
                 and coalesce(e.seq, d.archived_seq) is not null)
            select count(*) filter (where r.delivered_seq >= s.seq or r.read_seq >= s.seq) as delivered,
                   count(*) filter (where r.read_seq >= s.seq) as seen,
                   count(*) filter (where s.archived_reply or exists (
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


@dataclass(frozen=True, slots=True)
class Assigned:
    """People who were assigned alike, each counted once however often the rule came round, and how many of them
    converted within the window after one of their decisions. ``arm``: pushed, held_rule, or held_shop (held out of all
    rules); ``sent``: at least one message went out."""

    arm: str
    variant: int
    sent: bool
    people: int
    hits: int


async def assigned(conn: Connection, shop: UUID, rule: UUID, event_type: str, window_ms: int) -> list[Assigned]:
    """By assignment: whoever was not held out counts for the push, whether it reached him or not."""
    rows = await conn.fetch(
        f"""with person as (
              select d.shopper_id, (array_agg(case when d.state <> 'held_out' then 'pushed'
                       when d.reason = 'holdout.global' then 'held_shop' else 'held_rule' end order by d.at))[1] as arm,
                     (array_agg(d.variant order by d.at))[1] as variant, bool_or(d.state = 'sent') as sent,
                     bool_or(exists (
                       select 1 from shop_event e where e.shop_id = d.shop_id and e.shopper_id = d.shopper_id
                          and e.type = $3 and e.at >= d.at and e.at < d.at + $4 * interval '1 millisecond')) as hit
                from push_delivery d
               where d.shop_id = $1 and d.rule_id = $2 and {_REAL}
                 and d.state not in ('not_matching', 'no_consent', 'cancelled')
               group by d.shopper_id)
            select arm, variant, sent, count(*) as people, count(*) filter (where hit) as hits from person
             group by 1, 2, 3""",
        shop, rule, event_type, window_ms,
    )  # fmt: skip
    return [Assigned(**dict(row)) for row in rows]


async def tapped(conn: Connection, shop: UUID, rule: UUID) -> int:
    """People who tapped something of the rule's messages within a day: a card, a menu item, the benefit."""
    n: int = await conn.fetchval(
        f"""select count(distinct d.shopper_id) from push_delivery d
             where d.shop_id = $1 and d.rule_id = $2 and d.state = 'sent' and {_REAL}
               and (exists (select 1 from shop_event e where e.shop_id = d.shop_id and e.shopper_id = d.shopper_id
                              and e.type in ('card.viewed', 'push.tapped') and e.at >= d.at
                              and e.at < d.at + interval '1 day' and e.data->>'rule' = d.rule_id::text)
                    or exists (select 1 from benefit_grant g where g.shop_id = d.shop_id and g.rule_id = d.rule_id
                                 and g.run_key = d.run_key and g.step = d.step and g.shopper_id = d.shopper_id
                                 and g.claimed_at is not null))""",
        shop,
        rule,
    )
    return n


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


async def waiting(conn: Connection, shop: UUID, now_ms: int, until_ms: int) -> list[Any]:
    """Messages that are frozen, delayed or held, by rule and hour."""
    return list(
        await conn.fetch(
            """select n.rule_id, u.body->>'name' as name, (u.body->>'priority')::int as priority,
                 min((extract(epoch from c.due_at) * 1000)::bigint) as due_ms, count(*) as people
               from push_chunk c
               join push_run n on n.shop_id = c.shop_id and n.id = c.run_id
               join push_recipient r on r.shop_id = c.shop_id and r.run_id = c.run_id and r.chunk_no = c.no
               join push_rule u on u.shop_id = n.shop_id and u.id = n.rule_id
              where c.shop_id = $1 and c.done_at is null and c.due_at > $2 and c.due_at <= $3 and n.state = 'running'
                and n.kind <> 'test'
              group by 1, 2, 3, date_trunc('hour', c.due_at) order by 4 limit 200""",
            shop, at(now_ms), at(until_ms),
        )
    )  # fmt: skip


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
        """select t.id, coalesce((
               select left(coalesce(nullif(e.body->>'text', ''), nullif(e.body->>'title', ''),
                                    '[' || e.kind || ']'), 80)
                 from entry e where e.shop_id = t.shop_id and e.thread_id = t.id and e.lane = 0 and e.kind <> 'event'
                  and e.recalled_at is null order by e.seq desc limit 1), '') as last_line,
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
