"""Reading recordings of several shapes, and putting times to what has none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wangxin.replay.recording import BadRecording, read_recording
from wangxin.replay.timing import PAUSE_MS_MAX, script


def write(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    return path


def test_our_own_shape_keeps_texts_times_and_orders(tmp_path: Path) -> None:
    path = write(
        tmp_path / "day.jsonl",
        {
            "conversation": "c1",
            "turns": [
                {"role": "shopper", "text": "在吗", "at_ms": 5_000},
                {"role": "agent", "text": "在的", "at_ms": 12_000},
            ],
            "orders": [{"order": "A1", "amount_fen": 100, "created_ms": 60_000, "paid_ms": 61_000}],
        },
    )
    recording = read_recording(path)
    assert [recording.source_of(part) for part in ("texts", "arrivals", "times", "orders")] == ["recorded"] * 4
    scripted = script(recording, seed=1, span_ms=60_000)[0]
    assert [(cue.role, cue.text, cue.wait_ms) for cue in scripted.cues] == [
        ("shopper", "在吗", 0),
        ("agent", "在的", 7_000),
    ]


def test_a_conversation_in_which_one_side_is_silent_is_counted_and_left_out(tmp_path: Path) -> None:
    both = [{"role": "shopper", "text": "在吗"}, {"role": "agent", "text": "在"}]
    recording = read_recording(write(tmp_path / "x.jsonl", {"turns": both}, {"turns": both[:1]}, {"turns": both[1:]}))
    assert (len(recording.conversations), recording.skipped) == (1, 2)


def test_what_the_file_lacks_is_modelled_the_same_way_under_the_same_seed(tmp_path: Path) -> None:
    turns = [{"role": "shopper", "chars": 9}, {"role": "agent", "chars": 20}]
    recording = read_recording(write(tmp_path / "x.jsonl", *({"turns": turns} for _ in range(20))))
    assert recording.source_of("texts") == recording.source_of("arrivals") == "modelled"
    first, again = (script(recording, seed=7, span_ms=600_000) for _ in range(2))
    assert first == again != script(recording, seed=8, span_ms=600_000)
    assert all(len(cue.text) == line.chars for s in first for cue, line in zip(s.cues, s.source.spoken, strict=True))


@pytest.mark.parametrize("bad", ["{", "[]", '{"nothing": 1}', '{"turns": [{"text": "x"}]}', ""])
def test_a_file_that_is_no_recording_names_its_line(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(bad)
    with pytest.raises(BadRecording, match=r"bad\.jsonl"):
        read_recording(path)


def test_the_recorded_shop_sessions_are_read_whole(shared_figures: Path) -> None:
    recording = read_recording(shared_figures / "text_research" / "jd_sessions.dev.jsonl")
    assert len(recording.conversations) + recording.skipped == 537
    assert recording.source_of("texts") == "recorded"
    assert recording.source_of("times") == "modelled"


def test_the_recorded_helper_conversations_are_read_with_their_minutes(shared_figures: Path) -> None:
    recording = read_recording(shared_figures / "support_chat" / "conversations.jsonl.gz")
    assert len(recording.conversations) == 5_116
    scripted = script(recording, seed=1, span_ms=86_400_000)
    assert all(0 <= cue.wait_ms <= PAUSE_MS_MAX for s in scripted for cue in s.cues)
