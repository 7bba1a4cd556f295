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


CORRECTED = (LineKind.CONVERSATIONS, LineKind.ONLINE, LineKind.HANDLED, LineKind.COMMISSION)
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
        moved = settled.evidence.get(kind, frozenset()) ^ {proof for line in today for proof in line.evidence}
        if kind is LineKind.COMMISSION:
            moved = frozenset(o for o in nets.keys() | settled.nets.keys() if nets.get(o, 0) != settled.nets.get(o, 0))
        label = f"{kind} of {settled.day}"
        proofs = tuple(sorted(moved))
        lines.append(StatementLine(LineKind.CORRECTION, label, len(proofs), 0, change, proofs, settled.day, kind))
    return lines
