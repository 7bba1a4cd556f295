"""Quality checks in PostgreSQL: sheets, samples, grades, appeals, and how many passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from metrics.intervals import Rate
from metrics.quality.model import APPEAL_DAYS, Drawn, Graded, Mark, Served, Sheet, draw, graded, result
from metrics.ratings import TALLIES
from wangxin.clock import new_id
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

QUEUE_MAX = 200
RESULTS_MAX = 500
Row = dict[str, Any]


async def sheet(conn: Connection, shop: UUID, version: int | None = None) -> tuple[int, Sheet] | None:
    """(version, sheet): the newest, or the one that is named; None: the shop has none."""
    row = await conn.fetchrow(
        "select version, body from quality_sheet where shop_id = $1 and ($2::int is null or version = $2)"
        " order by version desc limit 1",
        shop, version,
    )  # fmt: skip
    return None if row is None else (row["version"], Sheet.model_validate(row["body"]))


async def write_sheet(conn: Connection, shop: UUID, new: Sheet, by: UUID) -> int:
    """The next version. What was graded by an earlier one stands."""
    version: int = await conn.fetchval(
        """insert into quality_sheet (shop_id, version, body, created_by)
           select $1, coalesce(max(version), 0) + 1, $2, $3 from quality_sheet where shop_id = $1 returning version""",
        shop, new.model_dump(mode="json"), by,
    )  # fmt: skip
    return version


# --- drawing --------------------------------------------------------------------------------------------------------

_WEEK = f"""
select t.conversation_id, t.thread_id, t.day, t.agent_id, t.pool_id, p.provider_id,
  t.rating between 1 and 2 as low,
  exists (select from assignment a where a.shop_id = t.shop_id and a.conversation_id = t.conversation_id
    and a.release_reason = 'silent') as reclaimed,
  t.conversation_id::text = any($4) as disputed, coalesce(s.stratum, '') as taken
from {TALLIES} t
left join lateral (select a.provider_id from assignment a where a.shop_id = t.shop_id
  and a.conversation_id = t.conversation_id and a.agent_id = t.agent_id order by a.epoch desc limit 1) p on true
left join quality_sample s on s.shop_id = t.shop_id and s.conversation_id = t.conversation_id
where t.shop_id = $1 and t.day between $2 and $3 and t.closed_at is not null and t.agent_id is not null
  and t.shopper_messages > 0 and t.human_messages > 0 and not t.outbound"""


async def draw_week(conn: Connection, shop: UUID, monday: date, chance: Random) -> int:
    """Draw what the week still lacks; how many came. Two at once draw one after the other."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('quality' || $1::text, 0))", str(shop))
    disputed = await conn.fetch(
        """select distinct jsonb_array_elements_text(s.lines -> d.line -> 'evidence') as id
           from statement_dispute d join statement s on s.shop_id = d.shop_id and s.id = d.statement_id
           where d.shop_id = $1 and s.day between $2 and $3""",
        shop, monday, monday + timedelta(days=6),
    )  # fmt: skip
    rows = await conn.fetch(_WEEK, shop, monday, monday + timedelta(days=6), [row["id"] for row in disputed])
    week = [
        Served(row["conversation_id"], row["agent_id"], row["low"], row["reclaimed"], row["disputed"], row["taken"])
        for row in rows
    ]
    known = {row["conversation_id"]: row for row in rows}
    drawn = draw(week, chance)
    await conn.executemany(
        """insert into quality_sample (shop_id, id, week, conversation_id, thread_id, day, agent_id, pool_id,
             provider_id, stratum, double) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        [_sample(shop, monday, known[one.conversation], one) for one in drawn],
    )
    return len(drawn)


def _sample(shop: UUID, monday: date, row: Any, one: Drawn) -> tuple[Any, ...]:
    return (shop, new_id(), monday, one.conversation, row["thread_id"], row["day"], row["agent_id"], row["pool_id"],
            row["provider_id"], one.stratum, one.double)  # fmt: skip


# --- grading --------------------------------------------------------------------------------------------------------


async def queue(conn: Connection, shop: UUID, grader: UUID) -> list[Row]:
    """What this person may grade: nothing of his own, nothing twice, and nobody's name in it."""
    rows = await conn.fetch(
        """select s.id, s.week, s.day, s.double from quality_sample s
           where s.shop_id = $1 and s.agent_id <> $2
             and (s.state = 'waiting' or (s.double and s.state = 'graded' and
               (select count(*) from quality_grade g where g.shop_id = s.shop_id and g.sample_id = s.id) < 2))
             and not exists (select from quality_grade g where g.shop_id = s.shop_id and g.sample_id = s.id
               and g.grader_id = $2)
           order by s.week, md5(s.id::text) limit $3""",
        shop, grader, QUEUE_MAX,
    )  # fmt: skip
    return [{**dict(row), "week": row["week"].isoformat(), "day": row["day"].isoformat()} for row in rows]


async def sample(conn: Connection, shop: UUID, id_: UUID, *, lock: bool = False) -> Any:
    """Raises ``sample.not_found``."""
    row = await conn.fetchrow(
        f"select * from quality_sample where shop_id = $1 and id = $2 {'for update' if lock else ''}", shop, id_
    )
    if row is None:
        raise not_found("sample")
    return row


async def grade(
    conn: Connection, shop: UUID, id_: UUID, by: UUID, marks: dict[str, Mark], fatal: Sequence[str], note: str
) -> Graded:
    """Raises ``sample.not_found``, ``sheet.none``, ``grade.own``, ``grade.given``, ``grade.full`` (409),
    ``grade.incomplete``, ``grade.unknown``."""
    one = await sample(conn, shop, id_, lock=True)
    found = await sheet(conn, shop)
    if found is None:
        raise Refusal("sheet.none", "the shop has no sheet yet", status=409)
    if one["agent_id"] == by:
        raise Refusal("grade.own", "nobody grades himself", status=409)
    given = await conn.fetch("select grader_id from quality_grade where shop_id = $1 and sample_id = $2", shop, id_)
    if any(row["grader_id"] == by for row in given):
        raise Refusal("grade.given", "you have graded this one", status=409)
    if one["state"] not in ("waiting", "graded") or len(given) >= (2 if one["double"] else 1):
        raise Refusal("grade.full", "this one is graded", status=409)
    version, how = found
    this = graded(how, marks, fatal)
    await conn.execute(
        """insert into quality_grade (shop_id, sample_id, grader_id, version, marks, fatal, score, passed, note)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        shop, id_, by, version, marks, list(fatal), this.score, this.passed, note,
    )  # fmt: skip
    await _stands(conn, shop, id_)
    return this


async def decide(conn: Connection, shop: UUID, id_: UUID, by: UUID, last: Graded, note: str) -> None:
    """The shop's last word on a split or appealed sample. Raises ``sample.not_found``, ``sample.undisputed``,
    ``sample.decided`` (409)."""
    one = await sample(conn, shop, id_, lock=True)
    if one["state"] == "decided":
        raise Refusal("sample.decided", "the last word was said", status=409)
    appealed = await conn.fetchval("select 1 from quality_appeal where shop_id = $1 and sample_id = $2", shop, id_)
    if one["state"] != "split" and not appealed:
        raise Refusal("sample.undisputed", "nobody has said anything against it", status=409)
    await conn.execute(
        "insert into quality_decision (shop_id, sample_id, score, passed, note, by_id) values ($1, $2, $3, $4, $5, $6)",
        shop, id_, last.score, last.passed, note, by,
    )  # fmt: skip
    await _stands(conn, shop, id_)


async def appeal(conn: Connection, one: Any, role: str, by: UUID, reason: str, now_ms: int) -> None:
    """Raises ``sample.ungraded``, ``sample.appealed``, ``sample.decided``, ``appeal.late`` (409)."""
    if one["graded_at"] is None:
        raise Refusal("sample.ungraded", "nobody has graded it yet", status=409)
    if one["state"] == "decided":
        raise Refusal("sample.decided", "the last word was said", status=409)
    if now_ms > one["graded_at"].timestamp() * 1000 + APPEAL_DAYS * 86_400_000:
        raise Refusal("appeal.late", f"an appeal must come within {APPEAL_DAYS} days", status=409)
    done = await conn.fetchval(
        """insert into quality_appeal (shop_id, sample_id, by_role, by_id, reason) values ($1, $2, $3, $4, $5)
           on conflict do nothing returning 1""",
        one["shop_id"], one["id"], role, by, reason,
    )  # fmt: skip
    if not done:
        raise Refusal("sample.appealed", "there is an appeal already", status=409)


async def _stands(conn: Connection, shop: UUID, id_: UUID) -> None:
    """Write what the sample comes to now."""
    grades = await conn.fetch(
        "select score, passed from quality_grade where shop_id = $1 and sample_id = $2 order by graded_at", shop, id_
    )
    last = await conn.fetchrow(
        "select score, passed from quality_decision where shop_id = $1 and sample_id = $2", shop, id_
    )
    now = result([Graded(*row) for row in grades], None if last is None else Graded(*last))
    await conn.execute(
        """update quality_sample set state = $3, score = $4, passed = $5,
             graded_at = coalesce(graded_at, clock_timestamp()) where shop_id = $1 and id = $2""",
        shop, id_, now.state, now.score, now.passed,
    )  # fmt: skip


# --- results --------------------------------------------------------------------------------------------------------

_RESULTS = """
select s.shop_id, h.name as shop, s.id, s.week, s.day, s.conversation_id, s.agent_id, s.pool_id, s.provider_id,
  s.stratum, s.double, s.state, s.score, s.passed, (extract(epoch from s.graded_at) * 1000)::bigint as graded_ms,
  coalesce((select jsonb_agg(jsonb_build_object('score', g.score, 'passed', g.passed, 'note', g.note, 'marks', g.marks,
      'fatal', g.fatal, 'version', g.version) order by g.graded_at)
    from quality_grade g where g.shop_id = s.shop_id and g.sample_id = s.id), '[]') as grades,
  (select jsonb_build_object('role', a.by_role, 'reason', a.reason) from quality_appeal a
    where a.shop_id = s.shop_id and a.sample_id = s.id) as appeal,
  (select jsonb_build_object('score', d.score, 'passed', d.passed, 'note', d.note) from quality_decision d
    where d.shop_id = s.shop_id and d.sample_id = s.id) as decision
from quality_sample s join shop h on h.shop_id = s.shop_id where s.graded_at is not null and """


def _shown(row: Any) -> Row:
    return {**dict(row), "week": row["week"].isoformat(), "day": row["day"].isoformat()}


async def of_shop(conn: Connection, shop: UUID, first: date, last: date, reader: UUID) -> list[Row]:
    """Graded samples of conversations of these days; open appeals and splits first, then the newest. What the reader
    could still grade as the second one stays hidden from him."""
    rows = await conn.fetch(
        f"""{_RESULTS} s.shop_id = $1 and s.day between $2 and $3
              and not (s.double and s.state = 'graded' and s.agent_id <> $5 and 2 > (select count(*)
                  from quality_grade g where g.shop_id = s.shop_id and g.sample_id = s.id)
                and not exists (select from quality_grade g where g.shop_id = s.shop_id and g.sample_id = s.id
                  and g.grader_id = $5))
            order by not (s.state = 'split' or (s.state <> 'decided' and exists (select from quality_appeal a
              where a.shop_id = s.shop_id and a.sample_id = s.id))), s.graded_at desc limit $4""",
        shop, first, last, RESULTS_MAX, reader,
    )  # fmt: skip
    return [_shown(row) for row in rows]


async def of_agent(conn: Connection, agent: UUID) -> list[Row]:
    """The newest first, in all shops; who graded is not said."""
    rows = await conn.fetch(f"{_RESULTS} s.agent_id = $1 order by s.graded_at desc limit $2", agent, RESULTS_MAX)
    return [_shown(row) for row in rows]


async def of_provider(conn: Connection, provider: UUID) -> list[Row]:
    rows = await conn.fetch(f"{_RESULTS} s.provider_id = $1 order by s.graded_at desc limit $2", provider, RESULTS_MAX)
    return [_shown(row) for row in rows]


async def pairs(conn: Connection, shop: UUID, first: date, last: date) -> list[tuple[bool, bool]]:
    """The two verdicts on each sample that two people graded, the earlier first."""
    rows = await conn.fetch(
        """select array_agg(g.passed order by g.graded_at) as both from quality_sample s
           join quality_grade g on g.shop_id = s.shop_id and g.sample_id = s.id
           where s.shop_id = $1 and s.day between $2 and $3 group by s.id having count(*) = 2""",
        shop, first, last,
    )  # fmt: skip
    return [(row["both"][0], row["both"][1]) for row in rows]


async def passed(
    conn: Connection, shop: UUID, first_ms: int, to_ms: int, *, pools: Sequence[UUID] | None = None,
    provider: UUID | None = None,
) -> Rate:  # fmt: skip
    """Of conversations drawn by chance and first graded within [first, to): how many pass, as it stands now. What two
    graders differ on counts nowhere."""
    row = await conn.fetchrow(
        """select count(*) filter (where passed) as hits, count(*) as n from quality_sample
           where shop_id = $1 and stratum = 'random' and passed is not null
             and graded_at >= ms_at($2) and graded_at < ms_at($3)
             and ($4::uuid[] is null or pool_id = any($4)) and ($5::uuid is null or provider_id = $5)""",
        shop, first_ms, to_ms, None if pools is None else list(pools), provider,
    )  # fmt: skip
    assert row is not None, "an aggregate has a row"
    return Rate(row["hits"], row["n"])


# --- the words ------------------------------------------------------------------------------------------------------


async def lines(conn: Connection, one: Any) -> list[Any]:
    """The conversation's public lines, oldest first, with who spoke."""
    rows: list[Any] = await conn.fetch(
        """select seq, at_ms(at) as at_ms, sender_kind, sender_id, kind, body::text as body,
             recalled_at is not null as recalled
           from entry where shop_id = $1 and thread_id = $2 and lane = 0 and conversation_id = $3
             and kind not in ('event', 'rating') order by seq limit 500""",
        one["shop_id"], one["thread_id"], one["conversation_id"],
    )  # fmt: skip
    return rows
