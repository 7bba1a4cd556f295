"""``wangxin replay``: a recording through real sockets, the judge's verdict, and the report beside what it rests on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from metrics.report import shop_report
from metrics.service import Figures
from wangxin.app import teams_of
from wangxin.checker import BREACHES, Stored, Verdict, check
from wangxin.replay.drive import Outcome, drive
from wangxin.replay.recording import Recording, read_recording
from wangxin.replay.stage import Stage, stage
from wangxin.replay.timing import Scripted, script
from wangxin.storage.orders import keep_order

SAMPLE = Path(__file__).parent / "samples" / "presales.jsonl"
"""Five dialogues that ship with the product (see NOTICE.md beside them)."""


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
    plan: Plan
    recording: Recording
    outcome: Outcome
    verdict: Verdict
    figures: dict[str, Any]
    first_response_ms: tuple[float | None, float | None]
    overflowed: tuple[int, int]

    @property
    def kept(self) -> bool:
        return self.verdict.kept and not self.outcome.given_up

    def rows(self) -> list[tuple[str, str, str]]:
        """(figure, value, what it rests on)."""
        recording, outcome, verdict = self.recording, self.outcome, self.verdict
        p50, p95 = self.first_response_ms
        over, served = self.overflowed
        times = recording.source_of("times")
        rows = [
            ("conversations driven", f"{outcome.finished} of {len(outcome.threads)}", "recorded"),
            ("left out (one side silent)", str(recording.skipped), "recorded"),
            ("messages said", str(outcome.said), f"texts {recording.source_of('texts')}"),
            ("lines received", str(verdict.received), "scripted people on real sockets"),
            *((kind, str(verdict.counts[kind]), "judged independently") for kind in BREACHES),
            ("first response p50", _seconds(p50), f"reply times {times}, pace ×{self.plan.speed:g}"),
            ("first response p95", _seconds(p95), f"reply times {times}, pace ×{self.plan.speed:g}"),
            ("overflowed", f"{over / served:.1%} ({over} of {served})" if served else "–", "scripted seats"),
            ("given up", str(len(outcome.given_up)), "scripted"),
            ("reassigned while speaking", str(outcome.reassigned), "scripted"),
        ]
        if recording.source_of("orders") == "recorded":
            rate = self.figures["rows"][-1]["figures"].get("conversion", {})
            share = rate.get("share")
            rows.append(("conversion", "–" if share is None else f"{share:.1%} (n={rate.get('n')})", "recorded"))
        else:
            rows.append(("conversion", "–", "no orders in the file"))
        return rows

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.plan.file.name,
            "speed": self.plan.speed,
            "seed": self.plan.seed,
            "kept": self.kept,
            "rows": [{"figure": figure, "value": value, "rests_on": source} for figure, value, source in self.rows()],
            "given_up": self.outcome.given_up,
            "examples": {kind: list(self.verdict.examples[kind]) for kind in BREACHES},
        }

    def print(self, out: Console) -> None:
        table = Table("figure", "value", "rests on", title=f"{self.plan.file.name} at ×{self.plan.speed:g}", box=None)
        for figure, value, source in self.rows():
            bad = figure in BREACHES and value != "0"
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


async def replay_file(plan: Plan, console: Console) -> Result:
    """Read, start an installation, drive, judge, report. Progress goes to ``console``."""
    recording = read_recording(plan.file, limit=plan.limit)
    scripts = script(recording, seed=plan.seed, span_ms=plan.span_ms)
    began = time.monotonic()

    def say(words: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {words}", highlight=False)

    async with stage(plan.own, plan.outsourced, plan.seats, say) as place:
        say(f"{plan.own} own and {plan.outsourced} outsourced agents are ready; {len(scripts)} conversations to drive")
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as shown:
            task = shown.add_task("conversations", total=len(scripts))
            outcome = await drive(
                scripts, place.shopper, place.agents, speed=plan.speed,
                progress=lambda so_far: shown.update(task, completed=so_far.finished + len(so_far.given_up)),
            )  # fmt: skip
        say("reading the record back and judging")
        await _keep_orders(place, scripts, outcome)
        verdict = check([person.party for person in outcome.parties], await _record(place))
        await Figures(place.pool).catch_up()
        figures = await shop_report(place.pool, place.shop, teams_of=teams_of)
        return Result(
            plan, recording, outcome, verdict, figures, await _first_responses(place), await _overflowed(place)
        )


async def _record(place: Stage) -> list[Stored]:
    rows = await place.pool.fetch(
        """select thread_id, lane, seq, client_msg_id,
                  case when kind in ('text', 'note') then body->>'text' end as words
             from entry where shop_id = $1""",
        place.shop,
    )
    return [
        Stored(row["thread_id"], ("public", "internal")[row["lane"]], row["seq"], row["client_msg_id"], row["words"])
        for row in rows
    ]


async def _first_responses(place: Stage) -> tuple[float | None, float | None]:
    """p50 and p95 of the first human answer after the wish for a person, on the wire's clock."""
    row = await place.pool.fetchrow(
        """select percentile_cont(0.5) within group (order by ms) as p50,
                  percentile_cont(0.95) within group (order by ms) as p95
             from (select extract(epoch from min(e.at) - c.handoff_at) * 1000 as ms
                     from conversation c join entry e on e.shop_id = c.shop_id and e.thread_id = c.thread_id
                      and e.conversation_id = c.id and e.lane = 0 and e.sender_kind = 'agent'
                    where c.shop_id = $1 group by c.id, c.handoff_at) f""",
        place.shop,
    )
    return (row["p50"], row["p95"]) if row else (None, None)


async def _overflowed(place: Stage) -> tuple[int, int]:
    """(conversations that a provider's agent answered, conversations that a person answered)."""
    row = await place.pool.fetchrow(
        """select count(*) filter (where outsourced) as over, count(*) as served
             from (select c.id, bool_or(e.sender_id = any($2::uuid[])) as outsourced
                     from conversation c join entry e on e.shop_id = c.shop_id and e.conversation_id = c.id
                      and e.thread_id = c.thread_id and e.sender_kind = 'agent' and e.lane = 0
                    where c.shop_id = $1 group by c.id) s""",
        place.shop,
        list(place.outsourced),
    )
    return (row["over"], row["served"]) if row else (0, 0)


async def _keep_orders(place: Stage, scripts: list[Scripted], outcome: Outcome) -> None:
    """Orders of the recording, as the shop would have reported them, at the replay's own times."""
    by_script = {scripted.id: scripted for scripted in scripts}
    async with place.pool.acquire() as conn, conn.transaction():
        for thread, conversation in outcome.threads.items():
            for order in by_script[conversation].source.orders:
                row = await conn.fetchrow(
                    "select shopper_id, last_at from thread where shop_id = $1 and id = $2", place.shop, thread
                )
                assert row is not None, "a thread that was driven exists"
                shopper: UUID = row["shopper_id"]
                for kind in ("order.created", "order.paid") if order.paid_ms is not None else ("order.created",):
                    fields = {"order_id": order.order, "amount_fen": order.amount_fen}
                    await keep_order(conn, place.shop, shopper, kind, fields, row["last_at"])
