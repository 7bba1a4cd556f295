"""Who was not there when a message came, and what a device of his, or a channel of the shop's own, made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push.record.runs import at
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Done:
    """A chunk whose people have had some time to see their message."""

    shop: UUID
    run: UUID
    no: int
    rule: UUID
    rule_name: str


async def claim_done(conn: Connection, until_ms: int) -> Done | None:
    """The oldest chunk that was done by then and not looked at; it counts as looked at from now on."""
    row = await conn.fetchrow(
        """update push_chunk c set looked_at = clock_timestamp()
             from (select c.shop_id, c.run_id, c.no, n.rule_id, u.body->>'name' as name
                     from push_chunk c join push_run n on n.shop_id = c.shop_id and n.id = c.run_id
                     join push_rule u on u.shop_id = n.shop_id and u.id = n.rule_id
                    where c.done_at <= $1 and c.looked_at is null
                    order by c.done_at limit 1 for update of c skip locked) old
            where c.shop_id = old.shop_id and c.run_id = old.run_id and c.no = old.no
            returning c.shop_id, c.run_id, c.no, old.rule_id, old.name""",
        at(until_ms),
    )
    return Done(*row) if row else None


async def ask(conn: Connection, done: Done, *, heard: bool) -> list[Any]:
    """Enter everyone of the chunk whose message has reached no device and who can be told: by his own device where he
    has one, else, where it is ``heard``, by the shop's channel. Returns the latter: (delivery, shopper, ref, line)."""
    return list(
        await conn.fetch(
            """with missed as (
                 select d.msg_id, d.shopper_id, s.external_id as ref,
                        left(coalesce(e.body->>'text', e.body->>'title', ''), 200) as line,
                        exists (select from shopper_device o where o.shop_id = d.shop_id
                                   and o.shopper_id = d.shopper_id) as own
                   from push_recipient r
                   join push_delivery d on d.shop_id = r.shop_id and d.rule_id = $4 and d.run_key = r.run_key
                                       and d.step = r.step and d.shopper_id = r.shopper_id
                   join shopper s on s.shop_id = d.shop_id and s.id = d.shopper_id
                   join entry e on e.shop_id = d.shop_id and e.thread_id = d.thread_id and e.sender_id = d.rule_id
                               and e.client_msg_id = d.msg_id
                   left join receipt p on p.shop_id = d.shop_id and p.thread_id = d.thread_id
                                      and p.party = d.shopper_id
                  where r.shop_id = $1 and r.run_id = $2 and r.chunk_no = $3 and d.run_id = $2 and d.state = 'sent'
                    and e.recalled_at is null and greatest(p.delivered_seq, p.read_seq, 0) < e.seq),
               asked as (
                 insert into push_reach (shop_id, delivery, rule_id, run_id, shopper_id, channel, line, due_at)
                 select $1, msg_id, $4, $2, shopper_id, case when own then 'webpush' else 'webhook' end,
                        case when own then line else '' end, case when own then clock_timestamp() end
                   from missed where own or $5 on conflict do nothing returning delivery, channel)
               select m.msg_id as delivery, m.shopper_id, m.ref, m.line from missed m
                 join asked a on a.delivery = m.msg_id and a.channel = 'webhook' order by m.msg_id""",
            done.shop, done.run, done.no, done.rule, heard,
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ringing:
    """A message that is to be told to its shopper's own devices. ``tries``: with this one."""

    shop: UUID
    delivery: UUID
    rule: UUID
    rule_name: str
    run: UUID
    shopper: UUID
    ref: str | None
    slug: str
    shop_name: str
    line: str
    tries: int


async def claim_ringing(conn: Connection, again_s: float, most: int) -> list[Ringing]:
    """Messages for devices that are due; whoever claimed them and died leaves them to the next after ``again_s``."""
    rows = await conn.fetch(
        """with due as (
             select shop_id, delivery from push_reach
              where channel = 'webpush' and state = 'asked' and due_at <= clock_timestamp()
              order by due_at limit $2 for update skip locked)
           update push_reach r set tries = r.tries + 1, due_at = clock_timestamp() + make_interval(secs => $1)
             from due, shop s, push_rule u, shopper p
            where r.shop_id = due.shop_id and r.delivery = due.delivery and s.shop_id = r.shop_id
              and u.shop_id = r.shop_id and u.id = r.rule_id and p.shop_id = r.shop_id and p.id = r.shopper_id
           returning r.shop_id, r.delivery, r.rule_id, u.body->>'name', r.run_id, r.shopper_id, p.external_id,
             s.slug, s.name, r.line, r.tries""",
        again_s, most,
    )  # fmt: skip
    return [Ringing(*row) for row in rows]


async def rang(conn: Connection, one: Ringing, state: str) -> None:
    """What a device's push service made of it; its words are kept no longer."""
    await conn.execute(
        "update push_reach set state = $3, line = '', due_at = null, changed_at = clock_timestamp()"
        " where shop_id = $1 and delivery = $2 and state = 'asked'",
        one.shop, one.delivery, state,
    )  # fmt: skip


async def hand_over(conn: Connection, one: Ringing) -> None:
    """His devices are gone: the shop's channel is told instead."""
    await conn.execute(
        "update push_reach set channel = 'webhook', line = '', due_at = null where shop_id = $1 and delivery = $2",
        one.shop, one.delivery,
    )  # fmt: skip


async def told(conn: Connection, shop: UUID, delivery: UUID, state: str) -> None:
    """The channel says what became of it; a message that it was never asked for changes nothing."""
    await conn.execute(
        "update push_reach set state = $3, changed_at = clock_timestamp() where shop_id = $1 and delivery = $2"
        " and channel = 'webhook'",
        shop,
        delivery,
        state,
    )


async def counts(conn: Connection, shop: UUID, rule: UUID) -> dict[str, dict[str, int]]:
    """channel → state → messages."""
    rows = await conn.fetch(
        "select channel, state, count(*) as n from push_reach where shop_id = $1 and rule_id = $2"
        " group by channel, state order by channel, state",
        shop,
        rule,
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["channel"], {})[row["state"]] = row["n"]
    return found


def batches(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
