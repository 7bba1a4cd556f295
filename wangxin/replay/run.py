"""``wangxin replay``: a recording through real sockets, the judge's verdict, and the product's own figures checked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from metrics.report import shop_report
from metrics.service import Figures
from wangxin.app import teams_of
from wangxin.checker import Stored, check
from wangxin.replay.agreement import compare
from wangxin.replay.drive import Outcome, drive
from wangxin.replay.recording import Recording, read_recording
from wangxin.replay.result import Plan, Result
from wangxin.replay.stage import Stage, stage
from wangxin.replay.timing import Scripted, script
from wangxin.storage.orders import keep_order

SAMPLE = Path(__file__).parent / "samples" / "presales.jsonl"
"""Five dialogues that ship with the product (see NOTICE.md beside them)."""
SETTLE_S = 30.0
TOLD_TIMES = 10
"""How often progress is told where there is no terminal to draw on."""


async def replay_file(plan: Plan, console: Console) -> Result:
    """Read, start an installation, drive, judge, report. Progress goes to ``console``."""
    recording = read_recording(plan.file, limit=plan.limit)
    scripts = script(recording, seed=plan.seed, span_ms=plan.span_ms)
    began = time.monotonic()

    def say(words: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {words}", highlight=False)

    async with stage(plan.own, plan.outsourced, plan.seats, say) as place:
        say(f"{plan.own} own and {plan.outsourced} outsourced agents are ready; {len(scripts)} conversations to drive")
        with _progress(console, len(scripts), say) as progress:
            outcome = await drive(scripts, place.shopper, place.agents, speed=plan.speed, progress=progress)
        say("reading the record back and judging")
        return await judged(plan, place, recording, scripts, outcome)


async def judged(plan: Plan, place: Stage, recording: Recording, scripts: list[Scripted], outcome: Outcome) -> Result:
    """What was driven, held against the record; the orders of the recording are reported first."""
    await _settled(place)
    await _keep_orders(place, scripts, outcome)
    verdict = check([person.party for person in outcome.parties], await _record(place))
    await Figures(place.pool).catch_up()
    again = await Figures(place.pool).verify(place.shop)
    figures, record, counted = await _figures(place)
    agreement = compare(outcome.moments, record, said=outcome.said, counted=counted)
    return Result(plan, recording, outcome, verdict, figures, agreement, await _bought(place), again.differences)


@contextlib.contextmanager
def _progress(console: Console, total: int, say: Callable[[str], None]) -> Iterator[Callable[[Outcome], None]]:
    """A bar on a terminal; a line for each tenth elsewhere."""
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as shown:
            task = shown.add_task("conversations", total=total)
            yield lambda so_far: shown.update(task, completed=so_far.over)
        return
    told = 0

    def tell(so_far: Outcome) -> None:
        nonlocal told
        if so_far.over * TOLD_TIMES // total > told:
            told = so_far.over * TOLD_TIMES // total
            say(f"{so_far.over} of {total} conversations are over, {so_far.said} messages said")

    yield tell


async def _settled(place: Stage) -> None:
    """Until every agent holds the newest line of what he still has, or has let it go; who does not is judged so."""
    rows = await place.pool.fetch("select id, public_seq, internal_seq from thread where shop_id = $1", place.shop)
    newest = {(row["id"], lane): row[f"{lane}_seq"] for row in rows for lane in ("public", "internal")}
    for agent in place.agents:
        with contextlib.suppress(TimeoutError):
            await agent.until(
                lambda agent=agent: all(agent.last(*key) >= newest[key] for key in agent.party.attached),  # type: ignore[misc]
                patience_s=SETTLE_S,
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


async def _figures(place: Stage) -> tuple[dict[str, Any], dict[UUID, int], int]:
    """What the product says: the report's sum of all, each thread's first response (ms), and messages counted."""
    days = await place.pool.fetchrow(
        "select min(day) as first, max(day) as last, sum(shopper_messages + human_messages) as messages"
        " from tally where shop_id = $1",
        place.shop,
    )
    assert days is not None, "a sum is always a row"
    report = await shop_report(place.pool, place.shop, first=days["first"], last=days["last"], teams_of=teams_of)
    rows = await place.pool.fetch(
        "select thread_id, wait_ms from turn where shop_id = $1 and human_ordinal = 1 and wait_ms is not null",
        place.shop,
    )
    return report["rows"][-1]["figures"], {row["thread_id"]: row["wait_ms"] for row in rows}, days["messages"] or 0


async def _bought(place: Stage) -> int:
    """Conversations in which a provider's agent spoke."""
    found: int = await place.pool.fetchval(
        "select count(distinct conversation_id) from entry"
        " where shop_id = $1 and lane = 0 and sender_kind = 'agent' and sender_id = any($2)",
        place.shop,
        list(place.outsourced),
    )
    return found


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
