"""Rules, their versions, the shop's policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from push.crowds import DEFAULT_DAYS, CrowdDays
from push.model import OnEvent, Rule, RuleBody, RuleStatus
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for all rules of a shop."""

    shop_name: str
    zone: ZoneInfo
    holdout_permille: int = 0
    holdout_salt: str = "global-1"
    approve_above: int = 10_000
    approve_above_cents: int = 1_000_000
    crowd_days: CrowdDays = DEFAULT_DAYS
    rate_per_s: int | None = None
    """Recipients a second over all rules; None: as fast as it goes."""


async def set_policy(
    conn: Connection, shop: UUID, holdout_permille: int, approve_above: int,
    approve_above_cents: int = 1_000_000, crowd_days: CrowdDays = DEFAULT_DAYS, rate_per_s: int | None = None,
) -> None:  # fmt: skip
    await conn.execute(
        """insert into push_policy (shop_id, holdout_permille, approve_above, approve_above_cents, crowd_days,
             rate_per_s)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (shop_id) do update set holdout_permille = excluded.holdout_permille,
             approve_above = excluded.approve_above, approve_above_cents = excluded.approve_above_cents,
             crowd_days = excluded.crowd_days, rate_per_s = excluded.rate_per_s""",
        shop, holdout_permille, approve_above, approve_above_cents, crowd_days.model_dump(), rate_per_s,
    )  # fmt: skip


_RULE = "id, shop_id, version, status, body, content_hash, created_by, approved_by"


def _rule(row: Any) -> Rule:
    return Rule(
        id=row["id"],
        shop_id=row["shop_id"],
        version=row["version"],
        status=RuleStatus(row["status"]),
        body=RuleBody.model_validate(row["body"]),
        content_hash=row["content_hash"],
        created_by=row["created_by"],
        approved_by=row["approved_by"],
    )


async def policy(conn: Connection, shop: UUID) -> Policy:
    """Refusal ``shop.not_found``."""
    row = await conn.fetchrow(
        "select s.name, s.tz, p.holdout_permille, p.holdout_salt, p.approve_above, p.approve_above_cents, p.crowd_days,"
        " p.rate_per_s from shop s"
        " left join push_policy p using (shop_id) where s.shop_id = $1",
        shop,
    )
    if row is None:
        raise not_found("shop")
    if row["holdout_salt"] is None:
        return Policy(row["name"], ZoneInfo(row["tz"]))
    return Policy(
        row["name"], ZoneInfo(row["tz"]), row["holdout_permille"], row["holdout_salt"], row["approve_above"],
        row["approve_above_cents"], CrowdDays.model_validate(row["crowd_days"]), row["rate_per_s"],
    )  # fmt: skip


async def read(conn: Connection, shop: UUID, rule: UUID, *, lock: bool = False) -> Rule:
    """Refusal ``rule.not_found``."""
    row = await conn.fetchrow(
        f"select {_RULE} from push_rule where shop_id = $1 and id = $2" + (" for update" if lock else ""), shop, rule
    )
    if row is None:
        raise not_found("rule")
    return _rule(row)


async def author(conn: Connection, shop: UUID, rule: UUID) -> UUID | None:
    """Who wrote the version that stands."""
    by: UUID | None = await conn.fetchval("select changed_by from push_rule where shop_id = $1 and id = $2", shop, rule)
    return by


async def read_all(conn: Connection, shop: UUID) -> list[Rule]:
    rows = await conn.fetch(f"select {_RULE} from push_rule where shop_id = $1 order by changed_at desc", shop)
    return [_rule(row) for row in rows]


async def count(conn: Connection, shop: UUID) -> int:
    n: int = await conn.fetchval("select count(*) from push_rule where shop_id = $1", shop)
    return n


async def read_version(conn: Connection, shop: UUID, rule: UUID, version: int) -> RuleBody:
    body = await conn.fetchval(
        "select body from push_rule_version where shop_id = $1 and rule_id = $2 and version = $3", shop, rule, version
    )
    if body is None:
        raise not_found("rule")
    return RuleBody.model_validate(body)


async def running_for_event(conn: Connection, shop: UUID, event_type: str) -> list[Rule]:
    """Running rules that such an event sets off, highest priority first."""
    rows = await conn.fetch(
        f"select {_RULE} from push_rule where shop_id = $1 and event_type = $2 and status = 'running'"
        " and trigger_kind = 'event' order by (body->>'priority')::int desc, id",
        shop,
        event_type,
    )
    return [_rule(row) for row in rows]


async def running_with_cancel(conn: Connection, shop: UUID, event_type: str) -> list[Rule]:
    """Running rules whose waiting messages such an event may call off."""
    rows = await conn.fetch(
        f"select {_RULE} from push_rule where shop_id = $1 and status = 'running' and trigger_kind = 'event'"
        " and body->'trigger'->'cancel_on' @> jsonb_build_array(jsonb_build_object('type', $2::text))",
        shop,
        event_type,
    )
    return [_rule(row) for row in rows]


async def save(conn: Connection, shop: UUID, rule: UUID, body: RuleBody, by: UUID | None) -> Rule:
    """A new rule, or a new version of one; any change brings it back to draft."""
    trigger, digest = body.trigger, body.content_hash()
    event_type = trigger.event.type if isinstance(trigger, OnEvent) else None
    row = await conn.fetchrow(
        f"""insert into push_rule (shop_id, id, version, status, body, content_hash, trigger_kind, event_type,
              created_by, changed_by) values ($1, $2, 1, 'draft', $3, $4, $5, $6, $7, $7)
            on conflict (shop_id, id) do update set version = push_rule.version + 1, status = 'draft',
              body = excluded.body, content_hash = excluded.content_hash, trigger_kind = excluded.trigger_kind,
              event_type = excluded.event_type, changed_by = excluded.changed_by, approved_by = null,
              approved_hash = null, planned_until = null, changed_at = clock_timestamp()
            returning {_RULE}""",
        shop, rule, body.model_dump(mode="json"), digest, trigger.k, event_type, by,
    )  # fmt: skip
    saved = _rule(row)
    await conn.execute(
        "insert into push_rule_version (shop_id, rule_id, version, body, content_hash, made_by)"
        " values ($1, $2, $3, $4, $5, $6)",
        shop, rule, saved.version, body.model_dump(mode="json"), digest, by,
    )  # fmt: skip
    await conn.execute("delete from push_due where shop_id = $1 and rule_id = $2 and state = 'open'", shop, rule)
    for step, part in enumerate(body.steps):
        if part.benefit is not None:
            await conn.execute(
                """insert into benefit_stock (shop_id, rule_id, step, remaining, budget_cents)
                   values ($1, $2, $3, $4::int, $5)
                   on conflict (shop_id, rule_id, step) do update set budget_cents = excluded.budget_cents,
                     withdrawn_at = case when benefit_stock.withdrawing then benefit_stock.withdrawn_at end,
                     remaining = case when $4::int is not null then greatest(0, $4::int - benefit_stock.granted) end""",
                shop, rule, step, part.benefit.stock, part.benefit.budget_cents,
            )  # fmt: skip
    return saved


async def set_status(conn: Connection, rule: Rule, status: RuleStatus, *, approved_by: UUID | None = None) -> None:
    """The rule and its runs change together: a chunk reads the run's state in its own transaction."""
    await conn.execute(
        """update push_rule set status = $3, changed_at = clock_timestamp(), planned_until = null,
             approved_by = coalesce($4, approved_by),
             approved_hash = case when $4::uuid is null then approved_hash else content_hash end
           where shop_id = $1 and id = $2""",
        rule.shop_id, rule.id, str(status), approved_by,
    )  # fmt: skip
    run_state = {RuleStatus.RUNNING: "running", RuleStatus.PAUSED: "paused", RuleStatus.ENDED: "cancelled"}.get(status)
    if run_state:
        await conn.execute(
            "update push_run set state = $3 where shop_id = $1 and rule_id = $2 and state in ('running', 'paused')"
            " and kind <> 'test'",
            rule.shop_id,
            rule.id,
            run_state,
        )
    if status is not RuleStatus.RUNNING:
        await conn.execute(
            "delete from push_due where shop_id = $1 and rule_id = $2 and state = 'open'", rule.shop_id, rule.id
        )


async def set_approved_n(conn: Connection, rule: Rule, n: int) -> None:
    await conn.execute("update push_rule set approved_n = $3 where shop_id = $1 and id = $2", rule.shop_id, rule.id, n)


async def approved_for(conn: Connection, rule: Rule) -> tuple[str | None, int | None]:
    """What the approval signs: the content's hash, and how many people it was given for."""
    row = await conn.fetchrow(
        "select approved_hash, approved_n from push_rule where shop_id = $1 and id = $2", rule.shop_id, rule.id
    )
    return (row["approved_hash"], row["approved_n"]) if row else (None, None)


async def remove(conn: Connection, shop: UUID, rule: UUID) -> None:
    """Only what has never run can vanish; the ledger of the rest is evidence. Refusals ``rule.not_found``,
    ``rule.has_run``."""
    await read(conn, shop, rule, lock=True)
    if await conn.fetchval("select exists (select 1 from push_run where shop_id = $1 and rule_id = $2)", shop, rule):
        raise Refusal("rule.has_run", "a rule that has run can be ended, not removed", status=409)
    for table, column in (("push_due", "rule_id"), ("benefit_stock", "rule_id"), ("push_rule_version", "rule_id"),
                          ("push_rule", "id")):  # fmt: skip
        await conn.execute(f"delete from {table} where shop_id = $1 and {column} = $2", shop, rule)
