"""Streaming equals recomputing, for any history: recalls, transfers, quick replies, several conversations, message box."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.model import Event, Line, Speaker, Stage
from metrics.packing import pack, unpack
from metrics.state import Changes, ThreadState
from metrics.turns import fold
from tests.metrics.talk import ANNA, BEN, BOSS, NIGHT, OWN, PROVIDER, who

GAPS = st.sampled_from([0, 0, 1, 900, 5_000, 9_999, 10_001, 61_000, 190_000, 700_000, 40_000_000])
EVENTS = [event for event in Event if event is not Event.NONE]


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    lines: list[Line] = []
    at_ms, conversation = 1_700_000_000_000, 0
    for seq in range(1, draw(st.integers(0, 60)) + 1):
        at_ms += draw(GAPS)
        what = draw(st.integers(0, 11))
        if what == 0:
            conversation += 1
        chat = who(100 + conversation)
        if what <= 4:
            kind = draw(st.sampled_from(["text", "text", "image", "coupon", "product"]))
            lines.append(Line(seq, at_ms, Speaker.SHOPPER, chat, kind))
        elif what <= 7:
            agent = draw(st.sampled_from([ANNA, BEN, BOSS]))
            lines.append(
                Line(
                    seq,
                    at_ms,
                    Speaker.AGENT,
                    chat,
                    sender=agent,
                    auto=draw(st.booleans()),
                    assisted=draw(st.booleans()),
                )
            )
        elif what == 8:
            lines.append(Line(seq, at_ms, Speaker.BOT, chat))
        elif what == 9:
            agent, pool, provider = draw(st.sampled_from([(ANNA, OWN, None), (BEN, NIGHT, PROVIDER)]))
            lines.append(
                Line(seq, at_ms, Speaker.SYSTEM, chat, "event", event=Event.ASSIGNED, agent=agent, pool=pool,
                     provider=provider)
            )  # fmt: skip
        else:
            event = draw(st.sampled_from(EVENTS))
            lines.append(
                Line(seq, at_ms, Speaker.SYSTEM, chat, "event", event=event, target_seq=draw(st.integers(1, seq)),
                     stage=draw(st.sampled_from([None, Stage.BOT, Stage.WAITING])), score=draw(st.integers(1, 5)),
                     agent=ANNA if event is Event.ASSIGNED else None)
            )  # fmt: skip
    return lines


@settings(max_examples=300)
@given(histories(), st.lists(st.integers(0, 60), max_size=8))
def test_any_cut_into_batches_gives_the_same_rows_even_through_json(lines: list[Line], cuts: list[int]) -> None:
    state, whole = fold(ThreadState(), lines)
    streamed, streamed_state, start = Changes(), ThreadState(), 0
    for cut in [*sorted(cuts), len(lines)]:
        streamed_state, changes = fold(unpack(pack(streamed_state)), lines[start:cut])
        streamed.update(changes)
        start = max(start, cut)
    assert streamed.turns == whole.turns
    assert streamed.touches == whole.touches
    assert streamed.tallies == whole.tallies
    assert streamed_state == state


@settings(max_examples=300)
@given(histories())
def test_every_wait_is_charged_to_the_millisecond_and_never_negative(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    for turn in changes.turns.values():
        for wait in (turn.response_ms, turn.human_wait_ms, turn.agent_wait_ms, turn.queue_wait_ms, turn.pickup_ms):
            assert wait is None or wait >= 0
        if turn.human_wait_ms is not None and not turn.excluded:
            assert sum(stint.to_ms - stint.from_ms for stint in turn.stints) == turn.human_wait_ms
        for before, after in zip(turn.stints, turn.stints[1:], strict=False):
            assert before.to_ms == after.from_ms


@settings(max_examples=300)
@given(histories())
def test_at_most_one_turn_of_a_thread_is_open_and_turns_do_not_overlap(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    turns = sorted(
        (turn for turn in changes.turns.values() if turn.excluded != "recalled"), key=lambda one: one.first_seq
    )
    assert sum(turn.answered_ms is None and turn.ended_ms is None for turn in turns) <= 1
    for before, after in zip(turns, turns[1:], strict=False):
        over_ms = before.answered_ms if before.answered_ms is not None else before.ended_ms
        assert over_ms is not None
        assert over_ms <= after.opened_ms


@settings(max_examples=200)
@given(histories())
def test_every_answered_human_turn_is_in_exactly_one_touch(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    answered = sum(turn.by_human and turn.agent is not None for turn in changes.turns.values())
    assert sum(touch.turns for touch in changes.touches.values()) == answered
