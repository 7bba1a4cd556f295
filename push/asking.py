"""Questions before anything is sent: whom an audience holds, whom it just misses, what one shopper would get."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from push import compose, render
from push.audience.compile import count_sql, to_misses, to_sql, to_test
from push.audience.leaves import Arguments, Moment
from push.audience.tree import Node, Not
from push.decide import Contact, Go, Hold, Recipient, Stop, Terms, Verdict, decide
from push.model import OnDate, RuleBody, RuleStatus
from push.planning import audience_root, coming, zone_of
from push.record import members, reports, rules, runs
from push.record.members import Member
from push.record.rules import Policy
from push.views import CalendarRow, Crowd, MemberRow, NearMiss, Preview, ShownLine
from push.working import kinds_of
from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection

SAMPLE = 2_000
SHOWN = 20
NOBODY = UUID(int=0)


async def crowd(conn: Connection, shop: UUID, root: Node, body: RuleBody | None, now_ms: int) -> Crowd:
    """Counts, twenty who match, twenty near misses. Refusal-like accident: QueryCanceled after three seconds."""
    await conn.execute("set local statement_timeout = '3s'")
    policy = await rules.policy(conn, shop)
    moment = Moment.of(now_ms, policy.zone)
    sql, args = count_sql(shop, root, moment)
    n = int(await conn.fetchval(sql, *args))
    inside = await _sample(conn, shop, root, moment, SAMPLE if body else SHOWN)
    outside = await _sample(conn, shop, Not(of=root), moment, SAMPLE)
    misses = to_misses(root, moment)
    near = sorted(((misses(other.profile), other) for other in outside), key=lambda pair: len(pair[0]))[:SHOWN]
    blocked: Counter[str] = Counter()
    if body is not None:
        verdicts = await _verdicts(conn, shop, body, policy, inside, now_ms)
        blocked.update(verdict.reason for verdict in verdicts if isinstance(verdict, Stop))
    factor = n / len(inside) if body is not None and len(inside) < n else 1.0
    scaled = {reason: round(count * factor) for reason, count in blocked.items()}
    held_out = sum(count for reason, count in scaled.items() if reason.startswith("holdout."))
    stopped = sum(scaled.values())
    return Crowd(
        matching_n=n,
        blocked_n=stopped - held_out,
        held_out_n=held_out,
        reached_n=max(0, n - stopped),
        blocked=scaled,
        sampled=factor != 1.0,
        matching=tuple(row(member) for member in inside[:SHOWN]),
        near=tuple(NearMiss(member=row(member), missing=missing) for missing, member in near),
    )


async def _sample(conn: Connection, shop: UUID, root: Node, moment: Moment, limit: int) -> list[Member]:
    args = Arguments([shop])
    where = to_sql(root, moment, args)
    after = moment.today() - timedelta(days=181)
    return await members.read_members(conn, shop, where, args.values, limit, kinds_of(root), after)


async def _verdicts(
    conn: Connection, shop: UUID, body: RuleBody, policy: Policy, people: list[Member], now_ms: int
) -> list[Verdict]:
    found = await members.standing(conn, shop, [member.profile.shopper_id for member in people])
    terms = _terms(body, policy, now_ms)
    return [decide(terms, recipient(member, found.get(member.profile.shopper_id), policy, now_ms)) for member in people]


def _terms(body: RuleBody, policy: Policy, now_ms: int) -> Terms:
    matches = to_test(body.audience.root, Moment.of(now_ms, policy.zone))
    return Terms(NOBODY, body, matches, now_ms, policy.holdout_permille, policy.holdout_salt)


def recipient(member: Member, standing: Any | None, policy: Policy, now_ms: int) -> Recipient:
    known: tuple[Contact, ...] = ()
    if standing is not None and standing["at_ms"]:
        known = tuple(Contact(at, rule) for at, rule in zip(standing["at_ms"], standing["rules"], strict=True))
    return Recipient(
        profile=member.profile,
        zone=zone_of(member.profile.tz, policy.zone),
        first_due_ms=now_ms,
        recheck=True,
        refused=frozenset(standing["refused"]) if standing else frozenset(),
        personalised=standing["personalised"] if standing else True,
        thread_state=(standing["thread_state"] if standing else None) or "closed",
        shopper_wrote_ms=standing["shopper_wrote_ms"] if standing else None,
        contacts=known,
    )


def row(member: Member) -> MemberRow:
    p = member.profile
    return MemberRow(
        shopper_id=p.shopper_id, ref=member.ref, name=member.name, level=p.level, points=p.points,
        orders_n=p.orders_n, spent_cents=p.spent_cents, tags=tuple(sorted(p.tags)), city=p.city,
        birth_md=p.birth_md, lunar_md=p.lunar_md,
    )  # fmt: skip


async def member(conn: Connection, shop: UUID, shopper: UUID, node: Node, today: Any) -> Member:
    """Refusal ``shopper.not_found``."""
    found = await members.read_members(
        conn, shop, "p.shopper_id = $2", [shop, shopper], 1, kinds_of(node), today - timedelta(days=181)
    )
    if not found:
        raise not_found("shopper")
    return found[0]


CALENDAR_ROWS = 300
COUNTED_RULES = 20


async def calendar(conn: Connection, shop: UUID, now_ms: int, days: int) -> list[CalendarRow]:
    """What will go out in the coming days, in order; the first ``COUNTED_RULES`` rules with how many it would reach."""
    until_ms = now_ms + days * 86_400_000
    policy = await rules.policy(conn, shop)
    zones = [zone_of(name, policy.zone) for name in await runs.zones_of(conn, shop)] or [policy.zone]
    found = [
        CalendarRow(
            kind="waiting", rule=row["rule_id"], name=row["name"], priority=row["priority"], due_ms=row["due_ms"],
            people=row["people"],
        )
        for row in await reports.waiting(conn, shop, now_ms, until_ms)
    ]  # fmt: skip
    counted = 0
    for rule in await rules.read_all(conn, shop):
        if rule.status is not RuleStatus.RUNNING:
            continue
        own = zones if getattr(rule.body.trigger, "zone_mode", "rule") == "recipient" else [rule.body.zone]
        dues = [due for due in coming(rule.body, own, now_ms, CALENDAR_ROWS) if due <= until_ms]
        people = None
        if dues and not isinstance(rule.body.trigger, OnDate) and counted < COUNTED_RULES:
            counted += 1
            sql, args = count_sql(shop, rule.body.audience.root, Moment.of(now_ms, policy.zone))
            people = int(await conn.fetchval(sql, *args))
        found += [
            CalendarRow(
                kind="planned", rule=rule.id, name=rule.body.name, priority=rule.body.priority, due_ms=due,
                people=people,
            )
            for due in dues
        ]  # fmt: skip
    return sorted(found, key=lambda one: (one.due_ms, -one.priority))[:CALENDAR_ROWS]


async def preview(conn: Connection, shop: UUID, body: RuleBody, shopper: UUID, now_ms: int) -> Preview:
    """The message as this shopper would see it, and what would become of it now, with the reason."""
    policy = await rules.policy(conn, shop)
    today = Moment.of(now_ms, policy.zone).today()
    who = await member(conn, shop, shopper, audience_root(body), today)
    found = await members.standing(conn, shop, [shopper])
    verdict = decide(_terms(body, policy, now_ms), recipient(who, found.get(shopper), policy, now_ms))
    match verdict:
        case Go(variant=variant):
            word, reason = "sent", ""
        case Hold(reason=reason):
            word, variant = "held", 0
        case Stop(reason=reason, variant=variant):
            word = "stopped"
    step = body.steps[0]
    gift = compose.gift(step.benefit, f"preview|{shopper}", shopper, now_ms) if step.benefit else None
    values = compose.values_for(who.profile, who.name, policy.shop_name, now_ms, gift, None)
    problem, lines = "", []
    try:
        lines = compose.bodies(step.content, variant, values, gift)
    except render.RenderFailed as failure:
        problem = str(failure).split("\n")[0]
    return Preview.model_validate(
        {
            "verdict": word, "reason": reason, "variant": step.content.variants[variant].id, "problem": problem,
            "lines": [ShownLine(kind=line.kind, body=line.values) for line in lines],
        }
    )  # fmt: skip
