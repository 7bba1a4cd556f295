"""Streaming equals recomputing, for any history: recalls, transfers, quick replies, several conversations."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.clocks import Calendar, daily
from metrics.model import Event, Line, Speaker, Stage
from metrics.packing import pack, unpack
from metrics.rows import TABLES, TALLY, Row, Thread, rows_of
from metrics.state import Changes, ThreadState
from metrics.turns import fold
from tests.metrics.talk import ANNA, BEN, BOSS, NIGHT, OWN, PROVIDER, who

GAPS = [0, 0, 1, 900, 5_000, 9_999, 10_001, 61_000, 190_000, 700_000, 40_000_000]
KINDS = ["text", "text", "image", "coupon", "product"]
EVENTS = [event for event in Event if event is not Event.NONE]
SEATS = [(ANNA, OWN, None), (BEN, NIGHT, PROVIDER), (BOSS, OWN, None), (None, None, None)]


def history(choices: list[int]) -> list[Line]:
    """One line for each number: its digits choose the gap, who speaks, and the rest."""
    lines: list[Line] = []
    at_ms, conversation = 1_700_000_000_000, 0
    for seq, choice in enumerate(choices, 1):
        choice, gap = divmod(choice, len(GAPS))
        choice, what = divmod(choice, 12)
        at_ms += GAPS[gap]
        conversation += what == 0
        chat = who(100 + conversation)
        agent, pool, provider = SEATS[choice % 4]
        if what <= 4:
            lines.append(Line(seq, at_ms, Speaker.SHOPPER, chat, KINDS[choice % 5]))
        elif what <= 7:
            auto, assisted = choice // 4 % 5 == 0, choice // 20 % 3 == 0
            lines.append(Line(seq, at_ms, Speaker.AGENT, chat, sender=agent, auto=auto, assisted=assisted))
        elif what == 8:
            lines.append(Line(seq, at_ms, Speaker.BOT, chat))
        else:
            event = EVENTS[choice // 4 % len(EVENTS)] if what > 9 else [Event.ASSIGNED, Event.ROUTED][choice // 4 % 2]
            target = max(1, seq - choice // 64 % 4)
            if event is Event.RATED:  # perhaps of a conversation before
                chat = who(100 + conversation - choice // 64 % 3)
            stage = [None, Stage.BOT, Stage.WAITING][choice // 256 % 3]
            lines.append(
                Line(seq, at_ms, Speaker.SYSTEM, chat, "event", event=event, target_seq=target, stage=stage, score=3,
                     agent=agent, pool=pool, provider=provider)
            )  # fmt: skip
    return lines


def histories() -> st.SearchStrategy[list[Line]]:
    return st.lists(st.integers(0, 12 * len(GAPS) * 1024 - 1), max_size=50).map(history)


@settings(max_examples=150)
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


ZONES = st.sampled_from(["Asia/Shanghai", "America/New_York", "Europe/Berlin", "Pacific/Apia"])
MOVES = st.lists(st.tuples(st.integers(0, 12 * 24 * 3_600_000), ZONES), max_size=4, unique_by=lambda one: one[0])


@settings(max_examples=100)
@given(histories(), st.lists(st.integers(0, 60), max_size=8), ZONES, MOVES)
def test_rows_are_the_same_when_the_shop_moves_to_other_zones_meanwhile(
    lines: list[Line], cuts: list[int], zone: str, moves: list[tuple[int, str]]
) -> None:
    """Streaming knows only the moves that were made by then; recomputing knows them all. Days begin at any midnight."""
    whose = Thread(who(1), who(2), who(3))
    hours = daily(9 * 60, 21 * 60)
    begun = [(0, zone, hours), *((1_700_000_000_000 + at, to, hours) for at, to in sorted(moves))]
    _, whole = fold(ThreadState(), lines)
    streamed: dict[tuple[object, ...], Row] = {}
    state, start = ThreadState(), 0
    for cut in sorted({*(cut for cut in cuts if 0 < cut < len(lines)), *([len(lines)] if lines else [])}):
        state, changes = fold(state, lines[start:cut])
        now_ms, start = lines[cut - 1].at_ms, cut
        known = Calendar(tuple(one for one in begun if one[0] <= now_ms))
        found = rows_of(whose, changes, known)
        for conversation, rated in changes.late_ratings.items():
            if row := streamed.get((TALLY.name, whose.shop, conversation)):
                row |= {"score": rated.score, "rated_at": rated.at_ms}
        streamed |= {(table.name, *table.key_of(row)): row for table in TABLES for row in found[table.name]}
    again = rows_of(whose, whole, Calendar(tuple(begun)))
    assert streamed == {(table.name, *table.key_of(row)): row for table in TABLES for row in again[table.name]}


@settings(max_examples=150)
@given(histories())
def test_every_wait_is_charged_to_the_millisecond_and_never_negative(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    for turn in changes.turns.values():
        for wait in (turn.response_ms, turn.human_wait_ms, turn.agent_wait_ms, turn.queue_wait_ms, turn.pickup_ms):
            assert wait is None or wait >= 0
        if turn.human_wait_ms is not None and not turn.excluded:
            assert sum(stint.to_ms - stint.from_ms for stint in turn.stints) == turn.human_wait_ms
        for before, after in pairwise(turn.stints):
            assert before.to_ms == after.from_ms


@settings(max_examples=150)
@given(histories())
def test_at_most_one_turn_of_a_thread_is_open_and_turns_do_not_overlap(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    turns = sorted(
        (turn for turn in changes.turns.values() if turn.excluded != "recalled"), key=lambda one: one.first_seq
    )
    assert sum(turn.answered_ms is None and turn.ended_ms is None for turn in turns) <= 1
    for before, after in pairwise(turns):
        over_ms = before.answered_ms if before.answered_ms is not None else before.ended_ms
        assert over_ms is not None
        assert over_ms <= after.opened_ms


@settings(max_examples=150)
@given(histories())
def test_every_answered_human_turn_is_in_exactly_one_touch(lines: list[Line]) -> None:
    _, changes = fold(ThreadState(), lines)
    answered = sum(turn.by_human and turn.agent is not None for turn in changes.turns.values())
    assert sum(touch.turns for touch in changes.touches.values()) == answered
