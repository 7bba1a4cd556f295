"""Where threads stand, read for those who may follow them; receipts; and who a party is once the door let him in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from wangxin.model.actor import Actor
from wangxin.storage.postgres import Connection
from wangxin.visibility import Viewer

Executor = Connection | asyncpg.Pool


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One thread as the record holds it, with the names that lists show."""

    shop: UUID
    thread: UUID
    shop_name: str
    shop_slug: str
    accent: str
    shopper: UUID
    shopper_name: str
    external_id: str | None
    state: str
    conversation: UUID | None
    topic: str
    agent: UUID | None
    pool: UUID | None
    epoch: int
    public_seq: int
    internal_seq: int
    last_at_ms: int
    last_line: str
    awaiting_since_ms: int | None
    opened_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Party:
    """Whom the door let in: the person, how he sees, and the threads that are his to follow.

    ``open_fields`` names, per shop, the personal fields (``kind.field``) an outsourced agent's contract opens, and as
    ``panel.field`` what it opens beside the words.
    ``session`` is the login of an account, None for shoppers. ``kid`` names the signing secret of a member's token.
    ``seat`` is an agent's state as the dispatcher knows it.
    """

    actor: Actor
    viewer: Viewer
    threads: tuple[ThreadRow, ...]
    session: UUID | None = None
    seat: str | None = None
    open_fields: dict[UUID, frozenset[str]] = field(default_factory=dict)
    kid: str = ""


_SELECT = """
select t.shop_id, t.id, s.name as shop_name, s.slug, coalesce(s.accent, '') as accent, t.shopper_id,
       p.name as shopper_name, p.external_id, t.state, t.conversation_id, coalesce(c.topic, '') as topic, t.agent_id,
       t.pool_id, t.epoch, t.public_seq, t.internal_seq,
       (extract(epoch from t.last_at) * 1000)::bigint as last_at_ms, coalesce(t.last_public, '') as last_line,
       (extract(epoch from t.awaiting_since) * 1000)::bigint as awaiting_ms,
       (extract(epoch from c.opened_at) * 1000)::bigint as opened_ms
  from thread t
  join shop s on s.shop_id = t.shop_id
  join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
  left join conversation c on c.shop_id = t.shop_id and c.id = t.conversation_id"""


def _row(row: asyncpg.Record) -> ThreadRow:
    return ThreadRow(*row.values())


async def read_threads(conn: Executor, wanted: Sequence[tuple[UUID, UUID]]) -> list[ThreadRow]:
    """The (shop, thread) that exist, in any order."""
    rows = await conn.fetch(
        _SELECT + " where (t.shop_id, t.id) in (select * from unnest($1::uuid[], $2::uuid[]))",
        [shop for shop, _ in wanted],
        [thread for _, thread in wanted],
    )
    return [_row(row) for row in rows]


async def threads_of_shopper(conn: Executor, shop: UUID, shopper: UUID) -> list[ThreadRow]:
    """A shopper's own thread first, then those of guests he once was."""
    rows = await conn.fetch(
        _SELECT + " where t.shop_id = $1 and t.shopper_id in"
        " (select $2::uuid union all select g.id from shopper g where g.shop_id = $1 and g.merged_into = $2)"
        " order by t.shopper_id <> $2, t.id limit 20",
        shop,
        shopper,
    )
    return [_row(row) for row in rows]


async def threads_of_agent(conn: Executor, agent: UUID, limit: int) -> list[ThreadRow]:
    """The threads an agent holds now, in all his shops."""
    rows = await conn.fetch(
        _SELECT + " where t.agent_id = $1 and t.state in ('assigned', 'parked', 'wrap_up') order by t.last_at limit $2",
        agent,
        limit,
    )
    return [_row(row) for row in rows]


async def last_seqs(conn: Executor, wanted: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID, int, int]]:
    """(shop, thread, newest public seq, newest internal seq) of each thread that exists."""
    rows = await conn.fetch(
        "select t.shop_id, t.id, t.public_seq, t.internal_seq from thread t"
        " join unnest($1::uuid[], $2::uuid[]) w(shop, thread) on t.shop_id = w.shop and t.id = w.thread",
        [shop for shop, _ in wanted],
        [thread for _, thread in wanted],
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    shop: UUID
    thread: UUID
    party: UUID
    delivered_seq: int
    read_seq: int


async def read_receipts(conn: Executor, wanted: Sequence[tuple[UUID, UUID]]) -> list[ReceiptRow]:
    rows = await conn.fetch(
        "select shop_id, thread_id, party, delivered_seq, read_seq from receipt"
        " where (shop_id, thread_id) in (select * from unnest($1::uuid[], $2::uuid[]))",
        [shop for shop, _ in wanted],
        [thread for _, thread in wanted],
    )
    return [ReceiptRow(*row.values()) for row in rows]


async def write_receipts(conn: Executor, receipts: Sequence[ReceiptRow]) -> None:
    """Move receipts forward, never back. One row a (thread, party) at most."""
    await conn.execute(
        """insert into receipt (shop_id, thread_id, party, delivered_seq, read_seq)
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
             order by 1, 2, 3
           on conflict (shop_id, thread_id, party) do update
             set delivered_seq = greatest(receipt.delivered_seq, excluded.delivered_seq),
                 read_seq = greatest(receipt.read_seq, excluded.read_seq), at = clock_timestamp()""",
        [r.shop for r in receipts],
        [r.thread for r in receipts],
        [r.party for r in receipts],
        [r.delivered_seq for r in receipts],
        [r.read_seq for r in receipts],
    )
