"""What later events change of days that are settled: lines of the next cycle, never a rewritten statement. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from metrics.settlement import LineKind, Statement, StatementLine


@dataclass(frozen=True, slots=True)
class Settled:
    """What an issued day and the corrections since came to: fen by kind, evidence by kind, and net fen by order."""

    day: date
    amounts: Mapping[LineKind, int]
    evidence: Mapping[LineKind, frozenset[str]]
    nets: Mapping[str, int]
    agreed: frozenset[LineKind] = frozenset()  # settled between the two sides by hand: never corrected again


MONEY = (LineKind.COMMISSION, LineKind.SILENT)
CORRECTED = (LineKind.CONVERSATIONS, LineKind.ONLINE, LineKind.HANDLED, *MONEY)
"""What late events change. Promises are judged once, seats and base sums do not move."""


def corrections(settled: Settled, now: Statement, nets: Mapping[str, int]) -> list[StatementLine]:
    """What a settled day would come to today, as lines of the next cycle: nothing settled is ever rewritten."""
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
    return lines


def _evidence(now: Statement, kind: LineKind) -> frozenset[str]:
    return frozenset(proof for line in now.lines if line.kind is kind for proof in line.evidence)
