"""Occurrences, runs, chunks, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from push.audience.compile import to_sql
from push.audience.leaves import Arguments, Moment
from push.audience.profile import COLUMNS, SPOKEN
from push.audience.tree import Node
from push.buckets import bucket_sql
from push.record.pacing import PACED
from push.schedule import Occurrence
from wangxin.model import limits
from wangxin.model.facts import PushFinished
from wangxin.storage.postgres import Connection

RunKind = Literal["crowd", "event", "test"]


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


# --- occurrences -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Due:
    shop: UUID
    rule: UUID
    occurrence: str
    due_ms: int


async def to_plan(conn: Connection, until_ms: int, limit: int = 50) -> list[tuple[UUID, UUID, int | None]]:
    """(shop, rule, planned until) of running rules that are not planned up to ``until_ms``."""
    rows = await conn.fetch(
        "select shop_id, id, (extract(epoch from planned_until) * 1000)::bigint as ms from push_rule"
        " where status = 'running' and trigger_kind <> 'event' and coalesce(planned_until, '-infinity') < $1"
        " order by planned_until nulls first limit $2 for update skip locked",
        at(until_ms),
        limit,
    )
    return [(row["shop_id"], row["id"], row["ms"]) for row in rows]


async def plan(conn: Connection, shop: UUID, rule: UUID, found: Sequence[Occurrence], until_ms: int) -> None:
    await conn.execute(
        "insert into push_due (shop_id, rule_id, occurrence, due_at)"
        " select $1, $2, * from unnest($3::text[], $4::timestamptz[]) on conflict do nothing",
        shop, rule, [o.key for o in found], [at(o.due_ms) for o in found],
    )  # fmt: skip
    await conn.execute(
        "update push_rule set planned_until = $3 where shop_id = $1 and id = $2", shop, rule, at(until_ms)
    )


async def claim_due(conn: Connection, now_ms: int) -> Due | None:
    row = await conn.fetchrow(
        "select shop_id, rule_id, occurrence, (extract(epoch from due_at) * 1000)::bigint as ms from push_due"
        " where state = 'open' and due_at <= $1 order by due_at limit 1 for update skip locked",
        at(now_ms),
    )
    return Due(row["shop_id"], row["rule_id"], row["occurrence"], row["ms"]) if row else None


async def close_due(conn: Connection, due: Due, state: Literal["started", "skipped"], reason: str = "") -> None:
    await conn.execute(
        "update push_due set state = $4, reason = nullif($5, '')"
        " where shop_id = $1 and rule_id = $2 and occurrence = $3",
        due.shop, due.rule, due.occurrence, state, reason,
    )  # fmt: skip


# --- freezing --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ZoneDue:
    """When the recipients of one zone are due; ``tz`` is the profile's text, "" where it has none."""

    tz: str
    due_ms: int


@dataclass(frozen=True, slots=True)
class Picked:
    """Who is frozen: a condition, or (where ``kept`` is given) those whose yearly day is among its keys."""

    root: Node
    moment: Moment
    run_key: str
    kept_column: str | None = None
    kept: dict[int, str] | None = None
    sample_permille: int | None = None
    max_size: int | None = None
    salt: str = ""


async def zones_of(conn: Connection, shop: UUID) -> list[str]:
    """The zones of the shop's members, by an index walk over few values."""
    rows = await conn.fetch("select distinct coalesce(tz, '') as tz from profile where shop_id = $1", shop)
    return [row["tz"] for row in rows]


async def start_run(
    conn: Connection, shop: UUID, run: UUID, rule: UUID, version: int, occurrence: str, kind: RunKind, now_ms: int
) -> UUID | None:
    """None when this occurrence has its run already."""
    found: UUID | None = await conn.fetchval(
        """insert into push_run (shop_id, id, rule_id, rule_version, occurrence, as_of, state, kind)
           values ($1, $2, $3, $4, $5, $6, 'running', $7)
           on conflict (shop_id, rule_id, occurrence) do nothing returning id""",
        shop, run, rule, version, occurrence, at(now_ms), kind,
    )  # fmt: skip
    return found


async def freeze(
    conn: Connection, shop: UUID, run: UUID, priority: int, picked: Picked, zones: Sequence[ZoneDue],
    rate_per_s: int | None = None,
) -> int:  # fmt: skip
    """Write recipients and chunks in one statement each; returns how many people were frozen. With a rate, later
    chunks are due later, and at a low one they are small: some seconds of it each."""
    size = limits.PUSH_CHUNK if rate_per_s is None else min(limits.PUSH_CHUNK, rate_per_s * limits.PUSH_PACED_S)
    args = Arguments([shop])
    where = to_sql(picked.root, picked.moment, args)
    key = f"{args.bind(picked.run_key)}::text"
    kept_join = ""
    if picked.kept is not None:
        codes, keys = args.bind(list(picked.kept)), args.bind(list(picked.kept.values()))
        kept_join = (
            f" join unnest({codes}::smallint[], {keys}::text[]) kept(code, year) on kept.code = p.{picked.kept_column}"
        )
        key = f"{key} || kept.year"
    if picked.sample_permille is not None:
        place = bucket_sql(f"{args.bind(picked.salt)}::text", "p.shopper_id")
        where += f" and {place} < {args.bind(picked.sample_permille * 10)}::bigint"
    limit = f" limit {args.bind(picked.max_size)}::bigint" if picked.max_size is not None else ""
    groups = {due: index for index, due in enumerate(sorted({zone.due_ms for zone in zones}))}
    run_, tz, group, due = (
        args.bind(run),
        args.bind([zone.tz for zone in zones]),
        args.bind([groups[zone.due_ms] for zone in zones]),
        args.bind([at(zone.due_ms) for zone in zones]),
    )
    n = await conn.fetchval(
        f"""with zone as (
            select * from unnest({tz}::text[], {group}::bigint[], {due}::timestamptz[]) z(tz, grp, due_at)),
          picked as (
            select p.shopper_id, coalesce(p.tz, '') as tz, {key} as run_key from profile p{kept_join}
             where p.shop_id = $1 and {where}{limit}),
          placed as (
            select picked.shopper_id, picked.run_key, zone.due_at,
                   zone.grp * 10000000 + (row_number() over (partition by zone.grp order by picked.shopper_id) - 1)
                     / {size} as chunk_no
              from picked join zone on zone.tz = picked.tz collate "C"),
          stored as (
            insert into push_recipient (shop_id, run_id, chunk_no, shopper_id, step, run_key, due_at)
            select $1, {run_}, chunk_no, shopper_id, 0, run_key, due_at from placed)
          select count(*) from placed""",
        *args.values,
        timeout=600,
    )
    await conn.execute(
        """insert into push_chunk (shop_id, run_id, no, priority, due_at)
           select $1, $2, chunk_no, $3, min(due_at) + chunk_no % 10000000 * $4::float8 * interval '1 second'
             from push_recipient where shop_id = $1 and run_id = $2 group by chunk_no""",
        shop, run, priority, size / rate_per_s if rate_per_s else 0.0,
        timeout=600,
    )  # fmt: skip
    await conn.execute("update push_run set audience_n = $3 where shop_id = $1 and id = $2", shop, run, n)
    return int(n)


async def add_recipients(
    conn: Connection, shop: UUID, run: UUID, no: int, priority: int, due_ms: int,
    people: Sequence[tuple[UUID, int, str, int, dict[str, Any] | None]],
) -> None:  # fmt: skip
    """A new chunk of (shopper, step, run key, first due, event) in a run that goes on."""
    await conn.execute(
        "insert into push_chunk (shop_id, run_id, no, priority, due_at) values ($1, $2, $3, $4, $5)",
        shop, run, no, priority, at(due_ms),
    )  # fmt: skip
    await conn.executemany(
        "insert into push_recipient (shop_id, run_id, chunk_no, shopper_id, step, run_key, due_at, event)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        [(shop, run, no, shopper, step, key, at(first), event) for shopper, step, key, first, event in people],
    )


# --- working through chunks ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Chunk:
    shop: UUID
    run: UUID
    no: int
    priority: int
    rule: UUID
    rule_version: int
    kind: RunKind
    as_of_ms: int


_CLAIM = f"""select c.shop_id, c.run_id, c.no, c.priority, r.rule_id, r.rule_version, r.kind,
                   (extract(epoch from r.as_of) * 1000)::bigint as as_of_ms
              from push_chunk c join push_run r on r.shop_id = c.shop_id and r.id = c.run_id
             where c.done_at is null and c.due_at <= $1 and r.state = 'running' and (r.kind = 'test' or not {PACED})
             order by c.priority desc, c.due_at limit 1 for update of c skip locked"""


async def claim_chunk(conn: Connection, now_ms: int) -> Chunk | None:
    """The most urgent open chunk, locked until the transaction ends: a killed worker frees it by dying."""
    row = await conn.fetchrow(_CLAIM, at(now_ms), limits.PUSH_CHUNK)
    if row is None:
        return None
    return Chunk(
        row["shop_id"], row["run_id"], row["no"], row["priority"], row["rule_id"], row["rule_version"], row["kind"],
        row["as_of_ms"],
    )  # fmt: skip


async def waiting_chunks(conn: Connection, now_ms: int) -> int:
    """Open chunks that are due, a thousand at most: the sweeper's question."""
    n: int = await conn.fetchval(
        "select count(*) from (select 1 from push_chunk c join push_run r on r.shop_id = c.shop_id and r.id = c.run_id"
        f" where c.done_at is null and c.due_at <= $1 and r.state = 'running' and (r.kind = 'test' or not {PACED})"
        " limit 1000) x",
        at(now_ms),
        limits.PUSH_CHUNK,
    )
    return n


async def goes_on(conn: Connection, since_ms: int) -> bool:
    """Whether somebody has finished a chunk since then."""
    return bool(
        await conn.fetchval(
            "select exists (select from push_chunk where done_at > $1 and looked_at is null)", at(since_ms)
        )
    )


# Rows are looked up one by one (lateral, limit 1): a plan made while thread or ledger were empty would read all of the
# shop's for each recipient.
_RECIPIENTS = """
select r.shopper_id, r.step, r.run_key, (extract(epoch from r.due_at) * 1000)::bigint as first_due_ms, r.event,
       s.name, {profile}, p.refused, p.personalised, t.id as thread_id, t.state as thread_state,
       (extract(epoch from t.shopper_wrote_at) * 1000)::bigint as shopper_wrote_ms
  from push_recipient r
  cross join lateral (select x.name from shopper x where x.shop_id = r.shop_id and x.id = r.shopper_id limit 1) s
  left join lateral (select * from profile x where x.shop_id = r.shop_id and x.shopper_id = r.shopper_id limit 1) p
    on true
  left join lateral (select * from thread x where x.shop_id = r.shop_id and x.shopper_id = r.shopper_id limit 1) t
    on true
  left join lateral (select 1 as n from push_delivery d where d.shop_id = r.shop_id and d.rule_id = $4
                       and d.run_key = r.run_key and d.step = r.step and d.shopper_id = r.shopper_id
                     limit 1) done on true
 where r.shop_id = $1 and r.run_id = $2 and r.chunk_no = $3 and done.n is null
 order by r.shopper_id, r.step, r.run_key"""


def _recipients(columns: Sequence[str]) -> str:
    return _RECIPIENTS.format(profile=", ".join(f"p.{name}" for name in columns if name != "shopper_id"))


_WHOLE, _BRIEF = _recipients(COLUMNS), _recipients(SPOKEN)


async def recipients(conn: Connection, chunk: Chunk, *, whole: bool = True) -> list[Any]:
    """Who of the chunk is not in the ledger yet, in id order. ``whole``: with all that conditions may read."""
    return list(await conn.fetch(_WHOLE if whole else _BRIEF, chunk.shop, chunk.run, chunk.no, chunk.rule))


async def chunk_done(conn: Connection, chunk: Chunk, now_ms: int) -> None:
    await conn.execute(
        "update push_chunk set done_at = $4 where shop_id = $1 and run_id = $2 and no = $3",
        chunk.shop, chunk.run, chunk.no, at(now_ms),
    )  # fmt: skip


async def postpone(conn: Connection, chunk: Chunk, due_ms: int) -> None:
    await conn.execute(
        "update push_chunk set due_at = $4 where shop_id = $1 and run_id = $2 and no = $3",
        chunk.shop, chunk.run, chunk.no, at(due_ms),
    )  # fmt: skip


async def chunk_failed(conn: Connection, chunk: Chunk, why: str) -> int:
    """Counts a failure; returns how often the chunk has failed by now."""
    n: int = await conn.fetchval(
        "update push_chunk set attempts = attempts + 1, failure = $4,"
        " due_at = clock_timestamp() + attempts * interval '1 second'"
        " where shop_id = $1 and run_id = $2 and no = $3 returning attempts",
        chunk.shop, chunk.run, chunk.no, why[:500],
    )  # fmt: skip
    return n


async def move_half(conn: Connection, chunk: Chunk, no: int, now_ms: int) -> int:
    """Move the later half of a chunk's people into a new one; returns how many moved."""
    status = await conn.execute(
        """with half as (
             select shopper_id, step, run_key from push_recipient where shop_id = $1 and run_id = $2 and chunk_no = $3
              order by shopper_id, step, run_key
             offset (select (count(*) + 1) / 2 from push_recipient
                      where shop_id = $1 and run_id = $2 and chunk_no = $3))
           update push_recipient r set chunk_no = $4 from half h
            where r.shop_id = $1 and r.run_id = $2 and r.chunk_no = $3 and r.shopper_id = h.shopper_id
              and r.step = h.step and r.run_key = h.run_key""",
        chunk.shop, chunk.run, chunk.no, no,
    )  # fmt: skip
    moved = int(status.split()[-1])
    if moved:
        await conn.execute(
            "insert into push_chunk (shop_id, run_id, no, priority, due_at) values ($1, $2, $3, $4, $5)",
            chunk.shop, chunk.run, no, chunk.priority, at(now_ms),
        )  # fmt: skip
        await conn.execute(
            "update push_chunk set attempts = 0 where shop_id = $1 and run_id = $2 and no = $3",
            chunk.shop, chunk.run, chunk.no,
        )  # fmt: skip
    return moved


async def finish_runs(conn: Connection, now_ms: int) -> list[PushFinished]:
    """Runs of crowds whose chunks are all done become finished; returns what became of each."""
    rows = await conn.fetch(
        """update push_run r set state = 'finished', finished_at = clock_timestamp()
            where r.state = 'running' and r.kind <> 'event'
              and not exists (select 1 from push_chunk c where c.shop_id = r.shop_id and c.run_id = r.id
                                and c.done_at is null)
           returning r.shop_id, r.rule_id, r.id, r.kind, r.audience_n,
             (select body->>'name' from push_rule u where u.shop_id = r.shop_id and u.id = r.rule_id) as name,
             (select jsonb_object_agg(state, n) from (
                select state, count(*) as n from push_delivery d where d.shop_id = r.shop_id and d.run_id = r.id
                 group by state) x) as states"""
    )
    await conn.execute(
        """update push_rule u set status = 'ended', changed_at = clock_timestamp()
            where u.status = 'running' and u.trigger_kind in ('once', 'manual')
              and exists (select 1 from push_run r where r.shop_id = u.shop_id and r.rule_id = u.id
                            and r.rule_version = u.version and r.kind = 'crowd' and r.state = 'finished')"""
    )
    return [
        PushFinished(
            shop=row["shop_id"], rule=row["rule_id"], name=row["name"] or "", run=row["id"], people=row["audience_n"],
            states=row["states"] or {}, at_ms=now_ms,
        )
        for row in rows
        if row["kind"] == "crowd"
    ]  # fmt: skip
