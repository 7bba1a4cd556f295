"""Behind the figures: the very turns, conversations and orders they are made of."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from metrics.ratings import TALLIES
from metrics.report_postgres import KEYS, Asked
from metrics.rows import TURN, Row
from metrics.sealing_postgres import COUNTED_TURN, SETTLED_TURN
from metrics.teams import Teams
from wangxin.storage.postgres import Connection

Outcome = Literal["all", "first", "daytime", "answered", "late", "unanswered", "excluded", "with_bot"]
_OUTCOMES: dict[Outcome, str] = {
    "all": f"{COUNTED_TURN} and {SETTLED_TURN}",
    "first": f"{COUNTED_TURN} and {SETTLED_TURN} and r.human_ordinal = 1",
    "daytime": f"{COUNTED_TURN} and {SETTLED_TURN} and r.hour between 8 and 22",
    "answered": f"{COUNTED_TURN} and r.wait_ms is not null",
    "late": f"{COUNTED_TURN} and {SETTLED_TURN} and (r.wait_ms > 180000 or r.wait_ms is null)",
    "unanswered": f"{COUNTED_TURN} and {SETTLED_TURN} and r.wait_ms is null",
    # Also what the bot answered alone: some platforms count any reply.
    "with_bot": f"r.excluded = '' and r.void_reason = '' and {SETTLED_TURN}",
    "excluded": "r.excluded <> '' or r.void_reason <> ''",
}
Those = Literal["all", "served", "asked", "lost", "short", "overflowed", "rated", "low_rated"]
_THOSE: dict[Those, str] = {
    "all": "r.shopper_messages > 0",
    "served": "r.shopper_messages > 0 and r.human_messages > 0",
    "asked": "r.enqueued_at is not null",
    "lost": "r.abandoned in ('explicit', 'silent')",
    "short": "r.abandoned = 'short'",
    "overflowed": "r.enqueued_at is not null and exists (select from assignment a where a.shop_id = r.shop_id"
    " and a.conversation_id = r.conversation_id and a.provider_id is not null)",
    "rated": "r.rating > 0",
    "low_rated": "r.rating between 1 and 2",
}
Cut = Literal["topic", "menu", "push", "hour"]


_TURN_COLUMNS = ", ".join(
    f"at_ms(r.{name}) as {name}" if kind == "timestamptz" else f"r.{name}" for name, kind in TURN.columns.items()
)
TURNS_PAGE = 100
EXPORT_MAX = 100_000


def _pools_of(asked: Asked, teams: Teams) -> tuple[list[UUID] | None, bool]:
    """(pools asked for or None for all, whether rows without a pool count): a team is its pools."""
    if asked.pool is not None:
        return [asked.pool], False
    if asked.team is None:
        return None, True
    known = [pool.id for pool in teams.pools.values() if pool.team == asked.team]
    return known, asked.team == "own"


def _within(cut: Cut | None, number: int) -> str:
    """The condition that a row belongs to a table's row with that key; the same expression groups the table."""
    return "" if cut is None else f"and ({KEYS[cut].format('r')})::text = ${number}"


async def turns(
    conn: Connection,
    asked: Asked,
    teams: Teams,
    *,
    outcome: Outcome = "all",
    cut: Cut | None = None,
    key: str = "",
    offset: int = 0,
    limit: int = TURNS_PAGE,
) -> list[Row]:
    """The slowest first, the unanswered before them; moments in ms."""
    pools, poolless = _pools_of(asked, teams)
    rows = await conn.fetch(
        f"""select {_TURN_COLUMNS}, r.void_reason from turn r
            where r.shop_id = $1 and r.day between $2 and $3 and ({_OUTCOMES[outcome]})
              and ($4::uuid[] is null or r.pool_id = any($4) or ($5 and r.pool_id is null))
              and ($6::uuid is null or r.agent_id = $6) {_within(cut, 9)}
            order by r.wait_ms desc nulls first, r.opened_at, r.thread_id, r.first_seq limit $7 offset $8""",
        asked.shop, asked.first, asked.last, pools, poolless, asked.agent, limit, offset, *([key] if cut else []),
    )  # fmt: skip
    return [dict(row) for row in rows]


async def conversations(
    conn: Connection,
    asked: Asked,
    teams: Teams,
    *,
    which: Those | None = None,
    cut: Cut | None = None,
    key: str = "",
    offset: int = 0,
    limit: int = TURNS_PAGE,
) -> list[Row]:
    """One row a conversation, by opening; ``which`` None: also those in which the shopper never wrote."""
    pools, poolless = _pools_of(asked, teams)
    rows = await conn.fetch(
        f"""select r.conversation_id, r.thread_id, r.shopper_id, r.day, at_ms(r.opened_at) as opened_at,
             at_ms(r.enqueued_at) as enqueued_at, at_ms(r.assigned_at) as assigned_at, r.agent_id, r.pool_id,
             at_ms(r.first_human_at) as first_human_at, at_ms(r.closed_at) as closed_at, r.close_reason,
             r.shopper_messages, r.human_messages, r.bot_messages, r.transfers, r.left_message, r.abandoned, r.score,
             c.topic
           from {TALLIES} r join conversation c on c.shop_id = r.shop_id and c.id = r.conversation_id
           where r.shop_id = $1 and r.day between $2 and $3
             and ($4::uuid[] is null or r.pool_id = any($4) or ($5 and r.pool_id is null))
             and ($6::uuid is null or r.agent_id = $6) and ({_THOSE[which] if which else "true"}) {_within(cut, 9)}
           order by r.opened_at, r.conversation_id limit $7 offset $8""",
        asked.shop, asked.first, asked.last, pools, poolless, asked.agent, limit, offset, *([key] if cut else []),
    )  # fmt: skip
    return [dict(row) for row in rows]


async def orders(
    conn: Connection,
    asked: Asked,
    teams: Teams,
    *,
    kind: str | None = None,
    cut: Cut | None = None,
    key: str = "",
    offset: int = 0,
    limit: int = TURNS_PAGE,
) -> list[Row]:
    """The orders paid in the period with their parts, newest first."""
    pools, poolless = _pools_of(asked, teams)
    rows = await conn.fetch(
        f"""select r.order_id, r.kind, r.shopper_id, r.conversation_id, r.agent_id, r.pool_id, r.orders, r.paid_fen,
             at_ms(r.converted_at) as converted_at, at_ms(o.created_at) as created_at, o.refunded_fen
           from order_credit r join shop_order o on o.shop_id = r.shop_id and o.id = r.order_id
           where r.shop_id = $1 and r.day between $2 and $3 and r.rule = $9 and ($10::text is null or r.kind = $10)
             and ($4::uuid[] is null or r.pool_id = any($4) or ($5 and r.pool_id is null))
             and ($6::uuid is null or r.agent_id = $6) {_within(cut, 11)}
           order by r.converted_at desc, r.order_id, r.part limit $7 offset $8""",
        asked.shop, asked.first, asked.last, pools, poolless, asked.agent, limit, offset, asked.rule, kind,
        *([key] if cut else []),
    )  # fmt: skip
    return [dict(row) for row in rows]


async def void(conn: Connection, shop: UUID, thread: UUID, first_seq: int, reason: str) -> bool:
    """Takes a turn out of every figure (an empty reason puts it back); the caller writes the audit. False: no such."""
    done: str = await conn.execute(
        "update turn set void_reason = $4 where shop_id = $1 and thread_id = $2 and first_seq = $3",
        shop,
        thread,
        first_seq,
        reason,
    )
    return done == "UPDATE 1"
