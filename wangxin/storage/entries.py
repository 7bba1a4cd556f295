"""The one place that adds lines to threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg
import orjson

Lane = Literal["public", "internal"]
LANES: tuple[Lane, Lane] = ("public", "internal")
SYSTEM = UUID(int=0)
SenderKind = Literal["shopper", "agent", "bot", "system", "push"]
Status = Literal["new", "old", "reused", "stale", "no_thread"]
Executor = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy | asyncpg.Pool


class Line(NamedTuple):
    """What somebody wants to add to a thread.

    ``client_msg_id`` makes it idempotent per (thread, sender). ``opens`` is the id a conversation would get if these
    words find the thread closed (None: they open none). ``epoch``, for agents, is the assignment they speak under;
    None skips that check.
    """

    shop: UUID
    thread: UUID
    sender_kind: SenderKind
    sender: UUID
    client_msg_id: UUID | None
    kind: str
    body: str
    """The body as JSON text."""
    lane: Lane = "public"
    opens: UUID | None = None
    epoch: int | None = None


class Appended(NamedTuple):
    """What became of a line. For ``new`` it is stored and numbered; ``old`` was there already under this seq;
    ``reused``: the id was used for other words, whose seq this is; ``stale`` and ``no_thread``: not stored, no seq."""

    shop: UUID
    thread: UUID
    lane: Lane
    seq: int | None
    at_ms: int | None
    status: Status
    conversation: UUID | None
    state: str | None


class Entry(NamedTuple):
    """One numbered line of a thread, as the record holds it."""

    shop: UUID
    thread: UUID
    lane: Lane
    seq: int
    at_ms: int
    sender_kind: SenderKind
    sender: UUID
    client_msg_id: UUID | None
    conversation: UUID | None
    kind: str
    body: str
    recalled_at_ms: int | None = None


class Pushed(NamedTuple):
    """A line of a chunk that one sender writes into many threads of a shop. ``shopper``: whose new thread ``thread``
    becomes; None where it exists."""

    thread: UUID
    shopper: UUID | None
    client_msg_id: UUID
    kind: str
    body: str
    """The body as JSON text."""


def body_json(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()


_APPEND = """select ord, shop, thread, lane, seq, (extract(epoch from at) * 1000)::bigint as at_ms, status,
 conversation, state, kind, body from append_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""


async def append(conn: Executor, lines: Sequence[Line]) -> tuple[list[Appended], list[Entry]]:
    """Append ``lines`` in the caller's transaction (or in one of its own, if there is none).

    Returns what became of each line, in order, and every newly stored entry (including the event that opens a
    conversation), sorted by (thread, lane, seq). Nothing is true before the transaction commits.
    """
    if not lines:
        return [], []
    rows = await conn.fetch(
        _APPEND,
        [line.shop for line in lines],
        [line.thread for line in lines],
        [LANES.index(line.lane) for line in lines],
        [line.sender_kind for line in lines],
        [line.sender for line in lines],
        [line.client_msg_id for line in lines],
        [line.kind for line in lines],
        [line.body for line in lines],
        [line.opens for line in lines],
        [line.epoch for line in lines],
    )
    answers: list[Appended | None] = [None] * len(lines)
    stored: list[Entry] = []
    for ord_, shop, thread, lane_no, seq, at_ms, status, conversation, state, kind, body in rows:
        lane = LANES[lane_no]
        line = None
        if ord_ is not None:
            line = lines[ord_ - 1]
            answers[ord_ - 1] = Appended(shop, thread, lane, seq, at_ms, status, conversation, state)
        if status != "new":
            continue
        if line is None:
            stored.append(Entry(shop, thread, lane, seq, at_ms, "system", SYSTEM, None, conversation, kind, body))
        else:
            stored.append(
                Entry(
                    shop, thread, lane, seq, at_ms, line.sender_kind, line.sender, line.client_msg_id, conversation,
                    line.kind, line.body,
                )
            )  # fmt: skip
    assert all(answer is not None for answer in answers), "every line is answered"
    stored.sort(key=lambda entry: (entry.thread, entry.lane, entry.seq))
    return [answer for answer in answers if answer is not None], stored


async def append_pushed(conn: Executor, shop: UUID, sender: UUID, lines: Sequence[Pushed]) -> None:
    """Append lines that cannot have been there before, as the last statement of the caller's transaction.

    Lines of one thread stand side by side. Raises UniqueViolationError when somebody made one of the threads
    meanwhile, or a line is there already: the transaction is to be done again.
    """
    if lines:
        threads, shoppers, ids, kinds, bodies = zip(*lines, strict=True)
        await conn.execute(
            "select append_pushed($1, $2, $3, $4, $5, $6, $7)", shop, sender, threads, shoppers, ids, kinds, bodies
        )


_COLUMNS = """e.shop_id, e.thread_id, e.lane, e.seq, (extract(epoch from e.at) * 1000)::bigint as at_ms, e.sender_kind,
 e.sender_id, e.client_msg_id, e.conversation_id, e.kind, e.body::text as body,
 (extract(epoch from e.recalled_at) * 1000)::bigint as recalled_at_ms"""


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        shop=row["shop_id"],
        thread=row["thread_id"],
        lane=LANES[row["lane"]],
        seq=row["seq"],
        at_ms=row["at_ms"],
        sender_kind=row["sender_kind"],
        sender=row["sender_id"],
        client_msg_id=row["client_msg_id"],
        conversation=row["conversation_id"],
        kind=row["kind"],
        body=row["body"],
        recalled_at_ms=row["recalled_at_ms"],
    )


async def read_after(conn: Executor, shop: UUID, thread: UUID, lane: Lane, after: int, limit: int) -> list[Entry]:
    """The next ``limit`` entries above ``after``, ascending."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from entry e where e.shop_id = $1 and e.thread_id = $2 and e.lane = $3 and e.seq > $4"
        " order by e.seq limit $5",
        shop,
        thread,
        LANES.index(lane),
        after,
        limit,
    )
    return [_entry(row) for row in rows]


async def read_before(
    conn: Executor, shop: UUID, thread: UUID, lane: Lane, before: int | None, limit: int
) -> list[Entry]:
    """The newest ``limit`` entries below ``before`` (None: of all), ascending."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from entry e where e.shop_id = $1 and e.thread_id = $2 and e.lane = $3"
        " and ($4::bigint is null or e.seq < $4) order by e.seq desc limit $5",
        shop,
        thread,
        LANES.index(lane),
        before,
        limit,
    )
    return [_entry(row) for row in reversed(rows)]


async def read_many_after(
    conn: Executor, wanted: Sequence[tuple[UUID, UUID, Lane, int]], limit_each: int
) -> list[Entry]:
    """For many (shop, thread, lane, after) at once: up to ``limit_each`` entries above each, by (thread, lane, seq)."""
    if not wanted:
        return []
    rows = await conn.fetch(
        f"""select {_COLUMNS} 
            from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::bigint[]) w(shop, thread, lane, after)
            cross join lateral (select * from entry x where x.shop_id = w.shop and x.thread_id = w.thread
              and x.lane = w.lane and x.seq > w.after order by x.seq limit $5) e
            order by e.thread_id, e.lane, e.seq""",
        [w[0] for w in wanted],
        [w[1] for w in wanted],
        [LANES.index(w[2]) for w in wanted],
        [w[3] for w in wanted],
        limit_each,
    )
    return [_entry(row) for row in rows]


async def read_one(conn: Executor, shop: UUID, thread: UUID, lane: Lane, seq: int) -> Entry | None:
    row = await conn.fetchrow(
        f"select {_COLUMNS} from entry e where e.shop_id = $1 and e.thread_id = $2 and e.lane = $3 and e.seq = $4",
        shop,
        thread,
        LANES.index(lane),
        seq,
    )
    return _entry(row) if row else None


async def recall_many(conn: Executor, shop: UUID, lines: Sequence[tuple[UUID, int]]) -> None:
    """Hide public lines (thread, seq) of many threads, each with its event, in the caller's transaction."""
    threads, seqs = sorted({thread for thread, _ in lines}), [seq for _, seq in lines]
    # In id order, as every append takes them.
    await conn.execute("select 1 from thread where shop_id = $1 and id = any($2) order by id for update", shop, threads)
    await conn.execute(
        """update entry e set recalled_at = clock_timestamp() from unnest($2::uuid[], $3::bigint[]) l(thread, seq)
            where e.shop_id = $1 and e.thread_id = l.thread and e.lane = 0 and e.seq = l.seq
              and e.recalled_at is null""",
        shop,
        [thread for thread, _ in lines],
        seqs,
    )
    await conn.execute(_LAST_PUBLIC + " where t.shop_id = $1 and t.id = any($2)", shop, threads)
    events = [
        Line(shop, thread, "system", SYSTEM, None, "event", body_json({"event": "message.recalled", "seq": seq}))
        for thread, seq in lines
    ]
    await append(conn, events)


_LAST_PUBLIC = """update thread t set last_public = (
  select left(case when e.kind = 'text' then e.body->>'text' else '[' || e.kind || ']' end, 80) from entry e
   where e.shop_id = t.shop_id and e.thread_id = t.id and e.lane = 0 and e.kind <> 'event'
     and e.recalled_at is null order by e.seq desc limit 1)"""


async def mark_recalled(conn: Executor, shop: UUID, thread: UUID, seq: int) -> None:
    """Hide a public line's words from everyone, also from lists of threads. They stay in the record for audit; the
    caller appends the event."""
    await conn.execute(
        "update entry set recalled_at = clock_timestamp() where shop_id = $1 and thread_id = $2 and lane = 0"
        " and seq = $3 and recalled_at is null",
        shop,
        thread,
        seq,
    )
    await conn.execute(_LAST_PUBLIC + " where t.shop_id = $1 and t.id = $2", shop, thread)
