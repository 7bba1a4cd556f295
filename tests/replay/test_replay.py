"""A recording through real processes and sockets: every line arrives once, in order, and overflow is seen."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from wangxin.replay.result import Plan
from wangxin.replay.run import SAMPLE, replay_file


async def test_a_replayed_recording_keeps_the_promise_and_overflows_when_the_own_team_is_full(tmp_path: Path) -> None:
    lines = [
        {
            "conversation": f"c{number}",
            "turns": [
                {"role": ("shopper", "agent")[turn % 2], "text": f"第{turn}句 of {number} 🧡", "at_ms": turn * 4_000}
                for turn in range(6)
            ],
            "orders": [{"order": f"A{number}", "amount_fen": 9_900, "created_ms": 9_000, "paid_ms": 9_500}]
            if number % 2
            else [],
        }
        for number in range(12)
    ]
    path = tmp_path / "day.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    plan = Plan(file=path, speed=20, limit=None, span_ms=10_000, own=1, outsourced=2, seats=5, seed=1)
    result = await replay_file(plan, Console(quiet=True))
    assert result.kept, f"{result.verdict}\n{result.outcome.given_up}"
    assert result.outcome.finished == 12
    assert result.verdict.acknowledged == 12 * 6
    assert result.bought >= 1, "twelve at once do not fit one own agent's five places"
    assert (result.figures["overflow"]["hits"], result.figures["overflow"]["n"]) == (result.bought, 12)
    agreement = result.agreement
    assert (agreement.answered, agreement.one_sided, agreement.counted) == (12, 0, 12 * 6)
    figures = {figure: (value, source) for figure, value, source in result.rows()}
    assert figures["conversion"][1] == "recorded"
    assert figures["lost"] == ("0", "judged independently")
    assert figures["figures that differ when recomputed"][0] == "0"


def test_the_sample_that_ships_is_a_recording_with_times() -> None:
    from wangxin.replay.recording import read_recording

    recording = read_recording(SAMPLE)
    assert len(recording.conversations) == 5
    assert recording.source_of("times") == recording.source_of("texts") == "recorded"
