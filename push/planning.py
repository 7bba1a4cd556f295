"""The ticker's part: which occurrences are due, and the freezing of their recipients. Any process may run it; the
unique key of an occurrence is the lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from push import schedule
from push.audience.leaves import Moment
from push.audience.tree import All, Anniversary, Node
from push.compose import stable_id
from push.dates import kept_between
from push.model import Manual, Once, OnDate, OnEvent, OnFestival, Recurring, Rule, RuleBody, RuleStatus
from push.quiet import Span, quiet_until
from push.record import rules, runs
from push.record.runs import Due, Picked, ZoneDue
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import Connection, Pool

PLAN_AHEAD_MS = 36 * 3_600_000
PLAN_AGAIN_MS = 24 * 3_600_000


@lru_cache(maxsize=1_000)
def zone_of(name: str | None, fallback: ZoneInfo) -> ZoneInfo:
    """A member's zone; the shop's where his is unknown or nonsense."""
    if not name:
        return fallback
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return fallback


def anniversary(trigger: OnDate) -> Anniversary:
    """The trigger's day as a condition: who is frozen when the rule is due today."""
    return Anniversary(
        field=trigger.field,
        calendar=trigger.calendar,
        first=-trigger.offset_days,
        days=1,
        leap_policy=trigger.leap_policy,
        short_policy=trigger.short_policy,
        lunar_leap_policy=trigger.lunar_leap_policy,
    )


def audience_root(body: RuleBody) -> Node:
    """Whom the rule speaks to on the day of evaluation."""
    if isinstance(body.trigger, OnDate):
        return All(of=(anniversary(body.trigger), body.audience.root))
    return body.audience.root


async def plan_ahead(pool: Pool, now_ms: int) -> int:
    """Write the occurrences of the coming 36 hours; returns how many rules were planned."""
    async with pool.acquire() as conn, conn.transaction():
        wanted = await runs.to_plan(conn, now_ms + PLAN_AGAIN_MS)
        for shop, rule_id, planned_ms in wanted:
            rule = await rules.read(conn, shop, rule_id)
            until = now_ms + PLAN_AHEAD_MS
            zones = await _zones(conn, rule)
            after = now_ms if planned_ms is None else planned_ms
            found = schedule.occurrences(rule.body.trigger, tuple(zones.values()), after, until)
            await runs.plan(conn, shop, rule_id, [o for o in found if _in_force(rule.body, o.due_ms)], until)
        return len(wanted)


def _in_force(body: RuleBody, at_ms: int) -> bool:
    starts, ends = body.starts_at, body.ends_at
    return (starts is None or starts.timestamp() * 1000 <= at_ms) and (ends is None or at_ms < ends.timestamp() * 1000)


async def _zones(conn: Connection, rule: Rule) -> dict[str, ZoneInfo]:
    """Zones as the profiles name them → the zone that counts; the rule's own zone for all where the rule says so."""
    mode = getattr(rule.body.trigger, "zone_mode", "rule")
    if mode == "rule":
        return {"": rule.body.zone}
    names = await runs.zones_of(conn, rule.shop_id)
    return {name: zone_of(name, rule.body.zone) for name in ({"", *names})}


async def start_due(pool: Pool, now_ms: int) -> bool:
    """Start one occurrence that is due: freeze its recipients, or skip it and say why. False when nothing is due."""
    async with pool.acquire() as conn, conn.transaction():
        due = await runs.claim_due(conn, now_ms)
        if due is None:
            return False
        rule = await rules.read(conn, due.shop, due.rule)
        if rule.status is not RuleStatus.RUNNING:
            await runs.close_due(conn, due, "skipped", "rule.not_running")
        elif schedule.misfire(rule.body.trigger, due.due_ms, now_ms) == "skip":
            await runs.close_due(conn, due, "skipped", "misfire")
        else:
            await freeze(conn, rule, due, now_ms)
            await runs.close_due(conn, due, "started")
        return True


async def freeze(conn: Connection, rule: Rule, due: Due, now_ms: int) -> None:
    """One run with its recipients, grouped by the hour that is right for each zone."""
    body = rule.body
    run = stable_id("run", rule.id, due.occurrence)
    if await runs.start_run(conn, rule.shop_id, run, rule.id, rule.version, due.occurrence, "crowd", now_ms) is None:
        return
    shop = await rules.policy(conn, rule.shop_id)
    names = await runs.zones_of(conn, rule.shop_id)
    zones = zone_dues(body, due, {name: zone_of(name, shop.zone) for name in names}, now_ms)
    picked = picking(body, due, Moment.of(now_ms, shop.zone), salt=str(rule.id))
    rates = [rate for rate in (body.limits.rate_per_s, shop.rate_per_s) if rate is not None]
    await runs.freeze(conn, rule.shop_id, run, body.priority, picked, zones, min(rates, default=None))


def zone_dues(body: RuleBody, due: Due, zones: dict[str, ZoneInfo], now_ms: int) -> list[ZoneDue]:
    """When each zone's recipients are due: their own hour where the rule says so, and after their quiet hours."""
    by_recipient = getattr(body.trigger, "zone_mode", "rule") == "recipient"
    local = datetime.fromisoformat(due.occurrence) if by_recipient else None
    quiet = body.limits.quiet
    found = []
    for name, zone in zones.items():
        due_ms = schedule.recipient_due_ms(local, zone) if local is not None else due.due_ms
        if quiet is not None and quiet.on_hit == "hold":
            span = Span(quiet.start, quiet.end, frozenset(quiet.weekdays))
            until = quiet_until(span, max(due_ms, now_ms), zone)
            # Held too long is dropped when the chunk is decided, with its reason.
            if until is not None and until - due_ms <= quiet.hold_ms_max:
                due_ms = until
        found.append(ZoneDue(name, due_ms))
    return found


def picking(body: RuleBody, due: Due, moment: Moment, salt: str) -> Picked:
    audience, trigger = body.audience, body.trigger
    kept = column = None
    run_key = due.occurrence
    if isinstance(trigger, OnDate):
        # A gift a year: the key names the year that is kept, so an edited birth date brings no second one.
        day = schedule.kept_day(trigger, datetime.fromisoformat(due.occurrence))
        kept = kept_between(
            day, 1, trigger.calendar, trigger.leap_policy, trigger.short_policy, trigger.lunar_leap_policy
        )
        column, run_key = kept_column(trigger), "y"
    return Picked(
        audience.root, moment, run_key, column, kept, audience.sample_permille, audience.max_size, salt
    )  # fmt: skip


def kept_column(trigger: OnDate) -> str:
    if trigger.field == "birth":
        return "lunar_md" if trigger.calendar == "lunar" else "birth_md"
    return "member_md" if trigger.field == "member_since" else "first_order_md"


def check_future(body: RuleBody, now_ms: int) -> None:
    """Refusal ``schedule.past`` for a rule that can never be due again."""
    trigger = body.trigger
    if isinstance(trigger, OnEvent | Manual):
        return
    if not schedule.next_occurrences(trigger, (body.zone,), now_ms, 1):
        raise Refusal("schedule.past", "no occurrence lies ahead", field="trigger")


def coming(body: RuleBody, zones: Sequence[ZoneInfo], now_ms: int, n: int) -> list[int]:
    """The next instants of a rule, for its page and the calendar."""
    if not isinstance(body.trigger, Once | Recurring | OnDate | OnFestival):
        return []
    found = schedule.next_occurrences(body.trigger, tuple(zones), now_ms, n)
    return [o.due_ms for o in found if _in_force(body, o.due_ms)]


async def send_now(conn: Connection, rule: Rule, now_ms: int, key: str) -> None:
    """A manual rule's occurrence: due at once."""
    await conn.execute(
        "insert into push_due (shop_id, rule_id, occurrence, due_at) values ($1, $2, $3, $4) on conflict do nothing",
        rule.shop_id, rule.id, key, runs.at(now_ms),
    )  # fmt: skip
