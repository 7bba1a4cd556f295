"""What later events change of days that are settled: lines of the next cycle, never a rewritten statement. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from metrics.settlement import LineKind, Measured, Statement, StatementLine, half_up, judged, judgement


@dataclass(frozen=True, slots=True)
class Settled:
    """What an issued day and the corrections since came to: fen by kind, evidence by kind, and net fen by order."""

    day: date
    amounts: Mapping[LineKind, int]
    evidence: Mapping[LineKind, frozenset[str]]
    nets: Mapping[str, int]
    agreed: frozenset[LineKind] = frozenset()  # settled between the two sides by hand: never corrected again
    service: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # by figure: per mille, of how many fen


MONEY = (LineKind.COMMISSION, LineKind.SILENT)
CORRECTED = (LineKind.CONVERSATIONS, LineKind.ONLINE, LineKind.HANDLED, *MONEY)
"""What late events change. Seats and base sums do not move."""
REJUDGED = ("qa_pass", "csat")
"""Promises are judged once, but for those whose cases may come or turn after the cycle: appeals, late ratings."""


def corrections(
    settled: Settled, now: Statement, nets: Mapping[str, int], measured: Mapping[str, Measured] | None = None
) -> list[StatementLine]:
    """What a settled day would come to today, as lines of the next cycle: nothing settled is ever rewritten.

    ``measured``: the figures of the cycle that ended on this day, as they stand now."""
    lines = []
    for kind in CORRECTED:
        if kind in settled.agreed:
            continue
        today = [line for line in now.lines if line.kind is kind]
        change = sum(line.amount_fen for line in today) - settled.amounts.get(kind, 0)
        if not change:
            continue
        was, is_ = settled.evidence.get(kind, frozenset()), _evidence(now, kind)
        moved = was ^ is_
        if kind in MONEY:
            # An order stays, and what it brought moves; one that only the other kind names is its business.
            others = {o for other in MONEY if other is not kind for o in _evidence(now, other)}
            others |= {o for other in MONEY if other is not kind for o in settled.evidence.get(other, ())}
            known = nets.keys() | settled.nets.keys()
            changed = {order for order in known if nets.get(order, 0) != settled.nets.get(order, 0)}
            moved |= {order for order in changed if order in was | is_ or order not in others}
        label = f"{kind} of {settled.day}"
        proofs = tuple(sorted(moved))
        lines.append(StatementLine(LineKind.CORRECTION, label, len(proofs), 0, change, proofs, settled.day, kind))
    if measured and LineKind.SERVICE not in settled.agreed:
        lines += _rejudged(settled, now, measured)
    return lines


def _rejudged(settled: Settled, now: Statement, measured: Mapping[str, Measured]) -> list[StatementLine]:
    """A verdict that was overturned moves the promise by the fee it was judged of."""
    today = {judged(line.evidence)[0]: judged(line.evidence) for line in now.lines if line.kind is LineKind.SERVICE}
    lines = []
    for figure in REJUDGED:
        one = measured.get(figure)
        _, per_mille, fee = today.get(figure, (figure, 0, 0))
        was, of_fen = settled.service.get(figure, (0, fee))
        if one is None or per_mille == was:
            continue
        change = half_up(of_fen * per_mille, 1000) - half_up(of_fen * was, 1000)
        proofs = (*judgement(one, per_mille, of_fen), *one.cases)
        label = f"{LineKind.SERVICE} of {settled.day}"
        lines.append(StatementLine(LineKind.CORRECTION, label, 1, 0, change, proofs, settled.day, LineKind.SERVICE))
    return lines


def _evidence(now: Statement, kind: LineKind) -> frozenset[str]:
    return frozenset(proof for line in now.lines if line.kind is kind for proof in line.evidence)
