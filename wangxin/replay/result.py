"""What a replay found: the verdict and the figures, each beside what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wangxin.checker import BREACHES, Verdict
from wangxin.replay.agreement import Agreement
from wangxin.replay.drive import Outcome
from wangxin.replay.recording import Recording

RECOMPUTED = "figures that differ when recomputed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. ``span_ms``: recorded time over which the conversations arrive."""

    file: Path
    speed: float
    limit: int | None
    span_ms: int
    own: int
    outsourced: int
    seats: int
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """``figures``: the sum of all rows of the product's own report, for the days of the replay."""

    plan: Plan
    recording: Recording
    outcome: Outcome
    verdict: Verdict
    figures: dict[str, Any]
    agreement: Agreement
    bought: int
    """Conversations that a provider's agent answered, by the judge's own count."""
    differences: int
    """Rows of the figures that come out otherwise when they are computed again from the record."""

    @property
    def kept(self) -> bool:
        return self.verdict.kept and not self.outcome.given_up and self.agreement.agrees and not self.differences

    def rows(self) -> list[tuple[str, str, str]]:
        """(figure, value, what it rests on)."""
        recording, outcome, verdict = self.recording, self.outcome, self.verdict
        times = f"reply times {recording.source_of('times')}"
        first, mean = self.figures["first_response"], self.figures["response"]["mean"]
        overflow = self.figures["overflow"]
        rows = [
            ("conversations driven", f"{outcome.finished} of {len(outcome.threads)}", "recorded"),
            ("left out, one side silent", str(recording.skipped), "recorded"),
            ("messages said", str(outcome.said), f"texts {recording.source_of('texts')}"),
            ("lines received", str(verdict.received), "scripted people"),
            *((kind, str(verdict.counts[kind]), "judged independently") for kind in BREACHES),
            ("first response p50", self._pace(first["p50"]), times),
            ("first response p95", self._pace(first["p95"]), times),
            ("average response", self._pace(mean), times),
            ("overflowed", _share(overflow["hits"], overflow["n"]), "scripted seats"),
            ("given up", str(len(outcome.given_up)), "scripted"),
            ("reassigned while speaking", str(outcome.reassigned), "scripted"),
        ]
        if recording.source_of("orders") == "recorded":
            rate = self.figures["conversion"]
            rows.append(("conversion", _share(rate["hits"], rate["n"]), "recorded"))
        else:
            rows.append(("conversion", "–", "no orders in the file"))
        return [*rows, *self._checks()]

    def _checks(self) -> list[tuple[str, str, str]]:
        """The product's figures beside what the scripted people and the judge counted."""
        agreement = self.agreement
        sockets = f"p50 {_seconds(agreement.sockets_p50_ms)}, p95 {_seconds(agreement.sockets_p95_ms)}"
        within = f"{agreement.within} of {agreement.answered} within what both sides saw"
        return [
            ("first response by sockets", sockets, "the shoppers' own clocks"),
            ("first response by record", within, f"median {agreement.apart_ms} ms apart"),
            ("messages by the record", f"{agreement.counted} of {agreement.said}", "folded from the record"),
            ("overflowed by the judge", _share(self.bought, agreement.answered), "who spoke"),
            (RECOMPUTED, str(self.differences), "computed again from the record"),
            ("figures agree", "yes" if agreement.agrees else "no", "both counts"),
        ]

    def _pace(self, ms: float | None) -> str:
        """Time on the wire, and what it is at the recording's own pace."""
        if ms is None or self.plan.speed == 1:
            return _seconds(ms)
        return f"{_seconds(ms)} (×{self.plan.speed:g} = {ms * self.plan.speed / 1000:.0f} s)"

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.plan.file.name,
            "speed": self.plan.speed,
            "seed": self.plan.seed,
            "kept": self.kept,
            "took_ms": self.outcome.took_ms,
            "rows": [{"figure": figure, "value": value, "rests_on": source} for figure, value, source in self.rows()],
            "given_up": self.outcome.given_up,
            "examples": {kind: list(self.verdict.examples[kind]) for kind in BREACHES},
        }

    def print(self, out: Console) -> None:
        table = Table("figure", "value", "rests on", title=f"{self.plan.file.name} at ×{self.plan.speed:g}", box=None)
        for figure, value, source in self.rows():
            bad = (figure in (*BREACHES, RECOMPUTED) and value != "0") or (figure == "figures agree" and value != "yes")
            table.add_row(figure, f"[red]{value}[/red]" if bad else value, f"[dim]{source}[/dim]")
        out.print(table)
        for kind in BREACHES:
            for sentence in self.verdict.examples[kind]:
                out.print(f"{kind}: {sentence}", style="red", markup=False)
        for conversation, why in list(self.outcome.given_up.items())[:5]:
            out.print(f"given up: {conversation}: {why}", style="yellow", markup=False)
        arrivals = "recorded" if self.recording.source_of("arrivals") == "recorded" else "modelled (Poisson)"
        out.print(f"[dim]arrivals {arrivals} · seed {self.plan.seed} · took {self.outcome.took_ms / 1000:.1f} s[/dim]")


def _seconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.2f} s"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%} ({part} of {whole})" if whole else "–"
