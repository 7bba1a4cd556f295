"""Facts on their way to other processes. Truth is here; Valkey only says "look now"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from wangxin.model.facts import FOLLOWS, AnyFact, Consumer, Fact, parse_fact
from wangxin.storage.postgres import Connection

TRIES_MAX = 5
_WRITE = """insert into outbox (shop_id, consumer, fact) select w.shop, w.consumer, w.fact::jsonb
  from unnest($1::uuid[], $2::text[], $3::text[]) w(shop, consumer, fact)"""
_IF_HEARD = """ where w.consumer <> 'webhooks'
  or exists (select 1 from webhook h where h.shop_id = w.shop and h.stopped_at is null)"""


Row = tuple[UUID, Consumer, str]


def rows_of(facts: Iterable[Fact]) -> list[Row]:
    """One for everyone whom the table of consequences names."""
    return [(fact.shop, consumer, fact.model_dump_json()) for fact in facts for consumer in FOLLOWS[type(fact)]]


def writing(first: int) -> str:
    """Rows as part of a statement whose parameters from ``first`` on are their shops, consumers and facts."""
    three = f"${first}::uuid[], ${first + 1}::text[], ${first + 2}::text[]"
    return _WRITE.replace("$1::uuid[], $2::text[], $3::text[]", three) + _IF_HEARD


async def write(conn: Connection, facts: Sequence[Fact]) -> None:
    """Hand ``facts`` to everyone whom the table of consequences names, in the caller's transaction.

    Most shops have no webhook: where nobody listens, nothing is written for them."""
    rows = rows_of(facts)
    if rows:
        perhaps = _IF_HEARD if any(consumer == "webhooks" for _, consumer, _ in rows) else ""
        await conn.execute(_WRITE + perhaps, *zip(*rows, strict=True))


async def claim(
    conn: Connection, consumer: Consumer, limit: int, *, in_order: bool = False
) -> list[tuple[int, AnyFact]]:
    """Lock up to ``limit`` of the consumer's oldest facts until the transaction ends.

    Several workers may claim side by side; with ``in_order`` (one writer) nothing is skipped.
    """
    rows = await conn.fetch(
        "select id, fact from outbox where consumer = $1 and failed is null order by id limit $2 for update"
        + ("" if in_order else " skip locked"),
        consumer,
        limit,
    )
    return [(row["id"], parse_fact(row["fact"])) for row in rows]


async def claim_of_threads(
    conn: Connection, consumer: Consumer, limit: int, *, but: Sequence[UUID] = ()
) -> list[tuple[int, AnyFact]]:
    """Like :func:`claim`, for facts that name a thread: of each thread only the oldest, so that workers side by side
    keep a thread's order. The next one can be claimed when the transaction that has the oldest has ended. ``but``:
    shops whose facts are left for later."""
    rows = await conn.fetch(
        """select o.id, o.fact from outbox o where o.consumer = $1 and o.failed is null
             and not exists (select 1 from outbox e where e.consumer = $1 and e.failed is null and e.id < o.id
               and e.shop_id = o.shop_id and e.fact->>'thread' = o.fact->>'thread')
             and o.shop_id <> all($3::uuid[])
            order by o.id limit $2 for update of o skip locked""",
        consumer,
        limit,
        list(but),
    )
    return [(row["id"], parse_fact(row["fact"])) for row in rows]


async def done(conn: Connection, ids: Sequence[int]) -> None:
    """Followed up: forget them, in the transaction of the effect."""
    await conn.execute("delete from outbox where id = any($1)", list(ids))


async def failed(conn: Connection, id_: int, why: str) -> None:
    """Count a failure; after TRIES_MAX the fact is set aside, with its reason, for people to look at."""
    await conn.execute(
        "update outbox set tries = tries + 1, failed = case when tries + 1 >= $2 then $3 end where id = $1",
        id_,
        TRIES_MAX,
        why[:500],
    )
