"""The ledger of deliveries, and what is decided under its transaction: contacts, stock, grants."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push.compose import Gift
from push.decide import CONTACTS_KEPT
from push.model import RuleBody
from push.record.runs import Chunk, at
from wangxin.model.frozen import frozen
from wangxin.storage.postgres import Connection


async def lock_contacts(conn: Connection, shop: UUID, shoppers: Sequence[UUID]) -> dict[UUID, Any]:
    """Lock the contact rows in id order: whoever decides caps for these people next waits for this transaction.

    Who was never pushed to has no row; of two transactions that write his first one, the second is done again.
    """
    rows = await conn.fetch(
        "select shopper_id, at_ms, rules from push_contact where shop_id = $1 and shopper_id = any($2)"
        " order by shopper_id for update",
        shop,
        shoppers,
    )
    return {row["shopper_id"]: row for row in rows}


async def add_contacts(
    conn: Connection, shop: UUID, rule: UUID, shoppers: Sequence[UUID], locked: Container[UUID], now_ms: int
) -> None:
    """One contact more for each; only the newest CONTACTS_KEPT are remembered. ``locked``: who has a row."""
    known = [shopper for shopper in shoppers if shopper in locked]
    if known:
        await conn.execute(
            f"""update push_contact set
                  at_ms = case when cardinality(at_ms) < {CONTACTS_KEPT} then at_ms else at_ms[2:] end || $4::bigint,
                  rules = case when cardinality(rules) < {CONTACTS_KEPT} then rules else rules[2:] end || $3::uuid
                where shop_id = $1 and shopper_id = any($2)""",
            shop, known, rule, now_ms,
        )  # fmt: skip
    first = [(shop, shopper, [now_ms], [rule]) for shopper in sorted(shoppers) if shopper not in locked]
    if first:
        await conn.copy_records_to_table(
            "push_contact", records=first, columns=("shop_id", "shopper_id", "at_ms", "rules")
        )


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


@frozen
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


_LEDGER = (
    "shop_id", "rule_id", "run_id", "at", "run_key", "step", "shopper_id", "variant", "state", "reason", "thread_id",
    "msg_id",
)  # fmt: skip
_GRANTS = (
    "shop_id", "rule_id", "at", "run_key", "step", "shopper_id", "id", "kind", "amount", "title", "expires_at", "tap",
)  # fmt: skip


async def write_ledger(conn: Connection, chunk: Chunk, rows: Sequence[LedgerRow], now_ms: int) -> None:
    """Everyone of the chunk. A row that is there already breaks the transaction: somebody else decided meanwhile."""
    head = (chunk.shop, chunk.rule, chunk.run, at(now_ms))
    await conn.copy_records_to_table(
        "push_delivery",
        records=[(*head, r.run_key, r.step, r.shopper, r.variant, r.state, r.reason, r.thread, r.msg) for r in rows],
        columns=_LEDGER,
    )
    granted = [row for row in rows if row.gift is not None]
    if granted:
        await _write_grants(conn, chunk, granted, now_ms)


async def _write_grants(conn: Connection, chunk: Chunk, rows: Sequence[LedgerRow], now_ms: int) -> None:
    gifts = [row.gift for row in rows if row.gift is not None]
    head = (chunk.shop, chunk.rule, at(now_ms))
    await conn.copy_records_to_table(
        "benefit_grant",
        records=[
            (
                *head, r.run_key, r.step, r.shopper, g.id, g.kind, g.amount, g.title,
                None if g.expires_ms is None else at(g.expires_ms), g.tap,
            )
            for r, g in zip(rows, gifts, strict=True)
        ],
        columns=_GRANTS,
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
