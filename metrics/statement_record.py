"""Statements as they were issued: each day once, disputed line by line, then signed and frozen.

Issued statements are the truth of what is owed. What moves later becomes a correction in the next cycle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from metrics.agreements import Agreement
from metrics.clocks import Calendar
from metrics.corrections import Settled, corrections
from metrics.model import DAY, MINUTE
from metrics.settlement import LineKind, StatementLine, judged
from metrics.statements import DayStatement, day_statements
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

ISSUE_BACK_DAYS = 62  # a day that nobody issued for so long is not issued any more
CORRECT_BACK_DAYS = 92
ISSUE_AFTER_MS = 10 * MINUTE  # after the day is over, as days are sealed
ANSWER_DAYS = 2  # what is left to sign after the last answer, at least

_BARE = """(select coalesce(jsonb_agg(l - 'evidence' || jsonb_build_object('n', jsonb_array_length(l -> 'evidence'))
  order by number), '[]') from jsonb_array_elements(s.lines) with ordinality x(l, number))"""
"""The lines with how much evidence each has, but without it: a busy day has tens of thousands of ids."""


def _query(*, evidence: bool) -> str:
    return f"""select s.shop_id, s.id, s.contract_id, s.version, s.provider_id, v.name as provider_name,
      h.name as shop_name, s.day, s.cycle_first, {"s.lines" if evidence else _BARE} as lines,
      {"s.nets" if evidence else "'{}'::jsonb"} as nets, s.fee_fen, at_ms(s.due_at) as due_ms,
      at_ms(s.signed_at) as signed_ms, s.signed_by, exists (select 1 from archive_run a
        where a.shop_id = s.shop_id and a.through > s.day) as archived,
      coalesce((select jsonb_agg(jsonb_build_object('line', d.line, 'reason', d.reason, 'claimed_fen', d.claimed_fen,
          'agreed_fen', d.agreed_fen, 'note', d.note) order by d.line)
        from statement_dispute d where d.shop_id = s.shop_id and d.statement_id = s.id), '[]') as disputes
    from statement s join provider v on v.provider_id = s.provider_id join shop h on h.shop_id = s.shop_id"""


@dataclass(frozen=True, slots=True)
class Dispute:
    line: int
    reason: str
    claimed_fen: int
    agreed_fen: int | None  # None: unanswered
    note: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement as it stands. ``due_ms``: unless disputed by then, it counts as signed.

    Read without evidence, ``evidence_n`` says how much each line has.
    """

    shop: UUID
    shop_name: str
    id: UUID
    contract: UUID
    version: int
    provider: UUID
    provider_name: str
    day: date
    cycle_first: date
    lines: tuple[StatementLine, ...]
    evidence_n: tuple[int, ...]
    nets: dict[str, int]
    fee_fen: int
    due_ms: int
    signed_ms: int | None
    signed_by: UUID | None
    archived: bool
    """The words of that day's conversations lie in the shop's archive."""
    disputes: tuple[Dispute, ...]

    @property
    def state(self) -> str:
        """``signed``, ``lapsed`` (signed by the deadline), ``disputed`` (the merchant is to answer) or ``open``."""
        if self.signed_ms is not None:
            return "lapsed" if self.signed_by is None else "signed"
        return "disputed" if any(one.agreed_fen is None for one in self.disputes) else "open"

    def amount_fen(self, line: int) -> int:
        """What the line comes to: as issued, or as agreed on after a dispute."""
        for one in self.disputes:
            if one.line == line and one.agreed_fen is not None:
                return one.agreed_fen
        return self.lines[line].amount_fen

    @property
    def total_fen(self) -> int:
        return sum(self.amount_fen(line) for line in range(len(self.lines)))


def _issued(row: Any) -> Issued:
    return Issued(
        row["shop_id"], row["shop_name"], row["id"], row["contract_id"], row["version"], row["provider_id"],
        row["provider_name"], row["day"], row["cycle_first"], tuple(_line(one) for one in row["lines"]),
        tuple(one["n"] if "n" in one else len(one["evidence"]) for one in row["lines"]), row["nets"], row["fee_fen"],
        row["due_ms"], row["signed_ms"], row["signed_by"], row["archived"],
        tuple(Dispute(**one) for one in row["disputes"]),
    )  # fmt: skip


def _line(one: Mapping[str, Any]) -> StatementLine:
    of_day, of_kind = one["of_day"], one["of_kind"]
    return StatementLine(
        LineKind(one["kind"]), one["label"], one["quantity"], one["unit_fen"], one["amount_fen"],
        tuple(one.get("evidence", ())), date.fromisoformat(of_day) if of_day else None,
        LineKind(of_kind) if of_kind else None,
    )  # fmt: skip


def line_json(line: StatementLine) -> dict[str, Any]:
    return {
        "kind": str(line.kind), "label": line.label, "quantity": line.quantity, "unit_fen": line.unit_fen,
        "amount_fen": line.amount_fen, "evidence": list(line.evidence),
        "of_day": line.of_day.isoformat() if line.of_day else None,
        "of_kind": str(line.of_kind) if line.of_kind else None,
    }  # fmt: skip


async def of_shop(conn: Connection, shop: UUID, first: date, last: date, *, evidence: bool = False) -> list[Issued]:
    """The newest day first."""
    rows = await conn.fetch(
        f"{_query(evidence=evidence)} where s.shop_id = $1 and s.day between $2 and $3"
        " order by s.day desc, s.contract_id",
        shop, first, last,
    )  # fmt: skip
    return [_issued(row) for row in rows]


async def of_provider(
    conn: Connection, provider: UUID, first: date, last: date, *, evidence: bool = False
) -> list[Issued]:
    """Of all the shops he serves, the newest day first."""
    rows = await conn.fetch(
        f"{_query(evidence=evidence)} where s.provider_id = $1 and s.day between $2 and $3"
        " order by s.day desc, h.name, s.contract_id",
        provider, first, last,
    )  # fmt: skip
    return [_issued(row) for row in rows]


# --- issuing --------------------------------------------------------------------------------------------------------


async def issue(
    conn: Connection, shop: UUID, agreements: Sequence[Agreement], calendar: Calendar, now_ms: int, new_id: Any
) -> int:
    """Issue every day that is over and was not issued; returns how many. Twice at once issues once."""
    today = calendar.day(now_ms - ISSUE_AFTER_MS)
    n = 0
    for agreement in agreements:
        rows = await conn.fetch(
            "select day, fee_fen, cycle_first from statement where shop_id = $1 and contract_id = $2",
            shop, agreement.contract,
        )  # fmt: skip
        stands = {(agreement.contract, row["day"]): row["fee_fen"] for row in rows}
        cycles = {row["cycle_first"] for row in rows}
        first = max(calendar.day(min(one.starts_ms for one in agreement.versions)),
                    today - timedelta(days=ISSUE_BACK_DAYS))  # fmt: skip
        days = [first + timedelta(days=number) for number in range((today - first).days)]
        missing = [
            day
            for day in days
            if (agreement.contract, day) not in stands and agreement.version_at(calendar.day_end_ms(day) - 1)
        ]
        if not missing:
            continue
        for one in reversed(await day_statements(conn, shop, [agreement], missing[0], missing[-1], calendar, stands)):
            if one.day in missing:
                lines = [*one.statement.lines]
                cycle = one.version.cycle_start(one.day)
                if cycle not in cycles:
                    lines += await _corrections(conn, shop, one, calendar)
                    cycles.add(cycle)
                n += await _insert(conn, shop, one, lines, now_ms, new_id())
    return n


async def _insert(
    conn: Connection, shop: UUID, one: DayStatement, lines: Sequence[StatementLine], now_ms: int, id_: UUID
) -> bool:
    found = await conn.fetchval(
        """insert into statement (shop_id, id, contract_id, version, provider_id, day, cycle_first, lines, nets,
             fee_fen, total_fen, due_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, ms_at($12)) on conflict do nothing returning id""",
        shop, id_, one.agreement.contract, one.version.terms.version, one.agreement.provider, one.day,
        one.version.cycle_start(one.day), [line_json(line) for line in lines], dict(one.nets), one.fee_fen,
        sum(line.amount_fen for line in lines), now_ms + one.version.dispute_days * DAY,
    )  # fmt: skip
    return found is not None


async def _corrections(conn: Connection, shop: UUID, begins: DayStatement, calendar: Calendar) -> list[StatementLine]:
    """What the days of earlier cycles would come to now, less what was settled for them."""
    oldest, cycle = begins.day - timedelta(days=CORRECT_BACK_DAYS), begins.version.cycle_start(begins.day)
    rows = await conn.fetch(
        f"{_query(evidence=True)} where s.shop_id = $1 and s.contract_id = $2 and s.day >= $3 and s.day < $4",
        shop, begins.agreement.contract, oldest, cycle,
    )  # fmt: skip
    done = [_issued(row) for row in rows]
    if not done:
        return []
    first, last = min(one.day for one in done), max(one.day for one in done)
    stands = {(begins.agreement.contract, one.day): one.fee_fen for one in done}
    now = {one.day: one for one in await day_statements(conn, shop, [begins.agreement], first, last, calendar, stands)}
    lines: list[StatementLine] = []
    for settled in settled_days(done):
        if settled.day in now:
            today = now[settled.day]
            lines += corrections(settled, today.statement, today.nets, today.measured)
    return lines


def settled_days(done: Iterable[Issued]) -> list[Settled]:
    """What each issued day came to, with all corrections since, by day."""
    amounts: defaultdict[date, defaultdict[LineKind, int]] = defaultdict(lambda: defaultdict(int))
    evidence: defaultdict[date, defaultdict[LineKind, frozenset[str]]] = defaultdict(lambda: defaultdict(frozenset))
    agreed: defaultdict[date, set[LineKind]] = defaultdict(set)
    nets: dict[date, dict[str, int]] = {}
    service: defaultdict[date, dict[str, tuple[int, int]]] = defaultdict(dict)
    for one in sorted(done, key=lambda one: one.day):
        nets[one.day] = one.nets
        disputed = {dispute.line for dispute in one.disputes}
        for number, line in enumerate(one.lines):
            day, kind = line.of_day or one.day, line.of_kind or line.kind
            amounts[day][kind] += line.amount_fen
            # A correction names what came or went; what came twice went.
            evidence[day][kind] ^= frozenset(line.evidence)
            if kind is LineKind.SERVICE:
                figure, per_mille, of_fen = judged(line.evidence)
                service[day][figure] = per_mille, of_fen
            if number in disputed:
                agreed[day].add(kind)
    return [
        Settled(day, amounts[day], evidence[day], nets[day], frozenset(agreed[day]), service[day])
        for day in sorted(nets)
    ]


# --- signing --------------------------------------------------------------------------------------------------------


async def _lock(conn: Connection, provider: UUID | None, shop: UUID | None, contract: UUID, day: date) -> Issued:
    """The statement, locked. Raises ``statement.not_found``, ``statement.signed`` (409)."""
    row = await conn.fetchrow(
        f"{_query(evidence=False)} where s.contract_id = $1 and s.day = $2 and ($3::uuid is null or s.provider_id = $3)"
        " and ($4::uuid is null or s.shop_id = $4) for update of s",
        contract, day, provider, shop,
    )  # fmt: skip
    if row is None:
        raise not_found("statement")
    one = _issued(row)
    if one.signed_ms is not None:
        raise Refusal("statement.signed", "a signed statement is frozen", status=409)
    return one


async def dispute(
    conn: Connection, provider: UUID, contract: UUID, day: date, line: int, *, reason: str, claimed_fen: int, by: UUID,
    now_ms: int
) -> Issued:  # fmt: skip
    """The provider says what a line should come to; again before the answer: it says so now.

    Raises ``statement.not_found``, ``statement.signed``, ``statement.due``, ``line.not_found``, ``dispute.answered``.
    """
    one = await _lock(conn, provider, None, contract, day)
    if line >= len(one.lines):
        raise not_found("line")
    if now_ms > one.due_ms:
        raise Refusal("statement.due", "the time to dispute is over", status=409)
    if any(known.line == line and known.agreed_fen is not None for known in one.disputes):
        raise Refusal("dispute.answered", "this line was answered already", status=409)
    await conn.execute(
        """insert into statement_dispute (shop_id, statement_id, line, reason, claimed_fen, raised_by)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (shop_id, statement_id, line) do update set reason = $4, claimed_fen = $5, raised_by = $6,
             raised_at = clock_timestamp()""",
        one.shop, one.id, line, reason, claimed_fen, by,
    )  # fmt: skip
    return one


async def answer(
    conn: Connection, shop: UUID, contract: UUID, day: date, line: int, *, agreed_fen: int | None, note: str, by: UUID,
    now_ms: int
) -> Issued:  # fmt: skip
    """The merchant's last word on a disputed line: what it comes to, or (None) that it stays as issued.

    Raises ``statement.not_found``, ``statement.signed``, ``dispute.not_found``, ``dispute.answered``.
    """
    one = await _lock(conn, None, shop, contract, day)
    known = next((known for known in one.disputes if known.line == line), None)
    if known is None:
        raise not_found("dispute")
    if known.agreed_fen is not None:
        raise Refusal("dispute.answered", "this line was answered already", status=409)
    await conn.execute(
        """update statement_dispute set agreed_fen = $4, note = $5, answered_at = clock_timestamp(), answered_by = $6
           where shop_id = $1 and statement_id = $2 and line = $3""",
        shop, one.id, line, one.lines[line].amount_fen if agreed_fen is None else agreed_fen, note, by,
    )  # fmt: skip
    await conn.execute(
        "update statement set due_at = greatest(due_at, ms_at($3)) where shop_id = $1 and id = $2",
        shop, one.id, now_ms + ANSWER_DAYS * DAY,
    )  # fmt: skip
    return one


async def sign(conn: Connection, provider: UUID, contract: UUID, day: date, *, by: UUID) -> Issued:
    """From now on nothing of it changes. Raises ``statement.not_found``, ``statement.signed``, ``statement.disputed``
    (409) while a dispute is unanswered."""
    one = await _lock(conn, provider, None, contract, day)
    if one.state == "disputed":
        raise Refusal("statement.disputed", "a disputed line is not answered yet", status=409)
    await conn.execute(
        "update statement set signed_at = clock_timestamp(), signed_by = $3 where shop_id = $1 and id = $2",
        one.shop, one.id, by,
    )  # fmt: skip
    return one


async def lapse(conn: Connection) -> int:
    """What is due without an unanswered dispute counts as signed; returns how many."""
    done: str = await conn.execute(
        """update statement s set signed_at = clock_timestamp()
           where s.signed_at is null and s.due_at < clock_timestamp()
             and not exists (select from statement_dispute d where d.shop_id = s.shop_id and d.statement_id = s.id
               and d.agreed_fen is null)"""
    )
    return int(done.split()[-1])
