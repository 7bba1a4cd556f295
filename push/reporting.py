"""The report of a rule, put together from the record's answers and the statistics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from push.model import Rule
from push.record import reach, reports, rules
from push.record.reports import Assigned
from push.views import LiftView, Report, RuleRow, RunView, VariantView
from wangxin.model import trials
from wangxin.storage.postgres import Connection


async def listing(conn: Connection, shop: UUID) -> list[RuleRow]:
    totals, dues = await reports.totals(conn, shop), await reports.next_dues(conn, shop)
    changed = await reports.changed(conn, shop)
    return [
        RuleRow(rule=rule, totals=totals.get(rule.id, {}), next_ms=dues.get(rule.id), changed_ms=changed[rule.id])
        for rule in await rules.read_all(conn, shop)
    ]


async def report(conn: Connection, shop: UUID, rule_id: UUID) -> Report:
    rule = await rules.read(conn, shop, rule_id)
    reasons = await reports.reasons(conn, shop, rule_id)
    states: dict[str, int] = {}
    for (state, _), n in reasons.items():
        states[state] = states.get(state, 0) + n
    response = await reports.response(conn, shop, rule_id)
    granted, amount = await reports.benefits(conn, shop, rule_id)
    brought = await _brought(conn, shop, rule)
    return Report(
        decided=sum(states.values()),
        sent=states.get("sent", 0),
        delivered=response.delivered,
        seen=response.seen,
        replied=response.replied,
        opened=response.opened,
        served=response.served,
        converted=brought.converted,
        tapped=await reports.tapped(conn, shop, rule_id),
        refused_after=response.refused_after,
        why_not={reason or state: n for (state, reason), n in sorted(reasons.items()) if state != "sent"},
        states=states,
        benefits=granted,
        benefit_amount=amount,
        lift=brought.lift,
        variants=brought.variants,
        best_variant=brought.best,
        variants_unequal=brought.unequal,
        reach=await reach.counts(conn, shop, rule_id),
        runs=tuple(
            RunView(
                id=run["id"], occurrence=run["occurrence"], version=run["rule_version"], state=run["state"],
                audience_n=run["audience_n"], started_ms=run["started_ms"], decided_n=run["decided"],
            )
            for run in await reports.runs_of(conn, shop, rule_id)
        ),
        skipped=tuple(await reports.skipped(conn, shop, rule_id)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Brought:
    lift: LiftView | None
    variants: tuple[VariantView, ...]
    best: str | None
    unequal: bool
    converted: int


async def _brought(conn: Connection, shop: UUID, rule: Rule) -> Brought:
    """What the rule changed, by assignment: each person once."""
    conversion, experiment = rule.body.conversion, rule.body.experiment
    event = conversion.event if conversion else "order.paid"
    window_ms = conversion.window_ms if conversion else 3 * 86_400_000
    alpha = experiment.alpha if experiment else 0.05
    rows = await reports.assigned(conn, shop, rule.id, event, window_ms)
    pushed = [row for row in rows if row.arm == "pushed"]
    asked = rule.body.steps[0].content.variants
    variants = tuple(
        VariantView(
            id=variant.id,
            sent=sum(row.people for row in pushed if row.sent and row.variant == index),
            people=sum(row.people for row in pushed if row.variant == index),
            converted=sum(row.hits for row in pushed if row.variant == index),
        )
        for index, variant in enumerate(asked)
    )
    best = trials.best_of([(one.converted, one.people) for one in variants], alpha)
    unequal = len(asked) > 1 and _alarm([one.people for one in variants], [variant.weight for variant in asked])
    converted = sum(row.hits for row in pushed if row.sent)
    held_n, held_hits = _sum(row for row in rows if row.arm != "pushed")
    lift = None
    if held_n:
        pushed_n, pushed_hits = _sum(pushed)
        found = trials.lift(pushed_hits, pushed_n, held_hits, held_n, alpha)
        permille = experiment.holdout_permille if experiment else 0
        by_rule = sum(row.people for row in rows if row.arm == "held_rule")
        lift = LiftView.model_validate(
            {
                "pushed_n": pushed_n, "pushed_hits": pushed_hits, "held_n": held_n, "held_hits": held_hits,
                "difference": found.difference, "low": found.interval.low, "high": found.interval.high,
                "mde": found.mde, "verdict": found.verdict,
                # Who is held out of all rules is not of this rule's draw.
                "srm_alarm": permille > 0 and _alarm([pushed_n, by_rule], [1000 - permille, permille]),
            }
        )  # fmt: skip
    return Brought(lift, variants, None if best is None else asked[best].id, unequal, converted)


def _sum(rows: Iterable[Assigned]) -> tuple[int, int]:
    found = list(rows)
    return sum(row.people for row in found), sum(row.hits for row in found)


def _alarm(people: Sequence[int], weights: Sequence[int]) -> bool:
    return trials.srm_p(tuple(people), tuple(weights)) < trials.SRM_ALARM_P
