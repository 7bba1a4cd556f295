"""The report of a rule, put together from the record's answers and the statistics."""

from __future__ import annotations

from uuid import UUID

from push.model import Rule
from push.record import reports, rules
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
    lift, variants, converted = await _brought(conn, shop, rule)
    return Report(
        decided=sum(states.values()),
        sent=states.get("sent", 0),
        delivered=response.delivered,
        seen=response.seen,
        replied=response.replied,
        opened=response.opened,
        served=response.served,
        converted=converted,
        refused_after=response.refused_after,
        why_not={reason or state: n for (state, reason), n in sorted(reasons.items()) if state != "sent"},
        states=states,
        benefits=granted,
        benefit_amount=amount,
        lift=lift,
        variants=variants,
        runs=tuple(
            RunView(
                id=run["id"], occurrence=run["occurrence"], version=run["rule_version"], state=run["state"],
                audience_n=run["audience_n"], started_ms=run["started_ms"], decided_n=run["decided"],
            )
            for run in await reports.runs_of(conn, shop, rule_id)
        ),
        skipped=tuple(await reports.skipped(conn, shop, rule_id)),
    )  # fmt: skip


async def _brought(conn: Connection, shop: UUID, rule: Rule) -> tuple[LiftView | None, tuple[VariantView, ...], int]:
    conversion = rule.body.conversion
    event = conversion.event if conversion else "order.paid"
    window_ms = conversion.window_ms if conversion else 3 * 86_400_000
    rows = await reports.conversions(conn, shop, rule.id, event, window_ms)
    converted = sum(hits for _, state, _, _, hits in rows if state == "sent")
    variants = tuple(
        VariantView(
            id=variant.id,
            sent=sum(n for _, state, v, n, _ in rows if state == "sent" and v == index),
            converted=sum(hits for _, state, v, _, hits in rows if state == "sent" and v == index),
        )
        for index, variant in enumerate(rule.body.steps[0].content.variants)
    )
    held_n, pushed_n = (sum(n for held, _, _, n, _ in rows if held is side) for side in (True, False))
    held_hits, pushed_hits = (sum(hits for held, _, _, _, hits in rows if held is side) for side in (True, False))
    if held_n == 0:
        return None, variants, converted
    experiment = rule.body.experiment
    lift = trials.lift(pushed_hits, pushed_n, held_hits, held_n, experiment.alpha if experiment else 0.05)
    permille = experiment.holdout_permille if experiment else 0
    unequal = permille > 0 and trials.srm_p((pushed_n, held_n), (1000 - permille, permille)) < trials.SRM_ALARM_P
    view = LiftView.model_validate(
        {
            "pushed_n": pushed_n, "pushed_hits": pushed_hits, "held_n": held_n, "held_hits": held_hits,
            "difference": lift.difference, "low": lift.interval.low, "high": lift.interval.high, "mde": lift.mde,
            "verdict": lift.verdict, "srm_alarm": unequal,
        }
    )  # fmt: skip
    return view, variants, converted
