"""Who was not there when a message came, and what a channel of the shop's own made of it."""

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


async def ask(conn: Connection, done: Done) -> list[Any]:
    """Enter everyone of the chunk whose message has reached no device: (delivery, shopper, ref, line)."""
    return list(
        await conn.fetch(
            """with missed as (
                 select d.msg_id, d.shopper_id, s.external_id as ref,
                        left(coalesce(e.body->>'text', e.body->>'title', ''), 200) as line
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
                 insert into push_reach (shop_id, delivery, rule_id, run_id, shopper_id)
                 select $1, msg_id, $4, $2, shopper_id from missed on conflict do nothing returning delivery)
               select m.msg_id as delivery, m.shopper_id, m.ref, m.line from missed m
                 join asked a on a.delivery = m.msg_id order by m.msg_id""",
            done.shop, done.run, done.no, done.rule,
        )
    )  # fmt: skip


async def told(conn: Connection, shop: UUID, delivery: UUID, state: str) -> None:
    """The channel says what became of it; a message that it was never asked for changes nothing."""
    await conn.execute(
        "update push_reach set state = $3, changed_at = clock_timestamp() where shop_id = $1 and delivery = $2",
        shop,
        delivery,
        state,
    )


async def counts(conn: Connection, shop: UUID, rule: UUID) -> dict[str, int]:
    """state → messages."""
    rows = await conn.fetch(
        "select state, count(*) as n from push_reach where shop_id = $1 and rule_id = $2 group by state", shop, rule
    )
    return {row["state"]: row["n"] for row in rows}


def batches(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
