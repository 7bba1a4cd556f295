"""Folded things as rows of their tables, measured as they are written. Pure.

A row is a dict by column; a moment is kept as milliseconds and turned into ``timestamptz`` by the statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from metrics.abandonment import judge
from metrics.clocks import Calendar
from metrics.histogram import bucket
from metrics.model import Answer, Stint, Tally, Touch, Turn
from metrics.state import Changes

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thread:
    """Whose thread it is."""

    shop: UUID
    thread: UUID
    shopper: UUID


@dataclass(frozen=True, slots=True)
class Table:
    """A table the fold writes: its key and columns in order, by SQL type. ``at`` columns are moments."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]

    @property
    def upsert(self) -> str:
        """One statement for many rows, given as one jsonb array ($1)."""
        fields = ", ".join(
            f"{name} {'bigint' if kind == 'timestamptz' else kind}" for name, kind in self.columns.items()
        )
        values = ", ".join(
            f"ms_at(r.{name})" if kind == "timestamptz" else f"r.{name}" for name, kind in self.columns.items()
        )
        sets = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return (
            f"insert into {self.name} ({', '.join(self.columns)}) select {values}"
            f" from jsonb_to_recordset($1::text::jsonb) as r({fields})"
            f" on conflict ({', '.join(self.key)}) do update set {sets}"
        )

    @property
    def select(self) -> str:
        """All rows of some threads: ``$1`` shop, ``$2`` thread ids."""
        columns = ", ".join(
            f"at_ms({name}) as {name}" if kind == "timestamptz" else name for name, kind in self.columns.items()
        )
        return f"select {columns} from {self.name} where shop_id = $1 and thread_id = any($2)"

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)


TURN = Table(
    "turn",
    ("shop_id", "thread_id", "first_seq"),
    {
        "shop_id": "uuid",
        "thread_id": "uuid",
        "first_seq": "bigint",
        "shopper_id": "uuid",
        "conversation_id": "uuid",
        "day": "date",
        "hour": "smallint",
        "ordinal": "int",
        "human_ordinal": "int",
        "opened_at": "timestamptz",
        "opened_by": "text",
        "conversation_opened_at": "timestamptz",
        "questions": "int",
        "human_at": "timestamptz",
        "assigned_at": "timestamptz",
        "listed_at": "timestamptz",
        "answered_at": "timestamptz",
        "answer_seq": "bigint",
        "answered_by": "text",
        "ended_at": "timestamptz",
        "agent_id": "uuid",
        "pool_id": "uuid",
        "bot_at": "timestamptz",
        "auto_at": "timestamptz",
        "transfers": "int",
        "excluded": "text",
        "left_message": "boolean",
        "outbound": "boolean",
        "recontact_ms": "bigint",
        "stints": "jsonb",
        "wait_ms": "bigint",
        "agent_wait_ms": "bigint",
        "response_ms": "bigint",
        "business_ms": "bigint",
        "wait_bucket": "smallint",
        "agent_bucket": "smallint",
    },
)

TOUCH = Table(
    "touch",
    ("shop_id", "conversation_id", "number"),
    {
        "shop_id": "uuid",
        "conversation_id": "uuid",
        "number": "int",
        "thread_id": "uuid",
        "shopper_id": "uuid",
        "agent_id": "uuid",
        "pool_id": "uuid",
        "first_at": "timestamptz",
        "last_at": "timestamptz",
        "messages": "int",
        "turns": "int",
    },
)

TALLY = Table(
    "tally",
    ("shop_id", "conversation_id"),
    {
        "shop_id": "uuid",
        "conversation_id": "uuid",
        "thread_id": "uuid",
        "shopper_id": "uuid",
        "day": "date",
        "hour": "smallint",
        "opened_at": "timestamptz",
        "outbound": "boolean",
        "shopper_messages": "int",
        "human_messages": "int",
        "bot_messages": "int",
        "first_shopper_at": "timestamptz",
        "last_shopper_at": "timestamptz",
        "enqueued_at": "timestamptz",
        "assigned_at": "timestamptz",
        "agent_id": "uuid",
        "pool_id": "uuid",
        "first_human_at": "timestamptz",
        "last_human_at": "timestamptz",
        "last_bot_at": "timestamptz",
        "closed_at": "timestamptz",
        "close_reason": "text",
        "left_message": "boolean",
        "gave_up_at": "timestamptz",
        "transfers": "int",
        "score": "smallint",
        "rated_at": "timestamptz",
        "abandoned": "text",
    },
)

TABLES = (TURN, TOUCH, TALLY)


def rows_of(whose: Thread, changes: Changes, calendar: Calendar) -> dict[str, list[Row]]:
    """The rows to write, by table. What belongs to no conversation (a push that nobody answered) makes none."""
    return {
        TURN.name: [_turn(whose, turn, calendar) for turn in changes.turns.values()],
        TOUCH.name: [_touch(whose, touch) for touch in changes.touches.values() if touch.conversation is not None],
        TALLY.name: [
            _tally(whose, tally, calendar) for tally in changes.tallies.values() if tally.conversation is not None
        ],
    }


def _turn(whose: Thread, turn: Turn, calendar: Calendar) -> Row:
    local = calendar.local(turn.opened_ms)
    wait, agent_wait = turn.human_wait_ms, turn.agent_wait_ms
    business = None
    if wait is not None and turn.human_ms is not None and turn.answered_ms is not None:
        business = calendar.business_ms(turn.human_ms, turn.answered_ms)
    return {
        "shop_id": whose.shop,
        "thread_id": whose.thread,
        "first_seq": turn.first_seq,
        "shopper_id": whose.shopper,
        "conversation_id": turn.conversation,
        "day": local.date(),
        "hour": local.hour,
        "ordinal": turn.ordinal,
        "human_ordinal": turn.human_ordinal,
        "opened_at": turn.opened_ms,
        "opened_by": turn.opened_by,
        "conversation_opened_at": turn.conversation_opened_ms,
        "questions": turn.questions,
        "human_at": turn.human_ms,
        "assigned_at": turn.assigned_ms,
        "listed_at": turn.listed_ms,
        "answered_at": turn.answered_ms,
        "answer_seq": turn.answer_seq,
        "answered_by": None if turn.answered_by is None else str(turn.answered_by),
        "ended_at": turn.ended_ms,
        "agent_id": turn.agent,
        "pool_id": turn.pool,
        "bot_at": turn.bot_ms,
        "auto_at": turn.auto_ms,
        "transfers": turn.transfers,
        "excluded": turn.excluded,
        "left_message": turn.left_message,
        "outbound": turn.outbound,
        "recontact_ms": turn.recontact_ms,
        "stints": [_stint(one) for one in turn.stints],
        "wait_ms": wait,
        "agent_wait_ms": agent_wait,
        "response_ms": turn.response_ms,
        "business_ms": business,
        "wait_bucket": None if wait is None else bucket(wait),
        "agent_bucket": None if agent_wait is None else bucket(agent_wait),
    }


def _stint(one: Stint) -> list[Any]:
    """[pool, agent, from_ms, to_ms]"""
    return [one.pool and str(one.pool), one.agent and str(one.agent), one.from_ms, one.to_ms]


def _touch(whose: Thread, touch: Touch) -> Row:
    return {
        "shop_id": whose.shop,
        "conversation_id": touch.conversation,
        "number": touch.number,
        "thread_id": whose.thread,
        "shopper_id": whose.shopper,
        "agent_id": touch.agent,
        "pool_id": touch.pool,
        "first_at": touch.first_ms,
        "last_at": touch.last_ms,
        "messages": touch.messages,
        "turns": touch.turns,
    }


def _tally(whose: Thread, tally: Tally, calendar: Calendar) -> Row:
    local = calendar.local(tally.opened_ms)
    return {
        "shop_id": whose.shop,
        "conversation_id": tally.conversation,
        "thread_id": whose.thread,
        "shopper_id": whose.shopper,
        "day": local.date(),
        "hour": local.hour,
        "opened_at": tally.opened_ms,
        "outbound": tally.outbound,
        "shopper_messages": tally.shopper_messages,
        "human_messages": tally.human_messages,
        "bot_messages": tally.bot_messages,
        "first_shopper_at": tally.first_shopper_ms,
        "last_shopper_at": tally.last_shopper_ms,
        "enqueued_at": tally.enqueued_ms,
        "assigned_at": tally.assigned_ms,
        "agent_id": tally.agent,
        "pool_id": tally.pool,
        "first_human_at": tally.first_human_ms,
        "last_human_at": tally.last_human_ms,
        "last_bot_at": tally.last_bot_ms,
        "closed_at": tally.closed_ms,
        "close_reason": tally.close_reason,
        "left_message": tally.left_message,
        "gave_up_at": tally.gave_up_ms,
        "transfers": tally.transfers,
        "score": tally.score,
        "rated_at": tally.rated_ms,
        "abandoned": str(judge(tally)),
    }


def turn_of(row: Row) -> Turn:
    """A turn from its stored row, for definition profiles and drill-down."""
    return Turn(
        conversation=row["conversation_id"],
        first_seq=row["first_seq"],
        ordinal=row["ordinal"],
        opened_ms=row["opened_at"],
        opened_by=row["opened_by"],
        conversation_opened_ms=row["conversation_opened_at"],
        questions=row["questions"],
        human_ms=row["human_at"],
        human_ordinal=row["human_ordinal"],
        assigned_ms=row["assigned_at"],
        listed_ms=row["listed_at"],
        answered_ms=row["answered_at"],
        answer_seq=row["answer_seq"],
        answered_by=None if row["answered_by"] is None else Answer(row["answered_by"]),
        agent=row["agent_id"],
        pool=row["pool_id"],
        bot_ms=row["bot_at"],
        auto_ms=row["auto_at"],
        transfers=row["transfers"],
        ended_ms=row["ended_at"],
        excluded=row["excluded"],
        left_message=row["left_message"],
        outbound=row["outbound"],
        recontact_ms=row["recontact_ms"],
        stints=tuple(
            Stint(pool and UUID(pool), agent and UUID(agent), from_ms, to_ms)
            for pool, agent, from_ms, to_ms in row["stints"]
        ),
    )


def touch_of(row: Row) -> Touch:
    return Touch(
        row["conversation_id"], row["number"], row["agent_id"], row["pool_id"], None, row["first_at"], row["last_at"],
        row["messages"], row["turns"],
    )  # fmt: skip
