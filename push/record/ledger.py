"""The ledger of deliveries, and what is decided under its transaction: contacts, stock, grants, threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push.compose import Gift
from push.decide import CONTACTS_KEPT
from push.model import RuleBody
from push.record.runs import Chunk, at
from wangxin.storage.postgres import Connection


async def lock_contacts(conn: Connection, shop: UUID, shoppers: Sequence[UUID]) -> dict[UUID, Any]:
    """Lock the contact rows in id order: whoever decides caps for these people next waits for this transaction."""
    await conn.execute(
        "insert into push_contact (shop_id, shopper_id) select $1, u from unnest($2::uuid[]) u order by u"
        " on conflict do nothing",
        shop,
        shoppers,
    )
    rows = await conn.fetch(
        "select shopper_id, at_ms, rules from push_contact where shop_id = $1 and shopper_id = any($2)"
        " order by shopper_id for update",
        shop,
        shoppers,
    )
    return {row["shopper_id"]: row for row in rows}


async def add_contacts(conn: Connection, shop: UUID, rule: UUID, shoppers: Sequence[UUID], now_ms: int) -> None:
    """One contact more for each; only the newest CONTACTS_KEPT are remembered. The rows are locked already."""
    await conn.execute(
        f"""update push_contact set
              at_ms = case when cardinality(at_ms) < {CONTACTS_KEPT} then at_ms else at_ms[2:] end || $4::bigint,
              rules = case when cardinality(rules) < {CONTACTS_KEPT} then rules else rules[2:] end || $3::uuid
            where shop_id = $1 and shopper_id = any($2)""",
        shop, shoppers, rule, now_ms,
    )  # fmt: skip


@dataclass(slots=True)
class Stock:
    """What one chunk may give of a benefit; it is taken in memory and written back once."""

    left: float = math.inf
    budget: float = math.inf
    withdrawn: bool = False
    given: int = 0
    spent: int = 0

    @property
    def reason(self) -> str:
        """Why nobody gets more."""
        return (
            "benefit.withdrawn" if self.withdrawn else "benefit.empty" if self.given >= self.left else "benefit.budget"
        )

    def allows(self, cost_cents: int) -> bool:
        return not self.withdrawn and self.given < self.left and self.spent + cost_cents <= self.budget

    def take(self, cost_cents: int) -> None:
        self.given += 1
        self.spent += cost_cents


async def lock_stock(conn: Connection, shop: UUID, rule: UUID, step: int) -> Stock:
    """What is left to give, locked until the transaction ends."""
    row = await conn.fetchrow(
        "select remaining, budget_cents - spent_cents as budget, withdrawn_at is not null as withdrawn"
        " from benefit_stock where shop_id = $1 and rule_id = $2 and step = $3 for update",
        shop,
        rule,
        step,
    )
    if row is None:
        return Stock()
    left, budget = row["remaining"], row["budget"]
    return Stock(math.inf if left is None else left, math.inf if budget is None else budget, row["withdrawn"])


async def take_stock(conn: Connection, shop: UUID, rule: UUID, step: int, stock: Stock) -> None:
    await conn.execute(
        "update benefit_stock set remaining = remaining - $4, granted = granted + $4, spent_cents = spent_cents + $5"
        " where shop_id = $1 and rule_id = $2 and step = $3",
        shop, rule, step, stock.given, stock.spent,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerRow:
    shopper: UUID
    run_key: str
    step: int
    variant: int
    state: str
    reason: str
    thread: UUID | None = None
    msg: UUID | None = None
    gift: Gift | None = None


async def write_ledger(conn: Connection, chunk: Chunk, rows: Sequence[LedgerRow], now_ms: int) -> None:
    """Everyone of the chunk. A row that is there already breaks the transaction: somebody else decided meanwhile."""
    await conn.execute(
        """insert into push_delivery (shop_id, rule_id, run_id, at, run_key, step, shopper_id, variant, state, reason,
             thread_id, msg_id)
           select $1, $2, $3, $4, * from unnest($5::text[], $6::smallint[], $7::uuid[], $8::smallint[], $9::text[],
             $10::text[], $11::uuid[], $12::uuid[])""",
        chunk.shop, chunk.rule, chunk.run, at(now_ms), [r.run_key for r in rows], [r.step for r in rows],
        [r.shopper for r in rows], [r.variant for r in rows], [r.state for r in rows], [r.reason for r in rows],
        [r.thread for r in rows], [r.msg for r in rows],
    )  # fmt: skip
    granted = [row for row in rows if row.gift is not None]
    if granted:
        await _write_grants(conn, chunk, granted, now_ms)


async def _write_grants(conn: Connection, chunk: Chunk, rows: Sequence[LedgerRow], now_ms: int) -> None:
    gifts = [row.gift for row in rows if row.gift is not None]
    await conn.execute(
        """insert into benefit_grant (shop_id, rule_id, at, run_key, step, shopper_id, id, kind, amount, title,
             expires_at, tap)
           select $1, $2, $3, * from unnest($4::text[], $5::smallint[], $6::uuid[], $7::uuid[], $8::text[],
             $9::bigint[], $10::text[], $11::timestamptz[], $12::boolean[])""",
        chunk.shop, chunk.rule, at(now_ms), [r.run_key for r in rows], [r.step for r in rows],
        [r.shopper for r in rows], [g.id for g in gifts], [g.kind for g in gifts], [g.amount for g in gifts],
        [g.title for g in gifts], [None if g.expires_ms is None else at(g.expires_ms) for g in gifts],
        [g.tap for g in gifts],
    )  # fmt: skip
    points = [(row.shopper, g) for row, g in zip(rows, gifts, strict=True) if g.kind == "points"]
    if points:
        await conn.execute(
            """with booked as (
                 insert into points_ledger (shop_id, shopper_id, ref, delta)
                 select $1, * from unnest($2::uuid[], $3::text[], $4::int[]) on conflict do nothing
                 returning shopper_id, delta),
               per_shopper as (select shopper_id, sum(delta)::int as delta from booked group by shopper_id)
               update profile p set points = coalesce(p.points, 0) + b.delta from per_shopper b
                where p.shop_id = $1 and p.shopper_id = b.shopper_id""",
            chunk.shop, [s for s, _ in points], [f"grant:{g.id}" for _, g in points], [g.amount for _, g in points],
        )  # fmt: skip


async def make_threads(conn: Connection, shop: UUID, wanted: Sequence[tuple[UUID, UUID]]) -> dict[UUID, UUID]:
    """Threads for (shopper, new thread id) who have none; returns shopper → thread."""
    await conn.execute(
        "insert into thread (shop_id, shopper_id, id) select $1, * from unnest($2::uuid[], $3::uuid[])"
        " on conflict (shop_id, shopper_id) do nothing",
        shop, [s for s, _ in wanted], [t for _, t in wanted],
    )  # fmt: skip
    rows = await conn.fetch(
        "select shopper_id, id from thread where shop_id = $1 and shopper_id = any($2)", shop, [s for s, _ in wanted]
    )
    return {row["shopper_id"]: row["id"] for row in rows}


async def cancel_waiting(conn: Connection, shop: UUID, rule: UUID, shopper: UUID, reason: str, now_ms: int) -> int:
    """Call off what waits for this shopper under an event rule: it enters the ledger as cancelled."""
    status = await conn.execute(
        """insert into push_delivery (shop_id, rule_id, run_key, step, shopper_id, run_id, variant, state, reason, at)
           select r.shop_id, n.rule_id, r.run_key, r.step, r.shopper_id, r.run_id, 0, 'cancelled', $4, $5
             from push_recipient r
             join push_run n on n.shop_id = r.shop_id and n.id = r.run_id
             join push_chunk c on c.shop_id = r.shop_id and c.run_id = r.run_id and c.no = r.chunk_no
            where r.shop_id = $1 and n.rule_id = $2 and r.shopper_id = $3 and r.event is not null
              and c.done_at is null
           on conflict do nothing""",
        shop, rule, shopper, reason, at(now_ms),
    )  # fmt: skip
    return int(status.split()[-1])


async def higher_today(conn: Connection, shop: UUID, rule: UUID, priority: int, now_ms: int) -> list[RuleBody]:
    """Rules of higher priority that are due within a day: their recipients keep a contact free for them."""
    rows = await conn.fetch(
        """select distinct on (u.id) u.body from push_due d
             join push_rule u on u.shop_id = d.shop_id and u.id = d.rule_id
            where d.shop_id = $1 and d.state = 'open' and d.due_at > $2 and d.due_at < $3 and u.id <> $4
              and u.status = 'running' and (u.body->>'priority')::int > $5""",
        shop, at(now_ms), at(now_ms + 16 * 3_600_000), rule, priority,
    )  # fmt: skip
    return [RuleBody.model_validate(row["body"]) for row in rows]
