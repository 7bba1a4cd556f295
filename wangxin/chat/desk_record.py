"""What an agent's desk reads and keeps, in PostgreSQL. Every function runs inside ``shop_scope``: rows of shops that
are not the agent's do not exist here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection

Row = dict[str, Any]


def _rows(found: list[asyncpg.Record]) -> list[Row]:
    return [dict(row) for row in found]


_MS = "(extract(epoch from {}) * 1000)::bigint"


async def shops(conn: Connection) -> list[Row]:
    return _rows(await conn.fetch("select shop_id as id, slug, name, coalesce(accent, '') as accent from shop"))


async def waiting(conn: Connection, most: int) -> list[Row]:
    """Who waits for a person, longest first, with the message box behind the queue."""
    return _rows(
        await conn.fetch(
            f"""select t.id as thread, t.shop_id as shop, s.name as shop_name, t.state, c.id as conversation, c.topic,
                  {_MS.format("coalesce(c.handoff_at, c.opened_at)")} as since_ms, p.name as shopper_name,
                  coalesce(t.last_public, '') as last_line
                from thread t join shop s on s.shop_id = t.shop_id
                  join conversation c on c.shop_id = t.shop_id and c.id = t.conversation_id
                  join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
                where c.state in ('waiting', 'message_box')
                order by c.state = 'message_box', coalesce(c.handoff_at, c.opened_at) limit $1""",
            most,
        )
    )


async def ended(conn: Connection, agent: UUID, before_ms: int | None, words: str, most: int) -> list[Row]:
    """Conversations this agent served last, newest first; ``words`` are looked for in the shopper's name, in order
    numbers of the shopper and in what was said in public."""
    return _rows(
        await conn.fetch(
            f"""select c.id as conversation, c.thread_id as thread, c.shop_id as shop, s.name as shop_name,
                  p.name as shopper_name, c.topic, {_MS.format("c.opened_at")} as opened_ms,
                  {_MS.format("c.closed_at")} as closed_ms, coalesce(c.closed_reason, '') as reason,
                  coalesce(t.last_public, '') as last_line,
                  (select (e.body->>'stars')::int from entry e where e.shop_id = c.shop_id and e.thread_id = c.thread_id
                     and e.lane = 0 and e.kind = 'rating' and e.conversation_id = c.id order by e.seq desc limit 1)
                    as stars
                from conversation c join shop s on s.shop_id = c.shop_id
                  join thread t on t.shop_id = c.shop_id and t.id = c.thread_id
                  join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
                where c.agent_id = $1 and c.state = 'closed' and c.shop_id = any(wall_shops())
                  and ($2::bigint is null or c.closed_at < to_timestamp($2::float8 / 1000))
                  and ($3 = '' or p.name ilike $4
                       or exists (select 1 from shop_order o where o.shop_id = c.shop_id
                                   and o.shopper_id = c.shopper_id and o.id ilike $4)
                       or exists (select 1 from entry e where e.shop_id = c.shop_id and e.thread_id = c.thread_id
                                   and e.lane = 0 and e.recalled_at is null and e.body->>'text' ilike $4))
                order by c.closed_at desc limit $5""",
            agent,
            before_ms,
            words,
            like(words),
            most,
        )
    )


def like(words: str) -> str:
    """A LIKE pattern that finds ``words`` anywhere, whatever signs they hold."""
    return "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


_GUARDED = """select max(x.tier) as tier, bool_or('supervisor' = any(x.acts)) as told from slow_turn x
  where x.shop_id = t.shop_id and x.thread_id = t.id and x.conversation_id = t.conversation_id
    and t.awaiting_since is not null and x.at > coalesce(t.human_wrote_at, 'epoch')"""
"""How far the slow-response guard has come in the turn that goes on in thread ``t``."""


async def is_protected(conn: Connection, agent: UUID) -> bool:
    """Whether the agent is never ranked by speed."""
    return bool(await conn.fetchval("select protected from seat where agent_id = $1", agent))


async def late(conn: Connection, agent: UUID) -> list[Row]:
    """The agent's conversations whose open turn the guard has acted on, with the tier."""
    return _rows(
        await conn.fetch(
            f"""select t.id as thread, g.tier from thread t cross join lateral ({_GUARDED}) g
                 where t.agent_id = $1 and t.shop_id = any(wall_shops()) and t.state = 'assigned'
                   and g.tier is not null""",
            agent,
        )
    )


async def going_on(conn: Connection, most: int) -> list[Row]:
    """Conversations with a person in the supervisor's shops, and slow ones that wait for the next: those that he was
    told of first, then the longest unanswered."""
    return _rows(
        await conn.fetch(
            f"""select t.id as thread, t.shop_id as shop, s.name as shop_name, t.state,
                  t.conversation_id as conversation, c.topic, p.name as shopper_name, t.agent_id as agent,
                  coalesce(t.last_public, '') as last_line,
                  {_MS.format("coalesce(c.assigned_at, c.opened_at)")} as since_ms,
                  {_MS.format("t.awaiting_since")} as awaiting_since_ms, coalesce(a.name, '') as agent_name,
                  g.tier, g.told
                from thread t join shop s on s.shop_id = t.shop_id
                  join conversation c on c.shop_id = t.shop_id and c.id = t.conversation_id
                  join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
                  left join seat a on a.agent_id = t.agent_id
                  left join lateral ({_GUARDED}) g on true
                where (t.state in ('assigned', 'parked', 'wrap_up') and t.agent_id is not null)
                   or (t.state = 'waiting' and g.told)
                order by coalesce(g.told, false) desc, t.awaiting_since nulls last, t.last_at limit $1""",
            most,
        )
    )


async def seat_of(conn: Connection, thread: UUID, agent: UUID) -> Row:
    """Where a thread stands for an agent: shop, shopper, whether it is or ever was his. Raises ``thread.not_found``."""
    row = await conn.fetchrow(
        """select t.shop_id as shop, t.shopper_id as shopper,
             (t.agent_id = $2 or exists (select 1 from conversation c where c.shop_id = t.shop_id
                and c.thread_id = t.id and c.agent_id = $2)) is true as served
           from thread t where t.id = $1 and t.shop_id = any(wall_shops())""",
        thread,
        agent,
    )
    if row is None:
        raise not_found("thread")
    return dict(row)


async def served(conn: Connection, shop: UUID, thread: UUID, agent: UUID) -> frozenset[UUID]:
    """The conversations of a thread that this agent served last."""
    rows = await conn.fetch(
        "select id from conversation where shop_id = $1 and thread_id = $2 and agent_id = $3", shop, thread, agent
    )
    return frozenset(row["id"] for row in rows)


async def profile(conn: Connection, shop: UUID, shopper: UUID) -> Row:
    row = await conn.fetchrow(
        f"""select p.name, p.external_id, {_MS.format("p.created_at")} as since_ms, coalesce(r.text, '') as remark,
              coalesce(r.starred, false) as starred, coalesce(r.written_name, '') as remark_by,
              (select count(*) from shop_order o where o.shop_id = p.shop_id and o.shopper_id = p.id) as orders,
              (select coalesce(sum(o.amount_fen - o.refunded_fen), 0)::bigint from shop_order o
                 where o.shop_id = p.shop_id and o.shopper_id = p.id
                 and o.state in ('paid', 'shipped', 'signed', 'refunding', 'refunded')
                 and o.created_at > clock_timestamp() - interval '1 year') as spent_fen,
              (select count(*) from shop_order o where o.shop_id = p.shop_id and o.shopper_id = p.id
                 and o.state in ('refunding', 'refunded')) as refunds,
              (select count(*) from conversation c where c.shop_id = p.shop_id and c.shopper_id = p.id) as conversations
            from shopper p left join shopper_remark r on r.shop_id = p.shop_id and r.shopper_id = p.id
            where p.shop_id = $1 and p.id = $2""",
        shop,
        shopper,
    )
    if row is None:
        raise not_found("shopper")
    return dict(row)


async def orders(conn: Connection, shop: UUID, shopper: UUID, most: int) -> list[Row]:
    return _rows(
        await conn.fetch(
            f"""select id, state, amount_fen, refunded_fen, lines, logistics, {_MS.format("created_at")} as created_ms
                from shop_order where shop_id = $1 and shopper_id = $2 order by created_at desc limit $3""",
            shop,
            shopper,
            most,
        )
    )


async def products(conn: Connection, shop: UUID, words: str, most: int) -> list[Row]:
    """Products on sale, those the words match first by title."""
    return _rows(
        await conn.fetch(
            """select id, title, price_fen, picture, stock, attrs from product
               where shop_id = $1 and on_sale and ($2 = '' or title ilike $3 or id ilike $3) order by title limit $4""",
            shop,
            words,
            like(words),
            most,
        )
    )


async def keep_remark(
    conn: Connection, shop: UUID, shopper: UUID, *, text: str, starred: bool, by: UUID, name: str
) -> None:
    await conn.execute(
        """insert into shopper_remark (shop_id, shopper_id, text, starred, written_by, written_name)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (shop_id, shopper_id) do update set text = excluded.text, starred = excluded.starred,
             written_by = excluded.written_by, written_name = excluded.written_name, written_at = clock_timestamp()""",
        shop,
        shopper,
        text,
        starred,
        by,
        name,
    )


async def keep_persona(conn: Connection, shop: UUID, id: UUID, agent: UUID, role: str, name: str) -> None:
    """Empty: he is called as usual again."""
    if name:
        await conn.execute(
            """insert into persona (shop_id, agent_id, name) values ($1, $2, $3)
               on conflict (shop_id, agent_id) do update set name = excluded.name, changed_at = clock_timestamp()""",
            shop, agent, name,
        )  # fmt: skip
    else:
        await conn.execute("delete from persona where shop_id = $1 and agent_id = $2", shop, agent)
    await conn.execute(
        """insert into audit (shop_id, id, actor_role, actor_id, action, subject, detail)
           values ($1, $2, $3, $4, 'persona.changed', $5, $6)""",
        shop, id, role, agent, str(agent), {"name": name},
    )  # fmt: skip


async def note(
    conn: Connection, shop: UUID, id: UUID, agent: UUID, role: str, action: str, subject: str, row: Row
) -> None:
    """Who looked at a masked field and why, who did what about an order. Never updated, never deleted."""
    await conn.execute(
        """insert into audit (shop_id, id, actor_role, actor_id, action, subject, detail)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        shop, id, role, agent, action, subject, row,
    )  # fmt: skip
